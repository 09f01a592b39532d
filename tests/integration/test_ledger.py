"""The ledger and the quarantine as people and machines read them; reconciling a run."""

from __future__ import annotations

import json

import pytest

from include.errors import (
    LoadRefused,
    PermanentError,
    SourceRejected,
    SourceUnavailable,
    UnknownName,
)
from include.jobs.pipeline import replay
from include.jobs.pipeline.books import extract_failures_recorded, ledger_entries, quarantined
from include.jobs.pipeline.load import load
from include.jobs.pipeline.reconcile import anything_loaded, reconcile
from include.jobs.pipeline.selection import Selection
from include.sources.model import contract as shipped
from include.sources.model import contracts
from include.sources.partition import Partition
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import land
from tests.samples import contract

BOUNDARIES = shipped("police_ward_boundaries")
GAUGES = contract()
STRICT = contract(checks={"min_records": 5})
KEYS = [
    "source", "council", "period", "records", "loaded", "quarantined", "duplicates", "status",
    "content_hash", "landing", "seconds",
]  # fmt: skip


@pytest.fixture
def loaded(lake, warehouse):
    """Lands records and loads them; the entry, or None where a check refused."""

    def run(source, page, run_id="run", context=None, **partition):
        land(lake, source, page, run_id=run_id, context=context, **partition)
        where = {"council": "kingston", "period": "2017-05"} | partition
        try:
            place = source.partition(**where)
            return load(source, place, lake=lake, dsn=warehouse.dsn(), run_id=run_id)
        except LoadRefused:
            return None

    return run


def test_the_newest_entry_of_each_partition_is_shown(warehouse, loaded):
    loaded(GAUGES, [{"id": 1}])
    loaded(GAUGES, [{"id": 1}, {"id": 2}])
    loaded(GAUGES, [{"id": 3}], council="sutton")

    entries = ledger_entries(warehouse.dsn())

    assert [(entry["council"], entry["records"]) for entry in entries] == [
        ("kingston", 2),
        ("sutton", 1),
    ]
    assert list(entries[0])[: len(KEYS)] == KEYS


def test_the_history_is_every_entry_oldest_first(warehouse, loaded):
    loaded(GAUGES, [{"id": 1}])
    loaded(GAUGES, [{"id": 1}])
    loaded(STRICT, [{"id": 2}])

    history = ledger_entries(warehouse.dsn(), history=True)

    assert [entry["status"] for entry in history] == ["loaded", "unchanged", "refused"]
    assert json.loads(json.dumps(history)) == history


def test_the_period_of_a_shipped_source_is_written_as_its_contract_does(warehouse, loaded):
    points = [{"latitude": "51.4", "longitude": f"-0.{number}"} for number in range(1, 5)]
    context = {"ward.code": "E05000400", "ward.name": "Alexandra"}

    entry = loaded(BOUNDARIES, points, context=context)

    assert (entry["period"], entry["status"]) == ("2017-05", "loaded")


def test_quarantined_records_are_listed_without_the_record(warehouse, loaded):
    loaded(GAUGES, [{"id": 1}, {"id": "x"}])

    (row,) = quarantined(warehouse.dsn())

    assert (row["record_no"], row["page"], row["column"], row["rule"], row["value"]) == (
        2, "0001.json.gz", "id", "type", '"x"',
    )  # fmt: skip
    assert row["bytes"] == len('{"id": "x"}')
    assert "record" not in row


