"""Small marts, constructed, for tests of the dashboard."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa

from include.publish.about import About, Change, Column, Dataset, Source
from include.publish.period import period_of
from include.publish.site.tables import SCHEMAS

COUNCILS = {"kingston": "Kingston upon Thames", "sutton": "Sutton"}
WARDS = {
    "kingston": {"E05000400": "Alexandra", "E05000401": "Berrylands"},
    "sutton": {"E05000555": "Beddington North", "E05000560": "Cheam"},
}
KINDS = (
    *("anti-social-behaviour", "burglary", "drugs", "robbery", "shoplifting"),
    *("vehicle-crime", "violent-crime"),
)
LAST_MONTH = date(2026, 9, 1)
LAST_DAY = date(2026, 11, 25)
AS_OF = datetime(2026, 11, 26, 15, 1, tzinfo=UTC)
MONTHS = 26
DAYS = 20


def table(mart: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """A mart of these rows; columns that they leave out are null."""
    return pl.DataFrame(list(rows), schema=pl.Schema(SCHEMAS[mart]), strict=False).to_arrow()


def month(back: int) -> date:
    """The month so many months before the last."""
    index = LAST_MONTH.year * 12 + LAST_MONTH.month - 1 - back
    return date(index // 12, index % 12 + 1, 1)


def crimes(council: str, months: Sequence[date], each: int = 2) -> list[dict[str, Any]]:
    """Crimes of every kind in every ward; later kinds are more common."""
    return [
        {"council": council, "ward_code": code, "ward_name": name, "month": m, "category": kind,
         "crimes": each + n, "with_outcome": 1}
        for code, name in WARDS[council].items()
        for m in months
        for n, kind in enumerate(KINDS)
    ]  # fmt: skip


def ages(council: str, months: Sequence[date], known: int | None = None) -> list[dict[str, Any]]:
    """Outcomes by age: half have one at once, all after six months; known up to the last month."""
    found = []
    for m in months:
        elapsed = (LAST_MONTH.year - m.year) * 12 + LAST_MONTH.month - m.month
        last = elapsed if known is None else known
        found += [
            {"council": council, "month": m, "months_elapsed": age, "crimes": 20,
             "with_outcome": 10 if age < 6 else 15, "months_known": last,
             "share_with_outcome": 0.5 if age < 6 else 0.75, "is_mature": last >= 12}
            for age in range(last + 1)
        ]  # fmt: skip
    return found


def square(west: float, south: float) -> str:
    """A ward of 0.01 degrees."""
    ring = [[west, south], [west + 0.01, south], [west + 0.01, south + 0.01], [west, south + 0.01]]
    return json.dumps({"type": "Polygon", "coordinates": [[*ring, ring[0]]]})


def wards(council: str) -> list[dict[str, Any]]:
    """The wards in a row from west to east."""
    return [
        {"council": council, "ward_code": code, "ward_name": name, "is_current": True,
         "boundary_month": date(2026, 11, 1), "geometry": square(-0.2 + n / 100, 51.4)}
        for n, (code, name) in enumerate(WARDS[council].items())
    ]  # fmt: skip


def summary(council: str) -> list[dict[str, Any]]:
    """The first ward has the most crimes."""
    return [
        {"council": council, "ward_code": code, "ward_name": name, "first_month": month(11),
         "last_month": LAST_MONTH, "months": 12, "crimes": 300 - 100 * n, "with_outcome": 100,
         "crimes_year_before": 200, "change": 100 - 100 * n, "change_percent": 50.0 - 50 * n,
         "rank_in_council": n + 1, "wards_in_council": 2}
        for n, (code, name) in enumerate(WARDS[council].items())
    ]  # fmt: skip


def levels(council: str, above: int = 3, station: str = "Beddington Park") -> list[dict[str, Any]]:
    """A gauge that was above its typical range on the last days."""
    return [
        {"council": council, "measure": f"https://environment.data.gov.uk/{station}-level",
         "station_name": station, "river_name": "Wandle", "qualifier": "Stage",
         "unit_name": "mASD", "day": LAST_DAY - timedelta(days=n), "readings": 96,
         "lowest": 0.2, "highest": 0.9 if n < above else 0.4, "mean": 0.3, "typical_high": 0.7,
         "is_above_typical": n < above}
        for n in range(DAYS)
    ]  # fmt: skip


def stations(council: str, low: float | None = 0.3) -> list[dict[str, Any]]:
    """The gauge of `levels`: an old state, and today's."""
    return [
        {"council": council, "station_reference": "Beddington Park", "valid_from": day,
         "typical_low": bottom, "typical_high": 0.7}
        for day, bottom in ((LAST_DAY, low), (date(2026, 1, 1), 0.05))
    ]  # fmt: skip


def conditions(council: str) -> list[dict[str, Any]]:
    """The days of `levels` and `weather`; a bank holiday on the oldest."""
    return [
        {"council": council, "day": LAST_DAY - timedelta(days=n), "lowest_celsius": -1.5,
         "highest_celsius": 9.0, "rain_mm": float(DAYS - n), "strongest_wind_kmh": 30.0,
         "gauges": 1, "gauges_above_typical": int(n < 3), "highest_gauge": "Beddington Park",
         "metres_above_typical": 0.2 if n < 3 else -0.3,
         "bank_holiday": "Founders' Day" if n == DAYS - 1 else None}
        for n in range(DAYS)
    ]  # fmt: skip


