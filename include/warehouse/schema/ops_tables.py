"""The tables of `ops`: ledger, contracts, quarantine, drift, removals, alerts, and dbt runs."""

from __future__ import annotations

import psycopg
from psycopg import sql

from include.sources.model import Contract
from include.warehouse.schema import locks, ops_changes, ops_views

TABLES = """
create table if not exists ops.landing (
    source text not null,
    council text not null,
    period timestamp not null,
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
    replaces text,
    erased bigint not null default 0,
    primary key (source, council, period, landing_id)
);
create table if not exists ops.load (
    load_id bigint generated always as identity primary key,
    source text not null,
    council text not null,
    period timestamp not null,
    landing_id text not null,
    status text not null constraint load_status_check check (
        status in ('loaded', 'unchanged', 'not_published', 'refused', 'failed', 'expired')
    ),
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
    step text not null default 'load' check (step in ('extract', 'load')),
    columns text[],
    check (status not in ('loaded', 'unchanged') or records = loaded + quarantined + duplicates)
);
create index if not exists load_partition on ops.load (source, council, period, load_id desc);
create index if not exists load_run on ops.load (source, run_id);
create table if not exists ops.quarantine (
    source text not null,
    council text not null,
    period timestamp not null,
    landing_id text not null,
    record_no bigint not null,
    page text not null,
    page_record_no bigint not null,
    column_name text,
    rule text not null,
    value text,
    record text not null,
    record_bytes bytea,
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
create table if not exists ops.contract (
    source text not null,
    contract_hash text not null,
    content text not null,
    recorded_at timestamptz not null default now(),
    primary key (source, contract_hash)
);
create table if not exists ops.removal (
    source text not null,
    council text not null,
    period timestamp,
    landing_id text not null,
    reason text not null constraint removal_reason_check check (
        reason in ('superseded', 'interrupted', 'expired', 'erased', 'removed')
    ),
    objects bigint not null,
    bytes bigint not null,
    removed_at timestamptz not null,
    replaced_by text,
    records_erased bigint not null default 0,
    subject text,
    removed_by text,
    rows bigint not null default 0,
    quarantined bigint not null default 0,
    entries bigint not null default 0,
    definitions text[]
);
create index if not exists removal_partition on ops.removal (source, council, period, landing_id);
create table if not exists ops.migration (
    migration_id bigint generated always as identity primary key,
    migrated_at timestamptz not null default now(),
    change text not null
);
create table if not exists ops.rate_limit (
    host text primary key,
    theoretical_arrival_us bigint not null
) with (fillfactor = 50);
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
    project_hash text,
    expected integer
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
create table if not exists ops.dbt_loads (
    hash text primary key,
    loads jsonb not null
);
create table if not exists ops.dbt_state (
    name text primary key,
    layer text not null,
    fingerprint text,
    loads jsonb not null,
    relation bigint,
    warning text,
    built_at timestamptz,
    planned_by text not null,
    planned_fingerprint text not null,
    planned_loads jsonb not null,
    partitions jsonb
);
create table if not exists ops.alert (
    alert_id bigint generated always as identity primary key,
    source text not null,
    kind text not null,
    subject text not null,
    cause text not null,
    text text not null,
    run_id text not null,
    raised_at timestamptz not null,
    told_at timestamptz not null,
    over_at timestamptz
);
create unique index if not exists alert_open on ops.alert (source, kind, subject)
    where over_at is null;
create table if not exists ops.alert_message (
    message_id text primary key,
    channel text not null,
    target text not null,
    content jsonb not null,
    created_at timestamptz not null default now(),
    sent_at timestamptz,
    attempts integer not null default 0,
    error text
);
create or replace function ops.relation_state(name text) returns bigint
language sql stable set search_path = pg_catalog, pg_temp as $$
    select coalesce(pg_relation_filenode(c.oid), c.oid)::bigint
    from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
    where n.nspname = split_part(name, '.', 1) and c.relname = substr(name, strpos(name, '.') + 1)
$$;
"""

# Columns added since earlier versions: table, column, definition, and the values of old rows.
COLUMNS = (
    ("dbt_run", "project_hash", "text", ""),
    ("dbt_run", "expected", "integer", ""),
    ("load", "rows", "bigint not null default 0", "update ops.load set rows = loaded"),
    ("load", "filled_columns", "text[]", ""),
    (
        "load",
        "step",
        "text not null default 'load' check (step in ('extract', 'load'))",
        "",
    ),
    (
        "load",
        "columns",
        "text[]",
        "update ops.load set columns = (select array_agg(attname::text) from pg_attribute "
        "where attrelid = to_regclass(format('raw.%I', source)) and attnum > 0 "
        "and not attisdropped)",
    ),
    (
        "quarantine",
        "responsible",
        "text not null default 'publisher' check (responsible in ('publisher', 'us'))",
        "",
    ),
    ("schema_drift", "type", "text not null default 'unknown'", ""),
    ("schema_drift", "way", "text not null default 'api'", ""),
    ("landing", "replaces", "text", ""),
    ("landing", "erased", "bigint not null default 0", ""),
    ("removal", "removed_by", "text", ""),
    ("removal", "rows", "bigint not null default 0", ""),
    ("removal", "quarantined", "bigint not null default 0", ""),
    ("removal", "entries", "bigint not null default 0", ""),
    ("removal", "definitions", "text[]", ""),
)

GRANTS = """
grant usage on schema raw to wandle_loader, wandle_transformer;
grant usage on schema ops to wandle_loader, wandle_transformer, wandle_portal;
grant select, insert, delete on all tables in schema raw to wandle_loader;
grant select, insert, delete on ops.landing, ops.load, ops.quarantine, ops.schema_drift
    to wandle_loader;
grant select, insert on ops.removal, ops.contract to wandle_loader;
grant select, insert, update on ops.rate_limit, ops.alert, ops.alert_message to wandle_loader;
grant select on all tables in schema raw to wandle_transformer;
grant select on ops.load, ops.migration to wandle_transformer;
grant select, insert, update, delete on ops.dbt_run, ops.dbt_node, ops.dbt_state, ops.dbt_loads
    to wandle_transformer;
grant select on ops.landing, ops.load, ops.dbt_run, ops.dbt_node, ops.quarantine_overview,
    ops.quarantine_samples, ops.drift_overview, ops.removed_partitions
    to wandle_portal;
"""
GRANTS += locks.GRANTS


def make(connection: psycopg.Connection, changed: list[str]) -> None:
    """Create the tables and add the columns missing from earlier versions; returns the changes."""
    connection.execute(TABLES)
    connection.execute(locks.LOCKS)
    for name, column, definition, fill in COLUMNS:
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
    ops_changes.make(connection, changed)
    connection.execute(ops_views.VIEWS)


def record_contract(connection: psycopg.Connection, contract: Contract) -> None:
    """Record this version of a contract, as each load does, too."""
    connection.execute(
        "insert into ops.contract (source, contract_hash, content) values (%s, %s, %s) "
        "on conflict do nothing",
        (contract.name, contract.contract_hash, contract.as_recorded),
    )
