"""From a body to its records, as the contract's `format` says."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping
from itertools import islice
from typing import IO, Any

from include.sources import json_records, lines
from include.sources.body import BodyCutShort, at, parsed, without_bom
from include.sources.formats import Format
from include.sources.selected import Wanted

__all__ = [
    "STREAM_ABOVE_BYTES",
    "BodyCutShort",
    "count_records",
    "read_records",
    "record_texts",
    "value_in",
]

# Above this a body is parsed as a stream: `orjson.loads` of 300 MB peaks at 1.3 GB, ijson at 13 MB.
STREAM_ABOVE_BYTES = 16 * 1024 * 1024
CHUNK_RECORDS = 20_000


def read_records(
    body: IO[bytes], size: int, layout: Format, context: Mapping[str, str] | None = None
) -> Iterator[list[Any]]:
    """The records of a body in order, in lists of some thousands.

    A line that is not well-formed is a record too, as text. Where the format
    selects, only those are records that belong to what `context`, the values
    of the page's request, names.

    Raises `BodyCutShort` if the body is not well-formed to its end, and
    `UnexpectedPayload` if it is, but holds no records where `layout` says.
    """
    wanted = _wanted(layout, context)
    if layout.kind in ("csv", "jsonl"):
        found: Iterator[Any] = (record for record, _ in _lines(body, layout, wanted))
    elif size > STREAM_ABOVE_BYTES and layout.kind == "json" and "*" not in layout.records:
        found = json_records.streamed(body, layout)
        found = filter(wanted.is_record, found) if wanted else found
    else:
        records = json_records.whole(body.read(), layout)
        yield [record for record in records if wanted.is_record(record)] if wanted else records
        return
    for first in found:
        yield [first, *islice(found, CHUNK_RECORDS - 1)]


def count_records(body: IO[bytes], size: int, layout: Format) -> int:
    """How many records the whole body holds, whether selected or not."""
    body.seek(0)
    everything = layout.model_copy(update={"select": None})
    return sum(len(chunk) for chunk in read_records(body, size, everything))


def record_texts(
    body: bytes,
    layout: Format,
    numbers: Collection[int],
    context: Mapping[str, str] | None = None,
) -> dict[int, bytes]:
    """The bytes of single records as they stand in a body, by their number in it, from 1.

    The body must be one that `read_records` has read with the same `context`.
    A record of a columnar body stands nowhere, and one that inherits not as it is: both are
    written as JSON.
    """
    wanted = _wanted(layout, context)
    if layout.kind in ("csv", "jsonl"):
        texts: Iterator[bytes] = (text for _, text in _lines(io.BytesIO(body), layout, wanted))
    else:
        texts = json_records.texts(body, layout)
        if wanted:
            texts = (text for text in texts if wanted.is_record(parsed(text)))
    last = max(numbers, default=0)
    return {
        number: text
        for number, text in enumerate(islice(texts, last), start=1)
        if number in numbers
    }


def value_in(body: IO[bytes], size: int, path: str) -> Any:
    """The value at a dotted path of a JSON body, outside of its records; None if it has none."""
    body.seek(0)
    if size > STREAM_ABOVE_BYTES:
        return json_records.streamed_value(body, path)
    return at(parsed(without_bom(body.read())), path)


def _wanted(layout: Format, context: Mapping[str, str] | None) -> Wanted | None:
    return Wanted(layout.select, context or {}) if layout.select else None


def _lines(body: IO[bytes], layout: Format, wanted: Wanted | None) -> Iterator[lines.Line]:
    if layout.kind == "csv":
        return lines.csv_lines(body, layout, wanted)
    found = lines.json_lines(body)
    return (line for line in found if wanted.is_record(line[0])) if wanted else found
