"""From a body to its records, as the contract's `format` says."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import IO, Any

import ijson
import orjson

from include.errors import UnexpectedPayload
from include.sources.model import Format

# Above this a body is parsed as a stream: `orjson.loads` of 300 MB peaks at 1.3 GB, ijson at 13 MB.
STREAM_ABOVE_BYTES = 16 * 1024 * 1024
CHUNK_RECORDS = 20_000


class BodyCutShort(ValueError):
    """The body is not complete: empty, cut short, or not of this format at all."""


def read_records(body: IO[bytes], size: int, layout: Format) -> Iterator[list[Any]]:
    """The records of a body in order, in lists of some thousands.

    Raises `BodyCutShort` if the body is not well-formed to its end, and
    `UnexpectedPayload` if it is, but holds no list at `layout.records`.
    """
    if size <= STREAM_ABOVE_BYTES:
        yield _whole(body.read(), layout)
    else:
        yield from _streamed(body, layout)


def _whole(body: bytes, layout: Format) -> list[Any]:
    if not body:
        raise BodyCutShort("it is empty (0 bytes)")
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise BodyCutShort(f"it is not complete JSON: {error}") from None
    for name in filter(None, layout.records.split(".")):
        if not isinstance(found, dict) or name not in found:
            raise UnexpectedPayload(_no_list(layout, found))
        found = found[name]
    if not isinstance(found, list):
        raise UnexpectedPayload(_no_list(layout, found))
    return found


def _streamed(body: IO[bytes], layout: Format) -> Iterator[list[Any]]:
    prefix = f"{layout.records}.item" if layout.records else "item"
    chunk: list[Any] = []
    found = 0
    try:
        for item in ijson.items(body, prefix, use_float=True):
            found += 1
            chunk.append(item)
            if len(chunk) == CHUNK_RECORDS:
                yield chunk
                chunk = []
    except ijson.JSONError as error:
        raise BodyCutShort(f"it is not complete JSON: {error}") from None
    if not found:
        raise UnexpectedPayload(_no_list(layout, "none in a body this large"))
    yield chunk


def _no_list(layout: Format, found: Any) -> str:
    where = f"at {layout.records!r}" if layout.records else "as the whole body"
    shape = (
        f"an object with {', '.join(sorted(found)[:8]) or 'no fields'}"
        if isinstance(found, dict)
        else type(found).__name__
    )
    return f"expected a list of records {where}, found {shape}"


def record_texts(body: bytes, layout: Format, numbers: Collection[int]) -> dict[int, bytes]:
    """The bytes of single records as they stand in a body, by their number in it, from 1.

    The body must be one that `read_records` has read.
    """
    place = _start_of_list(body, layout)
    found: dict[int, bytes] = {}
    for number in range(1, max(numbers, default=0) + 1):
        start, place = _value_at(body, place)
        if number in numbers:
            found[number] = body[start:place]
    return found


# Values are told apart by brackets and strings alone: no depth is too deep, no number too long.
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]|[^\s\[\]{}",:]+', re.DOTALL)


def _start_of_list(body: bytes, layout: Format) -> int:
    place = body.index(b"{" if layout.records else b"[") + 1
    for wanted in filter(None, layout.records.split(".")):
        name = None
        while name != wanted:
            if name is not None:
                _, place = _value_at(body, place)
            start, place = _value_at(body, place)
            name = orjson.loads(body[start:place])
        place = _after_next_bracket(body, place)
    return place


def _value_at(body: bytes, place: int) -> tuple[int, int]:
    """Where the next value starts and ends."""
    start, depth = -1, 0
    for token in _TOKEN.finditer(body, place):
        start = token.start() if start < 0 else start
        depth += {b"[": 1, b"{": 1, b"]": -1, b"}": -1}.get(token[0], 0)
        if not depth:
            return start, token.end()
    raise ValueError(f"no value at {place}")


def _after_next_bracket(body: bytes, place: int) -> int:
    match = _TOKEN.search(body, place)
    return match.end() if match else len(body)
