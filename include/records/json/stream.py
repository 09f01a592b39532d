"""A large JSON body piece by piece: consecutive records and their bytes.

A piece ends where a record seems to end. This is then verified: in brackets,
the piece must be a complete JSON list, so that a parser of the whole body
would also be at the end of a record there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from typing import IO, Any

from include.errors import BeyondLimit, UnexpectedPayload
from include.records.json import body as json_body
from include.records.json.records import whole
from include.records.json.values import (
    BOM,
    BodyCutShort,
    parsed,
    records_without_loss,
    without_loss,
)
from include.sources.formats import Format
from include.sources.limits import VALUE_BYTES, weight

PIECE_BYTES = 1024 * 1024
# The first step back from the end of what has been read, to look for the end of a record.
STEP_BYTES = 512
# Of the end of a body, which holds what follows its records.
TAIL_BYTES = 16 * 1024
# Bytes to search for the end of a record before reading token by token.
SEARCHED_BYTES = 4 * PIECE_BYTES
# Closing brackets to try at the end of a body before it is read token by token.
LAST_BRACKETS = 4

# Records, the JSON around them, and its layout.
Piece = tuple[list[Any], bytes, Format]
_LIST = Format()
_LIST_AS_SENT = _LIST.with_numbers_as_sent()

_OPENS = re.compile(rb"\s*\{")


def pieces(body: IO[bytes], layout: Format) -> Iterator[Piece]:
    """The records of a body in order.

    A body whose list does not begin in its first piece is read as a whole.
    Raises as `json_records.whole` does, and `BeyondLimit` for a record, or a
    body that must be read as a whole, that is too large.
    """
    limit = layout.limits.record_bytes
    head = _first_piece(body)
    start = json_body.start_of_list(head, layout)
    if start is None:
        text = head + _rest_of(body, layout, len(head))
        yield whole(text, layout), text, layout
        return
    rest, yielded = head[start:], False
    listed = _LIST_AS_SENT if layout.as_sent else _LIST
    while True:
        found = _up_to_a_record(rest, layout.as_sent) or _up_to_a_comma(rest, layout)
        if found is not None:
            records, text, end = found
            _refuse_large(records, text, layout)
            yield records, text, listed
            rest, yielded = rest[end:].lstrip(), True
            continue
        if weight(rest) > limit:
            raise BeyondLimit(
                f"expected records, found more than {limit} bytes without the end of one, a value "
                f"counted as at least {VALUE_BYTES}",
                "record_bytes",
                limit,
            )
        more = body.read(min(max(PIECE_BYTES, len(rest)), limit + 1 - len(rest)))
        if not more:
            break
        rest += more
    records, text, end = _up_to_the_end(rest, layout.as_sent)
    _refuse_large(records, text, layout)
    if records:
        yield records, text, listed
    elif yielded:
        raise BodyCutShort("it is not complete JSON: its list ends with a comma")
    # Together with the list, the rest must be JSON, and have nothing else in the list's place.
    if whole(head[:start] + b"]" + rest[end:], layout, around=True):
        raise UnexpectedPayload(f"expected one list of records at {layout.records!r}, found two")


def _first_piece(body: IO[bytes]) -> bytes:
    """The beginning of a body, without white space before it."""
    body.seek(0)
    head = body.read(PIECE_BYTES).removeprefix(BOM).lstrip()
    while not head and (more := body.read(PIECE_BYTES)):
        head = more.lstrip()
    return head


def _rest_of(body: IO[bytes], layout: Format, read: int) -> bytes:
    """What is left of a body that is read as a whole."""
    limit = layout.limits.whole_bytes
    rest = body.read(max(0, limit - read) + 1)
    if read + len(rest) > limit:
        raise BeyondLimit(
            f"expected a list of records that begins in the first {PIECE_BYTES} bytes, found more "
            f"than {limit} bytes that can only be read as a whole",
            "whole_bytes",
            limit,
        )
    return rest


def _refuse_large(records: list[Any], text: bytes, layout: Format) -> None:
    """Raise `BeyondLimit` if one of the records in a list is too large."""
    limit = layout.limits.record_bytes
    if len(text) <= limit:
        return
    largest = max(map(len, islice(json_body.texts(text, _LIST), len(records))), default=0)
    if largest > limit:
        what = f"expected records, found one of {largest} bytes"
        raise BeyondLimit(what, "record_bytes", limit)


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
    brackets, place = json_body.open_brackets(head[:start]), -1
    # The first bracket behind which the rest is what follows the list.
    while (place := tail.find(b"]", place + 1)) >= 0:
        with suppress(BodyCutShort):
            parsed(brackets + tail[place:])
            return parsed(head[:start] + tail[place:])
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


def _up_to_a_comma(rest: bytes, layout: Format) -> tuple[list[Any], bytes, int] | None:
    """The same, token by token, once there is much to read; records may be any values."""
    if len(rest) < min(SEARCHED_BYTES, layout.limits.record_bytes):
        return None
    place = json_body.last_comma(rest)
    found = _as_list(rest[:place], layout.as_sent) if place else None
    return (*found, place + 1) if found and place else None


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
    return _records_of(text, as_sent), text, end + 1


def _as_list(items: bytes, as_sent: bool) -> tuple[list[Any], bytes] | None:
    text = b"[%b]" % items
    try:
        return _records_of(text, as_sent), text
    except BodyCutShort:
        return None


def _records_of(text: bytes, as_sent: bool) -> list[Any]:
    plain: list[Any] = parsed(text, as_sent)
    found = without_loss(text, plain, as_sent)
    return plain if found is plain else records_without_loss(found)
