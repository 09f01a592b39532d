"""Each database role can do its job, and nothing else."""

from __future__ import annotations

import psycopg
import pytest

LOADER, TRANSFORMER, PORTAL, READER, PUBLISHER = (
    "wandle_loader", "wandle_transformer", "wandle_portal", "wandle_reader", "wandle_publisher",
)  # fmt: skip
RAW, LOAD, NODE = "raw.gauges", "ops.load", "ops.dbt_node"

# Statement -> who may. Everybody else is refused.
MATRIX = {
    f"select * from {RAW}": {LOADER, TRANSFORMER},
    f"insert into {RAW} (_council, _period, _landing_id, _record_no) values ('', now(), '', 1)": {
        LOADER
    },
    f"delete from {RAW}": {LOADER},
    f"update {RAW} set note = ''": set(),
    f"truncate {RAW}": set(),
    f"drop table {RAW}": set(),
    f"alter table {RAW} add column x int": set(),
    "create table raw.mine (a int)": set(),
    "create table ops.mine (a int)": set(),
    "create table public.mine (a int)": set(),
    "create schema mine": set(),
    "create role mine": set(),
    "set role wandle_owner": set(),
    f"select * from {LOAD}": {LOADER, TRANSFORMER, PORTAL},
    "select * from ops.landing": {LOADER, PORTAL},
    f"update {LOAD} set status = 'loaded'": set(),
    f"delete from {LOAD}": {LOADER},
    "select * from ops.quarantine": {LOADER},
    "select * from ops.quarantine_overview": {PORTAL},
    "select * from ops.quarantine_samples": {PORTAL},
    "select * from ops.drift_overview": {PORTAL},
    "select * from ops.removed_partitions": {PORTAL},
    "select * from ops.schema_drift": {LOADER},
    "select * from ops.removal": {LOADER},
    "delete from ops.removal": set(),
    "update ops.removal set subject = null": set(),
    "select * from ops.contract": {LOADER},
    "update ops.contract set content = '{}'": set(),
    "delete from ops.contract": set(),
    "update ops.rate_limit set theoretical_arrival_us = 0": {LOADER},
    "delete from ops.rate_limit": set(),
    "select * from ops.alert": {LOADER},
    "update ops.alert_message set sent_at = now()": {LOADER},
    "delete from ops.alert": set(),
    f"select * from {NODE}": {TRANSFORMER, PORTAL},
    f"delete from {NODE}": {TRANSFORMER},
    "select * from ops.dbt_run": {TRANSFORMER, PORTAL},
    "create table marts.mine (a int)": {TRANSFORMER},
    "create view staging.mine as select 1 as a": {TRANSFORMER},
    "create table intermediate.mine (a int)": {TRANSFORMER},
    "select * from marts.crimes": {TRANSFORMER, PORTAL, READER},
    "select * from staging.crimes": {TRANSFORMER},
    "insert into marts.crimes values (1)": {TRANSFORMER},
}


@pytest.fixture(scope="module")
def modelled(new_database, migrated):
    """A warehouse in which dbt has built something."""
    database = new_database(migrated.name)
    for schema in ("staging", "marts"):
        database.query(f"create table {schema}.crimes (a int)", role=TRANSFORMER)
    return database


@pytest.mark.parametrize("role", [LOADER, TRANSFORMER, PORTAL, READER, PUBLISHER])
@pytest.mark.parametrize("statement", MATRIX)
def test_a_role_can_do_its_job_and_nothing_else(modelled, role, statement):
    with psycopg.connect(modelled.dsn(role)) as connection:
        try:
            connection.execute(statement)  # type: ignore[arg-type]
            allowed = True
        except psycopg.errors.InsufficientPrivilege:
            allowed = False
        connection.rollback()

    assert allowed == (role in MATRIX[statement])


def test_the_overview_of_the_quarantine_shows_no_value_and_no_record(modelled):
    columns = modelled.query(
        "select column_name from information_schema.columns where table_name='quarantine_overview'"
    )

    assert {"value", "record"}.isdisjoint(row[0] for row in columns)
    assert len(columns) > 5


def test_the_owner_of_raw_and_ops_cannot_log_in(modelled):
    assert modelled.query(
        "select rolcanlogin, rolsuper from pg_roles where rolname = 'wandle_owner'"
    ) == [(False, False)]
    assert modelled.query(
        "select distinct tableowner from pg_tables where schemaname in ('raw', 'ops')"
    ) == [("wandle_owner",)]


def test_no_role_is_more_than_it_needs(modelled):
    found = modelled.query(
        "select rolname from pg_roles where rolname like 'wandle%' "
        "and (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)"
    )

    assert found == []
