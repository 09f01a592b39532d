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
from include.sources import json_records
from include.sources.body import BOM, BodyCutShort, parsed
from include.sources.formats import Format

PIECE_BYTES = 1024 * 1024
# The first step back from the end of what has been read, to look for the end of a record.
STEP_BYTES = 512

# Records, the JSON that they stand in, and how that is laid out.
Piece = tuple[list[Any], bytes, Format]
_LIST = Format()

_OPENS = re.compile(rb"\s*\{")


def pieces(body: IO[bytes], layout: Format) -> Iterator[Piece]:
    """The records of a body in order.

    A body whose list does not begin in its first piece is read as a whole, and
    so is a list of something else than objects. Raises as
    `json_records.whole` does.
    """
    body.seek(0)
    head = body.read(PIECE_BYTES).removeprefix(BOM)
    start = json_records.start_of_list(head, layout)
    if start is None:
        text = head + body.read()
        yield json_records.whole(text, layout), text, layout
        return
    rest, yielded = head[start:], False
    while True:
        found = _first_piece(rest)
        if found is None:
            more = body.read(max(PIECE_BYTES, len(rest)))
            if not more:
                raise BodyCutShort("it is not complete JSON: its list has no end")
            rest += more
            continue
        records, text, end, is_last = found
        if yielded and not records:
            raise BodyCutShort("it is not complete JSON: a comma stands before the end of its list")
        rest, yielded = rest[end:], True
        if records:
            yield records, text, _LIST
        if is_last:
            break
    # What stands around the list must be JSON with it, and nothing must take its place.
    if json_records.whole(head[:start] + b"]" + rest + body.read(), layout):
        raise UnexpectedPayload(f"expected one list of records at {layout.records!r}, found two")


def _first_piece(rest: bytes) -> tuple[list[Any], bytes, int, bool] | None:
    """Records from the beginning of a text, their list, where the next begins, and whether there
    is none; None if more of the text is needed."""
    step, place = 0, rest.rfind(b"},")
    while place >= 0 and step < len(rest):
        if _OPENS.match(rest, place + 2):
            text = b"[%b]" % rest[: place + 1]
            try:
                return parsed(text), text, place + 2, False
            except BodyCutShort:
                pass  # it ends within a record
        step = max(STEP_BYTES, 2 * step)
        place = rest.rfind(b"},", 0, max(0, len(rest) - step))
    end = json_records.end_of_list(rest)
    if end is None:
        return None
    text = b"[%b]" % rest[:end]
    return parsed(text), text, end + 1, True
