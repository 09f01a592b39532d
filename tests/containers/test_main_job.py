"""The main job on Celery workers: its figures, its speed, what survives a kill and an upgrade."""

from __future__ import annotations

import json
import subprocess
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from include.settings import Settings
from tests.acceptance.test_recorded_year import CRIMES, YEAR, crimes
from tests.containers.conftest import CHECKOUT, Stack
from tests.recorded import recorded_payloads

PAYLOADS = recorded_payloads()
pytestmark = [
    pytest.mark.timeout(3600),
    pytest.mark.skipif(PAYLOADS is None, reason="no recorded payloads: set RECORDED_PAYLOADS"),
]

ALL_OF_IT = ("--from", "2017-01", "--to", "2017-12")
TABLES = f"raw.{CRIMES}, ops.load, ops.landing, ops.quarantine"


@pytest.fixture(scope="module")
def expected() -> dict[str, dict[str, Any]]:
    content = json.loads((Path(str(PAYLOADS)) / "police" / "EXPECTED.json").read_text())
    return {
        council: {month: content[council][month] for month in YEAR}
        for council in ("kingston", "sutton")
    }


def timed_year(stack: Stack, workers: int) -> None:
    """Backfill the year from nothing: no landing is known to the ledger, no row is loaded."""
    stack.sql(f"truncate {TABLES}")
    used, [[first]] = stack.processor_seconds(workers), stack.sql("select now()")
    began = time.monotonic()
    stack.ok(*stack.demo(*ALL_OF_IT), timeout=3000)
    seconds = time.monotonic() - began
    [[backfill]] = stack.sql(
        "select extract(epoch from max(end_date) - min(start_date)) from task_instance "
        f"where dag_id = 'ingest_{CRIMES}' and state = 'success' and start_date > '{first}'",
        "airflow",
    )
    stack.times[f"{workers} workers"] = {
        "main_job_seconds": round(seconds, 1),
        "backfill_seconds": round(float(backfill), 1),
        "processor_seconds": {
            name: round(now - used[name], 1)
            for name, now in stack.processor_seconds(workers).items()
        },
    }
    target = Settings.read().home / "containers.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(stack.times, indent=1) + "\n")


@pytest.fixture(scope="module")
def year(stack: Stack) -> Stack:
    timed_year(stack, 2)
    return stack


def test_the_figures_are_those_of_the_embedded_platform(year: Stack, expected):
    entries = crimes(year.ledger())
    counted: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for council, month, category, count in year.sql(
        "select council, to_char(month, 'YYYY-MM'), category, sum(crimes)::int "
        "from marts.ward_crime_monthly group by 1, 2, 3"
    ):
        counted[council][month][category] = int(count)

    assert len(entries) == 24
    assert sum(entry["records"] for entry in entries) == 28_895
    for entry in entries:
        assert entry["status"] == "loaded"
        assert entry["records"] == expected[entry["council"]][entry["period"]]["records"]
    for council, months in expected.items():
        for month, facts in months.items():
            assert dict(counted[council][month]) == facts["distinct_ids_by_category"]


def test_four_workers_share_the_work_and_load_the_same(year: Stack):
    before = year.hashes()
    year.up(4)

    timed_year(year, 4)

    hosts = year.sql(
        "select distinct hostname from task_instance where dag_id = 'ingest_police_street_crime'",
        "airflow",
    )
    assert len(hosts) >= 4
    assert year.hashes() == before


def test_a_worker_killed_in_the_middle_loses_nothing(year: Stack):
    before = year.hashes()
    year.sql(f"truncate {TABLES}")
    running = subprocess.Popen(
        year.command(*year.demo(*ALL_OF_IT)),
        env=year.environment,
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    killed = kill_a_worker_at_work(year)
    said, _ = running.communicate(timeout=3000)

    assert running.returncode == 0, said[-6000:]
    assert year.hashes() == before
    retried = year.sql(
        f"select count(*) from task_instance_history where hostname = '{killed}'", "airflow"
    )
    assert int(retried[0][0]) >= 1


def kill_a_worker_at_work(stack: Stack) -> str:
    """Kill every process of the first worker while it runs a partition; the name of its host."""
    host = stack.inside("worker", "hostname").strip()
    query = (
        "select count(*) from task_instance where state = 'running' "
        f"and task_id like 'partition%' and hostname = '{host}'"
    )
    end = time.monotonic() + 900
    while stack.sql(query, "airflow") == [["0"]]:
        assert time.monotonic() < end, "the worker was never at work"
    stack.run("exec", "-T", "--index", "1", "worker", "sh", "-c", "kill -9 -1")
    return host


@pytest.fixture(scope="module")
def upgraded(year: Stack) -> tuple[Stack, dict[str, Any]]:
    """Taken down, rebuilt as another version, and up again; what it held before."""
    before = {
        "hashes": year.hashes(),
        "history": year.ledger("--history"),
        "marts": year.sql("select council, sum(crimes) from marts.ward_crime_monthly group by 1"),
        "runs": year.sql("select dag_id, run_id, state from dag_run order by 1, 2", "airflow"),
        "login": year.inside("api-server", "cat", "/wandle/airflow/passwords.json"),
    }
    year.ok("down")
    year.environment["WANDLE_CODE_VERSION"] = "second"
    year.up(2, "--build", "--force-recreate")
    return year, before


def test_down_and_up_keep_the_data(upgraded):
    stack, before = upgraded

    assert stack.hashes() == before["hashes"]
    assert before["marts"] == stack.sql(
        "select council, sum(crimes) from marts.ward_crime_monthly group by 1"
    )
    assert stack.inside("api-server", "cat", "/wandle/airflow/passwords.json") == before["login"]


def test_an_upgrade_keeps_the_history_and_loads_as_the_new_version(upgraded):
    stack, before = upgraded
    stack.wandle("reload", CRIMES, "--council", "sutton", "--period", "2017-05", "--force")

    history = stack.ledger("--history")
    runs = stack.sql("select dag_id, run_id, state from dag_run order by 1, 2", "airflow")
    assert history[: len(before["history"])] == before["history"]
    assert len(before["history"]) >= 24
    assert stack.sql("select code_version, count(*) from ops.load group by 1 order by 1") == [
        ["first", str(len(before["history"]))],
        ["second", "1"],
    ]
    assert [run for run in before["runs"] if run not in runs] == []
