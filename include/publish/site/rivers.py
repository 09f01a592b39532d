"""River levels against the typical range of each gauge, and the weather beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from include.publish.site import conditions, findings, words
from include.publish.site.draw import rivers as draw
from include.publish.site.draw.rivers import Level, Typical
from include.publish.site.figures import Cell, Figure, Table, figure_cell, gap, text
from include.publish.site.tables import Marts

DAILY, STATIONS = "river_levels_daily", "dim_station"
_FULL_DAY = 96
_DRAWN_GAUGES = 4


@dataclass(frozen=True)
class Gauge:
    """A measure of a station: its shown days, ascending, and its typical range."""

    rows: Sequence[Mapping[str, Any]]
    typical: Typical

    @property
    def newest(self) -> Mapping[str, Any]:
        """Its newest day."""
        return self.rows[-1]

    @property
    def name(self) -> str:
        """The station; of a second measure with what it measures."""
        station = str(self.newest["station_name"] or self.newest["measure"].rsplit("/", 1)[-1])
        qualifier = self.newest["qualifier"] or "Stage"
        return station if qualifier == "Stage" else f"{station} ({qualifier})"

    @property
    def unit(self) -> str:
        """The unit with its space before it: a datum is left to the data's description."""
        unit = str(self.newest["unit_name"] or "")
        return {"": "", "mASD": " m", "mAOD": " m", "m": " m"}.get(unit, f" {unit}")

    @property
    def known(self) -> list[Mapping[str, Any]]:
        """The days with a level."""
        return [row for row in self.rows if row["highest"] is not None]

    @property
    def reach(self) -> findings.Reach:
        """When it left its typical range."""
        above = [row["day"] for row in self.known if self.typical.is_above(row["highest"])]
        below = [row["day"] for row in self.known if self.typical.is_below(row["lowest"])]
        return findings.Reach(self.name, above, below, self.typical.low is not None)

    @property
    def order(self) -> tuple[float, str]:
        """Those that rose highest against their typical range first, those without one last."""
        high = self.typical.high
        rises = [] if high is None else [row["highest"] - high for row in self.known]
        return (-max(rises) if rises else float("inf"), self.newest["measure"])


def section(marts: Marts, council: str, title: str) -> list[Figure]:
    """The figures of a council: all gauges, then those that rose highest, the weather beside."""
    by_day = conditions.days(marts, council)
    beside = conditions.figure(marts, title, by_day)
    rows = marts.rows(DAILY, council)
    if rows.is_empty():
        first = gap("rivers", f"No river levels near {title}", marts.gap(DAILY, title), DAILY)
        return [first, beside]
    days = sorted(rows["day"].unique())
    last: date = days[-1]
    first_day = max(days[0], last - timedelta(days=conditions.SHOWN_DAYS - 1))
    shown = [first_day + timedelta(days=n) for n in range((last - first_day).days + 1)]
    found = _gauges(
        rows.filter(rows["day"] >= first_day).sort("measure", "day").to_dicts(),
        marts.rows(STATIONS, council).sort("valid_from").to_dicts(),
    )
    stages = [one for one in found if one.newest["qualifier"] == "Stage"] or found
    drawn = sorted(stages, key=lambda one: one.order)[:_DRAWN_GAUGES]
    rain = {day: row["rain_mm"] for day, row in by_day.items()}
    highest, *others = [_gauge(n, one, shown, rain) for n, one in enumerate(drawn, 1)]
    return [_overview(marts, title, found, shown), highest, beside, *others]


def _gauges(rows: Iterable[dict[str, Any]], stations: Iterable[dict[str, Any]]) -> list[Gauge]:
    """Each measure with its rows; stations ascending, so that the newest description stays."""
    described = {row["station_reference"]: row for row in stations}
    by_measure: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_measure.setdefault(row["measure"], []).append(row)
    return [Gauge(found, _typical(found[-1], described)) for found in by_measure.values()]


def _typical(row: Mapping[str, Any], stations: Mapping[str, Mapping[str, Any]]) -> Typical:
    """The agency gives the range for the stage of a station alone, not for its other levels."""
    if row["qualifier"] != "Stage":
        return Typical()
    # .../measures/3690TH-level-stage-i-15_min-mASD
    parts = row["measure"].rsplit("/", 1)[-1].split("-")
    references = ("-".join(parts[:n]) for n in range(len(parts), 0, -1))
    station = next((stations[one] for one in references if one in stations), {})
    return Typical(station.get("typical_low"), row["typical_high"])


