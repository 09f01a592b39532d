"""A run that tells of its failures, by Airflow's own `dag.test()` and a real mail server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.sources import model
from include.sources.alerts import Alerts
from tests.alert_sinks import Mailbox, mailbox

HOLIDAYS = "ingest_bank_holidays"
ALERTS = Alerts(email=("team@council.example",), kinds=("failed", "refused"))
IS_GONE = {"match": {"path": "bank-holidays"}, "fault": "404"}


@pytest.fixture
def mails(world, monkeypatch) -> Iterator[Mailbox]:
    """The mail server of the deployment, and a contract that tells of its failures."""
    known = model.contracts()
    source = known["bank_holidays"]
    monkeypatch.setitem(known, source.name, source.model_copy(update={"alerts": ALERTS}))
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://airflow.test")
    with mailbox() as box:
        monkeypatch.setenv("WANDLE_SMTP", box.url)
        monkeypatch.setenv("WANDLE_SMTP_FROM", "wandle@council.example")
        yield box


def test_a_contract_without_alerts_has_no_task_for_them(dag_bag):
    assert "alert" not in dag_bag.get_dag(HOLIDAYS).task_dict


def test_a_run_tells_once_of_what_failed_and_the_next_one_that_it_is_over(start, world, mails):
    world.fail(**IS_GONE)
    broken = start(HOLIDAYS, {})
    world.mend()
    whole = start(HOLIDAYS, {})

    assert (broken.state, broken.states["alert"]) == ("failed", "success")
    assert (whole.state, whole.states["alert"]) == ("success", "success")
    assert [mail["Subject"].partition(": ")[2] for mail in mails.mails] == [
        "1 failed",
        "all clear",
    ]
    assert f"/dags/{HOLIDAYS}/runs/manual__" in mails.texts()[0]
    assert "HTTP 404" in mails.texts()[0]


def test_a_mail_server_that_refuses_makes_its_task_red_and_not_the_data(start, world, mails):
    world.fail(**IS_GONE)
    start(HOLIDAYS, {})
    world.mend()
    mails.answer = "550 no such user"
    run = start(HOLIDAYS, {})

    assert (run.state, run.states["reconcile"], run.states["alert"]) == (
        "success",
        "success",
        "failed",
    )
    assert "550 no such user" in run.said
    (error,) = world.query("select error from ops.alert_message where sent_at is null")
    assert "550 no such user" in error[0]


def test_a_plan_that_fails_is_told_with_its_reason(start, world, mails):
    run = start(HOLIDAYS, {"from": "2999-01"})

    assert run.state == "failed"
    assert "Where: plan" in mails.texts()[-1]
    assert "2999-01" in mails.texts()[-1]
