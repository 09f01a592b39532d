"""Alerts: one message for a cause, an all-clear when it is over, and nothing sent twice."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import boto3
import pytest
from moto.server import ThreadedMotoServer

from include.errors import PermanentError, PipelineError, ServiceUnavailable
from include.extract.login.secret import Secret
from include.jobs.alerts import check, list_and_test, outbox
from include.jobs.alerts.check import check_all, check_run, check_transform
from include.sources import model
from include.sources.partition import Period
from include.warehouse.books import drift, ledger
from include.warehouse.books.ledger import Entry
from include.warehouse.columns.unknown_fields import Drift
from include.warehouse.connection import connect
from tests.alert_sinks import hook, mailbox
from tests.samples import contract

AIRFLOW = "http://airflow.test"
PLACES = [{"council": "kingston", "period": "2017-05"}, {"council": "sutton", "period": "2017-05"}]
KEYS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
DOWN = "gauges kingston 2017-05: HTTP 500 from api.test. Try again later."


@pytest.fixture
def mails(deployment, monkeypatch):
    """The mail server of this deployment."""
    with mailbox() as box:
        monkeypatch.setenv("WANDLE_SMTP", box.url)
        monkeypatch.setenv("WANDLE_SMTP_FROM", "wandle@council.example")
        yield box


@pytest.fixture
def hooked(deployment):
    """A web server for webhooks."""
    with hook() as sink:
        yield sink


def gauges(kinds=("failed", "refused"), **alerts):
    """A contract that reports some kinds, by e-mail unless it says otherwise."""
    return contract(
        alerts={"kinds": list(kinds), **(alerts or {"email": ["team@council.example"]})}
    )


def at(sink):
    """The host and port of a sink."""
    return sink.url.split("/")[2]


@pytest.fixture
def written(warehouse):
    """Writes an entry to the ledger, as a load does."""

    def write(source, place, status="failed", error=DOWN, *, run_id="run", ago=None, **counts):
        partition = source.partition(**place)
        entry = Entry.begin(source, partition, run_id=run_id, code_version="test").ended(
            status, error=error if status in ledger.BAD else None, landing_id="landing", **counts
        )
        with connect(warehouse.dsn()) as connection, connection.cursor() as cursor:
            ledger.write_entry(cursor, entry)
            connection.commit()
        if ago is not None:
            shift = f"interval '{ago.total_seconds()} s'"
            warehouse.query(
                f"update ops.load set finished_at = finished_at - {shift} "
                "where load_id = (select max(load_id) from ops.load)"
            )

    return write


@pytest.fixture
def ended(warehouse, monkeypatch):
    """What the task `alert` does at the end of a run."""

    def end(source, places=PLACES, landings=None, *, errors=None, run_id="run", secret=None):
        monkeypatch.setattr(outbox, "every_contract", lambda: {source.name: source})
        found = landings or [None] * len(places or ())
        return check_run(
            source,
            places,
            found,
            errors or {},
            dsn=warehouse.dsn(),
            run_id=run_id,
            airflow_url=AIRFLOW,
            secret_of=lambda name: Secret(name, secret) if secret and name != "smtp" else None,
        )

    return end


@pytest.fixture
def watch(warehouse, monkeypatch):
    """What the hourly task `alert` does, for only these sources."""

    def run(*sources):
        named = {source.name: source for source in sources}
        monkeypatch.setattr(check, "contracts", lambda: named)
        return check_all(dsn=warehouse.dsn(), airflow_url=AIRFLOW, secret_of=lambda name: None)

    return run


def test_a_run_with_failures_sends_one_message_with_place_cause_next_step_and_link(
    mails, written, ended
):
    source, run_id = gauges(), "manual__2017-06-01T00:00:00+00:00"
    for place in PLACES:
        error = f"gauges {place['council']} 2017-05: HTTP 500. Try later."
        written(source, place, error=error, run_id=run_id)

    assert ended(source, run_id=run_id) == 1

    (mail,) = mails.mails
    assert mail["Subject"] == "[wandle] Gauges: 2 failed"
    assert mail["To"] == "team@council.example"
    (text,) = mails.texts()
    assert "Where: kingston 2017-05, sutton 2017-05" in text
    assert "Cause: load failed: HTTP 500. Try later." in text
    assert "Next: Fix the cause, then clear the failed tasks of the run." in text
    link = f"{AIRFLOW}/dags/ingest_gauges/runs/manual__2017-06-01T00%3A00%3A00%2B00%3A00"
    assert f"Open: {link}" in text
    assert "owner nobody" in text


def test_a_flood_of_failures_of_one_cause_makes_one_message(mails, warehouse, written, ended):
    source = gauges()
    months = [f"{year}-{month:02}" for year in range(2011, 2015) for month in range(1, 13)]
    for number, month in enumerate(months):
        place = {"council": "kingston", "period": month}
        written(source, place, error=f"gauges kingston {month}: HTTP 500.", run_id=f"run {number}")
        ended(source, [place], run_id=f"run {number}")

    assert len(mails.mails) == 1
    assert warehouse.value("select count(*) from ops.alert where over_at is null") == len(months)


def test_a_different_cause_is_a_separate_message(mails, written, ended):
    source = gauges()
    written(source, PLACES[0], error="gauges kingston 2017-05: HTTP 500.")
    ended(source, PLACES[:1])
    written(source, PLACES[1], status="refused", error="gauges sutton 2017-05: no records.")
    ended(source, PLACES[1:])

    assert [mail["Subject"] for mail in mails.mails] == [
        "[wandle] Gauges: 1 failed",
        "[wandle] Gauges: 1 refused",
    ]


def test_a_task_that_is_retried_sends_nothing_again(mails, written, ended):
    source = gauges()
    written(source, PLACES[0])
    ended(source, PLACES[:1])

    assert ended(source, PLACES[:1]) == 0
    assert len(mails.mails) == 1


def test_a_cause_that_affects_others_a_day_later_is_reported_again(
    mails, warehouse, written, ended
):
    source = gauges()
    written(source, PLACES[0])
    ended(source, PLACES[:1])
    warehouse.query("update ops.alert set told_at = told_at - interval '25 h'")
    written(source, PLACES[1], error=DOWN.replace("kingston", "sutton"))
    ended(source, PLACES[1:])

    assert len(mails.mails) == 2
    assert "sutton 2017-05" in mails.texts()[1]


def test_an_all_clear_is_sent_once_when_the_last_partition_is_loaded(mails, written, ended):
    source = gauges()
    for place in PLACES:
        written(source, place, error=DOWN.replace("kingston", place["council"]))
    ended(source)
    written(source, PLACES[0], "loaded", run_id="second")
    ended(source, PLACES[:1], ["landing"], run_id="second")
    assert len(mails.mails) == 1

    written(source, PLACES[1], "loaded", run_id="third")
    ended(source, PLACES[1:], ["landing"], run_id="third")
    ended(source, PLACES[1:], ["landing"], run_id="third")

    assert [mail["Subject"] for mail in mails.mails][1:] == ["[wandle] Gauges: all clear"]
    assert "resolved (failed)" in mails.texts()[1]


def test_a_failed_plan_is_reported_with_its_reason_and_is_over_with_the_next_plan(
    mails, written, ended
):
    source = gauges()
    ended(source, None, errors={"plan": "gauges: 2030-01 is in the future. Choose another."})
    written(source, PLACES[0], "loaded", run_id="next")
    ended(source, PLACES[:1], ["landing"], run_id="next")

    assert [mail["Subject"] for mail in mails.mails] == [
        "[wandle] Gauges: 1 failed",
        "[wandle] Gauges: all clear",
    ]
    assert "2030-01 is in the future" in mails.texts()[0]


def test_a_task_that_was_killed_without_a_trace_in_the_ledger_is_reported(mails, ended):
    ended(gauges(), PLACES[:1])

    assert "no entry; see the logs of its tasks" in mails.texts()[0]


def test_nobody_is_notified_of_kinds_that_the_contract_leaves_out(mails, written, ended):
    written(gauges(), PLACES[0])

    assert ended(gauges(["refused"], email=["team@council.example"]), PLACES[:1]) == 0
    assert not mails.mails


def test_an_owner_with_an_address_receives_it_too(mails, written, ended):
    source = gauges().model_copy(update={"owner": "Data team <owner@council.example>"})
    written(source, PLACES[0])
    ended(source, PLACES[:1])

    assert {mail["To"] for mail in mails.mails} == {"owner@council.example", "team@council.example"}


def test_failures_that_no_run_reported_are_reported_by_the_hourly_check(mails, written, watch):
    source = gauges()
    written(source, PLACES[0], ago=timedelta(hours=4))
    written(source, PLACES[1], ago=timedelta(minutes=10), error="still retried")

    assert watch(source) == 1
    assert watch(source) == 0
    assert "kingston 2017-05" in mails.texts()[0]
    assert "sutton" not in mails.texts()[0]


# The last period that had to be there, a day ago at the latest, for a daily source.
DAILY = {"period": "day", "schedule": "0 4 * * *", "start": "2017-01-01"}


def daily(**changes):
    """A daily source that reports what is late."""
    return contract(
        **DAILY, alerts={"kinds": ["late"], "email": ["team@council.example"]}, **changes
    )


def days_ago(days):
    return str(Period.of(datetime.now(UTC) - timedelta(days=days), "day"))


def test_a_source_without_a_run_is_late_by_our_fault_and_has_an_all_clear(mails, written, watch):
    source = daily(councils="uk")
    assert watch(source) == 1
    assert watch(source) == 0
    for day in (1, 2, 3):
        written(source, {"council": "uk", "period": days_ago(day)}, "loaded")
    assert watch(source) == 1

    assert "we are late" in mails.texts()[0]
    assert "has an import error" in mails.texts()[0]
    assert mails.mails[1]["Subject"] == "[wandle] Gauges: all clear"


def test_a_publisher_without_a_due_period_is_late_by_its_own_fault(mails, written, ended):
    source = daily(councils="uk")
    for day in (1, 3):
        written(source, {"council": "uk", "period": days_ago(day)}, "loaded")
    place = {"council": "uk", "period": days_ago(2)}
    error = (
        f"gauges uk {place['period']}: HTTP 404 from api.test: the source does not have this "
        "period, which was due 0 days after its end. Retrying will not help."
    )
    written(source, place, error=error)
    ended(source, [place])

    (text,) = mails.texts()
    assert mails.mails[0]["Subject"] == "[wandle] Gauges: late"
    assert "the publisher is late" in text
    assert "Ask the publisher, api.test" in text


def test_a_due_period_that_was_never_asked_for_is_late_by_our_fault(mails, written, watch):
    source = daily(councils="uk")
    written(source, {"council": "uk", "period": days_ago(40)}, "loaded")
    watch(source)

    assert "we are late: the period was due on" in mails.texts()[0]
    assert "no run has asked for it since" in mails.texts()[0]


def months(count):
    return [f"{2010 + number // 12}-{number % 12 + 1:02}" for number in range(count)]


def usual(written, source, **newest):
    """Loads twelve months as usual, and one more."""
    filled = ["id", "note"]
    for number, month in enumerate(months(12)):
        counts = {"records": 100 + number, "loaded": 99 + number, "quarantined": 1}
        written(
            source, {"council": "kingston", "period": month}, "loaded",
            rows=99 + number, filled_columns=filled, **counts,
        )  # fmt: skip
    counts = {"records": 105, "loaded": 104, "quarantined": 1, "filled_columns": filled} | newest
    written(
        source, {"council": "kingston", "period": months(13)[-1]}, "loaded",
        rows=counts["loaded"], **counts,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("newest", "said"),
    [
        ({"records": 20, "loaded": 19}, "20 records, usually about 106"),
        ({"records": 500, "loaded": 499}, "500 records, usually about 106"),
        ({"loaded": 95, "quarantined": 10}, "9.5% of the records are in quarantine, usually 0.9%"),
        ({"filled_columns": ["id"]}, "the column note is empty, and was not before"),
    ],
)
def test_what_is_unusual_is_reported(newest, said, mails, written, watch):
    source = gauges(["volume", "quarantine", "drifted"], email=["team@council.example"])
    usual(written, source, **newest)

    assert watch(source) == 1
    assert said in mails.texts()[0]
    assert "Where: kingston" in mails.texts()[0]


def test_what_is_usual_is_not_reported(mails, written, watch):
    source = gauges(["volume", "quarantine", "drifted"], email=["team@council.example"])
    usual(written, source)

    assert watch(source) == 0


def test_a_new_field_is_reported_once_without_personal_values_and_is_over_when_it_is_gone(
    mails, warehouse, written, watch
):
    source = gauges(["drifted"], email=["team@council.example"])
    found = Drift()
    found.add(source, "api", {("colour",): ["red"], ("Jane Doe, 3 High St",): [1]})
    with connect(warehouse.dsn()) as connection, connection.cursor() as cursor:
        drift.record(cursor, "gauges", "landing", found)
        connection.commit()
    watch(source)
    watch(source)

    (text,) = mails.texts()
    assert "field colour" in text
    assert "new fields, which are not in the contract" in text
    assert "Jane" not in text
    assert "wandle drift gauges" in text

    warehouse.query("delete from ops.schema_drift")
    watch(source)
    assert mails.mails[1]["Subject"] == "[wandle] Gauges: all clear"


def test_one_message_of_the_hourly_check_is_about_all_sources_of_a_channel(mails, written, watch):
    first, second = gauges(), gauges().model_copy(update={"name": "wells", "title": "Wells"})
    written(first, PLACES[0], ago=timedelta(hours=4))
    written(second, PLACES[0], ago=timedelta(hours=4))

    assert watch(first, second) == 1
    assert mails.mails[0]["Subject"] == "[wandle] 2 sources: 2 failed"


# What a channel refuses, what it accepts later, and what it never does.


def test_a_message_that_is_not_accepted_is_kept_and_sent_by_the_hourly_check(
    mails, warehouse, written, ended, watch
):
    source = gauges()
    written(source, PLACES[0])
    mails.answer = "451 try again later"

    with pytest.raises(ServiceUnavailable, match=r"451 try again later.*The data are not affected"):
        ended(source, PLACES[:1])
    mails.answer = ""
    assert watch(source) == 1
    assert watch(source) == 0

    assert len(mails.mails) == 1
    assert warehouse.query(
        "select attempts, sent_at is not null, error from ops.alert_message"
    ) == [(2, True, None)]


def test_a_message_that_is_permanently_refused_fails_at_once_and_says_what_to_do(
    mails, written, ended
):
    written(gauges(), PLACES[0])
    mails.answer = "550 no such user"

    with pytest.raises(PermanentError, match=r"550 no such user.*WANDLE_SMTP_FROM"):
        ended(gauges(), PLACES[:1])


def test_one_channel_that_fails_does_not_keep_the_others_from_being_notified(
    mails, hooked, written, ended
):
    source = gauges(email=["team@council.example"], webhook="hook", private_hosts=[at(hooked)])
    hooked.status = 503
    written(source, PLACES[0])

    with pytest.raises(ServiceUnavailable, match="HTTP 503"):
        ended(source, PLACES[:1], secret=hooked.url)
    assert len(mails.mails) == 1


def test_old_messages_are_given_up(mails, warehouse, written, ended, watch):
    source = gauges()
    written(source, PLACES[0])
    mails.answer = "451 later"
    with pytest.raises(PipelineError):
        ended(source, PLACES[:1])
    mails.answer = ""
    warehouse.query("update ops.alert_message set created_at = now() - interval '4 days'")

    assert watch(source) == 0


def test_two_processes_do_not_send_the_same_message(mails, warehouse, written, ended, monkeypatch):
    source = gauges()
    written(source, PLACES[0])
    begun, go_on = threading.Event(), threading.Event()
    send = outbox.channels.send_email

    def slowly(*arguments):
        begun.set()
        assert go_on.wait(20)
        send(*arguments)

    monkeypatch.setattr(outbox.channels, "send_email", slowly)
    first = threading.Thread(target=ended, args=(source, PLACES[:1]))
    first.start()
    assert begun.wait(20)
    assert ended(source, PLACES[:1]) == 0
    go_on.set()
    first.join(20)

    assert len(mails.mails) == 1


def test_a_process_killed_while_it_sends_leaves_the_message_to_the_next(
    mails, warehouse, written, ended, watch
):
    source = gauges()
    written(source, PLACES[0])
    mails.answer = "451 later"
    with pytest.raises(PipelineError):
        ended(source, PLACES[:1])
    hangs = (
        "import sys, time\n"
        "from include.jobs.alerts import outbox\n"
        "from include.settings import Settings\n"
        "def hang(*given):\n    print('sending', flush=True)\n    time.sleep(60)\n"
        "outbox.channels.send_email = hang\n"
        f"outbox.deliver({warehouse.dsn()!r}, outbox.Sender(Settings.read()))\n"
    )
    child = subprocess.Popen([sys.executable, "-c", hangs], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    assert child.stdout.readline() == "sending\n"
    assert outbox.deliver(warehouse.dsn(), outbox.Sender(None)) == 0  # type: ignore[arg-type]
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()
    mails.answer = ""

    deadline = time.monotonic() + 20
    while not watch(source) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(mails.mails) == 1


# Webhook, Slack, SNS.


def test_a_webhook_gets_json_and_an_id_that_identifies_copies(deployment, hooked, written, ended):
    source = gauges(webhook="hook", private_hosts=[at(hooked)])
    written(source, PLACES[0])
    ended(source, PLACES[:1], secret=hooked.url)

    (body,) = hooked.posted
    assert body["title"] == "[wandle] Gauges: 1 failed"
    assert body["wrong"][0]["places"] == ["kingston 2017-05"]
    assert body["wrong"][0]["source"] == "gauges"
    assert hooked.headers[0]["Idempotency-Key"] == body["id"]


HOSTILE = (
    "*bold* _x_ <!channel> <https://evil.test|click> `a` <script>alert(1)</script>\r\nBcc: x@y"
)


def test_hostile_text_stays_text_in_every_channel(mails, hooked, written, ended):
    source = gauges(
        email=["team@council.example"], webhook="hook", slack="chat", private_hosts=[at(hooked)]
    ).model_copy(update={"title": HOSTILE, "owner": "nobody\nX-Evil: 1"})
    written(source, PLACES[0], error=f"gauges kingston 2017-05: {HOSTILE}")
    ended(source, PLACES[:1], secret=hooked.url)

    (mail,) = mails.mails
    assert mail["Bcc"] is None
    assert mail["X-Evil"] is None
    assert mail.get_content_type() == "text/plain"
    assert "\\r\\nBcc: x@y" in mail["Subject"]
    assert all(not line.startswith(("Bcc", "X-Evil")) for line in mail.get_content().splitlines())
    slack, webhook = sorted(hooked.posted, key=lambda body: "blocks" not in body)
    assert {block["text"]["type"] for block in slack["blocks"]} == {"plain_text"}
    assert "<" not in slack["text"]
    assert slack["mrkdwn"] is False
    assert "<!channel>" in webhook["wrong"][0]["cause"]


def test_the_url_of_a_webhook_reaches_no_log_no_error_and_no_table(
    deployment, warehouse, hooked, written, ended, caplog
):
    caplog.set_level(logging.DEBUG)
    source = gauges(webhook="hook", private_hosts=[at(hooked)])
    written(source, PLACES[0])
    hooked.status = 403
    with pytest.raises(PermanentError) as refused:
        ended(source, PLACES[:1], secret=hooked.url)

    kept = warehouse.query("select row_to_json(m)::text from ops.alert_message m")[0][0]
    assert "HTTP 403" in str(refused.value)
    for text in (str(refused.value), caplog.text, kept):
        assert "secret-of-the-hook" not in text


def test_a_webhook_in_our_own_network_must_be_named(deployment, hooked, written, ended):
    source = gauges(webhook="hook")
    written(source, PLACES[0])

    with pytest.raises(PermanentError, match=r"not a public address.*alerts\.private_hosts"):
        ended(source, PLACES[:1], secret=hooked.url)
    assert not hooked.posted


def test_a_webhook_that_redirects_is_not_followed(deployment, hooked, written, ended):
    source = gauges(webhook="hook", private_hosts=[at(hooked)])
    written(source, PLACES[0])
    with hook() as elsewhere:
        hooked.status, hooked.location = 307, elsewhere.url
        with pytest.raises(PermanentError, match=r"HTTP 307.*redirects are not followed"):
            ended(source, PLACES[:1], secret=hooked.url)
        assert not elsewhere.posted


@pytest.mark.parametrize(
    "url", ["hooks.test/x", "http://hooks.test/x", "https://user:pw@hooks.test/x", "file:///etc"]
)
def test_a_secret_that_is_not_an_https_url_is_not_sent_to(url, deployment, written, ended):
    written(gauges(webhook="hook"), PLACES[0])

    with pytest.raises(PermanentError, match="the secret 'hook' is not a URL"):
        ended(gauges(webhook="hook"), PLACES[:1], secret=url)


def test_a_webhook_without_its_secret_says_how_to_set_it(deployment, written, ended):
    written(gauges(webhook="hook"), PLACES[0])

    with pytest.raises(PermanentError, match="wandle secrets set hook"):
        ended(gauges(webhook="hook"), PLACES[:1])


def test_a_topic_of_sns_gets_the_message(deployment, monkeypatch, written, ended):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL_SNS": f"http://{host}:{port}",
        "AWS_ENDPOINT_URL_SQS": f"http://{host}:{port}",
        "AWS_ENDPOINT_URL_STS": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        queues = boto3.client("sqs", "eu-west-2", **KEYS)
        queue = queues.create_queue(QueueName="inbox")["QueueUrl"]
        topics = boto3.client("sns", "eu-west-2", **KEYS)
        arn = topics.create_topic(Name="wandle-local-alerts")["TopicArn"]
        topics.subscribe(
            TopicArn=arn, Protocol="sqs", Endpoint="arn:aws:sqs:eu-west-2:123456789012:inbox"
        )
        source = gauges(sns="wandle-{environment}-alerts")
        written(source, PLACES[0])
        ended(source, PLACES[:1])
        (got,) = queues.receive_message(QueueUrl=queue)["Messages"]
    finally:
        server.stop()

    assert "Where: kingston 2017-05" in got["Body"]


# The command line.


def test_the_channels_of_a_source_can_be_tested(mails, monkeypatch, wandle):
    monkeypatch.setattr(list_and_test, "contract", lambda name: gauges())

    assert wandle("alerts", "gauges", "--test")[0] == 0
    assert mails.mails[0]["Subject"] == "[wandle] Gauges: 1 failed (a test)"

    mails.answer = "550 no such user"
    code, _, errors = wandle("alerts", "gauges", "--test")
    assert code == 1
    assert "550 no such user" in errors


def test_a_source_that_notifies_nobody_says_so(wandle):
    code, _, errors = wandle("alerts", "weather_hourly", "--test")

    assert code == 1
    assert "weather_hourly notifies nobody" in errors


def test_what_is_wrong_and_what_was_sent_is_listed(mails, monkeypatch, written, ended, wandle):
    monkeypatch.setitem(model.contracts(), "gauges", gauges())
    written(gauges(), PLACES[0])
    ended(gauges(), PLACES[:1])

    code, out, _ = wandle("alerts")

    assert code == 0
    assert "kingston 2017-05" in out
    assert "[wandle] Gauges: 1 failed" in out


@pytest.fixture
def transformed(warehouse, monkeypatch):
    """What the task `alert` does at the end of `transform`, where these sources have alerts."""

    def end(sources, failed, run_id="run"):
        named = {source.name: source for source in sources}
        monkeypatch.setattr(check, "contracts", lambda: named)
        return check_transform(
            failed, dsn=warehouse.dsn(), run_id=run_id, owner="Data team", airflow_url=AIRFLOW
        )

    return end


def of(name, **alerts):
    """A source of that name which notifies somebody."""
    return gauges(**alerts).model_copy(update={"name": name})


def test_a_failed_transform_is_reported_once_to_each_address_notified_of_failed_sources(
    mails, transformed
):
    sources = [
        of("one"),
        of("two", email=["team@council.example", "waste@council.example"]),
        of("three", kinds=("late",), email=["late@council.example"]),
        contract(name="four"),
    ]
    failed = {"ward_crime_monthly": "division by zero", "not_null_x": "Got 1 result"}

    assert transformed(sources, failed, "manual__1") == 2
    assert transformed(sources, failed, "manual__2") == 0

    assert {mail["To"] for mail in mails.mails} == {"team@council.example", "waste@council.example"}
    text = mails.texts()[0]
    assert "Marts and publication (DAG transform, owner Data team): failed" in text
    assert "Where: ward_crime_monthly" in text
    assert "Cause: division by zero" in text
    assert f"Open: {AIRFLOW}/dags/transform/runs/manual__1" in text


def test_another_model_that_fails_is_reported_and_the_last_one_has_the_all_clear(
    mails, transformed
):
    sources = [of("one")]
    transformed(sources, {"first": "no"})
    transformed(sources, {"first": "no", "second": "no"})
    transformed(sources, {"second": "no"})
    transformed(sources, {})

    titles = [mail["Subject"].partition(": ")[2] for mail in mails.mails]
    assert titles == ["1 failed", "1 failed", "all clear", "all clear"]
    assert ["first" in text for text in mails.texts()] == [True, False, True, False]


def test_where_no_source_has_alerts_a_failed_transform_is_only_listed(
    deployment, transformed, wandle
):
    assert transformed([contract()], {"first": "division by zero"}) == 0

    assert "division by zero" in wandle("alerts")[1]
