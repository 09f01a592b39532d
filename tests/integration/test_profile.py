"""`wandle profile`: exact counts, a sample's statistics, outliers, and no personal value."""

from __future__ import annotations

import json
import re
from typing import Any

import psycopg
import pytest

from include.errors import PermanentError, UnknownName
from include.jobs.pipeline.selection import Selection
from include.jobs.serving.profile import ColumnProfile, Profile, profile
from include.jobs.serving.tables import READERS
from include.settings import Settings
from include.sources.model import contracts
from tests.integration.landings import land
from tests.samples import contract, partition

HOURS = 1_000
# No contract's rule and no quartile allows it.
HOT = 99
SECRET = "Zebediah Quillfeather"


@pytest.fixture
def settings(monkeypatch, wandle, warehouse) -> Settings:
    for role in ("transformer", "portal"):
        monkeypatch.setenv(f"WANDLE_{role.upper()}_DSN", warehouse.dsn(f"wandle_{role}"))
    monkeypatch.setenv("WANDLE_WAREHOUSE_DSN", warehouse.dsn("wandle_reader"))
    return Settings.read()


@pytest.fixture
def hours(warehouse) -> None:
    """Two councils' weather: every fiftieth temperature missing, one far too high."""
    warehouse.query(
        "insert into raw.weather_hourly"
        " (_council, _period, _landing_id, _record_no, point_name, latitude, longitude, time,"
        "  temperature_2m)"
        " select case when n % 2 = 0 then 'sutton' else 'kingston' end,"
        "  date '2026-10-01' + n / 24, 'landing', n, 'a place', 51.4, -0.2,"
        "  timestamptz '2026-10-01' + n * interval '1 hour',"
        f" case when n % 50 = 0 then null when n = 7 then {HOT} else 10 + n % 7 end"
        f" from generate_series(0, {HOURS - 1}) as n"
    )


def column(found: Profile, name: str) -> ColumnProfile:
    return next(item for item in found.columns if item.name == name)


@pytest.mark.usefixtures("hours")
def test_a_column_is_counted_and_described(settings):
    found = profile("raw.weather_hourly", settings=settings)

    temperature = column(found, "temperature_2m")
    assert (found.rows, found.sampled, found.is_sampled) == (HOURS, HOURS, False)
    assert (temperature.values, temperature.missing) == (980, 20)
    assert (temperature.lowest, temperature.highest) == (10, HOT)
    assert temperature.statistics["50%"] == 13
    assert temperature.statistics["distinct"] == 8
    assert sum(bar.count for bar in temperature.distribution) == 980
    assert column(found, "point_name").distribution[0].count == HOURS
    days = column(found, "_period").distribution
    assert days[0] == type(days[0])("2026-10-01", 24)
    assert sum(bar.count for bar in days) == HOURS


@pytest.mark.usefixtures("hours")
def test_a_value_beyond_the_fences_and_one_that_breaks_the_contract_are_named(settings, warehouse):
    warehouse.query(
        "insert into ops.quarantine (source, council, period, landing_id, record_no, page,"
        " page_record_no, column_name, rule, value, record, responsible, found_at)"
        " values ('weather_hourly', 'sutton', '2026-10-01', 'l', 1, '0001.json.gz', 1,"
        " 'temperature_2m', 'maximum', '70', '{}', 'publisher', now())"
    )

    temperature = column(profile("weather_hourly", settings=settings), "temperature_2m")

    assert temperature.outliers is not None
    assert (temperature.outliers.below, temperature.outliers.above) == (0, 1)
    assert temperature.outliers.examples == [HOT]
    assert temperature.broken == {"maximum": 1}
    assert temperature.quarantined == {"maximum": 1}


@pytest.mark.usefixtures("hours")
def test_councils_and_periods_narrow_it(settings):
    def rows(**chosen: Any) -> int:
        return profile("weather_hourly", settings=settings, selection=Selection(**chosen)).rows

    assert rows(councils=("sutton",)) == HOURS // 2
    assert rows(periods=("2026-10-02",)) == 24
    assert rows(periods=("2026-10-02", "2026-10-04")) == 48
    assert rows(periods=("2026-10",)) == 31 * 24
    assert rows(first="2026-10-03", last="2026-10-04") == 48
    assert rows(last="2026-10-01", councils=("sutton",)) == 12
    with pytest.raises(UnknownName, match="atlantis"):
        rows(councils=("atlantis",))
    with pytest.raises(UnknownName, match="yesterday"):
        rows(periods=("yesterday",))


@pytest.mark.usefixtures("hours")
def test_a_large_table_is_sampled_the_same_way_each_time_and_says_so(settings, wandle):
    first, again = (profile("weather_hourly", settings=settings, rows=200) for _ in range(2))

    assert first.rows == HOURS
    assert 120 < first.sampled < 280
    assert first.is_sampled
    assert first.sample.equals(again.sample)
    assert column(first, "temperature_2m").missing == 20
    code, out, _ = wandle("profile", "weather_hourly", "--rows", "200")
    assert code == 0
    assert "raw.weather_hourly: 1,000 rows. Values, missing and lengths are of all" in out
    assert f"sample of {first.sampled} rows" in out


@pytest.fixture
def residents(warehouse) -> None:
    warehouse.query(
        "insert into raw.service_requests (_council, _period, _landing_id, _record_no, case_id,"
        " kind, status, opened_at, updated_at, resident_name, _extra)"
        f" select 'sutton', '2026-10-01', 'l', n, n, 'pothole', 'open', now(), now(), '{SECRET}',"
        f' \'{{"email": "{SECRET}"}}\' from generate_series(1, 5) as n'
    )


