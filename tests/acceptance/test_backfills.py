"""Backfills by Airflow's command line and its API, on a running scheduler."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from include.local.services.airflow_api import FINISHED
from tests.acceptance.airflow_runs import Airflow, waited
from tests.acceptance.conftest import Wandle

SOURCE = "police_street_crime"
DAG = f"ingest_{SOURCE}"
EXTRACT, LOAD = "partition.extract", "partition.load"

pytestmark = [pytest.mark.timeout(1500), pytest.mark.platform]


@pytest.fixture
def transforms(airflow: Airflow) -> Iterator[Any]:
    """Counts how many runs of `transform` there have been since the test began."""
    airflow.quiet("transform")
    before = airflow.count("transform")

    def since() -> int:
        airflow.quiet(DAG)
        # An announcement waits for the scheduler's next loops.
        waited("a run of transform", lambda: airflow.count("transform") > before)
        airflow.quiet("transform")
        return airflow.count("transform") - before

    return since


def loaded(sandbox: Wandle) -> set[tuple[str, str]]:
    """The partitions that are loaded, by the books."""
    entries = sandbox.ledger(SOURCE)
    return {
        (entry["council"], entry["period"])
        for entry in entries
        if entry["status"] in ("loaded", "unchanged")
    }


def in_marts(sandbox: Wandle, council: str) -> set[str]:
    """The months for which a mart has crimes."""
    with psycopg.connect(sandbox.setting("WANDLE_WAREHOUSE_DSN")) as connection:
        found = connection.execute(
            "select distinct to_char(month, 'YYYY-MM') from marts.ward_crime_monthly "
            "where council = %s",
            (council,),
        )
        return {row[0] for row in found}


def months(year: int, first: int, last: int) -> list[str]:
    return [f"{year}-{month:02}" for month in range(first, last + 1)]


def test_the_command_line_runs_what_is_asked_ends_included_with_its_parameters(
    sandbox, airflow, transforms
):
    airflow.publish_until(2019)
    asked = months(2017, 1, 4)
    done = airflow.command(
        *("backfill", "create", "--dag-id", DAG, "--from-date", "2017-01-01"),
        *("--to-date", "2017-04-01", "--max-active-runs", "4"),
        *("--dag-run-conf", json.dumps({"councils": ["sutton"]})),
    )

    assert done.returncode == 0, done.stderr
    runs = airflow.backfilled(DAG, *asked)
    assert [run["data_interval_start"][:7] for run in runs] == asked
    assert airflow.all_ended(DAG, [run["dag_run_id"] for run in runs]) == ["success"] * 4
    assert {run["conf"]["councils"] == ["sutton"] for run in runs} == {True}
    found = {place for place in loaded(sandbox) if place[1] in asked}
    assert found == {("sutton", month) for month in asked}
    assert 1 <= transforms() <= 2
    assert set(asked) <= in_marts(sandbox, "sutton")


def test_the_api_runs_what_is_asked_and_a_second_backfill_takes_its_new_parameters(
    sandbox, airflow, transforms
):
    airflow.publish_until(2019)
    asked = months(2018, 1, 3)
    window = ("2018-01-31", "2018-03-01")
    airflow.backfill(DAG, *window, {"councils": ["kingston"]}, max_active_runs=3)
    runs = airflow.backfilled(DAG, *asked)
    first = [run["dag_run_id"] for run in runs]
    assert airflow.all_ended(DAG, first) == ["success"] * 3
    assert 1 <= transforms() <= 2
    landings = {entry["period"]: entry["landing"] for entry in sandbox.ledger(SOURCE)}

    airflow.backfill(
        DAG,
        *window,
        {"councils": ["kingston"], "mode": "reload", "force": True},
        reprocess_behavior="completed",
    )
    again = [run["dag_run_id"] for run in airflow.backfilled(DAG, *asked)]

    assert again == first
    assert airflow.all_ended(DAG, again) == ["success"] * 3
    states = [
        airflow.states(DAG, run_id)[f"{EXTRACT} kingston {month}"]
        for run_id, month in zip(again, asked, strict=True)
    ]
    assert states == ["skipped"] * 3
    entries = {entry["period"]: entry for entry in sandbox.ledger(SOURCE, "--council", "kingston")}
    assert {entries[month]["landing"] for month in asked} == {landings[month] for month in asked}
    assert {entries[month]["forced_by"] for month in asked} != {None}


def test_wrong_parameters_of_a_backfill_start_no_run(airflow):
    airflow.quiet(DAG)
    before = airflow.count(DAG)

    refused = airflow.command(
        *("backfill", "create", "--dag-id", DAG, "--from-date", "2017-01-01"),
        *("--to-date", "2017-04-01", "--dag-run-conf", json.dumps({"councils": ["kingstn"]})),
    )

    assert refused.returncode != 0
    assert "kingstn" in refused.stdout + refused.stderr
    assert airflow.count(DAG) == before


def test_a_cancelled_backfill_leaves_nothing_queued_and_loses_nothing(sandbox, airflow):
    airflow.quiet(DAG)
    airflow.publish_until(2020)
    asked = months(2019, 1, 8)
    airflow.fail({"match": {"path": "crimes-street"}, "fault": "slow", "seconds": 0.5})
    number = airflow.backfill(
        DAG, "2019-01-01", "2019-08-01", {"councils": ["sutton"]}, max_active_runs=2
    )
    waited(
        "the first run",
        lambda: any(run["state"] == "success" for run in airflow.backfilled(DAG, *asked)),
    )

    airflow.api.put(f"/backfills/{number}/cancel", {})

    at_once = [run["state"] for run in airflow.backfilled(DAG, *asked)]
    airflow.restore()
    airflow.quiet(DAG)
    runs = airflow.backfilled(DAG, *asked)
    states = {run["data_interval_start"][:7]: run["state"] for run in runs}
    assert "queued" not in at_once
    assert states == {
        month: "success" if state in ("running", "success") else "failed"
        for month, state in zip(asked, at_once, strict=True)
    }
    finished = {month for month, state in states.items() if state == "success"}
    assert finished
    assert finished < set(asked)
    assert {period for council, period in loaded(sandbox) if council == "sutton"} & set(
        asked
    ) == finished

    # The next run of the DAG brings it into the marts, if the last of the backfill did not.
    run_id = airflow.trigger(DAG, {"councils": ["sutton"], "from": "2019-12"})
    assert airflow.ended(DAG, run_id)["state"] == "success"
    waited("the marts", lambda: finished | {"2019-12"} <= in_marts(sandbox, "sutton"))


def test_a_partition_that_failed_is_fetched_again_by_clearing_it_and_no_other_is_touched(
    sandbox, airflow
):
    airflow.publish_until(2017)
    airflow.fail(
        {"match": {"path": "crimes-street", "form": {"date": "2016-07"}}, "fault": "wrong-type",
         "field": "id", "times": 8}
    )  # fmt: skip
    run_id = airflow.trigger(
        DAG, {"councils": ["sutton", "kingston"], "from": "2016-06", "to": "2016-07"}
    )
    assert airflow.ended(DAG, run_id)["state"] == "failed"
    before = airflow.tasks(DAG, run_id)
    failed = [
        task for name, task in before.items() if name.startswith(LOAD) and task["state"] == "failed"
    ]
    assert failed
    assert len(failed) < 4
    airflow.restore()

    chosen = [[EXTRACT, task["map_index"]] for task in failed]
    airflow.clear(DAG, run_id, *chosen, include_downstream=True)

    assert airflow.ended(DAG, run_id)["state"] == "success"
    after = airflow.tasks(DAG, run_id)
    touched = {task["map_index"] for task in failed}
    for name, task in after.items():
        if name.startswith((EXTRACT, LOAD)) and task["map_index"] not in touched:
            assert task["try_number"] == before[name]["try_number"], name
    assert {("sutton", "2016-07"), ("kingston", "2016-07")} <= loaded(sandbox)


def test_clearing_only_load_loads_the_same_landing_again(sandbox, airflow):
    airflow.publish_until(2017)
    run_id = airflow.trigger(DAG, {"councils": ["sutton"], "from": "2015-06"})
    assert airflow.ended(DAG, run_id)["state"] == "success"
    (first,) = sandbox.ledger(SOURCE, "--council", "sutton", "--period", "2015-06")

    airflow.clear(DAG, run_id, LOAD, include_downstream=True)

    assert airflow.ended(DAG, run_id)["state"] == "success"
    tasks = airflow.tasks(DAG, run_id)
    assert tasks[f"{EXTRACT} sutton 2015-06"]["try_number"] == 1
    assert tasks[f"{LOAD} sutton 2015-06"]["try_number"] == 2
    (again,) = sandbox.ledger(SOURCE, "--council", "sutton", "--period", "2015-06")
    assert (again["landing"], again["status"]) == (first["landing"], "unchanged")


def test_a_run_that_is_triggered_overtakes_a_backfill(airflow):
    airflow.publish_until(2015)
    asked = months(2014, 1, 8)
    airflow.fail({"match": {"path": "crimes-street"}, "fault": "slow", "seconds": 0.5})
    airflow.backfill(DAG, "2014-01-01", "2014-08-01", {}, max_active_runs=8)
    waited(
        "the first task that extracts",
        lambda: any(
            state == "running" and name.startswith(EXTRACT)
            for run in airflow.backfilled(DAG, "2014-01")
            for name, state in airflow.states(DAG, run["dag_run_id"]).items()
        ),
    )

    run_id = airflow.trigger(DAG, {"councils": ["sutton"], "from": "2013-06"})
    assert airflow.ended(DAG, run_id)["state"] == "success"
    airflow.restore()
    runs = airflow.backfilled(DAG, *asked)
    assert any(run["state"] not in FINISHED for run in runs)
    airflow.quiet(DAG)

    mine = airflow.tasks(DAG, run_id)
    planned, began = mine["plan"]["end_date"], mine[f"{EXTRACT} sutton 2013-06"]["start_date"]
    starts = [
        task["start_date"]
        for run in runs
        for name, task in airflow.tasks(DAG, run["dag_run_id"]).items()
        if name.startswith(EXTRACT)
    ]
    # Those that the executor had taken by then.
    overtook = [start for start in starts if planned < start < began]
    assert len(overtook) <= 2, overtook
    assert len([start for start in starts if start > began]) >= 4
    assert airflow.all_ended(DAG, [run["dag_run_id"] for run in runs]) == ["success"] * 8
