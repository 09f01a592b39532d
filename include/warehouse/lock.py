"""The advisory lock of a partition: whoever loads it or removes from it holds it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from include.errors import ServiceUnavailable
from include.sources.partition import Partition
from include.sources.raw_table import SCHEMA
from include.warehouse.connection import Connection, Cursor, connect

# How long another load of the same partition is waited for.
LOAD_WAIT_SECONDS = 300
REMOVAL_WAIT_SECONDS = 30
LOCK_NOT_AVAILABLE = "55P03"


def lock_name(partition: Partition) -> str:
    """The name whose hash is the advisory lock of a partition."""
    return f"{SCHEMA}.{partition}"


def lock_for_load(cursor: Cursor, partition: Partition) -> None:
    """Keep other loads of the partition away until the session ends, also after a roll-back.

    Raises `ServiceUnavailable` after `LOAD_WAIT_SECONDS`.
    """
    cursor.execute("select set_config('application_name', $1, true)", (f"wandle load {partition}",))
    _lock(
        cursor,
        partition,
        LOAD_WAIT_SECONDS,
        f"{partition}: another load of this partition has been running for "
        f"{LOAD_WAIT_SECONDS} s. The next retry may succeed; pg_stat_activity names "
        "who is loading, as application `wandle load ...`.",
    )


@contextmanager
def locked_for_removal(dsn: str, partition: Partition) -> Iterator[Connection]:
    """A connection that keeps every load of the partition waiting, commits or not, until its end.

    Raises `ServiceUnavailable` if a load does not end in time.
    """
    with connect(dsn) as connection:
        cursor = connection.cursor()
        cursor.execute(
            "select set_config('application_name', $1, false)", (f"wandle removes {partition}",)
        )
        _lock(
            cursor,
            partition,
            REMOVAL_WAIT_SECONDS,
            f"{partition}: a load of this partition has been running for "
            f"{REMOVAL_WAIT_SECONDS} s. Nothing of it was removed; the next run removes it.",
        )
        yield connection


def _lock(cursor: Cursor, partition: Partition, seconds: float, waited: str) -> None:
    cursor.execute(f"set local lock_timeout = '{seconds}s'")
    try:
        cursor.execute("select pg_advisory_lock(hashtextextended($1, 0))", (lock_name(partition),))
    except Exception as error:
        if getattr(error, "sqlstate", None) == LOCK_NOT_AVAILABLE:
            raise ServiceUnavailable(waited) from None
        raise
