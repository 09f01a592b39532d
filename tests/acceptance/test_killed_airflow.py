"""Airflow's processes and a task, killed in the middle of a backfill: all runs end green."""

from __future__ import annotations

from contextlib import suppress

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


@pytest.mark.parametrize("victim", YEARS)
def test_what_is_killed_in_a_backfill_loses_nothing(sandbox: Wandle, airflow: Airflow, victim):
    airflow.quiet(DAG)
    asked = [f"{YEARS[victim]}-{month:02}" for month in range(1, 5)]
    airflow.publish_until(int(YEARS[victim]) + 1)
    airflow.fail({"match": {"path": "crimes-street"}, "fault": "slow", "seconds": 0.5})
    airflow.backfill(
        DAG, f"{asked[0]}-01", f"{asked[-1]}-01", {"councils": ["sutton"]}, max_active_runs=3
    )
    task = waited("a task that extracts", lambda: extracting(airflow, asked))

    if victim == "a task":
        task.kill()
    else:
        airflow.kill(victim)
        sandbox.ok("up")
    airflow.restore()

    runs = [run["dag_run_id"] for run in airflow.backfilled(DAG, *asked)]
    assert airflow.all_ended(DAG, runs) == ["success"] * len(asked)
    window = (SOURCE, "--council", "sutton", "--from", asked[0], "--to", asked[-1])
    # A load that was killed after its commit is found unchanged by its retry.
    entries = sandbox.ledger(*window, "--history", "--status", "loaded")
    assert sorted(entry["period"] for entry in entries) == asked
    for entry in entries:
        counts = (entry["loaded"], entry["quarantined"], entry["duplicates"])
        assert entry["records"] == sum(counts) > 0, entry
    sandbox.ok("verify", *window, "--deep")


def extracting(airflow: Airflow, months: list[str]) -> psutil.Process | None:
    """The process of a task of a backfill that is just extracting, by its title."""
    titles = {
        f"airflow worker -- {task['id']}"
        for run in airflow.backfilled(DAG, *months)
        for name, task in airflow.tasks(DAG, run["dag_run_id"]).items()
        if name.startswith("partition.extract") and task["state"] == "running"
    }
    for child in airflow.process("scheduler").children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if " ".join(child.cmdline()).strip() in titles:
                return child
    return None
