"""Changes to the tables of `ops` that an earlier version made."""

from __future__ import annotations

import psycopg
from psycopg import sql

from include.warehouse.schema import views

_WITH_PERIOD = ("landing", "load", "quarantine", "removal", "partition_lock")

# In earlier versions, a record was kept only as bytes.
READABLE = """
alter table ops.quarantine rename column record to record_bytes;
alter table ops.quarantine alter column record_bytes drop not null, add column record text;
do $$
declare
    kept record;
begin
    for kept in select ctid, record_bytes from ops.quarantine loop
        begin
            update ops.quarantine
            set record = convert_from(kept.record_bytes, 'UTF8'), record_bytes = null
            where ctid = kept.ctid;
        exception when character_not_in_repertoire then
            update ops.quarantine set record = encode(kept.record_bytes, 'escape')
            where ctid = kept.ctid;
        end;
    end loop;
end
$$;
alter table ops.quarantine alter column record set not null;
"""


def make(connection: psycopg.Connection, changed: list[str]) -> None:
    """Change what differs, and add it to `changed`."""
    _statuses(connection, changed)
    _readable_records(connection, changed)
    _removals(connection, changed)
    _moments(connection, changed)


def _statuses(connection: psycopg.Connection, changed: list[str]) -> None:
    """Add new statuses to the check constraint of an earlier version's ledger."""
    found = connection.execute(
        "select pg_get_constraintdef(oid) from pg_constraint "
        "where conrelid = 'ops.load'::regclass and conname = 'load_status_check'"
    ).fetchone()
    if found and "'expired'" in found[0]:
        return
    connection.execute(
        "alter table ops.load drop constraint if exists load_status_check, "
        "add constraint load_status_check check (status in "
        "('loaded', 'unchanged', 'not_published', 'refused', 'failed', 'expired'))"
    )
    changed.append("let ops.load say `expired`")


def _readable_records(connection: psycopg.Connection, changed: list[str]) -> None:
    """Keep the quarantined records of an earlier version as text."""
    found = connection.execute(
        "select 1 from pg_attribute where attrelid = 'ops.quarantine'::regclass "
        "and attname = 'record' and atttypid = 'bytea'::regtype"
    ).fetchone()
    if found:
        connection.execute(READABLE)
        changed.append("made ops.quarantine.record readable")


def _removals(connection: psycopg.Connection, changed: list[str]) -> None:
    """Let an earlier version's table hold what `wandle remove` records."""
    found = connection.execute(
        "select pg_get_constraintdef(oid) from pg_constraint "
        "where conrelid = 'ops.removal'::regclass and conname = 'removal_reason_check'"
    ).fetchone()
    if found and "'removed'" in found[0]:
        return
    connection.execute(
        "alter table ops.removal drop constraint if exists removal_pkey, "
        "alter column period drop not null, "
        "drop constraint if exists removal_reason_check, "
        "add constraint removal_reason_check check (reason in "
        "('superseded', 'interrupted', 'expired', 'erased', 'removed'))"
    )
    changed.append("let ops.removal say `removed`")


def _moments(connection: psycopg.Connection, changed: list[str]) -> None:
    """Let periods of an earlier version's tables begin at any hour."""
    found = connection.execute(
        "select attrelid::regclass::text from pg_attribute "
        "where attrelid = any(%s::regclass[]) and attname = 'period' "
        "and atttypid = 'date'::regtype order by 1",
        ([f"ops.{name}" for name in _WITH_PERIOD],),
    ).fetchall()
    for (table,) in found:
        standing = views.take_down(connection, table)
        connection.execute(
            sql.SQL("alter table {} alter column period type timestamp").format(
                sql.Identifier(*table.split("."))
            )
        )
        for view in standing:
            views.put_up(connection, view)
        changed.append(f"let {table}.period be any hour")
