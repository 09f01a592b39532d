"""The locks of loads, builds and migrations, and who holds them.

Advisory locks would let any role that can log in stop the warehouse: PostgreSQL cannot restrict
them to some roles, and `pg_locks` shows their keys. Only a role with rights on a table can lock it
or its rows.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from include.errors import ServiceUnavailable

OWNER = "wandle_owner"

MIGRATION_LOCK = "create table if not exists ops.migration_lock ()"

# A load locks a row of `partition_lock`. A build locks a whole table: an idle transaction that has
# locked only a table does not keep vacuum from removing dead rows.
# `session` shows what its caller may see: the time only of sessions of the same role.
# `pg_temp` stands last in each `search_path`: left out, it would be searched first, and a caller's
# temporary view `pg_locks` would run its code as the function's owner.
LOCKS = """
create table if not exists ops.partition_lock (
    source text not null,
    council text not null,
    period timestamp not null,
    primary key (source, council, period)
);
create table if not exists ops.build_lock ();
comment on table ops.partition_lock is
    'A load, a removal or an erasure locks the row of its partition.';
comment on table ops.build_lock is 'A dbt build locks this table.';
comment on table ops.migration_lock is '`wandle migrate` locks this table.';
create or replace function ops.session(process integer) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select
        coalesce('`' || nullif(application_name, '') || '`', 'an unnamed application')
        || ' (role ' || coalesce(usename, 'unknown') || ', process ' || pid
        || coalesce(', from ' || host(client_addr), '')
        || coalesce(
            ', since ' || to_char(xact_start at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC',
            ''
        ) || ')'
    from pg_stat_activity
    where pid = process
$$;
create or replace function ops.sessions_using(relation regclass) returns text
language sql stable set search_path = pg_catalog, pg_temp as $$
    select string_agg(distinct ops.session(held.pid), '; ')
    from pg_locks as held
    where
        held.locktype = 'relation'
        and held.database = (select oid from pg_database where datname = current_database())
        and held.relation = sessions_using.relation
        and held.granted
        and held.pid <> pg_backend_pid()
$$;
create or replace function ops.end_readers(mart regclass) returns bigint
language sql security definer set search_path = pg_catalog, pg_temp as $$
    select count(*) filter (where pg_terminate_backend(held.pid))
    from pg_locks as held
    join pg_stat_activity as reader on reader.pid = held.pid
    join pg_class as relation on relation.oid = held.relation
    where
        held.locktype = 'relation'
        and held.database = (select oid from pg_database where datname = current_database())
        and held.relation = mart
        and held.granted
        and relation.relnamespace = 'marts'::regnamespace
        and reader.usename in ('wandle_portal', 'wandle_reader', 'wandle_publisher')
$$;
comment on function ops.end_readers is
    'Disconnects portal and reader sessions that keep a mart from being replaced.';
revoke execute on function ops.end_readers from public;
"""

GRANTS = """
grant select, insert, update on ops.partition_lock to wandle_loader;
grant update on ops.build_lock to wandle_transformer;
grant execute on function ops.end_readers to wandle_transformer;
"""

_SESSIONS_USING_TABLES = """
select string_agg(distinct ops.session(held.pid), '; ')
from pg_locks as held
join pg_class as relation on relation.oid = held.relation
where
    held.locktype = 'relation'
    and held.database = (select oid from pg_database where datname = current_database())
    and held.granted
    and held.pid <> pg_backend_pid()
    and relation.relnamespace = any(
        select oid from pg_namespace
        where nspname in ('raw', 'ops', 'staging', 'intermediate', 'marts')
    )
"""


def lock_for_migration(connection: psycopg.Connection, changed: list[str], seconds: float) -> None:
    """Block other migrations until the transaction ends; creates the lock and its owner.

    Raises `ServiceUnavailable`, naming the other one, after `seconds`, which
    is the lock time-out of the transaction.
    """
    try:
        if not _value(connection, "select to_regclass('ops.migration_lock') is not null"):
            _make(connection, changed)
        connection.execute("lock table ops.migration_lock in exclusive mode")
    except psycopg.errors.LockNotAvailable as error:
        connection.rollback()
        holder = _value(
            connection,
            "select case when to_regclass('ops.migration_lock') is not null "
            "then ops.sessions_using(to_regclass('ops.migration_lock')) end",
        )
        raise ServiceUnavailable(
            f"wandle migrate: another migration has been running for {seconds} s"
            f"{f': {holder}' if holder else ''}. Nothing was changed. Run it again when that one "
            "has finished."
        ) from error


def _make(connection: psycopg.Connection, changed: list[str]) -> None:
    owner = sql.Identifier(OWNER)
    new: list[str] = []
    try:
        with connection.transaction():
            if not _value(connection, "select to_regrole(%s) is not null", OWNER):
                connection.execute(sql.SQL("create role {} nologin").format(owner))
                new.append(f"created role {OWNER}")
            connection.execute(sql.SQL("grant {} to current_user").format(owner))
            connection.execute(
                sql.SQL("create schema if not exists ops authorization {}").format(owner)
            )
            connection.execute(sql.SQL("set local role {}").format(owner))
            connection.execute(MIGRATION_LOCK)
            connection.execute("set local role none")
    except (psycopg.errors.UniqueViolation, psycopg.errors.DuplicateObject):
        return  # another migration has just made it
    changed += new


def users_of_tables(admin_dsn: str) -> str:
    """The sessions that use a table of the warehouse; empty if there are none, or nobody answers.

    `admin_dsn` is of a role that may see other roles' sessions.
    """
    try:
        with psycopg.connect(admin_dsn, application_name="wandle migrate") as connection:
            return str(_value(connection, _SESSIONS_USING_TABLES) or "")
    except psycopg.Error:
        return ""


def _value(connection: psycopg.Connection, query: str, *values: object) -> object:
    row = connection.execute(query, values or None).fetchone()
    return row[0] if row else None
