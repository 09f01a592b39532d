"""Airflow's processes and a task, killed in the middle of a backfill: all runs end green."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from tests.acceptance.airflow_runs import Airflow, waited
from tests.acceptance.conftest import Wandle

SOURCE = "police_street_crime"
DAG = f"ingest_{SOURCE}"
YEARS = {
    "scheduler": "2020",
    "triggerer": "2021",
    "api-server": "2022",
    "a task": "2023",
}

pytestmark = [pytest.mark.timeout(2400), pytest.mark.platform]


def at_work(airflow: Airflow) -> list[psutil.Process]:
    """The processes of tasks that run, by what they say of themselves."""
    children = airflow.process("scheduler").children(recursive=True)
    return [child for child in children if "task" in " ".join(child.cmdline())]


@pytest.mark.parametrize("victim", YEARS)
def test_what_is_killed_in_a_backfill_loses_nothing(sandbox: Wandle, airflow: Airflow, victim):
    asked = [f"{YEARS[victim]}-{month:02}" for month in range(1, 7)]
    airflow.publish_until(int(YEARS[victim]) + 1)
    airflow.fail({"match": {"path": "crimes-street"}, "fault": "slow", "seconds": 0.5})
    airflow.backfill(
        DAG, f"{asked[0]}-01", f"{asked[-1]}-01", {"councils": ["sutton"]}, max_active_runs=3
    )
    waited("a task that extracts", lambda: extracting(airflow, asked))

    if victim == "a task":
        killed = waited("a task's process", lambda: at_work(airflow))
        os.kill(killed[-1].pid, signal.SIGKILL)
    else:
        airflow.kill(victim)
        sandbox.ok("up")
    airflow.restore()

    runs = [run["dag_run_id"] for run in airflow.backfilled(DAG, *asked)]
    assert airflow.all_ended(DAG, runs) == ["success"] * len(asked)
    entries = sandbox.ledger(SOURCE, "--council", "sutton", "--from", asked[0], "--to", asked[-1])
    assert {entry["period"]: entry["status"] for entry in entries} == dict.fromkeys(asked, "loaded")
    for entry in entries:
        counts = (entry["loaded"], entry["quarantined"], entry["duplicates"])
        assert entry["records"] == sum(counts) > 0, entry
    sandbox.ok("verify", SOURCE, "--deep")


def extracting(airflow: Airflow, months: list[str]) -> list[str]:
    """The runs of a backfill that are just extracting."""
    return [
        run["dag_run_id"]
        for run in airflow.backfilled(DAG, *months)
        if run["state"] == "running"
        for name, state in airflow.states(DAG, run["dag_run_id"]).items()
        if name.startswith("partition.extract") and state == "running"
    ]
