"""The fifteen real situations that the pipeline must survive, each on what the APIs really sent.

Bodies are the recorded ones where these hold the situation (RECORDED_PAYLOADS,
or `shared/payloads` next to the checkout), else made here or by the sandbox. In
each the books balance: records = loaded + quarantined + duplicates, or there
is one clear error and nothing has changed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from include.errors import (
    LoadRefused,
    PipelineError,
    SourceRejected,
    SourceUnavailable,
    UnexpectedPayload,
)
from include.extract import client as asking
from include.jobs.pipeline import extract as job
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.sources.extract.http import Rate
from include.sources.model import Contract, contracts
from include.sources.model import contract as source_named
from include.warehouse.schema.migrate import migrate
from sandbox.app import create_app
from tests.integration.conftest import AS_OF, Warehouse, serving
from tests.integration.fixture_server import FixtureServer, Reply
from tests.recorded import recorded_payloads
from tests.samples import column, contract, extracting

NOW = datetime(2026, 11, 21, 9, tzinfo=UTC)
TODAY = "2026-11-21"
BROKEN_GAUGES = (32768.47, -32.767, -27.649)
RULES = {"null_values": [*BROKEN_GAUGES], "list_separator": "|"}

BOUNDARIES = source_named("police_ward_boundaries")
CRIME = source_named("police_street_crime")
STATIONS = source_named("flood_stations")
READINGS = source_named("flood_readings")
WEATHER = source_named("weather_hourly")


def made(name: str, *columns: dict[str, Any], layout: dict[str, Any], **changes: Any) -> Contract:
    """A small source of this module."""
    return contract(*columns, **{"name": name, "format": layout, "key": [], **changes})


LATEST = made(
    "latest_levels",
    column("measure", path="@id", required=True),
    column("period", "integer"),
    column("datum", path="datumType"),
    column("value", "numeric(16,6)", path="latestReading.value", **RULES),
    column("read_at", "timestamptz", path="latestReading.dateTime"),
    layout={"records": "items", "one_or_many": True},
    key=["measure"],
)
ARCHIVED = made(
    "archived_levels",
    column("station", path="stationReference", required=True),
    column("read_at", "timestamptz", path="dateTime", required=True),
    column("qualifier"),
    column("unit", path="unitName"),
    column("value", "numeric(16,6)", **RULES),
    layout={"kind": "csv", "null_values": [""]},
    key=["station", "read_at", "qualifier", "unit"],
)
SCALES = made(
    "scales",
    column("station", path="stationReference", required=True),
    column("easting", "numeric(12,5)", list_value="first"),
    column("scale_max", "numeric(12,3)", path="stageScale.scaleMax"),
    layout={"records": "items"},
    key=["station"],
)
WARNINGS = made(
    "warnings",
    column("uri", path="@id", required=True),
    column("raised_at", "timestamptz", path="timeRaised", zone="Europe/London"),
    layout={"records": "items", "one_or_many": True},
)
HOURS = made(
    "hours",
    column("point", request="point.name", required=True),
    column("time", "timestamptz", zone="UTC", required=True),
    column("temperature", "numeric(5,1)", path="temperature_2m"),
    column("wind", "numeric(6,2)", path="wind_speed_10m"),
    layout={"kind": "columnar", "records": "hourly"},
    key=["point", "time"],
    extract=extracting(for_each="point", request={"path": "/hours"}),
)
MADE = (LATEST, ARCHIVED, SCALES, WARNINGS, HOURS)
_runs = itertools.count(1)


@pytest.fixture(scope="session")
def recorded() -> Path:
    folder = recorded_payloads()
    if folder is None:
        pytest.skip("no recorded payloads: set RECORDED_PAYLOADS to their folder")
    return folder


@pytest.fixture(scope="module")
def prepared(new_database) -> Warehouse:
    found: Warehouse = new_database()
    migrate(found.admin, [*contracts().values(), *MADE], {})
    return found


@pytest.fixture
def warehouse(prepared) -> Iterator[Warehouse]:
    """The tables of the project's sources and of this module's, without a row."""
    yield prepared
    tables = ", ".join(f"raw.{name}" for name in (*contracts(), *(item.name for item in MADE)))
    prepared.query(f"truncate ops.landing, ops.load, ops.quarantine, {tables} restart identity")


class FixedNow(datetime):
    """The clock of a job, standing still."""

    moment = NOW

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return cls.moment


@pytest.fixture(autouse=True)
def paused(monkeypatch) -> list[float]:
    """The seconds that clients would have slept."""
    slept: list[float] = []
    monkeypatch.setattr(job, "datetime", FixedNow)
    monkeypatch.setattr("tenacity.nap.time", SimpleNamespace(sleep=slept.append))
    unlimited = asking.limiter("unlimited", Rate(per_second=1000, burst=1_000_000), None)
    monkeypatch.setattr(asking, "limiter", lambda host, rate, shared_in: unlimited)
    FixedNow.moment = NOW
    return slept


@pytest.fixture
def served(monkeypatch, deployment) -> Iterator[Callable[[Any], Any]]:
    """Serves an app as the APIs."""
    with ExitStack() as stack:

        def serve(app: Any) -> Any:
            monkeypatch.setenv("WANDLE_SANDBOX_URL", stack.enter_context(serving(app)))
            return app

        yield serve


@pytest.fixture
def api(served) -> FixtureServer:
    server = FixtureServer()
    served(server)
    return server


Ingest = Callable[..., dict[str, Any]]


@pytest.fixture
def ingest(lake, warehouse) -> Ingest:
    """Fetch and load a partition; the books must balance."""

    def run(source: Contract, period: str = "2026-10", council: str = "kingston") -> dict[str, Any]:
        run_id = f"run {next(_runs)}"
        FixedNow.moment += timedelta(seconds=1)
        landing_id = extract(source, source.partition(council, period), lake=lake, run_id=run_id)
        where = {"lake": lake, "dsn": warehouse.dsn(), "run_id": run_id, "landing_id": landing_id}
        entry = load(source, source.partition(council, period), **where)
        books = (entry["loaded"], entry["quarantined"], entry["duplicates"])
        assert entry["records"] == sum(books)
        if entry["status"] == "loaded":
            rows = f"raw.{source.name} where _council = '{council}'"
            assert warehouse.value(f"select count(distinct _record_no) from {rows}") >= books[0]
        return entry

    return run


def assert_refused(ingest: Ingest, warehouse: Warehouse, *asked: Any, expected: Any) -> str:
    """That a partition fails with one clear error, and that nothing has changed."""
    tables = (asked[0].name, BOUNDARIES.name)
    before = [warehouse.query(f"select * from raw.{name} order by 1, 2") for name in tables]
    with pytest.raises(PipelineError) as caught:
        ingest(*asked)
    assert isinstance(caught.value, expected)
    after = [warehouse.query(f"select * from raw.{name} order by 1, 2") for name in tables]
    assert after == before
    return str(caught.value)


def items(folder: Path, name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((folder / "ea" / name).read_bytes())["items"]
    return found


def recording(folder: Path, name: str) -> bytes:
    return (folder / "ea" / name).read_bytes()


def quarantined(warehouse: Warehouse, fields: str = "column_name, rule") -> list[Any]:
    return warehouse.query(f"select {fields} from ops.quarantine order by record_no")


LEVELS = "measures_level_latest_2026-03-03T1441Z.json"
GAUGES = "stations_level_full_2026-02-05.json"
GAUGES_2017 = "stations_level_full_2017-03_v0.7.json"
STATION = r"/id/stations$"
RING = [{"latitude": "51.40", "longitude": "-0.30"}, {"latitude": "51.41", "longitude": "-0.29"}]
RING += [{"latitude": "51.40", "longitude": "-0.28"}]


@pytest.mark.parametrize(
    ("name", "gauge"), [(LEVELS, "1674TH"), ("measures_level_latest_2017-03-02_v0.7.json", "4086")]
)
def test_01_a_value_is_a_list(recorded, api, ingest, warehouse, name, gauge):
    api.on("/gauges$", recording(recorded, name))

    entry = ingest(LATEST)

    assert entry["records"] == len(items(recorded, name))
    assert (entry["quarantined"], entry["duplicates"]) == (1, 0)
    assert quarantined(warehouse) == [("value", "type")]
    kept = json.loads(quarantined(warehouse, "record")[0][0])
    assert kept["stationReference"] == gauge
    assert isinstance(kept["latestReading"]["value"], list)


def test_02_values_are_joined_by_pipes_in_the_archive(recorded, api, ingest, warehouse):
    body = recording(recorded, "archive_readings_2021-05-07_excerpt.csv")
    api.on("/gauges$", Reply(body, media_type="text/csv"))

    entry = ingest(ARCHIVED)

    lines = body.decode().splitlines()[1:]
    joined = [line for line in lines if "|" in line]
    assert (entry["records"], entry["quarantined"]) == (len(lines), len(joined))
    assert quarantined(warehouse) == [("value", "type")] * 3
    assert [row[0] for row in quarantined(warehouse, "record")] == joined
    # The blank value is a reading without a value, not a failure.
    assert warehouse.value("select count(*) from raw.archived_levels where value is null") == 1
    # Exact repeats of the excerpt are left out once each.
    assert entry["duplicates"] == len(lines) - len(set(lines))


@pytest.mark.parametrize(
    ("name", "gauge", "label", "twice"),
    [
        (GAUGES, "E85123", "Ilfracombe Lambda", []),
        # Two stations shared a reference in 2017, E1901: the second one contradicts the first.
        (GAUGES_2017, "F0304", "Woodhouse Mill", [(None, "key")]),
    ],
)
def test_03_fields_of_a_station_become_lists(
    recorded, api, ingest, warehouse, name, gauge, label, twice
):
    api.on(STATION, recording(recorded, name))
    found = items(recorded, name)

    entry = ingest(STATIONS, TODAY)

    assert (entry["records"], entry["quarantined"]) == (len(found), len(twice))
    assert quarantined(warehouse) == twice
    odd = next(item for item in found if item["stationReference"] == gauge)
    assert warehouse.query(
        "select label, latitude, longitude, rloi_id from raw.flood_stations "
        f"where station_reference = '{gauge}'"
    ) == [
        (label, Decimal(str(odd["lat"][0])), Decimal(str(odd["long"][0])), odd["RLOIid"][0]),
    ]


def test_04_an_object_or_a_string_and_one_item_or_many(recorded, api, ingest, warehouse):
    found = items(recorded, GAUGES)
    api.on(STATION, recording(recorded, GAUGES), {"items": found[0]})

    many = ingest(STATIONS, TODAY)

    kinds = dict(
        warehouse.query(
            "select jsonb_typeof(stage_scale), count(*) from raw.flood_stations group by 1"
        )
    )
    assert kinds == {"object": len(found) - 2, "string": 2}
    assert many["loaded"] == len(found)

    alone = STATIONS.model_copy(
        update={"checks": STATIONS.checks.model_copy(update={"min_share_of_previous": 0})}
    )
    one = ingest(alone, TODAY)

    assert (one["records"], one["loaded"]) == (1, 1)


def test_05_whole_numbers_or_fractions_by_chance(recorded, api, ingest, warehouse):
    api.on("/gauges$", recording(recorded, GAUGES))
    found = items(recorded, GAUGES)

    entry = ingest(SCALES)

    scales = [item["stageScale"] for item in found if isinstance(item["stageScale"], dict)]
    largest = [scale["scaleMax"] for scale in scales if "scaleMax" in scale]
    assert {type(value) for value in largest} == {int, float}
    assert entry["loaded"] == len(found)
    assert warehouse.query("select count(scale_max), sum(scale_max) from raw.scales") == [
        (len(largest), sum(Decimal(str(value)) for value in largest))
    ]


def test_06_sentinels_and_broken_gauges_are_not_readings(recorded, api, ingest, warehouse):
    api.on("/gauges$", recording(recorded, LEVELS))

    entry = ingest(LATEST)

    broken = "select count(*) from raw.latest_levels where value is null and read_at is not null"
    assert entry["records"] == entry["loaded"] + 1
    assert warehouse.value(broken) == 2
    assert warehouse.query(
        "select measure from raw.latest_levels where read_at is not null and value is null "
        "order by 1"
    ) == [
        (f"http://environment.data.gov.uk/flood-monitoring/id/measures/{name}",)
        for name in (
            "4327TH-level-stage-i-15_min-mASD",
            "E22344-level-stage-i-15_min-mASD",
        )
    ]


def test_07_keys_are_missing(recorded, api, ingest, warehouse):
    api.on("/gauges$", recording(recorded, LEVELS))
    found = items(recorded, LEVELS)

    entry = ingest(LATEST)

    silent = sum("latestReading" not in item for item in found)
    assert silent == 741
    assert entry["loaded"] == len(found) - 1
    assert warehouse.query(
        "select count(*) filter (where read_at is null), count(*) filter (where period is null), "
        "count(*) filter (where datum is null) from raw.latest_levels"
    ) == [
        (
            silent,
            sum("period" not in item for item in found),
            sum("datumType" not in item for item in found if "1674TH" not in item["@id"]),
        )
    ]


def reading(gauge: str, moment: str, value: float = 0.5) -> dict[str, Any]:
    measure = f"http://environment.data.gov.uk/flood-monitoring/id/measures/{gauge}-level"
    return {"@id": f"{measure}/{moment}", "dateTime": moment, "measure": measure, "value": value}


def test_08_rows_arrive_late_and_some_never(api, ingest, warehouse):
    punctual = [reading("A", f"2026-11-19T{hour:02}:00:00Z") for hour in range(24)]
    late = [reading("B", "2026-11-19T00:00:01Z"), reading("B", "2026-11-19T00:22:00Z")]
    gauges = [
        {"@id": f"http://x/{name}", "stationReference": name, "notation": name} for name in "ABC"
    ]
    api.on(STATION, {"items": gauges})
    api.on("/stations/A/readings$", {"items": punctual})
    api.on("/stations/B/readings$", {"items": []}, {"items": late})
    api.on("/stations/C/readings$", {"items": []})
    ingest(STATIONS, TODAY)

    first = ingest(READINGS, "2026-11-19")
    second = ingest(READINGS, "2026-11-19")
    third = ingest(READINGS, "2026-11-19")

    assert (first["loaded"], second["loaded"]) == (24, 26)
    assert third["status"] == "unchanged"
    assert warehouse.query(
        "select date_time from raw.flood_readings where station_reference = 'B' order by 1"
    ) == [
        (datetime(2026, 11, 19, 0, 0, 1, tzinfo=UTC),),
        (datetime(2026, 11, 19, 0, 22, tzinfo=UTC),),
    ]
    assert READINGS.lookback >= 3


@pytest.fixture
def kingston(recorded, served, ingest) -> dict[str, Any]:
    """The crimes of Kingston in May 2017, as recorded; what must come of them."""
    served(create_app(seed=7, as_of=AS_OF, payloads=recorded, rate_per_second=1e6, burst=10**6))
    ingest(BOUNDARIES, "2026-11")
    entry = ingest(CRIME, "2017-05")
    expected = json.loads((recorded / "police" / "EXPECTED.json").read_bytes())
    return {**expected["kingston"]["2017-05"], "entry": entry}


def test_09_the_same_crime_is_in_two_wards(kingston, warehouse):
    entry = kingston["entry"]

    assert entry["records"] == entry["loaded"] == kingston["records"]
    assert warehouse.query("select count(*), count(distinct id) from raw.police_street_crime") == [
        (kingston["records"], kingston["distinct_ids"])
    ]
    in_two = (
        "select count(*) from (select id from raw.police_street_crime "
        "group by id having count(distinct ward_code) = 2)"
    )
    assert warehouse.value(in_two) == kingston["ids_in_two_wards"] > 0


def test_10_the_documented_unique_key_is_not_unique(kingston, warehouse):
    shared = warehouse.query(
        "select count(distinct id), count(distinct category) from raw.police_street_crime "
        "where persistent_id <> '' group by persistent_id having count(distinct id) > 1"
    )
    without = warehouse.value(
        "select count(*) from raw.police_street_crime where persistent_id = ''"
    )

    assert shared
    assert without > 0
    assert (kingston["entry"]["quarantined"], kingston["entry"]["duplicates"]) == (0, 0)


def test_11_outcomes_rewrite_history(served, ingest, warehouse, tmp_path):
    state = tmp_path / "sandbox.json"
    limits: dict[str, Any] = {"rate_per_second": 1e6, "burst": 10**6}
    served(create_app(seed=7, as_of=AS_OF, state=state, **limits))
    ingest(BOUNDARIES, "2026-11")
    outcomes = "select id, outcome_category, outcome_month from raw.police_street_crime order by 1"

    first = ingest(CRIME, "2026-08")
    before = dict((row[0], row[1:]) for row in warehouse.query(outcomes))
    state.write_text(json.dumps({"seed": 7, "as_of": "2027-02-21"}))
    FixedNow.moment = datetime(2027, 2, 21, tzinfo=UTC)
    second = ingest(CRIME, "2026-08")
    after = dict((row[0], row[1:]) for row in warehouse.query(outcomes))

    assert (first["status"], second["status"]) == ("loaded", "loaded")
    assert warehouse.value("select count(*) from raw.police_street_crime") == second["loaded"]
    rewritten = [number for number in before.keys() & after if before[number] != after[number]]
    assert len(rewritten) > len(before) / 10
    assert CRIME.lookback >= 12


def police(api: FixtureServer, *answers: Any) -> None:
    api.on("/boundary$", RING)
    api.on("/crimes-street/", *answers)


def crime(number: int) -> dict[str, Any]:
    return {"id": number, "category": "burglary", "month": "2026-10", "persistent_id": ""}


@pytest.mark.parametrize(
    ("answer", "period", "expected"),
    [
        (b"[]", "2026-10", "not_published"),
        (b"[]", "2026-01", LoadRefused),
        (Reply(status=404), "2026-10", "not_published"),
        (Reply(status=404), "2020-01", SourceRejected),
        (b"", "2026-10", SourceUnavailable),
        (Reply(b"<html>", 500), "2026-10", SourceUnavailable),
    ],
    ids=["young []", "old []", "young 404", "old 404", "zero bytes", "HTTP 500"],
)
def test_12_no_data_has_four_forms(api, ingest, warehouse, answer, period, expected):
    police(api, answer)
    ingest(BOUNDARIES, "2026-11")

    if isinstance(expected, str):
        entry = ingest(CRIME, period)
        assert (entry["status"], entry["records"]) == (expected, 0)
    else:
        said = assert_refused(ingest, warehouse, CRIME, period, expected=expected)
        assert f"police_street_crime kingston {period}" in said


def test_12_an_interrupted_harvest_is_refused(api, ingest, warehouse):
    whole = [
        {"@id": f"http://x/{n}", "stationReference": str(n), "notation": str(n)} for n in range(100)
    ]
    api.on(STATION, {"items": whole}, {"items": whole[:12]})
    ingest(STATIONS, TODAY)

    said = assert_refused(ingest, warehouse, STATIONS, TODAY, expected=LoadRefused)

    assert "12" in said
    assert "100" in said


def test_13_a_503_means_too_big_here_and_try_later_there(served, ingest, warehouse, paused):
    limits: dict[str, Any] = {"rate_per_second": 1e6, "burst": 10**6}
    served(create_app(seed=7, as_of=AS_OF, **limits))
    ingest(BOUNDARIES, "2026-11")
    whole = ingest(CRIME, "2026-06")
    served(create_app(seed=7, as_of=AS_OF, cap=25, **limits))

    split = ingest(CRIME, "2026-06")

    assert split["loaded"] == whole["loaded"]
    assert paused == []

    gauges = {"items": [{"@id": "http://x/A", "stationReference": "A", "notation": "A"}]}
    elsewhere = served(FixtureServer().on(STATION, Reply(b"busy", 503), gauges))
    assert ingest(STATIONS, TODAY)["loaded"] == 1
    assert len(elsewhere.asked) == 2
    assert len(paused) == 1


def hours(day: str, **changes: Any) -> dict[str, Any]:
    values: dict[str, list[Any]] = {
        "time": [f"{day}T{hour:02}:00" for hour in range(24)],
        "temperature_2m": [0.1 * hour for hour in range(24)],
    }
    values["temperature_2m"] = [round(value, 1) for value in values["temperature_2m"]]
    others = ("relative_humidity_2m", "precipitation", "wind_speed_10m", "wind_direction_10m")
    values |= {name: [None] * 24 for name in (*others, "cloud_cover")}
    return {"utc_offset_seconds": 0, "timezone": "GMT", "hourly": values} | changes


def test_14_a_time_has_no_zone_and_its_offset_is_wrong(recorded, api, ingest, warehouse):
    name = "archive_hourly_adelaide_2025-01-10_12.json"
    july = json.loads((recorded / "open_meteo" / name).read_bytes())
    assert july["utc_offset_seconds"] == 9.5 * 3600
    # The same hours, had they been asked for in January.
    january = july | {"utc_offset_seconds": 37_800, "timezone_abbreviation": "GMT+10:30"}
    api.on("/hours$", july, july, january)

    first, second = ingest(HOURS, "2025-01"), ingest(HOURS, "2025-01")

    assert first["loaded"] == 2 * len(july["hourly"]["time"])
    assert second["status"] == "unchanged"
    assert warehouse.query("select min(time), max(time) from raw.hours") == [
        (datetime(2025, 1, 10, tzinfo=UTC), datetime(2025, 1, 12, 23, tzinfo=UTC))
    ]


def test_14_the_weather_is_requested_without_an_offset(api, ingest):
    api.on("/archive$", hours("2026-07-10"))

    assert ingest(WEATHER, "2026-07-10")["loaded"] == 48
    assert {asked.values["timezone"] for asked in api.asked} == {"GMT"}


def test_14_a_warning_is_raised_at_local_time(recorded, api, ingest, warehouse):
    api.on("/gauges$", recording(recorded, "floods_county_buckinghamshire_2021-04.json"))

    assert ingest(WARNINGS)["loaded"] == 1
    assert warehouse.value("select raised_at from raw.warnings") == datetime(
        2021, 3, 31, 14, 21, 38, tzinfo=UTC
    )


def limited(window: str, then: str) -> Reply:
    reason = f"{window} API request limit exceeded. Please try again {then}."
    return Reply(json.dumps({"error": True, "reason": reason}).encode(), 429)


def test_15_a_429_without_retry_after_says_how_long_in_words(api, ingest, warehouse, paused):
    api.on("/archive$", limited("Minutely", "in one minute"), hours("2026-11-10"))

    entry = ingest(WEATHER, "2026-11-10")

    assert entry["loaded"] == entry["records"] == 48
    assert len(paused) == 1

    asked = len(api.asked)
    api.on("/archive$", limited("Daily", "tomorrow"))
    said = assert_refused(ingest, warehouse, WEATHER, "2026-11-11", expected=PipelineError)

    assert "429" in said
    assert len(api.asked) == asked + 1
    assert len(paused) == 1


def test_every_situation_of_the_list_has_a_test():
    numbers = {name[5:7] for name in globals() if name.startswith("test_") and name[5].isdigit()}

    assert numbers == {f"{number:02}" for number in range(1, 16)}
    assert date.fromisoformat(TODAY) == NOW.date()


@pytest.mark.parametrize(
    "said", [{"has_more": True}, {"properties": {"exceededTransferLimit": True}}]
)
def test_an_answer_that_announces_more_is_incomplete(api, ingest, warehouse, said):
    found = [{"@id": "w1"}]
    api.on("/gauges$", {"items": found, **said}, {"items": found, "has_more": False})

    message = assert_refused(ingest, warehouse, WARNINGS, expected=UnexpectedPayload)

    assert "names another page in" in message
    assert "`paging`" in message
    assert ingest(WARNINGS)["loaded"] == 1
