"""Pages to what is copied and what is quarantined, batch by batch, counting as it goes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import orjson
import pyarrow as pa

from include.errors import LandingDamaged
from include.sources.model import Contract
from include.sources.partition import Partition
from include.sources.records import STREAM_ABOVE_BYTES, read_records, record_texts
from include.warehouse.batch import Batch, Broken, Reader
from include.warehouse.hashing import ContentHash, Mask, Seen
from include.warehouse.table import LINEAGE

BATCH_RECORDS = 50_000
BATCH_BYTES = STREAM_ABOVE_BYTES


@dataclass(frozen=True)
class PageBody:
    """A landed page: its name, what its request added, and its body as received, verified."""

    name: str
    context: Mapping[str, str]
    records: int
    size: int
    body: IO[bytes]


@dataclass(frozen=True)
class Quarantined:
    """A record that is not loaded: where it stands, which rule it broke, and its own bytes."""

    record_no: int
    page: str
    page_record_no: int
    column: str | None
    rule: str
    value: str | None
    record: bytes


@dataclass
class Counts:
    """The books of a load: `records` must equal the sum of the other three."""

    records: int = 0
    loaded: int = 0
    duplicates: int = 0
    content: ContentHash = field(default_factory=ContentHash)
    quarantine: list[Quarantined] = field(default_factory=list)


@dataclass
class _Part:
    """Consecutive records of one page."""

    page: PageBody
    records: list[Any]
    first_position: int
    # Kept while the batch is read, to give back a quarantined record's own bytes.
    body: bytes | None


def prepare(
    contract: Contract,
    partition: Partition,
    landing_id: str,
    pages: Iterable[PageBody],
    counts: Counts,
) -> Iterator[pa.RecordBatch]:
    """Yield what is to be copied into the raw table; `counts` is complete at the end.

    Of records with the same key, the first is loaded; a later one is an exact
    duplicate if all its columns are equal too, else quarantined under rule
    `key`. Raises `LandingDamaged` if a page holds not as many records as its
    manifest says.
    """
    reader, keys, contents = Reader(contract), Seen(), Seen()
    for parts in _batches(contract, pages):
        records = [record for part in parts for record in part.records]
        positions = [
            position
            for part in parts
            for position in range(part.first_position, part.first_position + len(part.records))
        ]
        contexts = [part.page.context for part in parts for _ in part.records]
        batch = reader.read(records, positions, contexts)
        keep = np.ones(batch.records, dtype=bool)
        keep[[broken.index for broken in batch.broken]] = False
        conflicts = _without_repeats(batch, keep, keys, contents, counts)
        broken = sorted([*batch.broken, *conflicts], key=lambda item: item.index)
        counts.quarantine.extend(_quarantined(contract, parts, broken, counts.records))
        counts.content.add(batch.rows[keep])
        counts.loaded += int(keep.sum())
        yield _record_batch(batch, partition, landing_id, counts.records, keep)
        counts.records += batch.records


def _batches(contract: Contract, pages: Iterable[PageBody]) -> Iterator[list[_Part]]:
    parts: list[_Part] = []
    records = size = 0
    for page in pages:
        position = 1
        whole = page.body.read() if page.size <= STREAM_ABOVE_BYTES else None
        page.body.seek(0)
        for chunk in read_records(page.body, page.size, contract.format):
            parts.append(_Part(page, chunk, position, whole))
            position += len(chunk)
            records += len(chunk)
            size += page.size if whole is not None else BATCH_BYTES
            if records >= BATCH_RECORDS or size >= BATCH_BYTES:
                yield parts
                parts, records, size = [], 0, 0
        if position - 1 != page.records:
            raise LandingDamaged(
                f"{page.name}: expected {page.records} records as the manifest says, found "
                f"{position - 1}. Nothing was changed. Fetch the partition again."
            )
    if records:
        yield parts


def _without_repeats(
    batch: Batch, keep: Mask, keys: Seen, contents: Seen, counts: Counts
) -> list[Broken]:
    """Take repeated records out of `keep`; those that differ from the first are returned."""
    candidates = np.flatnonzero(keep)
    same_key = keys.again(batch.keys[candidates])
    same_content = contents.again(batch.rows[candidates, 0])
    # Two hashes must agree before a record is left out as a duplicate.
    duplicates = candidates[same_key & same_content]
    conflicts = candidates[same_key & ~same_content]
    counts.duplicates += len(duplicates)
    keep[duplicates] = False
    keep[conflicts] = False
    return [Broken(int(index), None, "key", None) for index in conflicts]


def _quarantined(
    contract: Contract, parts: list[_Part], broken: list[Broken], before: int
) -> Iterator[Quarantined]:
    remaining = list(broken)
    start = 0
    for part in parts:
        end = start + len(part.records)
        mine = [item for item in remaining if start <= item.index < end]
        positions = {item.index: part.first_position + item.index - start for item in mine}
        texts = (
            record_texts(part.body, contract.format, set(positions.values()))
            if part.body is not None and mine
            else {}
        )
        for item in mine:
            position = positions[item.index]
            yield Quarantined(
                record_no=before + item.index + 1,
                page=part.page.name,
                page_record_no=position,
                column=item.column,
                rule=item.rule,
                value=item.value,
                record=texts.get(position) or orjson.dumps(part.records[item.index - start]),
            )
        remaining = remaining[len(mine) :]
        start = end


def _record_batch(
    batch: Batch, partition: Partition, landing_id: str, before: int, keep: Mask
) -> pa.RecordBatch:
    count = batch.records
    lineage = (
        pa.repeat(pa.scalar(partition.council), count),
        pa.repeat(pa.scalar(partition.period.first_day), count),
        pa.repeat(pa.scalar(landing_id), count),
        pa.array(np.arange(before + 1, before + count + 1)),
    )
    arrays = {**batch.arrays, **dict(zip(LINEAGE, lineage, strict=True))}
    whole = pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
    return whole if keep.all() else whole.filter(pa.array(keep))
