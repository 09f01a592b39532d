"""Make the database as the contracts say: roles, schemas, tables, grants. The only place of DDL."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import psycopg
from psycopg import sql

from include.errors import ServiceUnavailable
from include.sources.model import Contract
from include.warehouse import table
from include.warehouse.evolve import evolve

OWNER = "wandle_owner"
LOGINS = ("wandle_loader", "wandle_transformer", "wandle_portal", "wandle_reader")
DBT_SCHEMAS = ("staging", "intermediate", "marts")
LOCK_TIMEOUT_SECONDS = 30

OPS_TABLES = """
create table if not exists ops.landing (
    source text not null,
    council text not null,
    period date not null,
    landing_id text not null,
    outcome text not null check (outcome in ('complete', 'not_published')),
    run_id text not null,
    code_version text not null,
    contract_hash text not null,
    pages_hash text not null,
    pages bigint not null,
    records bigint not null,
    bytes bigint not null,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    parents jsonb not null,
    primary key (source, council, period, landing_id)
);
create table if not exists ops.load (
    load_id bigint generated always as identity primary key,
    source text not null,
    council text not null,
    period date not null,
    landing_id text not null,
    status text not null
        check (status in ('loaded', 'unchanged', 'not_published', 'refused', 'failed')),
    records bigint not null,
    loaded bigint not null,
    quarantined bigint not null,
    duplicates bigint not null,
    pages bigint not null,
    bytes bigint not null,
    content_hash text,
    quarantine_hash text,
    pages_hash text not null,
    rules_hash text not null,
    contract_hash text not null,
    code_version text not null,
    run_id text not null,
    forced_by text,
    error text,
    started_at timestamptz not null,
    finished_at timestamptz not null,
    seconds double precision not null,
    rows bigint not null default 0,
    filled_columns text[],
    check (status not in ('loaded', 'unchanged') or records = loaded + quarantined + duplicates)
);
create index if not exists load_partition on ops.load (source, council, period, load_id desc);
create index if not exists load_run on ops.load (source, run_id);
create table if not exists ops.quarantine (
    source text not null,
    council text not null,
    period date not null,
    landing_id text not null,
    record_no bigint not null,
    page text not null,
    page_record_no bigint not null,
    column_name text,
    rule text not null,
    value text,
    record bytea not null,
    found_at timestamptz not null,
    responsible text not null default 'publisher' check (responsible in ('publisher', 'us')),
    primary key (source, council, period, record_no)
);
create table if not exists ops.schema_drift (
    source text not null,
    field text not null,
    first_seen timestamptz not null,
    landing_id text not null,
    samples jsonb not null,
    type text not null default 'unknown',
    way text not null default 'api',
    primary key (source, field)
);
create table if not exists ops.dbt_run (
    run_id text not null,
    invocation_id text primary key,
    layer text not null,
    started_at timestamptz not null,
    finished_at timestamptz,
    status text not null,
    nodes integer not null,
    failed integer not null,
    error text,
    project_hash text
);
create table if not exists ops.dbt_node (
    run_id text not null,
    invocation_id text not null references ops.dbt_run,
    unique_id text not null,
    resource_type text not null,
    status text not null,
    execution_seconds double precision,
    rows_affected bigint,
    failures bigint,
    message text,
    primary key (invocation_id, unique_id)
);
"""

# What the tables of an earlier version lack: table, column, its definition, and its values there.
OPS_COLUMNS = (
    ("dbt_run", "project_hash", "text", ""),
    ("load", "rows", "bigint not null default 0", "update ops.load set rows = loaded"),
    ("load", "filled_columns", "text[]", ""),
    (
        "quarantine",
        "responsible",
        "text not null default 'publisher' check (responsible in ('publisher', 'us'))",
        "",
    ),
    ("schema_drift", "type", "text not null default 'unknown'", ""),
    ("schema_drift", "way", "text not null default 'api'", ""),
)

OPS_VIEWS = """
create or replace view ops.quarantine_overview as
select source, council, period, landing_id, record_no, page, page_record_no, column_name, rule,
    found_at, responsible
from ops.quarantine;
comment on view ops.quarantine_overview is
    'Quarantine without values and records, which may be personal.';
comment on table ops.load is 'The ledger: one row per attempt to load a landing.';
"""

GRANTS = """
grant usage on schema raw to wandle_loader, wandle_transformer;
grant usage on schema ops to wandle_loader, wandle_transformer, wandle_portal;
grant select, insert, delete on all tables in schema raw to wandle_loader;
grant select, insert, delete on ops.landing, ops.load, ops.quarantine, ops.schema_drift
    to wandle_loader;
