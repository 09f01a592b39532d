"""Real runs of the DAGs: sandbox -> S3 -> PostgreSQL -> marts, by Airflow's own `dag.test()`."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from include.councils.model import councils
from include.errors import PermanentError
from include.jobs.operate.explain import explain
from tests.dags.running import Run

WARDS = "ingest_police_ward_boundaries"
CRIME = "ingest_police_street_crime"
SUMMER = {"councils": ["kingston"], "from": "2026-06", "to": "2026-08"}
JULY_IS_GONE = {
    "match": {"path": "crimes-street", "form": {"date": "2026-07"}},
    "fault": "404",
}
CONTENT = """
    SELECT DISTINCT ON (council, period) council, period, content_hash FROM ops.load
    WHERE source = 'police_street_crime' AND content_hash IS NOT NULL
    ORDER BY council, period, load_id DESC
"""


@pytest.fixture(scope="module")
def boundaries(start, services) -> Run:
    services.repair()
    return start(WARDS, {})


@pytest.fixture(scope="module")
def broken(start, services, boundaries) -> Iterator[Run]:
    """Three months, one of which the API says that it no longer has."""
    services.fail(**JULY_IS_GONE)
    run = start(CRIME, SUMMER)
    services.repair()
    return run


@pytest.fixture(scope="module")
def whole(start, broken) -> Run:
    """The same months again, after the cause was repaired."""
    return start(CRIME, SUMMER)


def test_a_snapshot_is_fetched_for_this_month_without_any_parameter(boundaries):
    month = f"{datetime.now(UTC):%Y-%m}"

    assert boundaries.state == "success"
    assert boundaries.states == {
        "plan": "success",
        **{f"extract {name} {month}": "success" for name in councils()},
        **{f"load {name} {month}": "success" for name in councils()},
        "announce": "success",
        "reconcile": "success",
    }


def test_a_run_that_loads_announces_its_table(boundaries):
    assert boundaries.announced == ["raw.police_ward_boundaries"]


def test_a_partition_that_fails_does_not_block_others(broken):
    assert broken.states["extract kingston 2026-07"] == "failed"
    assert broken.states["load kingston 2026-06"] == "success"
    assert broken.states["load kingston 2026-08"] == "success"


def test_a_permanent_error_is_not_tried_again(broken):
    assert broken.tries["extract kingston 2026-07"] == 1


def test_a_run_with_a_failed_partition_is_red_and_names_only_it(broken):
    assert broken.state == "failed"
    assert broken.states["reconcile"] == "failed"
    assert (
        "1 of 3 partitions failed: kingston 2026-07 (extract failed: HTTP 404 from" in broken.said
    )


def test_a_failed_extract_is_in_the_ledger_with_its_reason(services, broken):
    ((step, status, error),) = services.query(
        f"SELECT step, status, error FROM ops.load WHERE run_id = '{broken.run_id}' "
        "AND period = '2026-07-01'"
    )

    assert (step, status) == ("extract", "failed")
    assert error.startswith("police_street_crime kingston 2026-07: HTTP 404 from")


def test_a_run_that_loads_something_announces_it_although_something_else_failed(broken):
    assert broken.announced == ["raw.police_street_crime"]


def test_a_run_is_green_once_the_cause_is_fixed(whole):
    assert whole.state == "success"
    assert whole.announced == ["raw.police_street_crime"]


def test_a_run_that_changes_nothing_is_green_and_announces_nothing(start, world, whole):
    before = world.query(CONTENT)

    again = start(CRIME, SUMMER)

    assert again.state == "success"
    assert again.states["load kingston 2026-07"] == "success"
    assert again.states["announce"] == "skipped"
    assert again.announced == []
    assert world.query(CONTENT) == before


def test_the_log_of_a_partition_begins_with_what_will_be_done_and_ends_with_what_was(
    start, world, whole, caplog
):
    caplog.set_level(logging.INFO)
    start(CRIME, {"councils": ["kingston"], "from": "2026-07", "force": True})

    said = re.findall(r"police_street_crime kingston 2026-07: (.*)", "\n".join(caplog.messages))
    end = r"[\d.]+ s; manifest s3://wandle-test/landing/police_street_crime/kingston/2026-07/.*/"
    patterns = (
        "requesting data.police.uk, in the sandbox",
        rf"landed: \d+ requests, \d+ records, \d+ bytes, {end}manifest.json",
        r"replacing it in raw.police_street_crime by landing \d{8}T",
        rf"loaded: \d+ records = \d+ loaded \+ \d+ quarantined \+ \d+ duplicates, {end}",
    )
    places = [
        next((number for number, text in enumerate(said) if re.match(pattern, text)), -1)
        for pattern in patterns
    ]
    assert -1 not in places, said
    assert (places[0], places[-1]) == (0, len(said) - 1)


def test_a_dry_run_says_what_it_would_do_and_changes_nothing(start, world, whole, caplog):
    caplog.set_level(logging.INFO)
    state = "SELECT count(*), max(load_id) FROM ops.load"
    before, objects = world.query(state), world.objects()
    # Nothing is requested.
    world.fail(fault="500")

    run = start(CRIME, SUMMER | {"councils": ["kingston", "sutton"], "dry_run": True})

    assert run.state == "success"
    assert [name for name in run.states if name.startswith(("extract ", "load "))] == []
    assert run.announced == []
    assert world.query(state) == before
    assert world.objects() == objects
    said = "\n".join(caplog.messages)
    assert "partitions: 6, loaded already: 3, requests: about " in said
    assert re.search(r"^kingston +2026-06 +\d{4}-\d\d-\d\d \d\d:\d\d +\d+ +\d+$", said, re.M)
    assert re.search(r"^sutton +2026-06 +no +\d+$", said, re.M)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"from": "2026-08", "to": "2026-06"}, "2026-08 is after 2026-06. Swap them"),
        ({"from": "2150-01"}, "2150-01 has not started"),
        ({"from": "2001-01"}, "the data start at 2010-12, and 2001-01 is earlier"),
    ],
)
def test_an_impossible_window_fails_before_anything_runs(start, boundaries, asked, sentence):
    run = start(CRIME, {"dry_run": True, **asked})

    assert run.states["plan"] == "failed"
    assert run.states["extract"] == "upstream_failed"
    assert sentence in run.said


def test_a_reload_requests_no_api_and_restores_the_same_content(start, world, whole):
    before = world.query(CONTENT)
    world.query("DELETE FROM raw.police_street_crime RETURNING 1")
    world.fail(fault="500")

    reload = start(CRIME, SUMMER | {"mode": "reload", "force": True})

    assert reload.state == "success"
    assert reload.states["extract kingston 2026-06"] == "skipped"
    assert reload.states["load kingston 2026-06"] == "success"
    assert reload.announced == ["raw.police_street_crime"]
    assert world.query(CONTENT) == before
    assert len(world.query("SELECT DISTINCT _period FROM raw.police_street_crime")) == 3


def test_a_forced_load_is_done_and_says_who_forced_it(start, world, whole):
    forced = start(CRIME, {"councils": ["kingston"], "from": "2026-06", "force": True})

    ledger = world.query(f"SELECT status, forced_by FROM ops.load WHERE run_id = '{forced.run_id}'")
    assert ledger == [("loaded", "dag_test")]


def test_a_month_that_is_not_published_yet_is_skipped_and_is_in_the_ledger(
    start, world, boundaries
):
    month = f"{datetime.now(UTC):%Y-%m}"

    young = start(CRIME, {"councils": ["sutton"], "from": month})

    assert young.state == "success"
    assert young.states[f"load sutton {month}"] == "skipped"
    assert young.states["reconcile"] == "success"
    assert young.announced == []
    assert world.query(f"SELECT status FROM ops.load WHERE run_id = '{young.run_id}'") == [
        ("not_published",)
    ]


def test_a_run_for_no_period_is_red_with_a_sentence_and_does_nothing(start):
    empty = start(CRIME, {})

    assert empty.state == "failed"
    assert empty.states["plan"] == "failed"
    assert empty.tries["plan"] == 1
    assert empty.states["extract"] == empty.states["load"] == "upstream_failed"
    assert "Fill in `from` and `to`" in empty.said
    assert empty.announced == []


def test_no_password_and_no_key_reaches_the_log(broken, whole):
    for secret in ("a/p@ss:word", "a%2Fp%40ss%3Aword"):
        assert secret not in broken.said + whole.said


def test_transform_builds_the_marts_from_what_was_loaded_and_publishes_the_docs(
    start, world, whole
):
    run = start("transform", {})

    tasks = ("staging", "marts", "publish", "reconcile", "freshness")
    assert run.states == dict.fromkeys(tasks, "success")
    assert run.state == "success"
    assert world.query(
        """
        SELECT (SELECT sum(crimes) FROM marts.ward_crime_monthly) =
               (SELECT count(*) FROM (SELECT DISTINCT _council, _period, id
                                      FROM raw.police_street_crime) AS distinct_crimes)
        """
    ) == [(True,)]
    assert {layer for (layer,) in world.query("SELECT layer FROM ops.dbt_run")} == {
        "staging",
        "marts",
    }


def test_a_failed_test_holds_back_only_what_depends_on_it_and_the_run_is_red(start, world, whole):
    crimes = "raw.police_street_crime"
    ((crime, category),) = world.query(f"SELECT id, category FROM {crimes} ORDER BY id LIMIT 1")
    world.query(f"UPDATE {crimes} SET category = NULL WHERE id = {crime} RETURNING id")
    try:
        # The ledger does not know of an edit by hand.
        run = start("transform", {"full_refresh": True})
    finally:
        restored = f"UPDATE {crimes} SET category = '{category}' WHERE id = {crime} RETURNING id"
        world.query(restored)

    assert run.state == "failed"
    assert run.states["publish"] == "success"
    assert [run.states[name] for name in ("staging", "marts", "reconcile")] == ["failed"] * 3
    assert run.tries["marts"] == 1
    stale = re.findall("Stale because of it: ([a-z_, ]+)", run.said)
    assert {"crime_outcomes_monthly", "int_police__crimes"} <= {*", ".join(stale).split(", ")}
    built = dict(
        world.query(
            "SELECT split_part(unique_id, '.', 3), status FROM ops.dbt_node "
            f"WHERE run_id = '{run.run_id}' AND unique_id LIKE 'model.%'"
        )
    )
    assert built["weather_daily"] == "success"
    assert built["ward_crime_monthly"] == "skipped"


def test_a_row_of_a_mart_can_be_traced_to_the_records_in_s3_that_it_counts(start, world, whole):
    start("transform", {})
    ((ward, month, category, crimes),) = world.query(
        "SELECT ward_code, month::text, category, crimes FROM marts.ward_crime_monthly "
        "WHERE council = 'kingston' ORDER BY crimes DESC, ward_code, category LIMIT 1"
    )
    wanted = {"ward_code": ward, "month": month[:7], "category": category}

    found = explain(
        "marts.ward_crime_monthly", wanted, lake=world.lake, settings=world.settings, most=100
    )

    records = [json.loads(origin.record) for origin in found.origins]
    assert found.mart_row["crimes"] == found.found == len(records) == crimes > 1
    assert {(record["category"], record["month"]) for record in records} == {(category, month[:7])}
    assert {origin.page.context["ward.code"] for origin in found.origins} == {ward}
    assert sum(found.landings.values()) == crimes
    assert {origin.page.request.method for origin in found.origins} == {"POST"}


def test_a_row_of_a_mart_must_be_named_by_all_that_distinguishes_it(start, world, whole):
    with pytest.raises(PermanentError, match="Add `--key` for council, month, category"):
        explain(
            "marts.ward_crime_monthly",
            {"ward_code": "E05013928"},
            lake=world.lake,
            settings=world.settings,
        )


def test_freshness_is_only_reported_where_there_is_no_environment_on_aws(start, world, caplog):
    run = start("freshness_watch", {})

    assert run.states == {"alert": "success", "measure": "success"}
    assert "service_requests of sutton is late" in caplog.text
    assert "of the namespace Wandle" not in caplog.text