@pytest.fixture
def daily(warehouse, monkeypatch):
    """The gauges by day, in a table of their own; both are among the shipped contracts."""
    source = GAUGES.model_copy(update={"name": "hourly", "period": "day"})
    for item in (GAUGES, source):
        monkeypatch.setitem(contracts(), item.name, item)
    migrate(warehouse.admin, [source], {})
    yield source
    warehouse.query("drop table raw.hourly")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, 4),
        ({"sources": ("gauges",)}, 3),
        ({"sources": ("gauges", "hourly")}, 4),
        ({"councils": ("sutton",)}, 1),
        ({"periods": ("2017-05",)}, 3),
        ({"periods": ("2017-05-31",)}, 1),
        ({"periods": ("2017-05-31", "2017-06")}, 2),
        ({"first": "2017-06"}, 1),
        ({"last": "2017-05"}, 3),
        ({"first": "2017-05", "last": "2017-06"}, 4),
        ({"first": "2017-05-31", "last": "2017-06-30"}, 2),
        ({"first": "2017-05-02", "last": "2017-05-30"}, 0),
    ],
)
def test_ledger_and_quarantine_select_by_source_council_and_period_ends_included(
    warehouse, loaded, daily, asked, found
):
    records = [{"id": 1}, {"id": "x"}]
    loaded(GAUGES, records)
    loaded(GAUGES, records, council="sutton")
    loaded(GAUGES, records, period="2017-06")
    loaded(daily, records, period="2017-05-31")

    selection = Selection(**asked)

    assert len(ledger_entries(warehouse.dsn(), selection)) == found
    assert len(quarantined(warehouse.dsn(), selection)) == found


def test_ledger_selects_by_status_and_quarantine_by_column_and_rule(warehouse, loaded):
    loaded(GAUGES, [{"id": 1}, {"id": "x"}])
    loaded(STRICT, [{"id": "x"}], council="sutton")
    dsn = warehouse.dsn()

    def councils(**asked: list[str]) -> list[str]:
        return [entry["council"] for entry in ledger_entries(dsn, **asked)]

    assert councils(statuses=["refused"]) == ["sutton"]
    assert councils(statuses=["loaded", "refused"]) == ["kingston", "sutton"]
    assert len(quarantined(dsn, columns=["id"], rules=["type"])) == 1
    assert quarantined(dsn, columns=["note"]) == quarantined(dsn, rules=["pattern"]) == []


def test_a_source_without_a_contract_is_selected_as_long_as_the_ledger_holds_it(warehouse, loaded):
    loaded(GAUGES, [{"id": 1}])

    assert len(ledger_entries(warehouse.dsn(), Selection(sources=("gauges",)))) == 1
    with pytest.raises(UnknownName, match="unknown source 'gauge'"):
        ledger_entries(warehouse.dsn(), Selection(sources=("gauge",)))


def partitions(*councils: str) -> list[Partition]:
    return [GAUGES.partition(council, "2017-05") for council in councils]


def test_a_run_whose_partitions_are_all_good_is_counted(warehouse, loaded):
    first = loaded(GAUGES, [{"id": 1}])
    second = loaded(GAUGES, [{"id": 1}], council="sutton")

    counts = reconcile(
        GAUGES, partitions("kingston", "sutton"), [first["landing"], second["landing"]],
        dsn=warehouse.dsn(), run_id="run",
    )  # fmt: skip

    assert counts == {"loaded": 2}


def test_every_failed_partition_is_named_with_its_reason(warehouse, loaded):
    good = loaded(GAUGES, [{"id": 1}])
    loaded(STRICT, [{"id": 1}], council="sutton")

    with pytest.raises(PermanentError) as caught:
        reconcile(
            GAUGES, partitions("kingston", "sutton", "merton"), [good["landing"], None, None],
            dsn=warehouse.dsn(), run_id="run",
        )  # fmt: skip

    said = str(caught.value)
    assert "2 of 3 partitions failed: sutton 2017-05 (load refused: " in said
    assert "merton 2017-05 (load failed: no entry; see the logs of its tasks)" in said
    assert "kingston" not in said.replace("kingston 2017-05: expected", "")


def failed_extract(warehouse, council, error):
    place = GAUGES.partition(council, "2017-05")
    with (
        pytest.raises(type(error)),
        extract_failures_recorded(GAUGES, place, dsn=warehouse.dsn(), run_id="run"),
    ):
        raise error