def noting(execute: Any, asked: list[str]) -> Any:
    """The method, noting each statement."""

    def run(cursor: Any, query: Any, *arguments: Any, **named: Any) -> Any:
        asked.append(str(query))
        return execute(cursor, query, *arguments, **named)

    return run


@pytest.mark.usefixtures("residents")
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_no_value_of_a_personal_or_unknown_column_is_read_or_shown(
    settings, warehouse, wandle, monkeypatch, options
):
    asked: list[str] = []
    for kind in (psycopg.Cursor, psycopg.ServerCursor):
        monkeypatch.setattr(kind, "execute", noting(kind.execute, asked))

    code, out, err = wandle("profile", "raw.service_requests", *options)
    found = profile("raw.service_requests", settings=settings)

    assert code == 0
    assert "pothole" in out
    assert SECRET not in out + err
    assert "Zebediah" not in found.sample.to_csv() + json.dumps(found.as_json(), default=str)
    name = column(found, "resident_name")
    assert (name.hidden, name.values, name.missing) == ("personal", 5, 0)
    assert name.lengths == {"shortest": len(SECRET), "mean": len(SECRET), "longest": len(SECRET)}
    assert (name.lowest, name.statistics, name.distribution, name.outliers) == (None, {}, [], None)
    assert column(found, "email").hidden == "personal"
    assert column(found, "_extra").hidden == "unclassified"
    assert {"resident_name", "email", "_extra"}.isdisjoint(found.sample)
    harmless = re.compile(r'count\("resident_name"\)|char_length\("resident_name"::text\)')
    assert sum(len(harmless.findall(query)) for query in asked) >= 5
    assert "resident_name" not in " ".join(harmless.sub("", query) for query in asked)


@pytest.mark.usefixtures("residents")
def test_a_model_of_personal_data_shows_only_columns_that_are_known_to_be_harmless(
    settings, warehouse
):
    warehouse.query(
        "drop view if exists staging.stg_service__requests; create view"
        " staging.stg_service__requests as select _council as council, _period as day, kind,"
        " status, resident_name, upper(resident_name) as who, length(resident_name) as letters"
        " from raw.service_requests",
        role="wandle_transformer",
    )
    try:
        found = profile("staging.stg_service__requests", settings=settings)
    finally:
        warehouse.query("drop view staging.stg_service__requests", role="wandle_transformer")

    hidden = {item.name: item.hidden for item in found.columns if item.hidden}
    assert hidden == {
        "resident_name": "personal", "who": "unclassified", "letters": "unclassified",
    }  # fmt: skip
    assert SECRET.upper() not in json.dumps(found.as_json(), default=str)
    assert set(found.sample) == {"council", "day", "kind", "status"}


def test_each_schema_is_read_by_a_role_that_may_not_write_it(warehouse):
    roles = {"transformer_dsn": "wandle_transformer", "reader_dsn": "wandle_reader"}
    assert READERS.keys() == {"raw", "staging", "intermediate", "marts"}
    assert READERS["marts"] == "reader_dsn"

    for schema, field in READERS.items():
        if schema in ("raw", "marts"):
            rights = warehouse.query(
                f"select has_schema_privilege('{roles[field]}', '{schema}', 'usage'),"
                f" has_table_privilege('{roles[field]}', 'raw.weather_hourly', 'insert, delete')"
            )
            assert rights == [(True, False)]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ("weather_hurly", "Did you mean weather_hourly"),
        ("marts.weather_dally", "Did you mean marts.weather_daily"),
        ("ops.quarantine", "raw, staging, intermediate, marts"),
        ("marts.stg_weather__hourly", "unknown table"),
        ("marts.weather_daily", "wandle transform"),
    ],
)
def test_a_table_that_is_not_there_is_named_with_what_to_do(settings, table, says):
    with pytest.raises(UnknownName, match=says):
        profile(table, settings=settings)


def test_a_table_without_a_council_cannot_be_narrowed_to_one(settings, warehouse):
    warehouse.query("create table marts.weather_daily (a int)", role="wandle_transformer")
    try:
        with pytest.raises(PermanentError, match=r"no column for --council.*It has a\."):
            profile("weather_daily", settings=settings, selection=Selection(councils=("sutton",)))
        assert profile("weather_daily", settings=settings).rows == 0
    finally:
        warehouse.query("drop table marts.weather_daily", role="wandle_transformer")


def test_memory_is_bounded_by_long_texts(settings, warehouse):
    warehouse.query(
        "insert into raw.weather_hourly"
        " (_council, _period, _landing_id, _record_no, point_name, time, _extra)"
        " select 'sutton', '2026-10-01', 'l', n, repeat('x', 100000), now(),"
        " jsonb_build_object('a', repeat('y', 100000)) from generate_series(1, 400) as n"
    )

    found = profile("weather_hourly", settings=settings)

    assert found.sample["point_name"].str.len().max() == 500
    assert column(found, "point_name").lengths == {
        "shortest": 100_000, "mean": 100_000, "longest": 100_000,
    }  # fmt: skip
    assert column(found, "_extra").lengths["longest"] > 100_000
    assert found.sample.memory_usage(deep=True).sum() < 2 * 400 * 500


def test_every_type_of_a_contract_is_described(settings, lake, warehouse, monkeypatch):
    gauges = contract()
    monkeypatch.setitem(contracts(), "gauges", gauges)
    from include.jobs.pipeline.load import load

    land(lake, gauges, [{"id": 1, "note": "x"}, {"id": 2}])
    load(gauges, partition(), lake=lake, dsn=warehouse.dsn(), run_id="r")

    found = profile("gauges", settings=settings)

    assert found.rows == 2
    assert {item.kind for item in found.columns} >= {"number", "text", "time"}
    assert column(found, "note").missing == 1
