"""Charts as SVG: one size for desktop and phone, direct labels, at most four lines."""

from __future__ import annotations

import json
import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import altair as alt
import vl_convert

from include.publish.site.draw.svg import finished

BLUE, TURQUOISE, PINK, ORANGE = "#12436D", "#28A197", "#801650", "#F46A25"
COLOURS = (BLUE, ORANGE, TURQUOISE, PINK)
INK, MUTED, GRID, PALE = "#0B0C0C", "#505A5F", "#D9DEE2", "#E4EDF4"
MOST_LINES = 4
WIDTH, HEIGHT = 460, 290
_FONT, _LABEL_LINE = 14, 17
_PLOT = HEIGHT - 50
_VEGA_LITE = "6.1"


@dataclass(frozen=True)
class Point:
    """A value in time. None is a gap, which breaks a line. `tip` says the same in words."""

    at: date
    value: float | None
    tip: str
    is_marked: bool = False


@dataclass(frozen=True)
class Bar:
    """A horizontal bar; `shown` is its value in words."""

    label: str
    value: float
    shown: str
    is_marked: bool = False


def lines(title: str, series: Mapping[str, Sequence[Point]], suffix: str = "") -> str:
    """A line for each series, from zero or below, labelled at its end.

    Raises ValueError for more than four series.
    """
    if len(series) > MOST_LINES:
        raise ValueError(f"{len(series)} lines in the chart {title!r}: at most {MOST_LINES}")
    values = [p.value for points in series.values() for p in points if p.value is not None]
    top, step = _scale(max(values, default=0))
    low = min(0.0, math.floor(min(values, default=0) / step) * step)
    labels = _spread({name: _last(points) for name, points in series.items()}, top, top - low)
    colours = dict(zip(series, COLOURS, strict=False))
    y = alt.Y("value:Q").scale(domain=[low, top], nice=False)
    y = y.axis(_y_axis(low, top, step, suffix))
    rows = [
        {"at": p.at.isoformat(), "value": p.value, "tip": p.tip, "series": name}
        for name, points in series.items()
        for p in points
    ]
    colour = alt.Color("series:N").scale(domain=list(series), range=list(colours.values()))
    days = sorted({p.at for points in series.values() for p in points})
    x = _time(days, most=4 if len(series) == 1 else 3)
    base = _chart("rows").encode(x=x, y=y, color=colour.legend(None))
    seen = [row for row in rows if row["value"] is not None]
    layers: list[Any] = [
        base.mark_line(strokeWidth=2.5, invalid="break-paths-show-path-domains"),
        base.mark_point(filled=True, size=34, opacity=1)
        .encode(description="tip:N")
        .properties(data=alt.NamedData("seen")),
    ]
    ends: list[dict[str, Any]] = []
    if len(series) > 1:
        ends = [
            {"at": _last(points)[0].isoformat(), "value": labels[name], "text": _wrapped(name)}
            for name, points in series.items()
            if name in labels
        ]
        layers.append(_end_labels(x, y))
    return _drawn(title, alt.layer(*layers), rows=rows, seen=seen, ends=ends)


def ages(title: str, points: Sequence[tuple[int, float, str]]) -> str:
    """A line of percentages over months elapsed, with its values labelled every six months."""
    top, step = _scale(max(value for _, value, _ in points))
    rows = [
        {"age": age, "value": value, "tip": tip, "text": f"{value:.0f}%" if age % 6 == 0 else ""}
        for age, value, tip in points
    ]
    x = alt.X("age:Q").axis(
        values=[age for age, _, _ in points if age % 6 == 0],
        labelExpr=f"format(datum.value, ',') + {json.dumps(suffix)}",
        domain=False,
        ticks=False,
        title=None,
    )


def _chart(rows: str) -> alt.Chart:
    """A chart over named rows, which Altair need not copy with each step."""
    return alt.Chart(alt.NamedData(rows))


def _end_labels(x: alt.X, y: alt.Y) -> Any:
    return (
        _chart("ends")
        .mark_text(align="left", baseline="middle", dx=10, lineHeight=_LABEL_LINE - 2, color=INK)
        .encode(x=x, y=y, text="text:N")
    )


def _corner(words: str) -> Any:
    return (
        _chart("corner")
        .mark_text(align="right", baseline="top", color=MUTED, fontSize=_FONT - 1)
        .encode(x=alt.value("width"), y=alt.value(-18), text=alt.value(words))
    )


def _wrapped(name: str) -> list[str]:
    return textwrap.wrap(name, 15, max_lines=2, placeholder="…") or [name]


def _last(points: Sequence[Point]) -> tuple[date, float | None]:
    known = [p for p in points if p.value is not None]
    return (known[-1].at, known[-1].value) if known else (date.min, None)


def _spread(
    ends: Mapping[str, tuple[date, float | None]], top: float, reach: float
) -> dict[str, float]:
    """Where the labels stand, in the values' unit, so that none covers another."""
    at = {name: end[1] for name, end in ends.items() if end[1] is not None}
    per_pixel = reach / _PLOT
    halves = {n: (len(_wrapped(n)) * _LABEL_LINE + 4) * per_pixel / 2 for n in at}
    placed: dict[str, float] = {}
    below = -math.inf
    for name in sorted(at, key=lambda n: (at[n], n)):
        half = halves[name]
        placed[name] = max(at[name], below + half)
        below = placed[name] + half
    overflow = below - top
    if overflow > 0:
        ceiling = top
        for name in sorted(placed, key=lambda n: -placed[n]):
            placed[name] = min(placed[name], ceiling - halves[name])
            ceiling = placed[name] - halves[name]
    return placed


def _slots(points: Sequence[Point]) -> int:
    """How many columns the axis has room for, gaps included."""
    days = sorted(p.at for p in points)
    if len(days) < 2:
        return len(days)
    least = min((b - a).days for a, b in pairwise(days))
    return (days[-1] - days[0]).days // max(1, least) + 1


def _step(reach: float) -> float:
    """A round step that divides the reach into about four."""
    rough = reach / 4
    size = 10.0 ** math.floor(math.log10(rough))
    return next(size * f for f in (1, 2, 2.5, 5, 10) if size * f >= rough * 0.999)


def _scale(highest: float) -> tuple[float, float]:
    """A round top of an axis from zero, and its step."""
    if highest <= 0:
        return 1.0, 1.0
    step = _step(highest)
    if highest >= 4:
        step = max(1.0, math.ceil(step) if step < 10 else step)
    return math.ceil(highest / step - 1e-9) * step, step