def test_a_failed_extract_is_in_the_ledger_with_its_reason(warehouse, loaded):
    loaded(GAUGES, [{"id": 1}])
    error = SourceRejected("gauges kingston 2017-05: HTTP 404 from https://api.test/v1/gauges.")
    failed_extract(warehouse, "kingston", error)

    (entry,) = ledger_entries(warehouse.dsn(), statuses=["failed"])

    assert (entry["step"], entry["status"], entry["error"]) == ("extract", "failed", str(error))
    history = ledger_entries(warehouse.dsn(), history=True)
    assert [(one["step"], one["status"]) for one in history] == [
        ("load", "loaded"), ("extract", "failed"),
    ]  # fmt: skip


def test_an_unexpected_error_is_recorded_without_its_text(warehouse):
    failed_extract(warehouse, "kingston", ValueError("ada@example.org"))

    (entry,) = ledger_entries(warehouse.dsn())

    assert entry["error"] == "ValueError"


class Timeout(BaseException):
    """As Airflow ends a task that takes too long."""


def test_an_extract_that_takes_too_long_is_recorded_and_one_that_a_person_stops_is_not(warehouse):
    failed_extract(warehouse, "kingston", Timeout())
    failed_extract(warehouse, "sutton", KeyboardInterrupt())

    entries = ledger_entries(warehouse.dsn())

    assert [(entry["council"], entry["error"]) for entry in entries] == [("kingston", "Timeout")]


def test_a_failed_extract_does_not_hide_a_refused_load_from_replay(
    warehouse, loaded, deployment, monkeypatch
):
    monkeypatch.setitem(contracts(), GAUGES.name, GAUGES)
    loaded(STRICT, [{"id": 1}])
    failed_extract(warehouse, "kingston", SourceUnavailable("gauges kingston 2017-05: down."))

    assert replay.plan(warehouse.dsn(), GAUGES.name) == partitions("kingston")


def test_partitions_that_failed_for_one_reason_are_named_together(warehouse):
    for council in ("kingston", "sutton"):
        told = f"gauges {council} 2017-05: HTTP 503 from https://api.test/{council}. Try later."
        failed_extract(warehouse, council, SourceUnavailable(told))

    with pytest.raises(PermanentError) as caught:
        reconcile(
            GAUGES, partitions("kingston", "sutton"), [None, None],
            dsn=warehouse.dsn(), run_id="run",
        )  # fmt: skip

    said = str(caught.value)
    assert "kingston 2017-05, sutton 2017-05 (extract failed: HTTP 503 from https" in said
    assert said.count("HTTP 503") == 1
    assert "The others are loaded" not in said


def test_an_earlier_attempt_of_the_run_proves_nothing(warehouse, loaded):
    loaded(GAUGES, [{"id": 1}])

    with pytest.raises(PermanentError, match="1 of 1 partitions failed"):
        reconcile(GAUGES, partitions("kingston"), [None], dsn=warehouse.dsn(), run_id="run")


@pytest.mark.parametrize(("again", "expected"), [(False, True), (True, False)])
def test_only_what_was_loaded_counts_as_new(warehouse, loaded, again, expected):
    entry = loaded(GAUGES, [{"id": 1}])
    if again:
        entry = loaded(GAUGES, [{"id": 1}], run_id="second")
    run_id = "second" if again else "run"

    found = anything_loaded(GAUGES, [entry["landing"], None], dsn=warehouse.dsn(), run_id=run_id)

    assert found is expected


def test_what_a_killed_attempt_of_the_run_had_loaded_still_counts_as_new(lake, warehouse, loaded):
    entry = loaded(GAUGES, [{"id": 1}])
    again = load(
        GAUGES, GAUGES.partition("kingston", "2017-05"),
        landing_id=entry["landing"], run_id="run",
        lake=lake, dsn=warehouse.dsn(),
    )  # fmt: skip

    assert again["status"] == "unchanged"
    assert anything_loaded(GAUGES, [entry["landing"]], dsn=warehouse.dsn(), run_id="run")
