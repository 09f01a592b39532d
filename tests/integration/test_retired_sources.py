"""A source that is switched off, or whose contract file is gone, is still looked after."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.errors import PermanentError, UnknownName
from include.jobs.operate.erase import erase
from include.jobs.operate.erase_subject import Subject
from include.jobs.operate.housekeeping import housekeeping, refuse_unknown_retention
from include.jobs.operate.verify import verify
from include.jobs.pipeline import known_sources
from include.jobs.pipeline.known_sources import belongs, readable_contract
from include.jobs.pipeline.load import load
from include.landing import inventory
from include.sources.model import Contract, every_contract
from include.warehouse.books import contracts as books
from include.warehouse.connection import connect
from tests.integration.landings import land
from tests.samples import column, contract

# Under the name of a table that is there. No file has it: it is gone, unless a test adds one.
PEOPLE = contract(
    column("id", "integer", required=True),
    column("note", path="email", personal="keep"),
    key=["id"],
    retention_days=40,
)
JO = "jo@example.org"
MAY = "2017-05"


@pytest.fixture(params=["gone", "switched off"])
def state(request, monkeypatch) -> str:
    if request.param == "switched off":
        off = PEOPLE.model_copy(update={"enabled": False})
        monkeypatch.setitem(every_contract(), PEOPLE.name, off)
    return request.param


@pytest.fixture
def loaded(deployment, monkeypatch, lake, warehouse) -> str:
    """A landing with two people, loaded: its ID."""
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "k" * 64)
    people = [{"id": 1, "email": JO}, {"id": 2, "email": "p@example.org"}]
    manifest = land(lake, PEOPLE, people)
    where = PEOPLE.partition("kingston", MAY)
    load(PEOPLE, where, lake=lake, dsn=warehouse.dsn(), run_id="run")
    return manifest.landing_id


def erased(lake: Any, warehouse: Any, source: str = PEOPLE.name) -> None:
    known = readable_contract(source, warehouse.dsn(), "erase")
    subject = Subject(known, {"note": JO})
    erase(known, subject, lake=lake, dsn=warehouse.dsn(), by="somebody", rebuild=lambda: None)


def test_a_person_is_erased(loaded, lake, warehouse, bucket, state):
    erased(lake, warehouse)

    assert warehouse.query("select id from raw.gauges") == [(2,)]
    (left,) = inventory.stored_landings(lake.landings)
    assert left.landing_id != loaded
    assert lake.landings.manifest(left.partition, left.landing_id).erased == 1


def test_a_person_is_erased_from_landings_whose_table_is_gone(
    deployment, monkeypatch, lake, new_database, migrated, state
):
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "k" * 64)
    database = new_database(migrated.name)
    land(lake, PEOPLE, [{"id": 1, "email": JO}])
    where = PEOPLE.partition("kingston", MAY)
    load(PEOPLE, where, lake=lake, dsn=database.dsn(), run_id="run")
    database.query("drop table raw.gauges")

    erased(lake, database)

    (left,) = inventory.stored_landings(lake.landings)
    assert lake.landings.manifest(left.partition, left.landing_id).totals.records == 0
    assert database.query("select status from ops.load order by load_id") == [
        ("loaded",), ("expired",),
    ]  # fmt: skip


def test_an_erasure_that_cannot_be_complete_is_refused(loaded, lake, warehouse):
    warehouse.query("delete from ops.contract")

    with pytest.raises(PermanentError, match="cannot be read or searched completely"):
        readable_contract(PEOPLE.name, warehouse.dsn(), "erase")
    with pytest.raises(UnknownName, match="unknown source 'peple'"):
        readable_contract("peple", warehouse.dsn(), "erase")


def test_personal_data_past_retention_are_deleted(loaded, lake, warehouse, state):
    now = datetime(2017, 6, 1, tzinfo=UTC) + timedelta(days=41)

    found = housekeeping(lake=lake, dsn=warehouse.dsn(), delete=True, now=now)

    assert [(item["landing"], item["reason"]) for item in found] == [(loaded, "expired")]
    assert warehouse.value("select count(*) from raw.gauges") == 0
    assert inventory.stored_landings(lake.landings) == []


def test_data_whose_retention_cannot_be_known_are_named(loaded, lake, warehouse, bucket):
    refuse_unknown_retention(lake=lake, dsn=warehouse.dsn())
    warehouse.query("delete from ops.contract")
    bucket.put("landing/stray/sutton/2017-05/20170601T000000000000Z-0123456789/0001.json.gz", b"x")

    with pytest.raises(PermanentError, match="no contract is known for gauges, stray"):
        refuse_unknown_retention(lake=lake, dsn=warehouse.dsn())


def test_its_rows_are_verified_and_nothing_is_due_for_loading(loaded, lake, warehouse, state):
    land(lake, PEOPLE, [{"id": 3, "email": "q@example.org"}])

    def kinds() -> list[str]:
        found = verify(lake=lake, dsn=warehouse.dsn()).differences
        assert "wandle reload" not in json.dumps([item.next for item in found])
        assert "wandle ingest" not in json.dumps([item.next for item in found])
        return [item.kind for item in found]

    expected = ["no contract"] if state == "gone" else []
    assert kinds() == expected
    warehouse.query("delete from raw.gauges where id = 1")
    assert kinds() == [*expected, "row count"]


def test_a_source_without_a_recorded_contract_is_named(loaded, lake, warehouse):
    warehouse.query("delete from ops.contract")

    found = verify(lake=lake, dsn=warehouse.dsn()).differences
    assert len(found) == 1, found
    (difference,) = found

    assert (difference.source, difference.kind) == ("gauges", "no contract")
    assert difference.next == (
        "Restore include/sources/gauges.yaml, or remove them: `wandle remove gauges`."
    )


def test_the_contract_of_the_newest_good_load_is_the_recorded_one(lake, warehouse):
    first, second = contract(), contract(title="Other gauges")
    land(lake, first, [{"id": 1}])
    for used, force in ((first, None), (second, None), (first, "somebody")):
        load(
            used, used.partition("kingston", MAY), lake=lake, dsn=warehouse.dsn(), run_id="run",
            forced_by=force,
        )  # fmt: skip

    with connect(warehouse.dsn()) as connection, connection.cursor() as cursor:
        assert books.recorded(cursor)["gauges"] == first
    assert warehouse.value("select count(*) from ops.contract") == 2


def test_a_contract_that_this_version_cannot_read_is_left_out(warehouse, caplog):
    warehouse.query(
        "insert into ops.contract (source, contract_hash, content) values ('gauges', 'x', '{}')"
    )

    with connect(warehouse.dsn()) as connection, connection.cursor() as cursor:
        assert books.recorded(cursor) == {}
    assert "ops.contract: gauges: field `name`" in caplog.text


@pytest.mark.parametrize("name", every_contract())
def test_every_contract_reads_back_as_it_was_recorded(name):
    known = every_contract()[name]

    read = Contract.model_validate(json.loads(known.as_recorded))

    assert read == known
    assert read.contract_hash == known.contract_hash


@pytest.mark.parametrize("name", ["gauges.yaml", "gauges.yml", "gauges.YAML"])
def test_a_broken_file_is_to_be_fixed_and_nothing_recommends_removing_its_data(
    loaded, lake, warehouse, monkeypatch, tmp_path, name
):
    (tmp_path / name).write_text("name: [")
    monkeypatch.setattr(known_sources.source_model, "FOLDER", tmp_path)

    (difference,) = verify(lake=lake, dsn=warehouse.dsn()).differences

    assert difference.what.startswith("its contract is broken: ")
    assert difference.next == (f"Fix include/sources/{name}; `wandle validate` says what is wrong.")


@pytest.mark.parametrize("name", ["merton.yaml", "merton.yml"])
def test_a_council_whose_file_is_broken_keeps_its_partitions(monkeypatch, tmp_path, name):
    (tmp_path / name).write_text("name: [")
    monkeypatch.setattr(known_sources.council_model, "FOLDER", tmp_path)

    assert belongs(PEOPLE, "merton")
    assert not belongs(PEOPLE, "croydon")
