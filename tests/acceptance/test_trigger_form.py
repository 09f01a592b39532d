"""What the form of a source's DAG refuses, and its dry run, by the API and the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import psycopg
import pytest

from include.local.services.airflow_api import AirflowRefused
from tests.acceptance.airflow_runs import Airflow
from tests.acceptance.conftest import Wandle

SOURCE = "police_street_crime"
DAG = f"ingest_{SOURCE}"

pytestmark = [pytest.mark.timeout(1500), pytest.mark.platform]


@pytest.fixture
def world(sandbox: Wandle, airflow: Airflow) -> Callable[[], Any]:
    """All that a run of the DAG could change: requests, landings and the books.

    Not what is published: `transform` may do so at the same time for earlier tests.
    """
    airflow.quiet(DAG)

    def look() -> Any:
        with psycopg.connect(sandbox.setting("WANDLE_LOADER_DSN")) as connection:
            # Every request to an API is counted here.
            asked = connection.execute("select * from ops.rate_limit order by host").fetchall()
            booked = connection.execute("select max(load_id) from ops.load").fetchall()
        landed = sorted((sandbox.home / "s3").glob("*/landing/**/*.json*"))
        assert asked
        assert landed
        return asked, landed, booked

    return look


def test_a_dry_run_shows_what_is_loaded_and_what_it_costs_and_does_nothing(sandbox, airflow, world):
    airflow.publish_until(2015)
    sandbox.ok("ingest", SOURCE, "--council", "sutton", "--period", "2013-02")
    (entry,) = sandbox.ledger(SOURCE, "--council", "sutton", "--period", "2013-02")
    before = world()
    asked = {"councils": ["sutton"], "from": "2013-02", "to": "2013-03"}

    run_id = airflow.trigger(DAG, {**asked, "dry_run": True})

    assert airflow.ended(DAG, run_id)["state"] == "success"
    path = f"/dags/{DAG}/dagRuns/{quote(run_id, safe='')}/taskInstances/plan/xcomEntries/dry_run"
    loaded, new = airflow.api.get(path, deserialize=True)["value"]
    assert (loaded["council"], loaded["period"]) == ("sutton", "2013-02")
    assert loaded["loaded"] == f"{datetime.fromisoformat(entry['finished_at']):%Y-%m-%d %H:%M}"
    assert (loaded["records"], loaded["requests"]) == (entry["records"], entry["pages"])
    assert (new["period"], new["loaded"]) == ("2013-03", None)
    assert new["requests"] == entry["pages"]
    states = airflow.states(DAG, run_id)
    assert states["announce"] == "skipped"
    assert not [name for name in states if "sutton" in name]
    assert world() == before


def test_a_dry_run_from_the_command_line_shows_the_same(sandbox, airflow, world):
    airflow.publish_until(2015)
    before = world()
    window = ("--from", "2013-02", "--to", "2013-03")

    said = sandbox.ok("ingest", SOURCE, "--council", "sutton", *window, "--dry-run")
    done = airflow.command(
        *("dags", "trigger", DAG, "--run-id", "dry-by-hand", "--conf"),
        json.dumps({"councils": ["sutton"], "from": "2013-02", "to": "2013-03", "dry_run": True}),
    )

    assert done.returncode == 0, done.stderr
    assert airflow.ended(DAG, "dry-by-hand")["state"] == "success"
    log = airflow.log(DAG, "dry-by-hand", "plan")
    table = [line.strip() for line in said.splitlines() if line.startswith("sutton")]
    assert len(table) == 2
    assert set(table) <= {line.strip() for line in log}
    assert any("This was a dry run" in line for line in log)
    assert world() == before


NEXT_YEAR = f"{datetime.now(UTC).year + 1}-01"


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"from": "2017-05", "to": "2017-04"}, "2017-05 is after 2017-04. Swap them"),
        ({"from": "2017-13"}, "'2017-13' is not a valid month. Use YYYY-MM"),
        ({"from": NEXT_YEAR}, f"{NEXT_YEAR} has not started"),
        ({"from": "2010-11"}, "the data start at 2010-12, and 2010-11 is earlier"),
        ({"council": ["sutton"], "from": "2017-05"}, "unknown parameter 'council'"),
        ({}, "Fill in `from` and `to`"),
    ],
)
def test_an_impossible_window_fails_at_once_with_a_sentence(airflow, world, asked, sentence):
    before = world()

    run_id = airflow.trigger(DAG, asked)

    assert airflow.ended(DAG, run_id)["state"] == "failed"
    assert sentence in airflow.error(DAG, run_id, "plan")
    assert airflow.tasks(DAG, run_id)["plan"]["try_number"] == 1
    assert world() == before


@pytest.mark.parametrize(
    "asked",
    [
        {"from": ""},
        {"from": "May 2017"},
        {"from": "2017-05", "councils": []},
        {"from": "2017-05", "councils": ["kingstn"]},
        {"from": "2017-05", "mode": "delete"},
        {"from": "2017-05", "dry_run": "perhaps"},
    ],
)
def test_what_the_form_does_not_take_starts_no_run(airflow, world, asked):
    before, runs = world(), airflow.count(DAG)

    with pytest.raises(AirflowRefused, match=r"HTTP 4\d\d"):
        airflow.trigger(DAG, asked)

    assert airflow.count(DAG) == runs
    assert world() == before
