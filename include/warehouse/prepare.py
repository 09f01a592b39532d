"""Turn pages into batches of rows to copy and records to quarantine, with their counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import IO, Any

import numpy as np
import pyarrow as pa

from include.errors import BeyondLimit, LandingDamaged, UnexpectedPayload
from include.records.chunks import Chunk
from include.records.diagnose import not_the_data
from include.records.json.together import may_be_parsed, parsed_together
from include.records.json.values import BodyCutShort
from include.records.read import STREAM_ABOVE_BYTES, read_chunks
from include.sources.formats import Format
from include.sources.model import Contract
from include.sources.partition import Partition
from include.sources.raw_table import EXTRA, LINEAGE
from include.warehouse.books.counts import Counts, Quarantined
from include.warehouse.columns.batch import Batch, Broken, Reader
from include.warehouse.columns.duplicates import Repeats
from include.warehouse.columns.flatten import holds_floats
from include.warehouse.columns.hashing import Mask
from include.warehouse.columns.pseudonyms import Pseudonyms
from include.warehouse.columns.redact import Withholding

BATCH_RECORDS = 20_000
BATCH_BYTES = STREAM_ABOVE_BYTES
# Pages that are parsed together: of so many bytes each, and so many bytes or pages in all.
SMALL_BYTES = 128 * 1024
TOGETHER_BYTES = 1024 * 1024
TOGETHER_PAGES = 256


@dataclass(frozen=True)
class PageBody:
    """A landed page: its name, its request's values, and its body as received, verified.

    `address` is its `s3://` URI, for messages; `content_type` is that of the
    answer.
    """

    name: str
    context: Mapping[str, str]
    records: int
    size: int
    body: IO[bytes]
    way: str = "api"
    address: str = ""
    content_type: str = ""


@dataclass
class _Part:
    """Consecutive records of one page."""

    page: PageBody
    # Kept while the batch is read, and to return the bytes of quarantined records.
    chunk: Chunk
    first_position: int
    records: list[Any]
    # Whether their numbers are as sent.
    as_sent: bool

    @property
    def positions(self) -> range:
        """The records' numbers in their page."""
        return range(self.first_position, self.first_position + len(self.records))


@dataclass(frozen=True)
class PreparedBatch:
    """Rows for the raw table, and the counts of their records."""

    rows: pa.RecordBatch
    counts: Counts


def prepare(
    contract: Contract,
    partition: Partition,
    landing_id: str,
    pages: Iterable[PageBody],
    pseudonyms: Pseudonyms | None = None,
) -> Iterator[PreparedBatch]:
    """Yield the rows to copy into the raw table, batch by batch, with the counts of each.

    Of records with the same key, the first is loaded; a later one is an exact
    duplicate if all its columns are equal too, else quarantined under rule
    `key`. A record of several rows is loaded if all of them can be loaded, and
    is a duplicate if all of them are.

    Raises `LandingDamaged` if the number of records of a page differs from the
    manifest, and `PermanentError` if `pseudonyms` are needed but missing.
    """
    readers: dict[str, Reader] = {}
    layouts: dict[str, Format] = {}
    repeats = Repeats()
    before = 0
    for parts in _batches(contract, pages, layouts):
        way = parts[0].page.way
        reader = readers.get(way) or readers.setdefault(way, Reader(contract, way, pseudonyms))
        batch = _read(reader, parts)
        if not contract.personal and holds_floats(batch.unknown) and _read_as_sent(parts):
            # Few contracts lack fields with numbers: for others, this is not worth its time.
            layouts[way] = layouts[way].with_numbers_as_sent()
            batch = _read(reader, parts)
        keep, conflicts = repeats.left_out(batch)
        broken = sorted([*batch.broken, *conflicts], key=lambda item: item.index)
        rows = _record_batch(batch, partition, landing_id, before, keep)
        counts = _counts(contract, batch, keep, rows, way)
        counts.quarantine.extend(_quarantined(contract, parts, broken, before))
        counts.duplicates = batch.records - len(broken) - counts.loaded
        yield PreparedBatch(rows, counts)
        before += batch.records


def _read(reader: Reader, parts: list[_Part]) -> Batch:
    records = list(chain.from_iterable(part.records for part in parts))
    positions = chain.from_iterable(part.positions for part in parts)
    contexts = [(part.page.context, len(part.records)) for part in parts]
    return reader.read(records, positions, contexts)


def _read_as_sent(parts: list[_Part]) -> bool:
    """Read the numbers of records again, as sent; False if all are."""
    others = [part for part in parts if not part.as_sent]
    for part in others:
        part.records, part.as_sent = part.chunk.as_sent(), True
    return bool(others)


def _counts(contract: Contract, batch: Batch, keep: Mask, rows: pa.RecordBatch, way: str) -> Counts:
    source = batch.source
    counts = Counts(
        records=batch.records,
        loaded=rows.num_rows if source is None else len(np.unique(source[keep])),
        rows=rows.num_rows,
        filled={
            name
            for name, array in zip(rows.schema.names, rows.columns, strict=True)
            if array.null_count < len(array)
        },
        differences=dict(batch.differences),
    )
    counts.content.add(batch.rows if keep.all() else batch.rows[keep])
    counts.drift.add(contract, way, batch.unknown)
    return counts


