"""Count and hash a partition from its rows in PostgreSQL."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa

from include.records.json.values import parsed
from include.sources.model import Contract
from include.sources.partition import Partition, begin_of
from include.sources.raw_table import EXTRA, lineage, of_partition, qualified, quoted
from include.warehouse.books import ledger
from include.warehouse.books.quarantine import BYTES, content_of_rows
from include.warehouse.columns.cast import typed
from include.warehouse.columns.hashing import ContentHash, Hashes, Mask, hash_rows
from include.warehouse.columns.typed_column import hashes_of, nulls_of
from include.warehouse.connection import ArrowCursor, Cursor, rows

# Rows to read at a time: values of variable length become Python objects.
SLICE_ROWS = 20_000

# The driver streams only queries without parameters; for others it keeps the whole result.
OF_PARTITION = (
    "where {council} = current_setting('wandle.council') "
    "and {period} = current_setting('wandle.period')::{kind}"
)


@dataclass
class Held:
    """A partition as it is in its raw table and in quarantine.

    `landings` counts the rows and the quarantined records of each landing.
    """

    rows: int = 0
    content_hash: str = ""
    quarantined: int = 0
    quarantine_hash: str = ""
    landings: Counter[str] = field(default_factory=Counter)


def begin(cursor: Cursor) -> None:
    """Give this transaction a snapshot, unaffected by concurrent loads."""
    cursor.execute("set transaction isolation level repeatable read")


def partitions(cursor: Cursor, contract: Contract) -> set[tuple[str, datetime]]:
    """Council and begin of each partition with rows, or loaded according to the ledger."""
    known = rows(
        cursor,
        f"select distinct _council as council, _period as period from {qualified(contract)}",  # noqa: S608, quoted
    )
    known += rows(
        cursor,
        "select council, period from ops.load "
        "where source = $1 and status in ('loaded', 'unchanged') "
        "union select council, period from ops.quarantine where source = $1",
        contract.name,
    )
    return {(row["council"], begin_of(row["period"])) for row in known}


def lost(cursor: Cursor, contract: Contract, partition: Partition) -> str | None:
    """The landing that is loaded according to the ledger, if its rows are not in the raw table."""
    entry = ledger.current_load(cursor, partition)
    if entry is None:
        return None
    query = of_partition(contract, "select count(*) as present")
    present = rows(cursor, query, partition.council, partition.period.in_table)
    return None if present[0]["present"] == entry["rows"] else str(entry["landing_id"])


def held(cursor: ArrowCursor, contract: Contract, partition: Partition) -> Held:
    """Read a partition as a stream, and hash it as a load does.

    Call `begin` first, so that rows and quarantine are of the same snapshot.
    """
    _choose(cursor, partition)
    found = Held()
    types = _types(contract)
    content = ContentHash()
    for batch in _rows(cursor, contract, types):
        found.rows += batch.num_rows
        content.add(hash_rows(_hashed(batch, types), batch.num_rows))
        found.landings.update(batch["_landing_id"].to_pylist())
    found.content_hash = content.hexdigest()
    _add_quarantine(cursor, found)
    return found


def contents_renamed(
    cursor: ArrowCursor, contract: Contract, partition: Partition, renamed: Mapping[str, str]
) -> tuple[str, str]:
    """The content hash of a partition, and what it is when columns have other names."""
    _choose(cursor, partition)
    types = _types(contract)
    before, after = ContentHash(), ContentHash()
    for batch in _rows(cursor, contract, types):
        hashed = _hashed(batch, types)
        before.add(hash_rows(hashed, batch.num_rows))
        others = {renamed.get(name, name): hashes for name, hashes in hashed.items()}
        after.add(hash_rows(others, batch.num_rows))
    return before.hexdigest(), after.hexdigest()


def _choose(cursor: ArrowCursor, partition: Partition) -> None:
    cursor.execute(
        "select set_config('wandle.council', $1, true), set_config('wandle.period', $2, true), "
        "set_config('wandle.source', $3, true)",
        (partition.council, partition.period.start.isoformat(), partition.source),
    )
    cursor.fetchall()


def content_of_first(
    cursor: ArrowCursor, contract: Contract, partition: Partition, records: int
) -> str:
    """The content hash of the rows of a landing's first records."""
    types = _types(contract)
    cursor.execute(
        of_partition(contract, f"select {_list(types)}") + " and _record_no <= $3",
        (partition.council, partition.period.in_table, records),
    )
    content = ContentHash()
    for batch in cursor.fetch_record_batch():
        content.add(hash_rows(_hashed(batch, types), batch.num_rows))
    return content.hexdigest()


def _types(contract: Contract) -> dict[str, str]:
    return {column.name: column.type for column in contract.raw_columns()} | {EXTRA: "jsonb"}


def _rows(
    cursor: ArrowCursor, contract: Contract, types: Mapping[str, str]
) -> Iterator[pa.RecordBatch]:
    names = _list((*types, "_landing_id"))
    where = OF_PARTITION.format(
        council="_council", period="_period", kind=lineage(contract)["_period"]
    )
    return _stream(cursor, f"select {names} from {qualified(contract)} {where}")  # noqa: S608, quoted


def _list(names: Iterable[str]) -> str:
    return ", ".join(map(quoted, names))


def _add_quarantine(cursor: ArrowCursor, found: Held) -> None:
    where = OF_PARTITION.format(council="council", period="period", kind="timestamp")
    query = (
        f"select column_name, rule, {BYTES} as record, landing_id "  # noqa: S608, no value
        f"from ops.quarantine {where} and source = current_setting('wandle.source')"
    )

    def kept() -> Iterator[tuple[str | None, str, bytes]]:
        for batch in _stream(cursor, query):
            found.quarantined += batch.num_rows
            found.landings.update(batch["landing_id"].to_pylist())
            columns = (batch[name].to_pylist() for name in ("column_name", "rule", "record"))
            yield from zip(*columns, strict=True)

    found.quarantine_hash = content_of_rows(kept())


def _stream(cursor: ArrowCursor, query: str) -> Iterator[pa.RecordBatch]:
    cursor.execute(query)
    for batch in cursor.fetch_record_batch():
        for start in range(0, batch.num_rows, SLICE_ROWS):
            yield batch.slice(start, SLICE_ROWS)


def _hashed(batch: pa.RecordBatch, types: Mapping[str, str]) -> dict[str, tuple[Hashes, Mask]]:
    found = {}
    for name, type_name in types.items():
        array = batch[name]
        found[name] = (_hashes(array, type_name), nulls_of(array))
    return found


def _hashes(array: pa.Array, type_name: str) -> Hashes:
    """The hash of each value in the table; arbitrary for nulls."""
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        texts = array.to_pylist()
        if type_name == "jsonb":
            texts = [
                None if text is None else parsed(text.encode(), as_sent=True) for text in texts
            ]
        column = typed(texts, type_name)
        hashes = column.hashes.copy()
        # NaN in a numeric, which no load writes, must not have the hash of another value.
        hashes[column.wrong] = ~hashes[column.wrong]
        return hashes
    return hashes_of(array)
