"""Rebuilding every raw table from S3 alone, to the same content."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from include.local.services import case_system
from include.sources.model import contracts
from sandbox.app import create_app
from tests.integration.conftest import AS_OF, GAUGES, serving
from tests.integration.landings import land, prefix_of
from tests.samples import contract

# A snapshot, one of no council, a child of a snapshot, one of every day, and a database's.
SOURCES = {
    "police_ward_boundaries", "bank_holidays", "police_street_crime", "flood_stations",
    "weather_hourly", "service_requests",
}  # fmt: skip
YESTERDAY = "2026-11-20"


@pytest.fixture
def cases(new_database) -> Iterator[Any]:
    """A council's case system, with cases of residents who do not exist."""
    database = new_database()
    with psycopg.connect(database.admin) as connection:
        connection.execute(case_system.TABLE)
        columns = ", ".join(case_system.COLUMNS)
        with connection.cursor().copy(f"copy crm.cases ({columns}) from stdin") as rows:  # type: ignore[arg-type]
            for row in case_system._cases(7, AS_OF):
                rows.write_row(row)
    return database


@pytest.fixture
def ingested(wandle, cases, monkeypatch) -> None:
    """Every kind of source ingested, and no API and no case system left to ask."""
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "0123456789abcdef" * 4)
    monkeypatch.setenv("WANDLE_CONNECTION_SERVICE_REQUESTS", cases.admin)
    app = create_app(seed=7, as_of=AS_OF, rate_per_second=1e6, burst=1_000_000)
    with serving(app) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        for source in ("police_ward_boundaries", "flood_stations"):
            assert wandle("ingest", source, "-c", "sutton")[0] == 0
        assert wandle("ingest", "bank_holidays")[0] == 0
        crimes = ("ingest", "police_street_crime", "-c", "sutton")
        assert wandle(*crimes, "--from", "2026-06", "--to", "2026-07")[0] == 0
        for source in ("weather_hourly", "service_requests"):
            assert wandle("ingest", source, "-c", "sutton", "-p", YESTERDAY)[0] == 0
    cases.query("drop table crm.cases")


def contents(wandle: Any) -> dict[tuple[str, str, str], str]:
    return {
        (entry["source"], entry["council"], entry["period"]): entry["content_hash"]
        for entry in json.loads(wandle("ledger", "--json")[1])
    }


def truncate(warehouse: Any, *others: str) -> None:
    tables = [f"raw.{name}" for name in contracts()]
    warehouse.query(f"truncate {', '.join([*tables, *others])}")


def test_reload_rebuilds_every_table_from_s3_alone_to_the_same_content(wandle, ingested, warehouse):
    before = contents(wandle)
    truncate(warehouse)
    lost = json.loads(wandle("verify", "--json")[1])

    code, _, err = wandle("reload", "--all")

    assert {source for source, _, _ in before} == SOURCES
    assert len(lost["differences"]) == len(before) == 7
    assert (code, err) == (0, "")
    newest = json.loads(wandle("ledger", "--json")[1])
    assert [entry["status"] for entry in newest] == ["loaded"] * 7
    assert contents(wandle) == before
    # The content is taken from the rows themselves, too.
    code, out, _ = wandle("verify", "--deep", "--json")
    assert (code, json.loads(out)["differences"]) == (0, [])


def test_a_warehouse_that_lost_its_books_too_is_rebuilt_to_the_same_content(
    wandle, ingested, warehouse
):
    before = contents(wandle)
    truncate(warehouse, "ops.load", "ops.landing", "ops.quarantine")

    code, _, _ = wandle("reload", "--all")

    assert code == 0
    assert contents(wandle) == before
    assert wandle("verify")[0] == 0


def test_without_the_key_pseudonyms_are_not_made_with_another(wandle, ingested, monkeypatch):
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "f" * 64)

    code, out, _ = wandle("verify", "--json")

    (difference,) = json.loads(out)["differences"]
    assert code == 1
    assert (difference["source"], difference["kind"]) == ("service_requests", "older rules")


@pytest.fixture
def gauges(monkeypatch):
    """The contract of `gauges`, which refuses to lose more than half of its records."""
    strict = contract(checks={"min_share_of_previous": 0.5})
    monkeypatch.setitem(contracts(), GAUGES.name, strict)
    return strict


def test_what_was_lost_is_restored_where_the_newest_landing_is_refused(
    wandle, lake, warehouse, gauges
):
    records = [{"id": number} for number in range(1, 5)]
    held = land(lake, gauges, records)
    wandle("reload", "gauges")
    land(lake, gauges, records[:1])
    assert wandle("reload", "gauges")[0] == 1
    warehouse.query("truncate raw.gauges")

    code, out, err = wandle("reload", "--all")

    assert code == 1
    assert "expected at least 0.5 of the 4 records" in err
    assert " loaded " in out
    assert warehouse.query("select distinct _landing_id, count(*) from raw.gauges group by 1") == [
        (held.landing_id, 4)
    ]


def test_what_is_damaged_or_strange_in_s3_does_not_block_others(
    wandle, bucket, lake, warehouse, gauges
):
    land(lake, gauges, [{"id": 1}])
    damaged = land(lake, gauges, [{"id": 2}], council="sutton")
    bucket.put(prefix_of(damaged) + "manifest.json", b"{")
    bucket.put("landing/gauges/sutton/May/x/manifest.json", b"{}")

    code, _, err = wandle("reload", "--all")

    assert code == 1
    assert "not a manifest" in err
    assert "1 of 2 partitions failed" in err
    assert warehouse.query("select id from raw.gauges") == [(1,)]


def test_what_was_forced_in_once_is_rebuilt_without_being_forced_again(
    wandle, lake, warehouse, gauges
):
    records = [{"id": number} for number in range(1, 5)]
    land(lake, gauges, records)
    wandle("reload", "gauges")
    few = land(lake, gauges, records[:1])
    wandle("reload", "gauges", "--force")
    warehouse.query("truncate raw.gauges")

    code, _, _ = wandle("reload", "--all")

    assert code == 0
    assert warehouse.query("select _landing_id from raw.gauges") == [(few.landing_id,)]


def test_verify_names_each_difference_with_what_to_do_next(wandle, lake, warehouse, gauges):
    land(lake, gauges, [{"id": 1}, {"id": 2}])
    wandle("reload", "gauges")
    good = wandle("verify", "gauges")
    warehouse.query("update raw.gauges set note = 'other'")

    code, out, _ = wandle("verify", "gauges", "-c", "kingston", "-p", "2017-05", "--deep")

    assert (good[0], good[1]) == (0, "Compared 1 partition: 0 differences.\n")
    assert code == 1
    assert "gauges kingston 2017-05: content: the ledger says content " in out
    assert "Next: `wandle reload gauges --council kingston --period 2017-05 --force`." in out
    assert "Compared 1 partition: 1 difference." in out
