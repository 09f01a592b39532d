"""Read the records of a body, as the contract's `format` says."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator, Mapping
from typing import IO, Any

from include.errors import BeyondLimit
from include.records import line_body
from include.records.chunks import (
    Chunk,
    chunks_of_json,
    chunks_of_lines,
    chunks_of_written,
    within_limits,
)
from include.records.evidence import Witness
from include.records.geojson import seen_fields
from include.records.json import body as json_body
from include.records.json.records import NOT_PARSED, whole
from include.records.json.stream import around_list, pieces
from include.records.json.values import (
    at,
    parsed,
    without_bom,
    written,
)
from include.records.parquet.rows import parquet_lines
from include.records.select import Wanted
from include.records.spreadsheets.workbook import spreadsheet_lines
from include.records.unpack import unpack
from include.records.xml.records import envelope, xml_lines
from include.sources.formats import FILES, Format
from include.sources.limits import VALUE_BYTES, weight

# Larger bodies are read in pieces: the records of a whole body take over twice its size.
STREAM_ABOVE_BYTES = 4 * 1024 * 1024


def read_records(
    body: IO[bytes],
    size: int,
    layout: Format,
    context: Mapping[str, str] | None = None,
    content_type: str = "",
    *,
    complete: bool = True,
) -> Iterator[list[Any]]:
    """The records of a body in order, in lists of some thousands.

    A malformed line is a record too, as text. If the format has `select`, only
    records that match `context`, the values of the page's request, are
    returned. `content_type` is that of the answer; `complete` means that the
    body is known to be complete.

    Raises `BodyCutShort` if the body is not well-formed to its end, and
    `UnexpectedPayload` if it is, but does not match `layout`: no records at
    the expected place, or not those of the contract.
    """
    chunks = read_chunks(body, size, layout, context, content_type, complete=complete)
    return (chunk.records for chunk in chunks)


def read_chunks(
    body: IO[bytes],
    size: int,
    layout: Format,
    context: Mapping[str, str] | None = None,
    content_type: str = "",
    *,
    complete: bool = True,
) -> Iterator[Chunk]:
    """The same, with the bytes of the records.

    They are those of the uncompressed body, in UTF-8. A record of parallel
    arrays, or with inherited fields, has no bytes in the body: it is written
    as JSON.
    """
    layout = layout.received_as(content_type)
    wanted = Wanted(layout.select, layout, context or {}) if layout.select else None
    found = unpack(body, size, layout, content_type)
    complete = complete or any(layer.endswith("file") for layer in found.packing)
    if layout.kind == "csv":
        lines = line_body.csv_lines(found.body, layout, wanted, complete=complete)
        yield from chunks_of_lines(lines, found.size)
        return
    if layout.kind in FILES:
        read = spreadsheet_lines if layout.kind == "spreadsheet" else parquet_lines
        lines = within_limits(read(found.body, layout), layout)
        yield from chunks_of_written(lines, None, wanted)
        return
    witness = Witness(layout.evidence, layout.inherited)
    if layout.kind == "xml":
        lines = within_limits(xml_lines(found.body, layout), layout)
        yield from chunks_of_written(lines, witness, wanted)
    elif layout.kind == "jsonl":
        lines = line_body.json_lines(found.body, layout, may_be_empty=not layout.evidence.fields)
        yield from chunks_of_lines(lines, found.size, witness, wanted)
    elif layout.in_place and found.size > min(STREAM_ABOVE_BYTES, layout.limits.record_bytes):
        for records, text, found_in in pieces(found.body, layout):
            witness.see(_seen(records, layout))
            yield from chunks_of_json(records, text, found_in, wanted, layout)
    else:
        _refuse_large(found.size, layout)
        text = found.body.read()
        if not layout.in_place:
            _refuse_large(weight(text), layout)
        records = whole(text, layout, value=getattr(found.body, "value", NOT_PARSED))
        witness.see(_seen(records, layout))
        # Before any record is returned: most bodies are read here.
        witness.end()
        yield from chunks_of_json(records, text, layout, wanted, layout)
    witness.end()


def _seen(records: list[Any], layout: Format) -> list[Any]:
    return seen_fields(records) if layout.kind == "geojson" else records


def _refuse_large(size: int, layout: Format) -> None:
    """Raise `BeyondLimit` for a body that is too large to be read as a whole."""
    limit = layout.limits.whole_bytes
    if size > limit and not layout.in_place:
        why = f"`kind: {layout.kind}`" if layout.kind != "json" else f"`records: {layout.records}`"
        what = (
            f"the answer, all read at once for {why}, has {size} bytes, a value counted as at "
            f"least {VALUE_BYTES}"
        )
        raise BeyondLimit(what, "whole_bytes", limit)


def count_records(body: IO[bytes], size: int, layout: Format, content_type: str = "") -> int:
    """How many records the whole body holds, whether selected or not."""
    body.seek(0)
    everything = layout.model_copy(update={"select": None})
    chunks = read_records(body, size, everything, None, content_type)
    return sum(len(chunk) for chunk in chunks)


def record_texts(
    body: bytes,
    layout: Format,
    numbers: Collection[int],
    context: Mapping[str, str] | None = None,
    content_type: str = "",
) -> dict[int, bytes]:
    """The original bytes of single records of a body, by their number in it, from 1."""
    found: dict[int, bytes] = {}
    before = 0
    for chunk in read_chunks(io.BytesIO(body), len(body), layout, context, content_type):
        end = before + len(chunk.records)
        texts = chunk.texts({number - before for number in numbers if before < number <= end})
        found |= {number + before: text for number, text in texts.items()}
        before = end
    return found


def value_in(body: IO[bytes], size: int, path: str) -> Any:
    """The value at a dotted path of a JSON body, outside of its records; None if absent."""
    body.seek(0)
    if size > STREAM_ABOVE_BYTES:
        return json_body.streamed_value(body, path)
    return at(parsed(without_bom(body.read())), path)


def envelope_body(body: IO[bytes], layout: Format) -> bytes:
    """What stands around the records of XML, as a body of JSON."""
    return written(envelope(body, layout))


def around_records(body: IO[bytes], size: int, layout: Format) -> Any:
    """What stands around the records of a JSON body; None for lines, and where it is not found.

    Of a large body, the records are left out; of others, they are in it. XML
    is one that `envelope_body` returned.
    """
    if not layout.has_envelope:
        return None
    body.seek(0)
    if layout.kind == "xml":
        return parsed(body.read())
    if size <= STREAM_ABOVE_BYTES or not layout.in_place:
        return parsed(without_bom(body.read()))
    return around_list(body, size, layout)
