"""A large JSON body piece by piece: consecutive records, and the bytes that they stand in.

A piece ends where a record seems to end. That it does is then proved: between
brackets it is a complete JSON list, so that a parser of the whole body, too,
would stand behind a record of the list there.
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
# Of the end of a body, which holds what follows its records.
TAIL_BYTES = 16 * 1024
# So many closing brackets at the end of a body are tried before it is read token by token.
LAST_BRACKETS = 4

# Records, the JSON that they stand in, and how that is laid out.
Piece = tuple[list[Any], bytes, Format]
_LIST = Format()
_LIST_AS_SENT = _LIST.with_numbers_as_sent()

_OPENS = re.compile(rb"\s*\{")


def pieces(body: IO[bytes], layout: Format) -> Iterator[Piece]:
    """The records of a body in order.

    A body whose list does not begin in its first piece is read as a whole, and
    so is a list of something else than objects. Raises as
    `json_records.whole` does.
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
        raise BodyCutShort("it is not complete JSON: a comma stands before the end of its list")
    # What stands around the list must be JSON with it, and nothing must take its place.
    if whole(head[:start] + b"]" + rest[end:], layout, around=True):
        raise UnexpectedPayload(f"expected one list of records at {layout.records!r}, found two")


def around_list(body: IO[bytes], size: int, layout: Format) -> Any:
    """A large JSON body without its records; None if their list does not begin and end near the
    beginning and the end of the body."""
    body.seek(0)
    head = body.read(PIECE_BYTES).removeprefix(BOM)
    start = json_body.start_of_list(head, layout)
    if start is None:
        return None
    body.seek(max(0, size - TAIL_BYTES))
    tail = body.read()
    place = -1
    # The first bracket behind which the rest is what follows the list.
    while (place := tail.find(b"]", place + 1)) >= 0:
        try:
            return parsed(head[:start] + tail[place:])
        except BodyCutShort:
            continue
    return None


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