def _overview(marts: Marts, title: str, gauges: Sequence[Gauge], shown: Sequence[date]) -> Figure:
    compared = [one.reach for one in gauges if one.typical.high is not None]
    notes = ["Readings of the last three days may still arrive."]
    if STATIONS not in marts.frames:
        notes.append(f"No lower end of typical ranges: the dataset {STATIONS} is not published.")
    without = [one.name for one in gauges if one.typical.high is None]
    if without:
        notes.append(f"Without a typical range: {words.joined(sorted(without))}.")
    return Figure(
        "rivers",
        findings.rivers(compared, title),
        f"Highest levels of {words.counted(len(gauges), 'gauge')}, "
        f"{words.day(shown[0])} to {words.day(shown[-1])}",
        DAILY,
        table=Table(
            ("Gauge", "River", "Highest", "On", "Typical range", "Days above", "Days below"),
            [_overview_row(one) for one in sorted(gauges, key=lambda one: one.order)],
        ),
        notes=notes,
        is_open=True,
    )


def _overview_row(gauge: Gauge) -> tuple[Cell, ...]:
    peak = max(gauge.known, key=lambda row: (row["highest"], row["day"]), default=None)
    reach, typical = gauge.reach, gauge.typical
    return (
        text(gauge.name),
        text(gauge.newest["river_name"] or words.NONE),
        figure_cell(_level(peak["highest"] if peak else None, gauge.unit)),
        text(words.day(peak["day"]) if peak else words.NONE),
        figure_cell(_range(typical, gauge.unit)),
        figure_cell(words.NONE if typical.high is None else str(len(reach.above))),
        figure_cell(words.NONE if typical.low is None else str(len(reach.below))),
    )


def _gauge(
    number: int, gauge: Gauge, shown: Sequence[date], rain: Mapping[date, float | None]
) -> Figure:
    by_day = {row["day"]: row for row in gauge.rows}
    typical, known = gauge.typical, gauge.known
    finding = findings.river(gauge.reach, len(known), typical.high is not None)
    points = [_point(d, by_day.get(d), gauge) for d in shown]
    where = f" on the {gauge.newest['river_name']}" if gauge.newest["river_name"] else ""
    shaded = "" if typical.high is None else f"; shaded: typical, {_range(typical, gauge.unit)}"
    return Figure(
        f"river-{number}",
        finding,
        f"Lowest to highest level of each day, {gauge.name}{where}{shaded}",
        DAILY,
        draw.levels(finding, points, typical, gauge.unit.strip()),
        table=Table(
            ("Day", "Highest", "Lowest", "Readings", "Rain"),
            [
                (
                    text(words.day(row["day"])),
                    figure_cell(_level(row["highest"], gauge.unit)),
                    figure_cell(_level(row["lowest"], gauge.unit)),
                    figure_cell(f"{row['readings']}"),
                    figure_cell(_rain(rain.get(row["day"]))),
                )
                for row in reversed(gauge.rows)
            ],
        ),
        notes=_notes(gauge, len(shown)),
    )


def _notes(gauge: Gauge, shown: int) -> list[str]:
    notes = []
    if gauge.typical.high is None:
        notes.append("The Environment Agency gives no typical range for this gauge.")
    elif gauge.typical.low is None:
        notes.append("Only the top of the typical range is known.")
    missing = shown - len(gauge.known)
    if missing:
        notes.append(f"No reading on {words.counted(missing, 'day')}: the line breaks there.")
    partial = sum(row["readings"] < _FULL_DAY for row in gauge.known)
    if partial:
        notes.append(f"{words.counted(partial, 'day')} with fewer than {_FULL_DAY} readings.")
    return notes


def _point(day: date, row: Mapping[str, Any] | None, gauge: Gauge) -> Level:
    if row is None or row["highest"] is None:
        return Level(day, None, None, f"{words.day(day)}: no reading")
    low, high = row["lowest"], row["highest"]
    above = ", above the typical range" if gauge.typical.is_above(high) else ""
    below = ", below the typical range" if gauge.typical.is_below(low) else ""
    levels = f"{low:.2f} to {high:.2f}" if low is not None else f"{high:.2f}"
    return Level(day, low, high, f"{words.day(day)}: {levels}{gauge.unit}{above}{below}")


def _range(typical: Typical, unit: str) -> str:
    if typical.high is None:
        return words.NONE
    if typical.low is None:
        return f"up to {typical.high:.2f}{unit}"
    return f"{typical.low:.2f} to {typical.high:.2f}{unit}"


def _level(value: float | None, unit: str) -> str:
    return words.NONE if value is None else f"{value:.2f}{unit}"


def _rain(value: float | None) -> str:
    return words.NONE if value is None else f"{value:.1f} mm"
