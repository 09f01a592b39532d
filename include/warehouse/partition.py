"""One partition of a raw table, in one transaction: lock, count, copy, delete."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa

from include.errors import ServiceUnavailable
from include.sources.model import Contract
from include.sources.partition import Partition
from include.sources.raw_table import SCHEMA, of_partition, quoted
from include.warehouse.connection import CopyCursor, rows
from include.warehouse.copy_binary import alike, append
from include.warehouse.lock import lock_for_load, lock_table_for_load
from include.warehouse.parts import Emptied
from include.warehouse.schema import raw_table

NOT_OF_THIS_TRANSACTION = " and xmin <> (select pg_current_xact_id()::xid)"
EMPTIED = " having bool_and(xmin <> (select pg_current_xact_id()::xid)) order by 1"


class RawPartition:
    """The rows of one partition, in the cursor's transaction; by default in the raw table."""

    def __init__(
        self, contract: Contract, partition: Partition, cursor: CopyCursor, table: str = ""
    ) -> None:
        self._contract = contract.model_copy(update={"name": table}) if table else contract
        self._is_new = bool(table)
        self._partition = partition
        self._cursor = cursor

    def lock(self) -> None:
        """Keep other loads of it away until the transaction, which begins here, ends.

        Of a new table, nobody else knows. Raises the errors of `lock_for_load`.
        """
        if not self._is_new:
            lock_for_load(self._cursor.connection, self._partition)

    def require_table(self) -> None:
        """Raise `TableOutdated` unless the table matches the contract, and the errors of a lock."""
        if self._columns() and not self._is_new:
            # Before anything is read of it, which would keep a rebuilt table from replacing it.
            lock_table_for_load(self._cursor.connection, self._partition, self._contract.name)
        raw_table.require(self._contract, self._columns())

    def _columns(self) -> dict[str, str]:
        found = rows(self._cursor, raw_table.COLUMNS_QUERY, f"{SCHEMA}.{self._contract.name}")
        return {row["attname"]: row["format_type"] for row in found}

    def count(self) -> int:
        """The number of rows."""
        found = rows(
            self._cursor,
            of_partition(self._contract, "select count(*) as present"),
            self._partition.council,
            self._partition.period.in_table,
        )
        return int(found[0]["present"])

    def copy(self, batches: Iterator[pa.RecordBatch]) -> int:
        """Add rows; returns their number. Raises what the batches raise."""
        return sum(
            append(self._cursor, SCHEMA, self._contract.name, some) for some in alike(batches)
        )

    def emptied(self, columns: Sequence[str]) -> list[Emptied]:
        """The values of columns that only rows have which this transaction has not written."""
        names = ", ".join(map(quoted, columns))
        query = of_partition(self._contract, f"select concat_ws(',', {names}) as part, count(*)")
        found = rows(
            self._cursor,
            f"{query} group by {names}{EMPTIED}",
            self._partition.council,
            self._partition.period.in_table,
        )
        return [Emptied(f"{row['part']}", int(row["count"]), "empty") for row in found]

    def delete_others(self, present: int) -> None:
        """Delete the `present` rows that this transaction has not written.

        Raises `ServiceUnavailable` if it deletes another number of rows.
        """
        self._cursor.execute(
            of_partition(self._contract, "delete") + NOT_OF_THIS_TRANSACTION,
            (self._partition.council, self._partition.period.in_table),
        )
        name = f"{SCHEMA}.{self._contract.name}"
        deleted = int(rows(self._cursor, raw_table.DELETED_QUERY, name)[0]["deleted"])
        if deleted != present:
            raise ServiceUnavailable(
                f"{self._partition}: {present} rows when the load started, but {deleted} "
                f"when it replaced them: another process writes to {name}. Nothing was changed. "
                "Try again later."
            )
