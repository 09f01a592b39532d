"""River levels against the typical range of each gauge."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from include.publish.site import findings, words
from include.publish.site.draw import charts
from include.publish.site.figures import Figure, Table, figure_cell, gap, text
from include.publish.site.tables import Marts

DAILY = "river_levels_daily"
SHOWN_DAYS = 60
_FULL_DAY = 96
_DRAWN_GAUGES = 4


def section(marts: Marts, council: str, title: str) -> list[Figure]:
    """The figures of a council: all gauges, then those that rose highest."""
    rows = marts.rows(DAILY, council)
    if rows.is_empty():
        return [gap("rivers", f"No river levels near {title}", marts.gap(DAILY, title), DAILY)]
    days = sorted(rows["day"].unique())
    last: date = days[-1]
    first = max(days[0], last - timedelta(days=SHOWN_DAYS - 1))
    gauges = _gauges(rows.filter(rows["day"] >= first).sort("measure", "day").to_dicts())
    stages = [g for g in gauges if g[-1]["qualifier"] == "Stage"] or gauges
    drawn = sorted(stages, key=_by_height)[:_DRAWN_GAUGES]
    return [
        _overview(title, gauges, first, last),
        *(_gauge(n, gauge, first, last) for n, gauge in enumerate(drawn, 1)),
    ]


def _gauges(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    by_measure: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_measure.setdefault(row["measure"], []).append(row)
    return list(by_measure.values())


def _by_height(gauge: Sequence[dict[str, Any]]) -> tuple[float, str]:
    """Those that rose highest above their typical range first; then those without one."""
    heights = [
        row["highest"] - row["typical_high"]
        for row in gauge
        if row["highest"] is not None and typical(row) is not None
    ]
    return (-max(heights) if heights else float("inf"), gauge[-1]["measure"])


def _overview(
    title: str, gauges: Sequence[Sequence[dict[str, Any]]], first: date, last: date
) -> Figure:
    compared = {
        (name(gauge[-1]), gauge[-1]["measure"]): sum(row["is_above_typical"] for row in gauge)
        for gauge in gauges
        if typical(gauge[-1]) is not None
    }
    rows = []
    for gauge in sorted(gauges, key=_by_height):
        peak = max(
            (row for row in gauge if row["highest"] is not None),
            key=lambda row: (row["highest"], row["day"]),
            default=None,
        )
        high, unit = typical(gauge[-1]), unit_of(gauge[-1])
        rows.append(
            (
                text(name(gauge[-1])),
                text(gauge[-1]["river_name"] or words.NONE),
                figure_cell(f"{peak['highest']:.2f}{unit}" if peak else words.NONE),
                text(words.day(peak["day"]) if peak else words.NONE),
                figure_cell(words.NONE if high is None else f"{high:.2f}{unit}"),
                figure_cell(
                    words.NONE
                    if high is None
                    else str(sum(row["is_above_typical"] for row in gauge))
                ),
            )
        )
    return Figure(
        "rivers",
        findings.rivers([(gauge, days) for (gauge, _), days in compared.items()], title),
        f"Highest levels of {words.counted(len(gauges), 'gauge')}, "
        f"{words.day(first)} to {words.day(last)}",
        DAILY,
        table=Table(
            ("Gauge", "River", "Highest", "On", "Top of typical range", "Days above"), rows
        ),
        notes=["Readings of the last three days may still arrive."],
        is_open=True,
    )


def _gauge(number: int, gauge: Sequence[dict[str, Any]], first: date, last: date) -> Figure:
    by_day = {row["day"]: row for row in gauge}
    newest = gauge[-1]
    unit = unit_of(newest)
    days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    points = [
        charts.Point(d, _highest(by_day, d), _tip(d, by_day.get(d), unit), _is_above(by_day, d))
        for d in days
    ]
    known = [row for row in gauge if row["highest"] is not None]
    above = [row["day"] for row in known if row["is_above_typical"]]
    high = typical(newest)
    finding = findings.river(name(newest), above, len(known), high is not None)
    missing = len(days) - len(known)
    partial = sum(row["readings"] < _FULL_DAY for row in known)
    notes = []
    if missing:
        notes.append(f"No reading on {words.counted(missing, 'day')}: the line breaks there.")
    if partial:
        notes.append(f"{words.counted(partial, 'day')} with fewer than {_FULL_DAY} readings.")
    where = f" on the {newest['river_name']}" if newest["river_name"] else ""
    shaded = "" if high is None else "; shaded: up to the top of the typical range"
    return Figure(
        f"river-{number}",
        finding,
        f"Highest level of each day, {name(newest)}{where}{shaded}",
        DAILY,
        charts.levels(finding, points, high, unit.strip()),
        table=Table(
            ("Day", "Highest", "Lowest", "Readings"),
            [
                (
                    text(words.day(row["day"])),
                    figure_cell(_level(row["highest"], unit)),
                    figure_cell(_level(row["lowest"], unit)),
                    figure_cell(f"{row['readings']}"),
                )
                for row in reversed(gauge)
            ],
        ),
        notes=notes,
    )


def name(row: dict[str, Any]) -> str:
    """The gauge in words; a second measure of a station by what it measures."""
    station = str(row["station_name"] or row["measure"].rsplit("/", 1)[-1])
    qualifier = row["qualifier"] or "Stage"
    return station if qualifier == "Stage" else f"{station} ({qualifier})"


def typical(row: dict[str, Any]) -> float | None:
    """The top of the typical range, which the agency gives for the stage of a station alone."""
    high: float | None = row["typical_high"] if row["qualifier"] == "Stage" else None
    return high


def unit_of(row: dict[str, Any]) -> str:
    """The unit with its space before it: a datum is left to the data's description."""
    unit = str(row["unit_name"] or "")
    return {"": "", "mASD": " m", "mAOD": " m", "m": " m"}.get(unit, f" {unit}")


def _level(value: float | None, unit: str) -> str:
    return words.NONE if value is None else f"{value:.2f}{unit}"


def _highest(by_day: dict[date, dict[str, Any]], day: date) -> float | None:
    return by_day[day]["highest"] if day in by_day else None


def _is_above(by_day: dict[date, dict[str, Any]], day: date) -> bool:
    return day in by_day and bool(by_day[day]["is_above_typical"])


def _tip(day: date, row: dict[str, Any] | None, unit: str) -> str:
    if row is None or row["highest"] is None:
        return f"{words.day(day)}: no reading"
    above = ", above the typical range" if row["is_above_typical"] else ""
    return f"{words.day(day)}: {row['highest']:.2f}{unit}{above}"
