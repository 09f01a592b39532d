"""Weather: rain and temperature of each day, beside the rivers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import polars as pl

from include.publish.site import findings, words
from include.publish.site.conditions import SHOWN_DAYS
from include.publish.site.draw import charts
from include.publish.site.draw.base import Point
from include.publish.site.figures import Figure, Table, figure_cell, gap, text
from include.publish.site.tables import Marts

DAILY = "weather_daily"
_FULL_DAY = 24


def section(marts: Marts, council: str, title: str) -> list[Figure]:
    """The figures of a council."""
    rows = marts.rows(DAILY, council)
    if rows.is_empty():
        return [gap("rain", f"No weather for {title}", marts.gap(DAILY, title), DAILY)]
    by_day = _by_day(rows)
    last = max(by_day)
    first = max(min(by_day), last - timedelta(days=SHOWN_DAYS - 1))
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    places = sorted(rows["point_name"].unique())
    return [_rain(title, by_day, days, places), _temperature(title, by_day, days, places)]


def _by_day(rows: pl.DataFrame) -> dict[date, dict[str, Any]]:
    """Each day over the places: the most rain, the extremes, the fewest hours."""
    days = rows.group_by("day").agg(
        pl.col("rain_mm").max(),
        pl.col("lowest_celsius").min(),
        pl.col("highest_celsius").max(),
        pl.col("strongest_wind_kmh").max(),
        pl.col("hours_with_data").min(),
    )
    return {row["day"]: row for row in days.sort("day").to_dicts()}


def _rain(
    title: str, by_day: Mapping[date, dict[str, Any]], days: list[date], places: list[str]
) -> Figure:
    known = {d: by_day[d] for d in days if d in by_day and by_day[d]["rain_mm"] is not None}
    partial = {d for d, row in known.items() if row["hours_with_data"] < _FULL_DAY}
    complete = {d: row["rain_mm"] for d, row in known.items() if d not in partial}
    finding = findings.rain(title, complete)
    points = [
        Point(
            d,
            known[d]["rain_mm"] if d in known else None,
            f"{words.day(d)}: {known[d]['rain_mm']:.1f} mm"
            + (f", {known[d]['hours_with_data']} of 24 hours" if d in partial else "")
            if d in known
            else "",
            d in partial,
        )
        for d in days
    ]
    return Figure(
        "rain",
        finding,
        f"Rain, showers and snow of each day, the wettest of {words.joined(places)}",
        DAILY,
        charts.columns(finding, points, " mm", legend="some hours are missing"),
        table=Table(
            ("Day", "Rain", "Strongest wind", "Hours with data"),
            [
                (
                    text(words.day(d)),
                    figure_cell(f"{known[d]['rain_mm']:.1f} mm"),
                    figure_cell(_value(known[d]["strongest_wind_kmh"], " km/h", 0)),
                    figure_cell(f"{known[d]['hours_with_data']}"),
                )
                for d in reversed(days)
                if d in known
            ],
        ),
        notes=_gaps(days, known),
    )


def _temperature(
    title: str, by_day: Mapping[date, dict[str, Any]], days: list[date], places: list[str]
) -> Figure:
    known = {
        d: by_day[d]
        for d in days
        if d in by_day
        and by_day[d]["lowest_celsius"] is not None
        and by_day[d]["highest_celsius"] is not None
    }
    low = {d: row["lowest_celsius"] for d, row in known.items()}
    high = {d: row["highest_celsius"] for d, row in known.items()}
    finding = findings.temperature(title, low, high)
    series = {
        label: [
            Point(d, values.get(d), f"{words.day(d)}: {label.lower()} {values[d]:.1f} °C")
            if d in values
            else Point(d, None, "")
            for d in days
        ]
        for label, values in (("Highest", high), ("Lowest", low))
    }
    return Figure(
        "temperature",
        finding,
        f"Highest and lowest temperature of each day at {words.joined(places)}",
        DAILY,
        charts.lines(finding, series, "°") if known else "",
        table=Table(
            ("Day", "Lowest", "Highest"),
            [
                (
                    text(words.day(d)),
                    figure_cell(f"{low[d]:.1f} °C"),
                    figure_cell(f"{high[d]:.1f} °C"),
                )
                for d in reversed(days)
                if d in known
            ],
        ),
        notes=_gaps(days, known),
    )


def _gaps(days: list[date], known: Mapping[date, Any]) -> list[str]:
    missing = [d for d in days if d not in known]
    if not missing:
        return []
    if len(missing) == 1:
        return [f"No data for {words.day(missing[0])}."]
    return [f"No data for {len(missing)} days, the last of them {words.day(missing[-1])}."]


def _value(value: float | None, unit: str, places: int) -> str:
    return words.NONE if value is None else f"{value:.{places}f}{unit}"
