"""Planning applications: how many were made, and how long decisions took."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date
from typing import Any

from include.publish.site import findings, words
from include.publish.site.draw import charts
from include.publish.site.draw.base import Point
from include.publish.site.figures import Figure, Table, figure_cell, gap, text
from include.publish.site.tables import Marts

APPLICATIONS = "planning_applications"
_SHOWN_MONTHS = 36
# Statutory: eight weeks for most applications, thirteen for major ones.
_BANDS = ((0, 56, "Up to 8 weeks"), (57, 91, "8 to 13 weeks"), (92, 182, "13 to 26 weeks"))
_LONGER = "Longer than 26 weeks"


def section(marts: Marts, council: str, title: str) -> list[Figure]:
    """The figures of a council."""
    rows = marts.rows(APPLICATIONS, council).sort("entity").to_dicts()
    if not rows:
        why = marts.gap(APPLICATIONS, title)
        return [gap("planning", f"No planning applications in {title}", why, APPLICATIONS)]
    return [_durations(title, rows), _started(title, rows)]


def _durations(title: str, rows: Sequence[dict[str, Any]]) -> Figure:
    days = [r["days_to_decision"] for r in rows if r["days_to_decision"] is not None]
    undecided = sum(not r["is_decided"] for r in rows)
    finding = findings.planning(title, days, undecided)
    bands = [(label, sum(low <= d <= high for d in days)) for low, high, label in _BANDS]
    bands.append((_LONGER, sum(d > _BANDS[-1][1] for d in days)))
    bars = [charts.Bar(label, count, words.number(count)) for label, count in bands]
    untimed = sum(r["is_decided"] and r["days_to_decision"] is None for r in rows)
    unlisted = sum(not r["is_listed"] for r in rows)
    notes = []
    if untimed:
        notes.append(f"{words.counted(untimed, 'decision')} without usable dates cannot be timed.")
    if unlisted:
        notes.append(f"{words.counted(unlisted, 'application')} no longer listed at the source.")
    return Figure(
        "planning",
        finding,
        f"{words.counted(len(days), 'decision')} on applications in {title}, by time taken",
        APPLICATIONS,
        charts.bars(finding, bars) if days else "",
        text="" if days else "No chart: no decision has both dates.",
        table=Table(
            ("Time to a decision", "Decisions"),
            [(text(label), figure_cell(words.number(count))) for label, count in bands]
            + [(text("Undecided"), figure_cell(words.number(undecided)))],
        ),
        notes=notes,
    )


def _started(title: str, rows: Sequence[dict[str, Any]]) -> Figure:
    starts = Counter(r["start_date"].replace(day=1) for r in rows if r["start_date"])
    undated = sum(r["start_date"] is None for r in rows)
    if not starts:
        why = f"None of {words.counted(len(rows), 'application')} has a start date."
        return gap("planning-months", "No application has a date", why, APPLICATIONS)
    last = max(starts)
    first = max(min(starts), words.months_before(last, _SHOWN_MONTHS - 1))
    shown = words.months_between(first, last)
    finding = _busiest({m: starts[m] for m in shown})
    points = [
        Point(m, starts[m], f"{words.month(m)}: {words.counted(starts[m], 'application')}")
        for m in shown
    ]
    left_out = sum(count for m, count in starts.items() if m < first)
    notes = [f"{words.counted(undated, 'application')} without a start date."] if undated else []
    if left_out:
        notes.append(f"{words.counted(left_out, 'application')} from before {words.month(first)}.")
    return Figure(
        "planning-months",
        finding,
        f"Applications in {title} by the month in which they began",
        APPLICATIONS,
        charts.columns(finding, points),
        table=Table(
            ("Month", "Applications"),
            [(text(words.month(m)), figure_cell(words.number(starts[m]))) for m in reversed(shown)],
        ),
        notes=notes,
    )


def _busiest(by_month: dict[date, int]) -> str:
    top = max(by_month.values())
    months = [m for m in sorted(by_month) if by_month[m] == top]
    each = f"{words.counted(top, 'application')}{' each' if len(months) > 1 else ''}"
    if len(months) > 3:
        return f"{len(months)} months were the busiest: {each}"
    return f"Most applications began in {words.ranges(months)}: {each}"
