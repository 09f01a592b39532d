"""The lock of a partition: whoever loads it or removes from it holds it.

It is a row of `ops.partition_lock`, locked until a transaction ends: roles without rights on that
table cannot take it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from include.errors import ServiceUnavailable
from include.sources.partition import Partition
from include.sources.raw_table import SCHEMA, table_of
from include.warehouse.connection import Connection, connect

# How long another load of the same partition is waited for.
LOAD_WAIT_SECONDS = 300
REMOVAL_WAIT_SECONDS = 30

_LOCK = """
select from ops.partition_lock where source = $1 and council = $2 and period = $3 for update
"""
_HOLDER = """
select ops.session(held.pid)
from ops.partition_lock as locked
join pg_locks as held
    on held.transactionid = locked.xmax
    and held.locktype = 'transactionid'
    and held.mode = 'ExclusiveLock'
    and held.granted
where source = $1 and council = $2 and period = $3
"""


class PartitionLocked(ServiceUnavailable):
    """Somebody else has locked the partition for too long."""


def lock_for_load(connection: Connection, partition: Partition) -> None:
    """Keep other loads of the partition away until the transaction, which begins here, ends.

    Raises `PartitionLocked`, naming who holds the lock, after `LOAD_WAIT_SECONDS`.
    """
    _lock(
        connection,
        partition,
        doing="load",
        seconds=LOAD_WAIT_SECONDS,
        waited=f"another load or removal of this partition has been running for "
        f"{LOAD_WAIT_SECONDS} s",
        then="Try again later",
    )


def lock_table_for_load(connection: Connection, partition: Partition, table: str) -> None:
    """Wait for a migration of the raw table, within a transaction of `lock_for_load`.

    Raises `PartitionLocked`, naming who holds the lock, after `LOAD_WAIT_SECONDS`.
    """
    try:
        connection.execute(f"lock table {table_of(table)} in row exclusive mode")
    except psycopg.errors.LockNotAvailable:
        connection.rollback()
        found = connection.execute(
            "select ops.sessions_using($1::regclass)", (table_of(table),)
        ).fetchone()
        raise PartitionLocked(
            f"{partition}: {SCHEMA}.{table} has been locked for {LOAD_WAIT_SECONDS} s by "
            f"{(found and found[0]) or 'a session that has just ended'}. Try again later. If that "
            "process hangs, end it with `select pg_terminate_backend(<process>)`."
        ) from None


@contextmanager
def locked_for_removal(dsn: str, partition: Partition) -> Iterator[Connection]:
    """A connection to remove with; loads of the partition wait, commits or not, until the end.

    Raises `PartitionLocked`, naming who holds the lock, if a load does not end in time.
    """
    with connect(dsn) as holder:
        _lock(
            holder,
            partition,
            doing="remove",
            seconds=REMOVAL_WAIT_SECONDS,
            waited=f"a load or another removal of this partition has been running for "
            f"{REMOVAL_WAIT_SECONDS} s",
            then="Nothing of it was removed; the next run removes it",
        )
        # The lock must last as long as what happens under it.
        holder.execute("set local idle_in_transaction_session_timeout = 0")
        with connect(dsn) as connection:
            yield connection
        holder.execute("select")  # raises if the lock was lost with its connection


def _lock(
    connection: Connection,
    partition: Partition,
    *,
    doing: str,
    seconds: float,
    waited: str,
    then: str,
) -> None:
    row = (partition.source, partition.council, partition.period.starts_at)
    try:
        # Committed at once, so that a session that waits finds who has locked the row.
        with connection.transaction():
            connection.execute(
                "select set_config('lock_timeout', $1, false), "
                "set_config('application_name', $2, false)",
                (f"{seconds}s", f"wandle {doing} {partition}"),
            )
            connection.execute(
                "insert into ops.partition_lock (source, council, period) values ($1, $2, $3) "
                "on conflict do nothing",
                row,
            )
        connection.execute(_LOCK, row)
    except psycopg.errors.LockNotAvailable:
        connection.rollback()
        found = connection.execute(_HOLDER, row).fetchone()
        holder = f" by {found[0]}" if found else ", by a session that has just ended"
        raise PartitionLocked(
            f"{partition}: {waited}: it is locked{holder}. {then}. If that process hangs, end it "
            "with `select pg_terminate_backend(<process>)`."
        ) from None