def _batches(
    contract: Contract, pages: Iterable[PageBody], layouts: dict[str, Format]
) -> Iterator[list[_Part]]:
    """Parts of pages, read by the layout of their way, which may be changed meanwhile."""
    parts: list[_Part] = []
    records = size = 0
    for page in _together(pages, lambda way: _layout(contract, way, layouts)):
        if parts and parts[0].page.way != page.way:
            yield parts
            parts, records, size = [], 0, 0
        position = 1
        layout = _layout(contract, page.way, layouts)
        for chunk in _chunks(page, layout):
            parts.append(_Part(page, chunk, position, chunk.records, layout.as_sent))
            position += len(chunk.records)
            records += len(chunk.records)
            size += chunk.size
            if records >= BATCH_RECORDS or size >= BATCH_BYTES:
                yield parts
                parts, records, size = [], 0, 0
        if position - 1 != page.records:
            raise LandingDamaged(
                f"{page.address or page.name}: expected {page.records} records as the manifest "
                f"says, found {position - 1}. Nothing was changed. Fetch the partition again."
            )
    if records:
        yield parts


def _layout(contract: Contract, way: str, layouts: dict[str, Format]) -> Format:
    return layouts.get(way) or layouts.setdefault(way, contract.layout(way))


def _together(pages: Iterable[PageBody], layout_of: Callable[[str], Format]) -> Iterator[PageBody]:
    """The pages; small ones of JSON are parsed, several at once.

    An error of a page is raised after the pages before it, as if each was read alone.
    """
    small: list[PageBody] = []
    texts: list[bytes] = []
    size = 0
    failures: list[Exception] = []
    for page in _until_failure(pages, failures):
        is_small = page.size < SMALL_BYTES and may_be_parsed(layout_of(page.way))
        if is_small:
            small.append(page)
            page.body.seek(0)
            texts.append(page.body.read())
            size += page.size
        full = size >= TOGETHER_BYTES or len(small) == TOGETHER_PAGES
        if small and (full or not is_small):
            yield from _parsed(small, texts)
            small, texts, size = [], [], 0
        if not is_small:
            yield page
    yield from _parsed(small, texts)
    for failure in failures:
        raise failure


def _until_failure(pages: Iterable[PageBody], failures: list[Exception]) -> Iterator[PageBody]:
    try:
        yield from pages
    except Exception as error:
        failures.append(error)


def _parsed(pages: list[PageBody], texts: list[bytes]) -> Iterator[PageBody]:
    for page, body in zip(pages, parsed_together(texts), strict=True):
        yield replace(page, body=body)


def _chunks(page: PageBody, layout: Format) -> Iterator[Chunk]:
    """The records of a page.

    Raises `LandingDamaged` for one that is not the source's data, and
    `BeyondLimit` for one that is beyond the contract's limits.
    """
    try:
        yield from read_chunks(page.body, page.size, layout, page.context, page.content_type)
    except BeyondLimit as error:
        raise error.of(page.address or page.name) from None
    except (BodyCutShort, UnexpectedPayload) as error:
        where = page.address or page.name
        raise not_the_data(where, error, page.body, page.size, layout, page.content_type) from None


def _quarantined(
    contract: Contract, parts: list[_Part], broken: list[Broken], before: int
) -> Iterator[Quarantined]:
    remaining = list(broken)
    start = 0
    for part in parts:
        end = start + len(part.records)
        mine = [item for item in remaining if start <= item.index < end]
        positions = {item.index: part.first_position + item.index - start for item in mine}
        records = {positions[item.index]: part.records[item.index - start] for item in mine}
        kept = _kept(contract, part, records) if mine else {}
        for item in mine:
            position = positions[item.index]
            yield Quarantined(
                record_no=before + item.index + 1,
                page=part.page.name,
                page_record_no=position,
                column=item.column,
                rule=item.rule,
                value=item.value if item.column or not contract.personal else None,
                record=kept[position],
                responsible=_responsible(contract, item),
            )
        remaining = remaining[len(mine) :]
        start = end


def _kept(contract: Contract, part: _Part, records: Mapping[int, Any]) -> dict[int, bytes]:
    """The bytes of these records for quarantine, by their position in the page."""
    if contract.personal:
        withholding = Withholding(contract.columns_of(part.page.way))
        return {position: withholding.record(record) for position, record in records.items()}
    before = part.first_position - 1
    texts = part.chunk.texts({position - before for position in records})
    return {position: texts[position - before] for position in records}


def _responsible(contract: Contract, item: Broken) -> str:
    """Who must fix it; for a malformed or conflicting record, the publisher."""
    if item.column is None or item.column == EXTRA:
        return "publisher"
    return contract.column(item.column).responsible


def _record_batch(
    batch: Batch, partition: Partition, landing_id: str, before: int, keep: Mask
) -> pa.RecordBatch:
    numbers = np.arange(batch.records) if batch.source is None else batch.source
    count = len(numbers)
    lineage = (
        _constant(partition.council, count),
        pa.repeat(pa.scalar(partition.period.in_table), count),
        _constant(landing_id, count),
        pa.array(numbers + (before + 1)),
    )
    arrays = {**batch.arrays, **dict(zip(LINEAGE, lineage, strict=True))}
    whole = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
    return whole if keep.all() else whole.filter(pa.array(keep))


def _constant(text: str, count: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(np.zeros(count, dtype=np.int8), [text])