def weather(council: str) -> list[dict[str, Any]]:
    """Each day a little less rain than the next; the newest is incomplete."""
    return [
        {"council": council, "point_name": "Town", "day": LAST_DAY - timedelta(days=n),
         "hours_with_data": 12 if n == 0 else 24, "lowest_celsius": -1.5, "highest_celsius": 9.0,
         "mean_celsius": 4.0, "rain_mm": float(DAYS - n), "strongest_wind_kmh": 30.0}
        for n in range(DAYS)
    ]  # fmt: skip


def payments(council: str) -> list[dict[str, Any]]:
    """Two months, two suppliers, and private persons."""
    return [
        {"council": council, "month": m, "supplier_name": name, "payments": 2, "net_amount": paid}
        for m in (month(1), month(0))
        for name, paid in (
            ("Hogsmill Care Ltd", 3000.5), ("Café Népal CIC", 1000.0),
            ("REDACTED PERSONAL DATA", 9000.0),
        )
    ]  # fmt: skip


def applications(council: str) -> list[dict[str, Any]]:
    """Three decided after 30, 60 and 200 days, and one that waits."""
    return [
        {"council": council, "entity": n, "reference": f"26/{n}", "start_date": month(n),
         "decision_date": None if days is None else month(n) + timedelta(days=days),
         "is_decided": days is not None, "days_to_decision": days, "is_listed": True}
        for n, days in enumerate((30, 60, 200, None))
    ]  # fmt: skip


def tables(councils: Sequence[str] = tuple(COUNCILS)) -> dict[str, pa.Table]:
    """All marts of these councils."""
    months = [month(n) for n in range(MONTHS)]
    made: dict[str, list[dict[str, Any]]] = {mart: [] for mart in SCHEMAS}
    for council in councils:
        made["ward_crime_monthly"] += crimes(council, months)
        made["ward_crime_summary"] += summary(council)
        made["dim_ward"] += wards(council)
        made["crime_outcomes_monthly"] += [
            {"council": council, "month": m, "category": "burglary", "outcome_category": outcome,
             "crimes": count}
            for m in months
            for outcome, count in (("Local resolution", 3), ("No outcome yet", 1))
        ]  # fmt: skip
        made["crime_outcomes_by_age"] += ages(council, months)
        made["river_levels_daily"] += levels(council)
        made["dim_station"] += stations(council)
        made["borough_conditions_daily"] += conditions(council)
        made["weather_daily"] += weather(council)
        made["supplier_spend_monthly"] += payments(council)
        made["planning_applications"] += applications(council)
    return {mart: table(mart, rows) for mart, rows in made.items()}


LONG = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch" * 3


def odd() -> dict[str, pa.Table]:
    """Marts of a council with 50 wards, names without a space to break at, and of nearly nothing.

    Every mart that has no ward has one row.
    """
    codes = {f"E0500{n:04}": f"{LONG}{n}" for n in range(50)}
    made = {name: one.slice(0, 1) for name, one in tables(["sutton"]).items()}
    rows = [
        {**row, "ward_code": code, "ward_name": name}
        for code, name in codes.items()
        for row in crimes("sutton", [month(n) for n in range(3)])
        if row["ward_code"] == "E05000560"
    ]
    made["ward_crime_monthly"] = table("ward_crime_monthly", rows)
    made["ward_crime_summary"] = table(
        "ward_crime_summary",
        [
            {**summary("sutton")[0], "ward_code": code, "ward_name": name, "crimes": n * 100}
            for n, (code, name) in enumerate(codes.items())
        ],
    )
    made["dim_ward"] = table(
        "dim_ward",
        [
            {
                **wards("sutton")[0],
                "ward_code": code,
                "ward_name": name,
                "geometry": square(-0.2 + n % 10 / 100, 51.4 + n // 10 / 100),
            }
            for n, (code, name) in enumerate(codes.items())
        ],
    )
    for name, column in (
        ("river_levels_daily", "station_name"),
        ("supplier_spend_monthly", "supplier_name"),
        ("borough_conditions_daily", "highest_gauge"),
    ):
        made[name] = table(name, [{**row, column: LONG} for row in made[name].to_pylist()])
    return made


def about(made: Mapping[str, pa.Table], councils: Mapping[str, str] = COUNCILS) -> About:
    """A version with these tables as its datasets."""
    source = Source(
        "police_street_crime", "Street-level crime", "data.police.uk", "OGL v3.0", "Police data."
    )
    datasets = {
        name: Dataset(
            name, name.replace("_", " ").capitalize(), "What it holds.",
            tuple(Column(c, "text", f"The {c}.") for c in one.column_names), ("council",),
            "Open Government Licence v3.0", "Contains public sector information.", (source,),
            one.num_rows, AS_OF, f"../data/{name}/{name}.csv", f"../data/{name}/{name}.parquet",
            f"../data/{name}/{name}.json", period=period_of(one, ("day", "month")),
        )
        for name, one in made.items()
    }  # fmt: skip
    before = AS_OF - timedelta(days=1)
    changed = {"weather_daily": {"added": 1200, "removed": 0, "changed": 3}}
    history = (
        Change("0123456789abcdef", AS_OF, changed, "123456789abcdef0"),
        Change("123456789abcdef0", before, {}, "23456789abcdef01"),
        Change("23456789abcdef01", before, {}),
    )
    return About(AS_OF, councils, datasets, history if made else ())
