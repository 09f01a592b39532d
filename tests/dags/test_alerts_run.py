"""A run that reports its failures, by Airflow's own `dag.test()` and a real mail server."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from include.sources import model
from include.sources.alerts import Alerts
from tests.alert_sinks import Mailbox, mailbox

HOLIDAYS = "ingest_bank_holidays"
ALERTS = Alerts(email=("team@council.example",), kinds=("failed", "refused"))
IS_GONE = {"match": {"path": "bank-holidays"}, "fault": "404"}


@pytest.fixture
def mails(world, monkeypatch) -> Iterator[Mailbox]:
    """The mail server of the deployment, and a contract that reports its failures."""
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


def test_a_run_reports_a_failure_once_and_the_next_one_reports_its_end(start, world, mails):
    world.fail(**IS_GONE)
    broken = start(HOLIDAYS, {})
    world.repair()
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
    world.repair()
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


def test_a_plan_that_fails_is_reported_with_its_reason(start, world, mails):
    run = start(HOLIDAYS, {"from": "2999-01"})

    assert run.state == "failed"
    assert "Where: plan" in mails.texts()[-1]
    assert "2999-01" in mails.texts()[-1]


def test_a_transform_without_recipients_has_no_task_for_alerts(dag_bag):
    assert "alert" not in dag_bag.get_dag("transform").task_dict


def test_a_failed_transform_is_reported_once_to_the_sources_recipients_and_has_an_all_clear(
    start, world, mails
):
    start(HOLIDAYS, {})
    told = len(mails.mails)
    table, everything = "raw.bank_holidays", {"full_refresh": True}
    ((day, title),) = world.query(f"SELECT date, title FROM {table} ORDER BY date LIMIT 1")
    world.query(f"UPDATE {table} SET title = NULL WHERE date = '{day}' RETURNING 1")
    try:
        # The ledger does not know of an edit by hand.
        runs = [start("transform", everything), start("transform", everything)]
    finally:
        restored = f"UPDATE {table} SET title = '{title}' WHERE date = '{day}' RETURNING 1"
        world.query(restored)
    whole = start("transform", everything)

    assert [(run.state, run.states["alert"]) for run in runs] == [("failed", "success")] * 2
    assert (whole.state, whole.states["alert"]) == ("success", "success")
    broken, over = mails.mails[told:]
    assert broken["To"] == "team@council.example"
    assert broken["Subject"] == "[wandle] Marts and publication: 1 failed"
    text = mails.texts()[told]
    assert "Where: not_null_stg_bank__holidays_title" in text
    # Its rows stay on the platform.
    assert "configured to fail if != 0.\r\n" in text or "configured to fail if != 0.\n" in text
    assert day.isoformat() not in text
    assert f"/dags/transform/runs/{runs[0].run_id.partition(':')[0]}" in text
    assert over["Subject"] == "[wandle] Marts and publication: all clear"


def test_a_publication_that_fails_is_reported_with_its_reason(start, world, mails):
    start(HOLIDAYS, {})
    told = len(mails.mails)
    with psycopg.connect(world.admin_dsn, autocommit=True) as admin:
        admin.execute("alter role wandle_publisher nologin")
        try:
            start("transform", {"full_refresh": True})
        finally:
            admin.execute("alter role wandle_publisher login")

    assert "Where: publish" in mails.texts()[told]
    assert "wandle_publisher" in mails.texts()[told]