grant select on all tables in schema raw to wandle_transformer;
grant select on ops.load to wandle_transformer;
grant select, insert, update, delete on ops.dbt_run, ops.dbt_node to wandle_transformer;
grant select on ops.landing, ops.load, ops.dbt_run, ops.dbt_node, ops.quarantine_overview
    to wandle_portal;
"""


def migrate(
    admin_dsn: str, contracts: Iterable[Contract], passwords: Mapping[str, str]
) -> list[str]:
    """Bring roles and tables to what the contracts say, and say what was changed.

    `passwords` maps login roles to their passwords; a role that is not named
    keeps its own. Running it twice changes nothing. Raises
    `ServiceUnavailable` if the database does not answer or a lock is not had
    in time, and `PermanentError` where a table differs in a way that cannot
    be mended without loss.
    """
    try:
        with psycopg.connect(admin_dsn, application_name="wandle migrate") as connection:
            return _migrate(connection, list(contracts), passwords)
    except psycopg.errors.LockNotAvailable as error:
        raise ServiceUnavailable(
            f"wandle migrate: a table was in use for {LOCK_TIMEOUT_SECONDS} s. "
            "Nothing was changed. Try again when no load is running."
        ) from error
    except psycopg.OperationalError as error:
        raise ServiceUnavailable(
            f"wandle migrate: PostgreSQL did not answer: {str(error).strip()}. "
            "Is it running (`wandle status`)?"
        ) from error


def _migrate(
    connection: psycopg.Connection, contracts: list[Contract], passwords: Mapping[str, str]
) -> list[str]:
    changed: list[str] = []
    connection.execute(sql.SQL("set local lock_timeout = {}").format(f"{LOCK_TIMEOUT_SECONDS}s"))
    # One migration at a time; `create role` knows no `if not exists`.
    connection.execute("select pg_advisory_xact_lock(hashtextextended('wandle migrate', 0))")
    _roles(connection, passwords, changed)
    _schemas(connection)
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(OWNER)))
    _ops(connection, changed)
    for contract in contracts:
        evolve(connection, contract, OWNER, changed)
    connection.execute(GRANTS)
    return changed


def _roles(
    connection: psycopg.Connection, passwords: Mapping[str, str], changed: list[str]
) -> None:
    found = {row[0] for row in connection.execute("select rolname from pg_roles")}
    for role in (OWNER, *LOGINS):
        name = sql.Identifier(role)
        login = sql.SQL("login" if role in LOGINS else "nologin")
        if role not in found:
            connection.execute(sql.SQL("create role {} {}").format(name, login))
            changed.append(f"created role {role}")
        if role in passwords:
            set_password(connection, role, passwords[role])
    for role in (OWNER, "wandle_transformer"):
        connection.execute(sql.SQL("grant {} to current_user").format(sql.Identifier(role)))


def set_password(connection: psycopg.Connection, role: str, password: str) -> None:
    """Give a role its password. What is sent is its hash: a statement can end up in a log."""
    hashed = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    connection.execute(
        sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(hashed))
    )


def _schemas(connection: psycopg.Connection) -> None:
    connection.execute("revoke create on schema public from public")
    for schema, owner in (
        *((name, OWNER) for name in (table.SCHEMA, "ops")),
        *((name, "wandle_transformer") for name in DBT_SCHEMAS),
    ):
        connection.execute(
            sql.SQL("create schema if not exists {} authorization {}").format(
                sql.Identifier(schema), sql.Identifier(owner)
            )
        )
    connection.execute("grant usage on schema marts to wandle_reader, wandle_portal")
    # So that a mart that dbt has just swapped in is readable from its first moment.
    connection.execute(
        "alter default privileges for role wandle_transformer in schema marts "
        "grant select on tables to wandle_reader, wandle_portal"
    )


def _ops(connection: psycopg.Connection, changed: list[str]) -> None:
    connection.execute(OPS_TABLES)
    for name, column, definition, fill in OPS_COLUMNS:
        known = connection.execute(
            "select 1 from pg_attribute where attrelid = to_regclass(%s) and attname = %s",
            (f"ops.{name}", column),
        ).fetchone()
        if known:
            continue
        connection.execute(
            sql.SQL("alter table {} add column {} {}").format(
                sql.Identifier("ops", name), sql.Identifier(column), sql.SQL(definition)
            )
        )
        if fill:
            connection.execute(sql.SQL(fill))
        changed.append(f"added ops.{name}.{column}")
    connection.execute(OPS_VIEWS)
