"""Partitions of every size, from the contract to the table and back out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest
import yaml

from include.cli.pipeline import _planned
from include.errors import PermanentError
from include.jobs.operate.explain import explain
from include.jobs.operate.housekeeping import housekeeping
from include.jobs.operate.remove import remove
from include.jobs.operate.remove_scope import find_scope
from include.jobs.operate.verify import verify
from include.jobs.pipeline.books import ledger_entries
from include.jobs.pipeline.ingest import ingest
from include.jobs.pipeline.plan import plan
from include.jobs.pipeline.selection import Selection
from include.settings import Settings
from include.sources.model import contract, contracts
from include.transform.freshness import freshness
from include.warehouse.schema.migrate import migrate
from tests.broken import copied
from tests.integration.conftest import Warehouse, serving
from tests.integration.fixture_server import Asked, FixtureServer, Reply
from tests.samples import column, contract_fields, extracting

NOW = datetime(2026, 11, 26, 11, 30, tzinfo=UTC)
# How a request says which period it wants, and what is planned and asked from 2026-10-25 on.
SAID = {
    "hour": "{period:%Y-%m-%dT%H:%M} {period.last:%H:%M:%S} {period.next:%Y-%m-%dT%H}",
    "day": "{period:%Y-%m-%d} {period.last:%Y-%m-%d} {period.next:%Y-%m-%d}",
    "week": "{period:%G-W%V} {period.last:%Y-%m-%d} {period.next:%G-W%V}",
    "month": "{period:%Y-%m} {period.last:%d} {period.next:%Y-%m}",
    "quarter": "{period:%Y-%m} {period.last:%Y-%m-%d} {period.next:%Y-%m}",
    "year": "{period:%Y} {period.last:%Y-%m-%d} {period.next:%Y}",
    "financial_year": "{period:%Y}-{period.last:%y} {period.next:%Y-%m-%d}",
    "all": "everything",
}
WANTED = {
    "hour": ("2026-10-25T01", "2026-10-25T01:00 01:59:59 2026-10-25T02"),
    "day": ("2026-10-25", "2026-10-25 2026-10-25 2026-10-26"),
    "week": ("2026-W53", "2026-W53 2027-01-03 2027-W01"),
    "month": ("2026-10", "2026-10 31 2026-11"),
    "quarter": ("2026-Q4", "2026-10 2026-12-31 2027-01"),
    "year": ("2026", "2026 2026-12-31 2027"),
    "financial_year": ("2026-27", "2026-27 2027-04-01"),
    "all": ("all", "everything"),
}
BEGINS = {
    "hour": datetime(2026, 10, 25, 1, tzinfo=UTC),
    "day": date(2026, 10, 25),
    "week": date(2026, 12, 28),
    "month": date(2026, 10, 1),
    "quarter": date(2026, 10, 1),
    "year": date(2026, 1, 1),
    "financial_year": date(2026, 4, 1),
    "all": date(1, 1, 1),
}
GRAINS = list(SAID)
# Of child and parent.
PAIRS = [("day", "all"), ("hour", "financial_year"), ("month", "week"), ("all", "day")]


def fields(grain: str) -> dict[str, Any]:
    request = {"path": f"/{grain}", "query": {"when": SAID[grain]}}
    return contract_fields(
        column("id", "integer", required=True),
        column("asked", request=""),
        name=f"by_{grain}",
        period=grain,
        key=["id"],
        extract=extracting(request=request),
    )


def child_fields(grain: str, parent: str) -> dict[str, Any]:
    """A source of one size whose requests use what one of another size has landed."""
    found = fields(grain)
    request = {"path": f"/{grain}", "query": {"when": f"{SAID[grain]} {{seen}}"}}
    parents = {"seen": {"source": f"by_{parent}", "each": "{asked}"}}
    extract = extracting(request=request, parents=parents)
    return found | {"name": f"{grain}_of_{parent}", "extract": extract}


def _answer(asked: Asked) -> Reply:
    return Reply(json.dumps([{"id": 1, "asked": asked.values["when"]}]).encode())


@pytest.fixture(scope="module")
def made(new_database, tmp_path_factory) -> Iterator[Warehouse]:
    """The definitions of a source of each size, and a database with their tables."""
    database = new_database()
    with copied(tmp_path_factory.mktemp("periods")) as found:
        for path in found.sources.glob("*.yaml"):
            path.unlink()
        for grain in GRAINS:
            found.write(found.sources / f"by_{grain}.yaml", yaml.safe_dump(fields(grain)))
        for grain, parent in PAIRS:
            child = child_fields(grain, parent)
            found.write(found.sources / f"{child['name']}.yaml", yaml.safe_dump(child))
        migrate(database.admin, list(contracts().values()), {})
        yield database


@pytest.fixture
def server(made, lake, deployment, monkeypatch) -> Iterator[FixtureServer]:
    found = FixtureServer().on("/", _answer)
    with serving(found) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        monkeypatch.setenv("WANDLE_LOADER_DSN", made.dsn())
        yield found
    tables = [f"raw.{name}" for name in contracts()]
    ops = ("landing", "load", "quarantine", "removal")
    made.query(f"truncate {', '.join([*tables, *(f'ops.{name}' for name in ops)])}")


@pytest.fixture
def run(server, lake, made):
    def ingested(grain: str, *periods: str, today: datetime = NOW, **how: Any) -> list[str]:
        source = contract(grain if "_of_" in grain else f"by_{grain}")
        found = []
        for text in periods or (None,):
            found += plan(source, today=today, councils=["sutton"], first=text, interval=(NOW, NOW))
        for outcome in ingest(source, found, lake=lake, dsn=made.dsn(), **how):
            if outcome.error:
                raise outcome.error
        return [str(partition.period) for partition in found]

    return ingested


@pytest.mark.parametrize("grain", GRAINS)
def test_a_partition_of_each_size_goes_from_the_contract_to_the_table_and_is_traced(
    run, lake, made, grain
):
    name, asked = WANTED[grain]
    later = datetime(2027, 4, 2, tzinfo=UTC)

    assert run(grain, *([] if grain == "all" else [name]), today=later) == [name]

    assert made.query(f"select asked, _council, _period from raw.by_{grain}") == [
        (asked, "sutton", BEGINS[grain])
    ]
    (entry,) = ledger_entries(made.dsn(), Selection((f"by_{grain}",), periods=(name,)))
    assert (entry["period"], entry["status"]) == (name, "loaded")
    assert lake.landings.folders(f"landing/by_{grain}/sutton/") == [name]
    assert run(grain, *([] if grain == "all" else [name]), today=later, fetch=False) == [name]
    found = verify(lake=lake, dsn=made.dsn(), selection=Selection((f"by_{grain}",)), deep=True)
    assert (found.partitions, found.differences, found.passed_over) == (1, [], [])
    (origin,) = explain(f"raw.by_{grain}", {"id": "1"}, lake=lake, settings=Settings.read()).origins
    assert str(origin.partition.period) == name
    (measured,) = freshness(made.dsn("postgres"), [(contract(f"by_{grain}"), "sutton")], NOW)
    assert measured["period"] == name


def test_hours_of_one_day_are_partitions_of_their_own(run, lake, made):
    assert run("hour", "2026-10-25") == [f"2026-10-25T{hour:02}" for hour in range(24)]
    scope = find_scope(
        Selection(("by_hour",), ("sutton",), ("2026-10-25T02",)),
        lake=lake, dsn=made.dsn(), dags=None,
    )  # fmt: skip

    assert [str(part.partition.period) for part in scope.parts] == ["2026-10-25T02"]
    assert scope.parts[0].counts.rows == 1
    assert made.value("select count(distinct _period) from raw.by_hour") == 24
    assert made.value("select count(*) from ops.load where period::date = '2026-10-25'") == 24


@pytest.mark.parametrize(("grain", "parent"), PAIRS)
def test_a_source_of_one_size_reads_the_newest_of_another_size(run, made, grain, parent):
    older = {"day": "2026-10-01", "week": "2026-W01", "financial_year": "2020-21"}.get(parent)
    later = datetime(2027, 4, 2, tzinfo=UTC)
    for name in filter(None, (older, None if parent == "all" else WANTED[parent][0])):
        run(parent, name, today=later)
    if parent == "all":
        run(parent)

    run(f"{grain}_of_{parent}", *([] if grain == "all" else [WANTED[grain][0]]), today=later)

    assert made.query(f"select asked from raw.{grain}_of_{parent}") == [
        (f"{WANTED[grain][1]} {WANTED[parent][1]}",)
    ]


def test_one_hour_of_personal_data_is_removed_and_expires_separately(run, lake, made):
    run("hour", "2026-10-25T01", "2026-10-25T02")
    selection = Selection(("by_hour",), periods=("2026-10-25T01",))

    remove(selection, lake=lake, dsn=made.dsn(), by="ada", dags=None, drop_tables=None)

    assert made.query("select _period from raw.by_hour") == [
        (datetime(2026, 10, 25, 2, tzinfo=UTC),)
    ]
    assert lake.landings.folders("landing/by_hour/sutton/") == ["2026-10-25T02"]
    assert made.value("select period::text from ops.removal") == "2026-10-25 01:00:00"
    dated = contract("by_hour").model_copy(update={"retention_days": 30})
    personal = dated.model_copy(
        update={"columns": (dated.columns[0], dated.columns[1].model_copy(
            update={"personal": "pseudonymise"}))}
    )  # fmt: skip
    how = {"lake": lake, "dsn": made.dsn(), "contracts": {"by_hour": personal}, "delete": True}
    assert housekeeping(**how, now=datetime(2026, 11, 24, 23, tzinfo=UTC)) == []

    (gone,) = housekeeping(**how, now=datetime(2026, 11, 25, tzinfo=UTC))

    assert (gone["period"], gone["reason"]) == ("2026-10-25T02", "expired")
    assert made.value("select count(*) from raw.by_hour") == 0


def test_a_whole_table_is_ingested_without_a_period(server):
    (partition, *_) = _planned(contract("by_all"), Selection(("by_all",), ("sutton",)))

    assert str(partition) == "by_all sutton all"
    with pytest.raises(PermanentError, match="partitioned by financial year"):
        _planned(contract("by_financial_year"), Selection(("by_financial_year",)))
