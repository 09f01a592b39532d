"""Quarantine: the records of a partition's current load that break its contract.

A record is kept as text. `record_bytes` has the record's own bytes where a text
cannot: where they are not UTF-8, or hold a NUL character.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from include.sources.partition import Partition
from include.warehouse.books.counts import Quarantine, Quarantined
from include.warehouse.columns.hashing import hash_multiset
from include.warehouse.connection import CopyCursor, Cursor, rows
from include.warehouse.copy_binary import append

# The record's own bytes, of a row.
BYTES = "coalesce(record_bytes, convert_to(record, 'UTF8'))"

_SCHEMA = pa.schema(
    {
        "source": pa.string(),
        "council": pa.string(),
        "period": pa.timestamp("us"),
        "landing_id": pa.string(),
        "record_no": pa.int64(),
        "page": pa.string(),
        "page_record_no": pa.int64(),
        "column_name": pa.string(),
        "rule": pa.string(),
        "value": pa.string(),
        "record": pa.string(),
        "record_bytes": pa.binary(),
        "found_at": pa.timestamp("us", tz="UTC"),
        "responsible": pa.string(),
    }
)


def replace(cursor: CopyCursor, partition: Partition, landing_id: str, records: Quarantine) -> None:
    """Replace the partition's records in quarantine."""
    place = (partition.source, partition.council, partition.period.starts_at)
    cursor.execute(
        "delete from ops.quarantine where source = $1 and council = $2 and period = $3", place
    )
    where, now = (*place, landing_id), datetime.now(UTC)
    append(cursor, "ops", "quarantine", (_batch(where, now, some) for some in records.batches()))


def _batch(place: tuple[Any, ...], now: datetime, records: Sequence[Quarantined]) -> pa.RecordBatch:
    texts = [_text(record.record) for record in records]
    columns: list[Sequence[Any]] = [
        *([value] * len(records) for value in place),
        [record.record_no for record in records],
        [record.page for record in records],
        [record.page_record_no for record in records],
        [record.column for record in records],
        [record.rule for record in records],
        [record.value for record in records],
        [text for text, _ in texts],
        [kept for _, kept in texts],
        [now] * len(records),
        [record.responsible for record in records],
    ]
    arrays = [pa.array(values, field.type) for values, field in zip(columns, _SCHEMA, strict=True)]
    return pa.RecordBatch.from_arrays(arrays, schema=_SCHEMA)


def _text(record: bytes) -> tuple[str, bytes | None]:
    r"""A record as text, and its bytes if the text is not exactly them but has escapes: `\xff`."""
    text = record.decode("utf-8", "backslashreplace").replace("\0", r"\x00")
    return text, None if text.encode() == record else record


def content_of(records: Iterable[Quarantined]) -> str:
    """A hash over rules and records, independent of their order and numbers."""
    return content_of_rows((item.column, item.rule, item.record) for item in records)


def content_of_rows(rows: Iterable[tuple[str | None, str, bytes]]) -> str:
    """The same, from tuples of column, rule and record."""
    return hash_multiset(f"{column}\0{rule}\0".encode() + record for column, rule, record in rows)


def listed(cursor: Cursor) -> list[dict[str, Any]]:
    """Everything in quarantine, in order of partition and record; of the record, its `bytes`."""
    return rows(
        cursor,
        "select source, council, period, landing_id, record_no, page, page_record_no, "  # noqa: S608
        f"column_name, rule, value, found_at, responsible, octet_length({BYTES}) as bytes "
        "from ops.quarantine order by source, council, period, record_no",
    )


def partitions(cursor: Cursor) -> set[tuple[str, str, datetime]]:
    """The partitions that have records in quarantine: source, council, begin."""
    found = rows(cursor, "select distinct source, council, period from ops.quarantine")
    return {(row["source"], row["council"], row["period"]) for row in found}


def by_rule(
    cursor: Cursor, source: str, part: tuple[str, tuple[Any, ...]]
) -> dict[str, dict[str, int]]:
    """How many records of a source broke which rule of which column; without their values.

    `part` is SQL over `council` and `period` with `$1`, `$2`, ..., and its values. What concerns
    the whole record stands under an empty name.
    """
    where, values = part
    found: dict[str, dict[str, int]] = {}
    query = (
        "select coalesce(column_name, '') as name, rule, count(*) as number "  # noqa: S608, no value
        f"from ops.quarantine_overview where ({where}) and source = ${len(values) + 1} "
        "group by 1, 2 order by 1, 2"
    )
    for row in rows(cursor, query, *values, source):
        found.setdefault(row["name"], {})[row["rule"]] = int(row["number"])
    return found
