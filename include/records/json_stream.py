"""A large JSON body piece by piece: consecutive records and their bytes.

A piece ends where a record seems to end. This is then verified: in brackets,
the piece must be a complete JSON list, so that a parser of the whole body
would also be at the end of a record there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import IO, Any

from include.errors import UnexpectedPayload
from include.records import json_body
from include.records.json_records import whole
from include.records.json_values import BOM, BodyCutShort, parsed
from include.sources.formats import Format

PIECE_BYTES = 1024 * 1024
# The first step back from the end of what has been read, to look for the end of a record.
STEP_BYTES = 512
# Closing brackets to try at the end of a body before it is read token by token.
LAST_BRACKETS = 4

# Records, the JSON that they stand in, and how that is laid out.
Piece = tuple[list[Any], bytes, Format]
_LIST = Format()
_LIST_AS_SENT = _LIST.with_numbers_as_sent()

_OPENS = re.compile(rb"\s*\{")


def pieces(body: IO[bytes], layout: Format) -> Iterator[Piece]:
    """The records of a body in order.

    A body whose list does not begin in its first piece, or does not contain
    objects, is read as a whole. Raises as `json_records.whole` does.
    """
    body.seek(0)
    head = body.read(PIECE_BYTES).removeprefix(BOM)
    start = json_body.start_of_list(head, layout)
    if start is None:
        text = head + body.read()
        yield whole(text, layout), text, layout
        return
    rest, yielded = head[start:], False
    listed = _LIST_AS_SENT if layout.as_sent else _LIST
    while True:
        found = _up_to_a_record(rest, layout.as_sent)
        if found is not None:
            records, text, end = found
            yield records, text, listed
            rest, yielded = rest[end:], True
            continue
        more = body.read(max(PIECE_BYTES, len(rest)))
        if not more:
            break
        rest += more
    records, text, end = _up_to_the_end(rest, layout.as_sent)
    if records:
        yield records, text, listed
    elif yielded:
        raise BodyCutShort("it is not complete JSON: its list ends with a comma")
    # Together with the list, the rest must be JSON, and have nothing else in the list's place.
    if whole(head[:start] + b"]" + rest[end:], layout, around=True):
        raise UnexpectedPayload(f"expected one list of records at {layout.records!r}, found two")


def _up_to_a_record(rest: bytes, as_sent: bool) -> tuple[list[Any], bytes, int] | None:
    """Records from the beginning of a text, the list of them, and where the next one begins; None
    if none is seen to end there."""
    step, place = 0, rest.rfind(b"},")
    while place >= 0 and step < len(rest):
        if _OPENS.match(rest, place + 2):
            found = _as_list(rest[: place + 1], as_sent)
            if found is not None:
                return *found, place + 2
        step = max(STEP_BYTES, 2 * step)
        place = rest.rfind(b"},", 0, max(0, len(rest) - step))
    return None


def _up_to_the_end(rest: bytes, as_sent: bool) -> tuple[list[Any], bytes, int]:
    """The last records, the list of them, and where their list has ended."""
    place = len(rest)
    for _ in range(LAST_BRACKETS):
        place = rest.rfind(b"]", 0, place)
        if place < 0:
            break
        found = _as_list(rest[:place], as_sent)
        if found is not None:
            return *found, place + 1
    end = json_body.end_of_list(rest) if place >= 0 else None
    if end is None:
        raise BodyCutShort("it is not complete JSON: its list has no end")
    text = b"[%b]" % rest[:end]
    return parsed(text, as_sent), text, end + 1


def _as_list(items: bytes, as_sent: bool) -> tuple[list[Any], bytes] | None:
    text = b"[%b]" % items
    try:
        return parsed(text, as_sent), text
    except BodyCutShort:
        return None
