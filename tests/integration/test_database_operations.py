"""A source that is a database is operated as any other: verified, traced, drifting, erased."""

from __future__ import annotations

from typing import Any

import pytest

from include.errors import LoadRefused
from include.jobs.operate.drift import unknown_fields
from include.jobs.operate.erase import erase
from include.jobs.operate.erase_subject import Subject
from include.jobs.operate.explain import explain
from include.jobs.operate.verify import verify
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.jobs.pipeline.selection import Selection
from include.settings import Settings
from include.sources.model import contracts
from tests.integration.test_erase import everything
from tests.samples import column, contract

MONTH = "2026-11"
KEY = "k" * 64
JO = "jo@example.org"


@pytest.fixture
def people(deployment, monkeypatch, warehouse, mariadb_server) -> Any:
    """People in MariaDB, by a contract whose table is there."""
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", KEY)
    monkeypatch.setenv("WANDLE_LOADER_DSN", warehouse.dsn())
    mariadb_server.query(
        "create or replace table people (id int unsigned primary key, email varchar(100), "
        "born date, changed_at datetime)",
        f"insert into people values (1, '{JO}', '1970-01-01', '2026-11-05'), "
        "(2, 'al@example.org', '0000-00-00', '2026-11-06'), "
        "(3, 'bo@example.org', null, '2026-10-06')",
    )
    found = contract(
        column("id", "integer", required=True),
        column("note", path="email", personal="pseudonymise"),
        key=["id"],
        retention_days=365,
        extract={
            "kind": "database", "connection": "cases", "key": "id", "changed": "changed_at",
            "query": "select id, email, born, changed_at from people", "page_size": 1,
        },
    )  # fmt: skip
    monkeypatch.setitem(contracts(), found.name, found)
    return found


@pytest.fixture
def ingest(people, lake, warehouse, mariadb_server) -> Any:
    """Extracts and loads the month; the ledger entry."""
    runs = iter(range(100))

    def run() -> dict[str, Any]:
        where, name = people.partition("kingston", MONTH), f"run {next(runs)}"
        address = mariadb_server.address()
        landing_id = extract(people, where, lake=lake, run_id=name, source_dsn=address)
        return load(
            people, where, lake=lake, dsn=warehouse.dsn(), run_id=name, landing_id=landing_id
        )

    return run


def test_a_row_of_mariadb_is_verified_and_traced_to_its_page(ingest, people, lake, warehouse):
    assert ingest()["loaded"] == 2
    assert ingest()["status"] == "unchanged"

    checked = verify(lake=lake, dsn=warehouse.dsn(), selection=Selection((people.name,)), deep=True)
    found = explain("raw.gauges", {"id": "2"}, lake=lake, settings=Settings.read())

    assert (checked.partitions, checked.differences) == (1, [])
    (origin,) = found.origins
    assert origin.page.request.query["after"] == "1"
    assert origin.page.request.address == "database:cases"
    assert b'"id": 2' in origin.record
    assert b"al@example.org" not in origin.record


def test_columns_without_a_place_in_the_contract_are_reported(ingest, warehouse):
    ingest()

    fields = {row["field"] for row in unknown_fields(warehouse.dsn())}

    assert {"born", "changed_at"} <= fields


def test_a_person_is_erased_from_the_landings_and_the_table(ingest, people, lake, warehouse):
    ingest()
    assert JO.encode() in everything(lake)

    erase(
        people, Subject(people, {"note": JO}), lake=lake, dsn=warehouse.dsn(), by="somebody",
        rebuild=lambda: None,
    )  # fmt: skip

    assert JO.encode() not in everything(lake)
    assert warehouse.query("select id from raw.gauges") == [(2,)]


def test_rows_that_change_later_may_leave_an_empty_partition(ingest, warehouse, mariadb_server):
    ingest()
    mariadb_server.query("update people set changed_at = '2026-12-01'")

    assert ingest()["status"] == "loaded"
    assert warehouse.value("select count(*) from raw.gauges") == 0


def test_a_column_that_becomes_null_is_refused(ingest, mariadb_server):
    ingest()
    mariadb_server.query("update people set email = null")

    with pytest.raises(LoadRefused, match="no record has a value in note"):
        ingest()
