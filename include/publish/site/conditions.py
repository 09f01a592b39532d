"""Weather and rivers of each day beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from include.publish.site import findings, words
from include.publish.site.draw import rivers as draw
from include.publish.site.draw.base import Point
from include.publish.site.figures import Cell, Figure, Table, figure_cell, gap, text
from include.publish.site.tables import Marts

DAILY = "borough_conditions_daily"
SHOWN_DAYS = 60
Days = Mapping[date, Mapping[str, Any]]


def days(marts: Marts, council: str) -> Days:
    """The rows of a council by day, the newest two months of them."""
    rows = marts.rows(DAILY, council).sort("day")
    if rows.is_empty():
        return {}
    newest: date = rows["day"][-1]
    shown = rows.filter(rows["day"] > newest - timedelta(days=SHOWN_DAYS))
    return {row["day"]: row for row in shown.to_dicts()}


def figure(marts: Marts, title: str, by_day: Days) -> Figure:
    """Rain above, and below it the river that is highest against its typical range."""
    if not by_day:
        return gap(
            "conditions", f"No weather beside the rivers of {title}", marts.gap(DAILY, title), DAILY
        )
    first, last = min(by_day), max(by_day)
    shown = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    rain = {d: row["rain_mm"] for d, row in by_day.items() if row["rain_mm"] is not None}
    compared = [d for d, row in by_day.items() if row["gauges"]]
    above = [d for d in compared if by_day[d]["gauges_above_typical"]]
    finding = findings.conditions(title, above, len(compared), rain)
    has_any = bool(rain) or any(by_day[d]["metres_above_typical"] is not None for d in by_day)
    return Figure(
        "conditions",
        finding,
        f"Rain and the highest river near {title}, {words.day(first)} to {words.day(last)}",
        DAILY,
        draw.rain_and_rivers(
            finding,
            [Point(d, rain.get(d), f"{words.day(d)}: {rain.get(d, 0):.1f} mm") for d in shown],
            [_rise(d, by_day.get(d)) for d in shown],
        )
        if has_any
        else "",
        table=Table(
            (
                "Day",
                "Rain",
                "Temperature",
                "Wind",
                "Above typical",
                "Highest gauge",
                "Against its top",
            ),
            [_row(d, by_day[d]) for d in reversed(shown) if d in by_day],
        ),
        notes=_notes(shown, by_day, rain, compared),
    )


def _notes(
    shown: list[date], by_day: Days, rain: Mapping[date, float], compared: list[date]
) -> list[str]:
    notes = ["Readings of the last three days and weather of the last week may still change."]
    for what, known in (("weather", list(rain)), ("rivers", compared)):
        missing = [d for d in shown if d not in set(known)]
        if missing and known:
            notes.append(f"No {what} on {words.counted(len(missing), 'day')} of {len(shown)}.")
        elif missing:
            notes.append(f"No {what} on any of these days.")
    holidays = [f"{row['bank_holiday']}, {words.day(d)}" for d, row in by_day.items()
                if row["bank_holiday"]]  # fmt: skip
    if holidays:
        notes.append(f"Bank holidays: {words.joined(holidays)}.")
    return notes


def _rise(day: date, row: Mapping[str, Any] | None) -> Point:
    rise = row["metres_above_typical"] if row else None
    if row is None or rise is None:
        return Point(day, None, "")
    side = "above" if rise > 0 else "below"
    tip = f"{words.day(day)}: {row['highest_gauge']}, {abs(rise):.2f} m {side} the top of its range"
    return Point(day, rise, tip, rise > 0)


def _row(day: date, row: Mapping[str, Any]) -> tuple[Cell, ...]:
    low, high, rise = row["lowest_celsius"], row["highest_celsius"], row["metres_above_typical"]
    return (
        text(words.day(day)),
        figure_cell(_shown(row["rain_mm"], ".1f", " mm")),
        figure_cell(words.NONE if None in (low, high) else f"{low:.1f} to {high:.1f} °C"),
        figure_cell(_shown(row["strongest_wind_kmh"], ".0f", " km/h")),
        figure_cell(
            f"{row['gauges_above_typical']} of {row['gauges']}" if row["gauges"] else words.NONE
        ),
        text(row["highest_gauge"] or words.NONE),
        figure_cell(_shown(rise, "+.2f", " m")),
    )


def _shown(value: float | None, form: str, unit: str) -> str:
    return words.NONE if value is None else f"{value:{form}}{unit}"
