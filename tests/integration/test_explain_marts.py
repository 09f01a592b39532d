"""Explaining the rows of every mart: from the built mart back to the records in S3."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from include.councils.model import UK, council
from include.errors import PermanentError
from include.jobs.operate.explain import explain
from include.jobs.pipeline.transform import build
from include.settings import Settings
from include.sources.model import contracts
from include.transform.mart_rows import mart_rows, marts
from sandbox.spending import SOURCE, file_name, spending_file

DAY = "2026-11-10"
INGESTED = (
    ("police_ward_boundaries",),
    ("police_street_crime", "--period", "2026-06"),
    ("weather_hourly", "--period", DAY),
    ("flood_stations",),
    ("flood_readings", "--period", DAY),
    ("bank_holidays",),
    ("planning_applications",),
    (SOURCE, "--period", "2026-06"),
)
MOST = 30


@pytest.fixture
def built(wandle, generated, new_database, migrated, monkeypatch, tmp_path) -> Any:
    """A database with the marts of Sutton, built from every source that they need."""
    database = new_database(migrated.name)
    monkeypatch.setenv("WANDLE_LOADER_DSN", database.dsn())
    monkeypatch.setenv("WANDLE_TRANSFORMER_DSN", database.dsn("wandle_transformer"))
    monkeypatch.setenv("WANDLE_PUBLISHER_DSN", database.dsn("wandle_publisher"))
    place, month = council("sutton"), date(2026, 6, 1)
    spent = tmp_path / file_name(place, month)
    spent.write_bytes(spending_file(place, month, seed=0))
    commands = [("put", SOURCE, str(spent))]
    for source, *period in INGESTED:
        place = () if contracts()[source].councils == UK else ("--council", "sutton")
        commands.append(("ingest", source, *place, *period))
    for command in commands:
        code, _, err = wandle(*command)
        assert code == 0, err
    for layer in ("staging", "marts"):
        build(layer, dsn=database.dsn("wandle_transformer"), run_id="run", home=tmp_path / "dbt")
    return database


def keys_of(database: Any, mart: str, where: str = "true") -> list[dict[str, str]]:
    """The keys of a few rows of a mart."""
    columns = list(mart_rows(mart).key)
    listed = ", ".join(f"{name}::text" for name in columns)
    found = database.query(
        f"select {listed} from marts.{mart} where {where} order by md5(({listed})::text) limit 3"
    )
    return [dict(zip(columns, row, strict=True)) for row in found]


def test_the_rows_of_every_mart_can_be_traced_back_to_the_records_they_were_made_of(
    built, lake, wandle
):
    def explained(mart: str, key: dict[str, str]) -> Any:
        settings = Settings.read()
        return explain(f"marts.{mart}", key, lake=lake, settings=settings, most=MOST)

    computed = [mart for mart in marts() if mart_rows(mart).computed]
    assert computed == ["dim_date"]
    for mart in marts():
        if mart in computed:
            continue
        keys = keys_of(built, mart)
        assert keys, f"marts.{mart} is empty"
        for key in keys:
            found = explained(mart, key)
            assert 0 < len(found.origins) <= found.found == sum(found.landings.values())
            assert len(found.origins) >= min(found.found, MOST)
            assert {origin.partition.council for origin in found.origins} == {"sutton"}

    (key, *_) = keys_of(built, "weather_daily")
    hours = explained("weather_daily", key)
    assert hours.found == 24
    assert (
        max(origin.row["temperature_2m"] for origin in hours.origins)
        == (hours.mart_row["highest_celsius"])
    )
    assert {origin.row["point_name"] for origin in hours.origins} == {key["point_name"]}
    assert {origin.partition.period.first_day for origin in hours.origins} == {
        date.fromisoformat(DAY)
    }

    (key, *_) = keys_of(built, "river_levels_daily")
    readings = explained("river_levels_daily", key)
    assert readings.mart_row["readings"] <= readings.found
    assert {origin.row["measure"] for origin in readings.origins} == {key["measure"]}

    (station,) = readings.dimensions
    assert station.dimension == "stg_flood__stations"
    assert station.partition.source == "flood_stations"
    assert station.row["label"] == readings.mart_row["station_name"]
    assert key["measure"] in station.record.decode()

    (key, *_) = keys_of(built, "crime_outcomes_monthly", "outcome_category = 'No outcome yet'")
    crimes = explained("crime_outcomes_monthly", key)
    assert crimes.found == crimes.mart_row["crimes"]
    assert {json.loads(origin.record)["outcome_status"] for origin in crimes.origins} == {None}

    options = [part for name, value in key.items() for part in ("--key", f"{name}={value}")]
    code, out, _ = wandle("explain", "marts.crime_outcomes_monthly", *options)
    assert code == 0
    assert f"raw rows of landing {crimes.origins[0].manifest.landing_id}" in out
    assert "https://data.police.uk" in out or "POST " in out

    for mart in ("ward_crime_summary", "crime_outcomes_by_age"):
        (key, *_) = keys_of(built, mart)
        crimes = explained(mart, key)
        assert crimes.found == crimes.mart_row["crimes"]
        assert {origin.partition.source for origin in crimes.origins} == {"police_street_crime"}

    (key, *_) = keys_of(built, "borough_conditions_daily")
    conditions = explained("borough_conditions_daily", key)
    assert {origin.partition.source for origin in conditions.origins} == {
        "weather_hourly",
        "flood_readings",
    }
    (station,) = conditions.dimensions
    assert station.row["label"] == conditions.mart_row["highest_gauge"]

    (key, *_) = keys_of(built, "planning_applications")
    (application,) = explained("planning_applications", key).origins
    assert str(application.row["entity"]) == key["entity"]

    with pytest.raises(
        PermanentError, match=r"no row of marts\.dim_date leads back to records: it "
    ):
        explained("dim_date", {"day": DAY})

    (key, *_) = keys_of(built, "crime_outcomes_monthly", "outcome_category = 'No outcome yet'")
    built.query("delete from raw.police_street_crime")
    with pytest.raises(PermanentError, match="have been replaced since it was built"):
        explained("crime_outcomes_monthly", key)
