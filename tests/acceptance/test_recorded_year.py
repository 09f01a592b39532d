"""The main job on what data.police.uk really served for 2017, against an independent count."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.acceptance.conftest import YEAR, Wandle

CRIMES = "police_street_crime"

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture
def marts(year: str, wandle: Wandle) -> Iterator[psycopg.Connection]:
    with psycopg.connect(wandle.exported()["WANDLE_WAREHOUSE_DSN"]) as connection:
        yield connection


def crimes(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [entry for entry in entries if entry["source"] == CRIMES]


def of_the_year(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the demo loaded: schedules continue, and report that their sources were not recorded."""
    return [entry for entry in entries if entry["period"] <= YEAR[-1]]


def hashes(wandle: Wandle) -> dict[tuple[str, str, str], str]:
    return {
        (entry["source"], entry["council"], entry["period"]): entry["content_hash"]
        for entry in of_the_year(wandle.ledger())
    }


def test_every_record_of_the_year_is_accounted_for(year, wandle, expected):
    entries = crimes(wandle.ledger())

    assert len(entries) == 24
    for entry in entries:
        records = expected[entry["council"]][entry["period"]]["records"]
        assert entry["records"] == records
        assert entry["loaded"] + entry["quarantined"] + entry["duplicates"] == records
    assert sum(entry["records"] for entry in entries) == 28_895


def test_the_marts_count_each_crime_of_a_council_once(marts, expected):
    counted: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for council, month, category, count in marts.execute(
        "select council, to_char(month, 'YYYY-MM'), category, sum(crimes)::int "
        "from marts.ward_crime_monthly group by 1, 2, 3"
    ):
        counted[council][month][category] = count

    for council, months in expected.items():
        for month, facts in months.items():
            assert dict(counted[council][month]) == facts["distinct_ids_by_category"]
            assert counted[council][month].total() == facts["distinct_ids"]


def test_the_summary_shows_partitions_marts_and_how_to_log_in(year):
    for shown in ("28,895", "ward_crime_monthly", "crime_outcomes_monthly", "Login", "http://"):
        assert shown in year


def test_a_second_run_changes_nothing(year, wandle):
    before = hashes(wandle)

    wandle.ok("demo", "--from", "2017-01", "--to", "2017-12")

    assert {entry["status"] for entry in of_the_year(wandle.ledger())} == {"unchanged"}
    assert hashes(wandle) == before


def test_a_truncated_table_is_rebuilt_from_s3_with_the_api_gone(year, wandle):
    before = hashes(wandle)
    settings = dict(
        line.split("=", 1)
        for line in (wandle.home / "wandle.env").read_text().splitlines()
        if not line.startswith("#")
    )
    with psycopg.connect(settings["WANDLE_ADMIN_DSN"], autocommit=True) as admin:
        admin.execute("truncate raw.police_street_crime")
    unreachable = wandle.environment | {"WANDLE_SANDBOX_URL": "http://127.0.0.1:9"}

    Wandle(unreachable, wandle.home).ok("reload", CRIMES)

    assert {entry["status"] for entry in crimes(wandle.ledger())} == {"loaded"}
    assert hashes(wandle) == before


def test_one_failing_partition_does_not_block_others_and_the_run_is_red(year, wandle):
    faults = wandle.home / "faults.json"
    broken = {"match": {"path": "crimes-street", "form": {"date": "2017-05"}}, "fault": "404"}
    faults.write_text(json.dumps([broken]))
    before = {entry["landing"] for entry in crimes(wandle.ledger("--history"))}

    done = wandle.run("demo", "--from", "2017-04", "--to", "2017-06")
    faults.unlink()

    assert done.returncode == 1
    assert "kingston 2017-05" in done.stderr
    # A failed fetch is an entry without a landing.
    fresh = [
        entry
        for entry in crimes(wandle.ledger("--history"))
        if entry["landing"] and entry["landing"] not in before
    ]
    assert {(entry["council"], entry["period"]) for entry in fresh} == {
        (council, month) for council in ("kingston", "sutton") for month in ("2017-04", "2017-06")
    }
