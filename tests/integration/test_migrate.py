"""`wandle migrate`: from nothing, again, and on to a wider contract."""

from __future__ import annotations

import threading

import psycopg
import pytest

from include.errors import PermanentError, ServiceUnavailable
from include.jobs.load import load
from include.jobs.migrate import migrate as migrate_all
from include.sources.model import contracts
from include.warehouse import migrate as migrating
from include.warehouse.migrate import migrate
from include.warehouse.table import LINEAGE, expected_columns
from tests.integration.landings import land
from tests.samples import column, contract

OLD = contract()
# In the middle, so that the table's order is no longer the contract's.
NEW = contract(
    column("id", "integer", required=True), column("depth", "double"), column("note"), key=["id"]
)
COLUMNS = (
    "select column_name from information_schema.columns "
    "where table_schema = 'raw' and table_name = 'gauges' order by ordinal_position"
)


@pytest.fixture
def empty(new_database):
    return new_database()


def test_every_shipped_contract_gets_its_table(empty):
    migrate_all(empty.admin, {})

    found = empty.query("select table_name from information_schema.tables where table_schema='raw'")
    assert {row[0] for row in found} == set(contracts())


def test_the_columns_are_the_contracts_and_the_lineage(empty):
    migrate(empty.admin, [OLD], {})

    assert [row[0] for row in empty.query(COLUMNS)] == ["id", "note", "_extra", *LINEAGE]


def test_every_column_is_described_in_the_database(empty):
    migrate(empty.admin, [OLD], {})

    described = empty.query(
        "select col_description('raw.gauges'::regclass, attnum) from pg_attribute "
        "where attrelid = 'raw.gauges'::regclass and attnum > 0"
    )
    assert all(row[0] for row in described)
    assert empty.value("select obj_description('raw.gauges'::regclass)") == OLD.description


def test_partitions_are_found_by_an_index(empty):
    migrate(empty.admin, [OLD], {})

    definition = empty.value("select indexdef from pg_indexes where schemaname = 'raw'")
    assert definition.endswith("(_council, _period)")


def test_migrating_twice_changes_nothing(empty):
    first = migrate(empty.admin, [OLD], {})
    oids = "select oid, relname, relacl::text from pg_class where relnamespace > 16383 order by 1"
    before = empty.query(oids)

    second = migrate(empty.admin, [OLD], {})

    assert "created raw.gauges" in first
    assert second == []
    assert empty.query(oids) == before


def test_a_new_column_keeps_the_data_and_can_be_loaded(empty, lake):
    migrate(empty.admin, [OLD], {})
    land(lake, OLD, [{"id": 1, "note": "a"}])
    where = {"lake": lake, "dsn": empty.dsn(), "run_id": "r"}
    before = load(OLD, "kingston", "2017-05", **where)

    changed = migrate(empty.admin, [NEW], {})

    assert changed == ["added raw.gauges.depth"]
    assert empty.query("select id, note, depth from raw.gauges") == [(1, "a", None)]
    assert load(NEW, "kingston", "2017-05", **where)["content_hash"] == before["content_hash"]
    land(lake, NEW, [{"id": 2, "note": "b", "depth": 0.5}])
    assert load(NEW, "kingston", "2017-05", **where)["status"] == "loaded"
    assert empty.query("select id, note, depth from raw.gauges") == [(2, "b", 0.5)]


def test_a_column_that_left_the_contract_stays_in_the_table(empty, lake):
    migrate(empty.admin, [NEW], {})

    assert migrate(empty.admin, [OLD], {}) == []
    land(lake, OLD, [{"id": 1, "note": "a"}])
    entry = load(OLD, "kingston", "2017-05", lake=lake, dsn=empty.dsn(), run_id="r")

    assert entry["status"] == "loaded"
    assert "depth" in {row[0] for row in empty.query(COLUMNS)}


def test_a_changed_type_is_refused_and_nothing_changes(empty):
    migrate(empty.admin, [OLD], {})
    changed = contract(column("id", "text"), column("note"), column("depth", "double"))

    with pytest.raises(PermanentError, match=r"raw.gauges: column id is bigint, expected text"):
        migrate(empty.admin, [changed], {})

    assert set(expected_columns(OLD)) == {row[0] for row in empty.query(COLUMNS)}


def test_a_table_in_use_is_retryable_and_nothing_changes(empty, monkeypatch):
    migrate(empty.admin, [OLD], {})
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT_SECONDS", 0.2)

    with psycopg.connect(empty.admin) as reader:
        reader.execute("select * from raw.gauges")
        with pytest.raises(ServiceUnavailable, match="a table was in use"):
            migrate(empty.admin, [NEW], {})

    assert "depth" not in {row[0] for row in empty.query(COLUMNS)}


def test_two_migrations_at_once_follow_each_other(empty):
    failures: list[BaseException] = []

    def run() -> None:
        try:
            migrate(empty.admin, [OLD], {})
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_a_password_is_set_for_the_roles_that_are_named(empty):
    migrate(empty.admin, [OLD], {"wandle_reader": "it's a \\ secret"})

    stored = dict(
        empty.query(
            "select rolname, rolpassword like 'SCRAM-SHA-256%' from pg_authid "
            "where rolname in ('wandle_reader', 'wandle_owner')"
        )
    )
    assert stored["wandle_reader"]
    assert not stored["wandle_owner"]


def test_no_database_is_retryable():
    with pytest.raises(ServiceUnavailable, match="PostgreSQL did not answer"):
        migrate("postgresql://postgres@127.0.0.1:1/warehouse", [OLD], {})
