"""Air quality: one request for each site, species and statistic, from the contract to the row."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from include.councils.model import councils
from include.errors import LoadRefused, PermanentError, SourceUnavailable
from include.jobs.author.validate import of_councils
from include.jobs.operate.explain import explain
from include.jobs.operate.verify import verify
from include.jobs.pipeline import extract as job
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.ingest import RUN_ID, ingest
from include.jobs.pipeline.load import load
from include.jobs.pipeline.plan import plan
from include.jobs.pipeline.reconcile import reconcile
from include.jobs.pipeline.selection import Selection
from include.settings import Settings
from include.sources.model import contract, contracts
from include.warehouse.schema.migrate import migrate
from tests.broken import Definitions, copied
from tests.integration.conftest import Warehouse, serving
from tests.integration.fixture_server import Asked, FixtureServer, Reply

ADDED = Path(__file__).parent / "air_quality"
TODAY = datetime.now(UTC).date()
NAME = "Kingston, Royal"


@dataclass
class Air:
    """The API, and what it has."""

    server: FixtureServer = field(default_factory=FixtureServer)
    sites: list[dict[str, Any]] = field(
        default_factory=lambda: [
            {"code": "K1", "borough": NAME, "closed_on": None},
            {"code": "K2", "borough": NAME},
            {"code": "K3", "borough": NAME, "closed_on": "2019-01-01"},
            {"code": "S1", "borough": "Sutton", "closed_on": None},
            {"code": "Kingston", "borough": "Kingston", "closed_on": None},
        ]
    )
    species: list[tuple[str, str]] = field(
        default_factory=lambda: [
            *[("K1", "NO2"), ("K1", "PM10"), ("K1", "WIND")],
            *[("K2", "NO2"), ("K3", "NO2"), ("S1", "NO2")],
        ]
    )
    without: set[str] = field(default_factory=set)
    down: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.server.on("/sites$", lambda asked: _reply(self.sites))
        self.server.on(
            "/species$", lambda asked: _reply([{"site": s, "code": c} for s, c in self.species])
        )
        self.server.on("/data/", self._data)

    def _data(self, asked: Asked) -> Reply:
        *_, site, species = asked.path.split("/")
        combination = f"{site},{species},{asked.values['statistic']}"
        if combination in self.down:
            return Reply(status=500)
        rows = [{"hour": 0, "value": 1.5}, {"hour": 1, "value": 2.5}]
        odd = {"hour": 2, "value": 0, "error": "the sensor was off"}
        return _reply([] if combination in self.without else [*rows, odd])

    @property
    def asked(self) -> list[str]:
        """The combinations that were requested."""
        return [
            f"{'/'.join(asked.path.split('/')[-2:])} {asked.values['statistic']}"
            for asked in self.server.asked
            if "/data/" in asked.path
        ]


def _reply(content: Any) -> Reply:
    import json

    return Reply(json.dumps(content).encode())


@pytest.fixture
def definitions(tmp_path) -> Iterator[Definitions]:
    """Only the three contracts, and Kingston's name for this publisher in its file."""
    with copied(tmp_path / "definitions") as found:
        for path in found.sources.glob("*.yaml"):
            path.unlink()
        for path in ADDED.glob("*.yaml"):
            shutil.copy(path, found.sources)
        kingston = found.path("kingston")
        text = kingston.read_text(encoding="utf-8")
        found.write(kingston, f'{text}names: {{london_air: "{NAME}"}}\n')
        yield found


@pytest.fixture(scope="module")
def made(new_database, tmp_path_factory) -> Warehouse:
    database = new_database()
    with copied(tmp_path_factory.mktemp("air")) as found:
        for path in ADDED.glob("*.yaml"):
            shutil.copy(path, found.sources)
        migrate(database.admin, [*contracts().values()], {})
    return database


@pytest.fixture
def air(definitions, made, lake, deployment, monkeypatch) -> Iterator[Air]:
    """The API, with a clock that moves on, so that landings have an order."""

    class Clock(datetime):
        moment = datetime.now(UTC)

        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            cls.moment += timedelta(seconds=1)
            return cls.moment

    monkeypatch.setattr(job, "datetime", Clock)
    found = Air()
    with serving(found.server) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        monkeypatch.setenv("WANDLE_LOADER_DSN", made.dsn())
        yield found
    tables = [*(f"ops.{name}" for name in ("landing", "load", "quarantine")), "raw.air_quality"]
    made.query(f"truncate {', '.join([*tables, 'raw.air_sites', 'raw.air_species'])}")


@pytest.fixture
def run(air, lake, made):
    """Ingests a source for today, and raises what failed."""

    def ingested(name: str, **how: Any) -> dict[str, Any]:
        source = contract(name)
        councils = None if source.councils == "uk" else ["kingston"]
        partitions = plan(source, today=TODAY, councils=councils, first=str(TODAY))
        (outcome,) = ingest(source, partitions, lake=lake, dsn=made.dsn(), **how)
        if outcome.error:
            raise outcome.error
        return outcome.entry

    return ingested


@pytest.fixture
def loaded(run) -> dict[str, Any]:
    run("air_sites")
    run("air_species")
    return run("air_quality")


def manifest(lake: Any) -> Any:
    where = contract("air_quality").partition("kingston", str(TODAY))
    return lake.landings.newest_complete(where)


def test_every_combination_is_one_part_and_its_rows_say_which(lake, air, made, loaded):
    pages = manifest(lake).pages

    assert [(page.label, page.records) for page in pages] == [
        ("K1,NO2,mean", 2),
        ("K1,NO2,max", 2),
        ("K1,PM10,mean", 2),
        ("K1,PM10,max", 2),
        ("K2,NO2,mean", 2),
        ("K2,NO2,max", 2),
    ]
    assert air.asked[0] == "K1/NO2 mean"
    assert made.query(
        "select site, species, statistic, count(*) from raw.air_quality group by 1, 2, 3 "
        "order by 1, 2, 3 desc"
    ) == [(*page.label.split(","), 2) for page in pages]


