"""From a body to its records, as the contract's `format` says."""

from __future__ import annotations

import json
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
    text = body.decode()
    place = _start_of_list(text, layout)
    found: dict[int, bytes] = {}
    last = max(numbers, default=0)
    for number in range(1, last + 1):
        start = _past_space(text, place)
        _, end = _DECODER.raw_decode(text, start)
        if number in numbers:
            found[number] = text[start:end].encode()
        place = _past_space(text, end) + 1
    return found


_DECODER = json.JSONDecoder(strict=False)


def _start_of_list(text: str, layout: Format) -> int:
    place = _past_space(text, 0)
    for wanted in filter(None, layout.records.split(".")):
        while True:
            name, end = _DECODER.raw_decode(text, _past_space(text, place + 1))
            place = _past_space(text, _past_space(text, end) + 1)
            if name == wanted:
                break
            place = _past_space(text, _DECODER.raw_decode(text, place)[1])
    return place + 1


def _past_space(text: str, place: int) -> int:
    while text[place] in " \t\r\n":
        place += 1
    return place
