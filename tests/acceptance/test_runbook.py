"""What docs/runbook.md says to click when a run is red, done for real on a running Airflow."""

from __future__ import annotations

import psycopg
import pytest

from tests.acceptance.airflow_runs import Airflow
from tests.acceptance.conftest import Wandle

HOLIDAYS, CRIME = "ingest_bank_holidays", "ingest_police_street_crime"
EXTRACT, LOAD = "partition.extract", "partition.load"
IS_GONE = {"match": {"path": "bank-holidays"}, "fault": "404"}

pytestmark = [pytest.mark.timeout(1500), pytest.mark.platform]


def red(airflow: Airflow, dag_id: str, run_id: str) -> dict[str, str]:
    """The tasks of a failed run that failed, each with its error."""
    assert airflow.ended(dag_id, run_id)["state"] == "failed"
    failed = [name for name, state in airflow.states(dag_id, run_id).items() if state == "failed"]
    return {name: airflow.error(dag_id, run_id, name) for name in failed}


def test_an_extract_that_failed_is_red_with_reconcile_and_clearing_it_makes_the_run_green(
    sandbox: Wandle, airflow: Airflow
):
    airflow.fail(IS_GONE)
    run_id = airflow.trigger(HOLIDAYS, {})
    errors = red(airflow, HOLIDAYS, run_id)
    airflow.restore()

    (extract,) = (name for name in errors if name.startswith(EXTRACT))
    assert "HTTP 404" in errors[extract]
    assert "HTTP 404" in errors["reconcile"]
    assert set(errors) == {extract, "reconcile"}
    (entry,) = sandbox.ledger("bank_holidays", "--status", "failed")
    assert entry["step"] == "extract"

    airflow.clear(HOLIDAYS, run_id, EXTRACT, include_downstream=True)

    assert airflow.ended(HOLIDAYS, run_id)["state"] == "success"
    assert sandbox.ledger("bank_holidays", "--status", "failed") == []


def test_a_load_that_a_check_refused_is_loaded_by_a_run_with_force(sandbox, airflow):
    place = ("police_street_crime", "--council", "sutton", "--period", "2013-09")
    asked = {"councils": ["sutton"], "from": "2013-09"}
    airflow.publish_until(2014)
    airflow.fail({"match": {"path": "crimes-street"}, "fault": "wrong-type", "field": "latitude"})
    run_id = airflow.trigger(CRIME, asked)
    errors = red(airflow, CRIME, run_id)

    assert set(errors) == {f"{LOAD} sutton 2013-09", "reconcile"}
    assert "more than the share of 0.02 that it allows" in errors[f"{LOAD} sutton 2013-09"]
    assert [entry["status"] for entry in sandbox.ledger(*place)] == ["refused"]

    forced = airflow.trigger(CRIME, {**asked, "mode": "reload", "force": True})

    assert airflow.ended(CRIME, forced)["state"] == "success"
    (entry,) = sandbox.ledger(*place)
    assert (entry["status"], entry["forced_by"]) == ("loaded", "admin")
    assert entry["quarantined"] > 0


@pytest.fixture
def edited(sandbox: Wandle, airflow: Airflow) -> None:
    """A raw table with a value that a data test does not accept."""
    assert airflow.ended(HOLIDAYS, airflow.trigger(HOLIDAYS, {}))["state"] == "success"
    airflow.quiet("transform")
    with psycopg.connect(sandbox.setting("WANDLE_ADMIN_DSN")) as connection:
        connection.execute(
            "update raw.bank_holidays set title = null "
            "where date = (select min(date) from raw.bank_holidays)"
        )


def test_a_transform_with_a_failed_test_names_it_and_is_green_when_cleared_after_the_fix(
    sandbox, airflow, edited
):
    run_id = airflow.trigger("transform", {"full_refresh": True})
    errors = red(airflow, "transform", run_id)

    assert "not_null_stg_bank__holidays_title" in errors["reconcile"]
    assert airflow.states("transform", run_id)["publish"] == "success"

    # The fix: what was loaded, again.
    sandbox.ok("reload", "bank_holidays", "--force")
    airflow.clear("transform", run_id, "staging", include_downstream=True)

    assert airflow.ended("transform", run_id)["state"] == "success"
