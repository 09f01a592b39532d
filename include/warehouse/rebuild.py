"""Rebuild a raw table beside the old one, and swap them, in one transaction.

Readers see the old rows until the commit. If the process dies before, the server undoes all of it.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from include.errors import PermanentError, ServiceUnavailable
from include.sources.model import Contract
from include.sources.partition import Partition, Period
from include.sources.raw_table import SCHEMA, expected_columns, qualified
from include.warehouse import lock
from include.warehouse.books import ledger
from include.warehouse.books.ledger import Entry
from include.warehouse.connection import Connection, connect, rows
from include.warehouse.load import load_into_new_table
from include.warehouse.schema import evolve, locks, migrate, ops_tables, views

SUFFIX = "__new"
# The swap is requested in short tries, so that readers who come later pass in between.
TRY_SECONDS = 0.2
SWAP_WAIT_SECONDS = 300
# Readers wait for a swap. If its process hangs, or its machine is gone, they wait no longer.
SWAP_IDLE_SECONDS = 60


class Rebuild:
    """The new table of one contract, in an open transaction that holds the migration lock."""

    def __init__(self, connection: Connection, contract: Contract) -> None:
        self._connection = connection
        self._contract = contract
        self._old = sql.Identifier(SCHEMA, contract.name)
        self._table = contract.name + SUFFIX

    def current_landings(self) -> dict[Partition, str | None]:
        """The partitions with rows, with their landings according to the ledger, if any."""
        contract, cursor = self._contract, self._connection.cursor()
        found: dict[Partition, str | None] = {}
        query = f"select distinct _council as council, _period as period from {qualified(contract)}"  # noqa: S608, quoted
        for row in rows(cursor, query):
            found[self._partition(row["council"], row["period"])] = None
        for entry in ledger.current_loads(cursor):
            if entry["source"] == contract.name:
                found[self._partition(entry["council"], entry["period"])] = entry["landing_id"]
        return found

    def _partition(self, council: str, begin: date) -> Partition:
        return Partition(
            self._contract.name, council, Period.starting(begin, self._contract.period)
        )

    def begin(self, partitions: Iterable[Partition]) -> None:
        """Keep loads away, create the new table, and try the swap.

        Raises `PermanentError`, naming it, for a view that the new table would
        break, and `PartitionLocked` or `ServiceUnavailable`.
        """
        for partition in partitions:
            lock.lock_for_load(self._connection, partition)
        _call_session(self._connection, self._contract)
        before = self.current_landings().keys()
        with _schema_changes(self._connection):
            self._connection.execute(
                sql.SQL("lock table {} in share row exclusive mode").format(self._old)
            )
        if self.current_landings().keys() != before:
            raise ServiceUnavailable(
                f"wandle migrate: raw.{self._contract.name}: a partition was loaded for the first "
                "time while the rebuild began. Nothing was changed. Run it again."
            )
        with _schema_changes(self._connection):
            found = evolve.columns(self._connection, self._contract)
            known = expected_columns(self._contract)
            further = {name: kind for name, kind in found.items() if name not in known}
            evolve.create(self._connection, self._contract, self._table, further)
            with self._connection.transaction(force_rollback=True):
                self._replace_old()

    def load(self, *arguments: Any, **named: Any) -> Entry:
        """Load a partition into the new table; takes what `warehouse.load.load` takes."""
        return load_into_new_table(self._connection, self._table, *arguments, **named)

    def swap(self) -> list[str]:
        """Replace the old table by the new one; returns what was changed."""
        with _schema_changes(self._connection):
            self._connection.execute(
                sql.SQL("set local idle_in_transaction_session_timeout = {}").format(
                    f"{SWAP_IDLE_SECONDS}s"
                )
            )
            changed = self._replace_old()
            self._connection.execute(sql.SQL("analyze {}").format(self._old))
            migrate.record(self._connection, changed)
        return changed

    def _replace_old(self) -> list[str]:
        connection, name = self._connection, self._contract.name
        connection.execute("reset role")
        standing = self._take_down()
        _become_owner(connection)
        try:
            with connection.transaction():
                connection.execute(sql.SQL("drop table {}").format(self._old))
        except psycopg.errors.DependentObjectsStillExist as error:
            raise PermanentError(
                f"wandle migrate: raw.{name}: {str(error).splitlines()[0]}: "
                f"{error.diag.message_detail}. The table was not changed. Drop what depends on "
                "it, and create it again after the rebuild."
            ) from error
        for kind, ending in (("table", ""), ("index", "_partition")):
            connection.execute(
                sql.SQL("alter {} {} rename to {}").format(
                    sql.SQL(kind),
                    sql.Identifier(SCHEMA, self._table + ending),
                    sql.Identifier(name + ending),
                )
            )
        evolve.describe(connection, self._contract)
        connection.execute(ops_tables.GRANTS)
        connection.execute("reset role")
        changed = [f"rebuilt raw.{name}"]
        for view in standing:
            try:
                views.put_up(connection, view)
            except (psycopg.ProgrammingError, psycopg.DataError) as error:
                raise PermanentError(
                    f"wandle migrate: raw.{name}: the view {view.label} does not work with the "
                    f"new table: {str(error).splitlines()[0]}. The table was not changed. Change "
                    "its model so that it works with the old and the new types (`column::text`), "
                    "build it (`wandle transform`), and rebuild the table then."
                ) from error
            changed.append(f"recreated {view.label}")
        _become_owner(connection)
        return changed

    def _take_down(self) -> list[views.View]:
        """Drop the views on the old table, then lock it, as readers lock them in this order."""
        connection, give_up = self._connection, time.monotonic() + SWAP_WAIT_SECONDS
        while True:
            try:
                with connection.transaction():
                    connection.execute(
                        sql.SQL("set local lock_timeout = {}").format(f"{TRY_SECONDS}s")
                    )
                    standing = views.take_down(connection, f"{SCHEMA}.{self._contract.name}")
                    connection.execute(
                        sql.SQL("lock table {} in access exclusive mode").format(self._old)
                    )
                    return standing
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected):
                if time.monotonic() > give_up:
                    raise ServiceUnavailable(self._in_use()) from None
                time.sleep(2 * TRY_SECONDS)

    def _in_use(self) -> str:
        users = self._connection.execute(
            "select ops.sessions_using(%s::regclass)", (f"{SCHEMA}.{self._contract.name}",)
        ).fetchone()
        return (
            f"wandle migrate: raw.{self._contract.name} was in use for {SWAP_WAIT_SECONDS} s by "
            f"{users[0] if users and users[0] else 'a session that has just ended'}. Nothing was "
            "changed. Run it again when they have finished, or end one with "
            "`select pg_terminate_backend(<process>)`."
        )


@contextmanager
def rebuilding(admin_dsn: str, contract: Contract) -> Iterator[Rebuild]:
    """The rebuild of a raw table that exists; committed at the end.

    Raises `ServiceUnavailable` if another migration runs.
    """
    with connect(admin_dsn) as connection:
        with _schema_changes(connection):
            connection.execute("set local idle_in_transaction_session_timeout = 0")
            seconds = migrate.LOCK_TIMEOUT_SECONDS
            connection.execute(sql.SQL("set local lock_timeout = {}").format(f"{seconds}s"))
            locks.lock_for_migration(connection, [], seconds)
            _become_owner(connection)
        _call_session(connection, contract)
        yield Rebuild(connection, contract)
        connection.commit()


@contextmanager
def _schema_changes(connection: Connection) -> Iterator[None]:
    """Statements with `%s`, as the modules of `schema` have them, instead of `$1`."""
    of_loads = connection.cursor_factory
    connection.cursor_factory = psycopg.Cursor
    try:
        yield
    finally:
        connection.cursor_factory = of_loads


def _call_session(connection: Connection, contract: Contract) -> None:
    """Name this session for whoever waits for it; locking a partition renames the session."""
    connection.execute(
        "select set_config('application_name', $1, false)",
        (f"wandle migrate --rebuild {contract.name}",),
    )


def _become_owner(connection: Connection) -> None:
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(locks.OWNER)))