def test_a_councils_name_goes_into_the_request_and_selects_with_its_comma(air, made, loaded):
    assert [a.values for a in air.server.asked if a.path.endswith("/sites")] == [{"borough": NAME}]
    assert made.query("select code from raw.air_sites order by 1") == [("K1",), ("K2",), ("K3",)]


def test_a_record_without_the_field_that_selects_it_matches_null(air, made, run):
    air.sites.append({"code": "R1"})

    run("air_sites")

    assert ("R1",) in made.query("select code from raw.air_sites")


def test_books_verify_and_explain_know_each_combination(lake, air, made, loaded):
    source, where = contract("air_quality"), contract("air_quality").partition

    verified = verify(
        lake=lake, dsn=made.dsn(), selection=Selection(sources=("air_quality",)), deep=True
    )
    explained = explain(
        "raw.air_quality",
        {"site": "K1", "species": "PM10", "statistic": "max", "hour": "1"},
        lake=lake,
        settings=Settings.read(),
    )
    counted = reconcile(
        source,
        [where("kingston", str(TODAY))],
        [manifest(lake).landing_id],
        dsn=made.dsn(),
        run_id=RUN_ID,
    )

    assert (verified.partitions, verified.differences) == (1, [])
    assert [origin.page.label for origin in explained.origins] == ["K1,PM10,max"]
    assert b'"hour": 1' in explained.origins[0].record
    assert counted == {"loaded": 1}


def test_a_combination_that_becomes_empty_is_refused_by_its_name(air, made, loaded, run):
    air.without = {"K1,PM10,max"}

    with pytest.raises(LoadRefused, match=r"1 without any .*: K1,PM10,max had 2, has none"):
        run("air_quality")

    assert made.query("select count(*) from raw.air_quality") == [(12,)]


def test_a_record_that_a_parent_no_longer_lists_has_not_become_empty(air, loaded, run):
    air.species.remove(("K1", "PM10"))
    run("air_species", forced_by="someone")

    with pytest.raises(
        LoadRefused, match="K1,PM10,mean had 2, was not requested; K1,PM10,max had 2"
    ):
        run("air_quality")


def test_a_constant_that_was_removed_takes_its_rows_with_it(air, made, loaded, run, definitions):
    path = definitions.path("air_quality")
    definitions.write(path, path.read_text().replace("[mean, max]", "[mean]"))

    assert run("air_quality")["status"] == "loaded"
    assert made.query("select distinct statistic from raw.air_quality") == [("mean",)]


def test_an_interrupted_landing_is_resumed_at_its_combination(lake, air, run):
    run("air_sites")
    run("air_species")
    source = contract("air_quality")
    where = source.partition("kingston", str(TODAY))
    air.down = {"K1,PM10,max"}
    with pytest.raises(SourceUnavailable, match="K1,PM10,max: HTTP 500"):
        extract(source, where, lake=lake, run_id="run")
    before, air.down = len(air.asked), set()

    extract(source, where, lake=lake, run_id="run")

    assert air.asked[before:] == ["K1/PM10 max", "K2/NO2 mean", "K2/NO2 max"]
    assert len({page.label for page in manifest(lake).pages}) == 6


def test_an_item_without_any_of_the_next_is_skipped_and_logged(air, run, caplog):
    run("air_sites")
    air.species = [("K1", "NO2")]
    run("air_species")

    with caplog.at_level("INFO"):
        assert run("air_quality")["loaded"] == 4

    assert f"air_quality kingston {TODAY}: no species for 1 others of `for_each`" in caplog.messages


def test_nothing_to_request_is_a_failure_and_not_an_empty_partition(air, run):
    run("air_sites")
    air.species = [("S1", "NO2")]
    run("air_species")

    with pytest.raises(PermanentError, match="nothing to request: found no site with species with"):
        run("air_quality")


def test_a_council_without_a_name_for_the_publisher_does_not_block_others(lake, air, made):
    sites = contract("air_sites")
    lacks = (
        "air_sites sutton: its requests need names.london_air of the council. "
        "Add it to include/councils/sutton.yaml."
    )

    with pytest.raises(PermanentError) as named:
        plan(sites, today=TODAY, councils=["sutton"], first=str(TODAY))
    # All of them, as the form of the DAG names them by default.
    planned = plan(sites, today=TODAY, councils=[*councils()], first=str(TODAY))
    outcomes = {
        outcome.partition.council: outcome
        for outcome in ingest(sites, planned, lake=lake, dsn=made.dsn())
    }

    assert str(named.value) == lacks
    assert str(outcomes["sutton"].error) == lacks
    assert outcomes["kingston"].entry["loaded"] == 3
    assert list(of_councils(sites, councils().values())) == [
        "include/councils/sutton.yaml: no `names.london_air`, but requests of air_sites need it; "
        "add `names: {london_air: ...}`"
    ]
    assert plan(sites, today=date(2026, 1, 2), councils=["sutton"], reload=True, first="2026-01-01")


def test_a_landing_whose_name_was_since_removed_can_be_loaded_again(
    lake, air, made, loaded, definitions
):
    path = definitions.path("kingston")
    definitions.write(path, path.read_text().replace("names:", "# names:"))
    where = contract("air_sites").partition("kingston", str(TODAY))

    again = load(contract("air_sites"), where, lake=lake, dsn=made.dsn(), run_id="later")

    assert again["status"] == "unchanged"
