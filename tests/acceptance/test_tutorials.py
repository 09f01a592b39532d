"""docs/tutorials/ and docs/demo.md, followed to the letter on the local platform."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.acceptance.newcomer import CHECKOUT, Newcomer, newcomer

PORT_BASE = 18_880
TUTORIALS = CHECKOUT / "docs" / "tutorials"
FIXING = TUTORIALS / "fixing-a-contract.md"
BACKFILLING = TUTORIALS / "backfilling-a-year.md"
DEMO = CHECKOUT / "docs" / "demo.md"

pytestmark = [pytest.mark.timeout(3_600), pytest.mark.platform]


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    with newcomer(tmp_path_factory, PORT_BASE) as found:
        yield found


def test_every_tutorial_is_followed_here():
    assert {FIXING, BACKFILLING} == {*TUTORIALS.glob("*.md")}


def test_a_fixed_contract_takes_the_records_out_of_quarantine(person):
    before, heading, after = FIXING.read_text(encoding="utf-8").partition("\n## 3. ")
    assert heading
    person.follow_text(before)

    listed = person.said["quarantine tree_works"]
    assert "M-0004" in listed
    assert "pattern" in listed
    books = "select council, loaded, quarantined from ops.ledger where source = 'tree_works'"
    loaded = "select _council, array_agg(work_no order by work_no) from raw.tree_works group by 1"
    assert sorted(person.rows(loaded)) == [
        (council, ["T-0001", "T-0002", "T-0003"]) for council in ("kingston", "sutton")
    ]
    landings = {*(person.home / "s3").rglob("landing/tree_works/*/*/*/manifest.json")}
    assert len(landings) == 2, books

    person.follow_text(heading + after)

    assert sorted(person.rows(loaded)) == [
        (council, ["M-0004", "T-0001", "T-0002", "T-0003"]) for council in ("kingston", "sutton")
    ]
    assert json.loads(person.wandle("quarantine", "tree_works", "--json")) == []
    assert landings == {*(person.home / "s3").rglob("landing/tree_works/*/*/*/manifest.json")}
    assert person.said["verify"].startswith("0: ")
    built = "select count(*) from staging.stg_tree__works"
    assert person.rows(built) == [(8,)]


def test_a_year_is_backfilled_each_month_once(person):
    person.follow(BACKFILLING)

    preview = person.said[
        "ingest police_street_crime --council sutton --from 2025-09 --to 2026-08 --dry-run"
    ]
    months = [f"2025-{month:02}" for month in range(9, 13)]
    months += [f"2026-{month:02}" for month in range(1, 9)]
    assert all(month in preview for month in months)
    loaded = "select _period, count(*) from raw.police_street_crime group by 1 order by 1"
    rows = person.rows(loaded)
    assert [f"{month}" for month, _ in rows] == months
    assert all(count for _, count in rows)
    assert person.said["verify police_street_crime"].startswith("0: ")
    ledger = json.loads(person.wandle("ledger", "police_street_crime", "--json"))
    assert {entry["period"]: entry["status"] for entry in ledger} == {
        month: "unchanged" if month in ("2025-09", "2025-10") else "loaded" for month in months
    }
    built = "select count(distinct month) from marts.ward_crime_monthly where council = 'sutton'"
    assert person.rows(built) == [(12,)]


def test_the_demonstration_shows_what_it_says(person):
    person.follow(DEMO)

    august = "police_street_crime --council sutton --period 2026-08"
    assert "police_street_crime" in person.said["sources"]
    assert "2026-08" in person.said["ledger police_street_crime"]
    assert person.said["verify police_street_crime"].startswith("0: ")
    assert "unchanged" in person.said[f"ingest {august}"]
    assert "unchanged" in person.said[f"reload {august}"]
