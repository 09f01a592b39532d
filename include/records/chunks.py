"""Chunks of records: consecutive ones of a body, with their bytes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

from include.errors import BeyondLimit
from include.records import line_body
from include.records.evidence import Witness
from include.records.geojson import features
from include.records.json import body as json_body
from include.records.json.records import whole
from include.records.json.values import has_all_names, parsed, records_without_loss, without_loss
from include.records.select import Wanted
from include.sources.formats import Format
from include.sources.limits import weight

CHUNK_RECORDS = 20_000
CHUNK_BYTES = 8 * 1024 * 1024
# Lines whose names are counted together.
COUNTED_LINES = 100


@dataclass(frozen=True)
class Chunk:
    """Consecutive records of a body.

    `texts` returns the original bytes of single ones, by their number in the
    chunk, from 1; `as_sent` returns all of them with numbers as sent. `size` is
    their approximate size in bytes.
    """

    records: list[Any]
    texts: Callable[[Collection[int]], dict[int, bytes]]
    as_sent: Callable[[], list[Any]]
    size: int


def within_limits(lines: Iterator[line_body.Line], layout: Format) -> Iterator[line_body.Line]:
    """The records, as long as none and all of them together are not too large.

    What a file holds once can be repeated in it, or shared by all records.
    """
    limits, size = layout.limits, 0
    for line in lines:
        length = weight(line[1])
        size += length
        if length > limits.record_bytes:
            what = f"expected records, found one of {length} bytes"
            raise BeyondLimit(what, "record_bytes", limits.record_bytes)
        if size > limits.answer_bytes:
            what = f"the answer holds records of more than {limits.answer_bytes} bytes"
            raise BeyondLimit(what, "answer_bytes", limits.answer_bytes)
        yield line


def chunks_of_written(
    lines: Iterator[line_body.Line], witness: Witness | None, wanted: Wanted | None
) -> Iterator[Chunk]:
    """Chunks of records that were written as JSON because the body has other bytes for them."""
    for records, texts in _batches(lines, _few_enough, witness, wanted):
        yield _chunk(records, texts, partial(_lines_as_sent, records, texts))


def chunks_of_lines(
    lines: Iterator[line_body.Line],
    size: int,
    witness: Witness | None = None,
    wanted: Wanted | None = None,
) -> Iterator[Chunk]:
    """Chunks of the lines of a body of `size` bytes: JSON lines if `witness` is given, else CSV."""
    take = _few_enough if size > CHUNK_BYTES else _some
    for records, texts in _batches(lines, take, witness, wanted):
        if witness:
            records = _with_all_names(records, texts)
            yield _chunk(records, texts, partial(_lines_as_sent, records, texts))
        else:
            # Lines of CSV have no numbers.
            yield _chunk(records, texts, partial(list, records))


def _batches(
    lines: Iterator[line_body.Line],
    take: Callable[[Iterator[line_body.Line]], list[line_body.Line]],
    witness: Witness | None,
    wanted: Wanted | None,
) -> Iterator[tuple[list[Any], list[bytes]]]:
    """The wanted records and their bytes, as many at a time as `take` takes."""
    while some := take(lines):
        if witness:
            witness.see([record for record, _ in some])
        if wanted:
            some = [line for line in some if wanted.is_record(line[0])]
        if some:
            records, texts = map(list, zip(*some, strict=True))
            yield records, texts


def _chunk(records: list[Any], texts: list[bytes], as_sent: Callable[[], list[Any]]) -> Chunk:
    return Chunk(records, partial(_at, texts), as_sent, sum(map(len, texts)))


def _some(lines: Iterator[line_body.Line]) -> list[line_body.Line]:
    return list(islice(lines, CHUNK_RECORDS))


def _few_enough(lines: Iterator[line_body.Line]) -> list[line_body.Line]:
    """The same of a large body, in which they can be long."""
    some: list[line_body.Line] = []
    add, size = some.append, 0
    for line in islice(lines, CHUNK_RECORDS):
        add(line)
        size += len(line[1])
        if size > CHUNK_BYTES:
            break
    return some


def _with_all_names(records: list[Any], texts: Sequence[bytes]) -> list[Any]:
    """The values of JSON lines, as text those in which an object repeats a name."""
    for start in range(0, len(records), COUNTED_LINES):
        some = slice(start, start + COUNTED_LINES)
        if not has_all_names(b",".join(texts[some]), records[some]):
            found = map(without_loss, texts[some], records[some])
            records[some] = records_without_loss(list(found))
    return records


def _lines_as_sent(records: Sequence[Any], texts: Sequence[bytes]) -> list[Any]:
    return [
        parsed(text, as_sent=True) if isinstance(record, dict) else record
        for record, text in zip(records, texts, strict=True)
    ]


def _at(texts: Sequence[bytes], numbers: Collection[int]) -> dict[int, bytes]:
    return {number: texts[number - 1] for number in numbers}


def chunks_of_json(
    parsed_records: list[Any],
    text: bytes,
    layout: Format,
    wanted: Wanted | None,
    contract: Format,
) -> Iterator[Chunk]:
    """Chunks of the records of a text, which `layout` describes; `contract` is that of the body."""
    records = parsed_records
    if contract.kind == "geojson":
        records = features(parsed_records, contract)
    places: Sequence[int] = range(1, len(records) + 1)
    if wanted:
        places = [place for place in places if wanted.is_record(records[place - 1])]
    for start in range(0, len(places), CHUNK_RECORDS):
        some = places[start : start + CHUNK_RECORDS]
        whole = len(some) == len(records)
        yield Chunk(
            records if whole else [records[place - 1] for place in some],
            partial(_in_json, text, layout, parsed_records, some),
            partial(_json_as_sent, text, layout, some, contract),
            len(text) * len(some) // max(1, len(records)),
        )


def _json_as_sent(
    body: bytes, layout: Format, places: Sequence[int], contract: Format
) -> list[Any]:
    records = whole(body, layout.with_numbers_as_sent())
    if contract.kind == "geojson":
        records = features(records, contract)
    return records if len(places) == len(records) else [records[place - 1] for place in places]


def _in_json(
    body: bytes,
    layout: Format,
    records: Sequence[Any],
    places: Sequence[int],
    numbers: Collection[int],
) -> dict[int, bytes]:
    found = json_body.some_texts(body, layout, records, {places[number - 1] for number in numbers})
    return {number: found[places[number - 1]] for number in numbers}
