"""Charts as SVG: one size for desktop and phone, direct labels, at most four lines."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from include.publish.site.draw.base import (
    BLUE,
    COLOURS,
    FONT,
    HEIGHT,
    INK,
    MUTED,
    ORANGE,
    PAPER,
    TIP,
    WIDTH,
    Point,
    Spec,
    drawn,
    either,
    marks,
    number_field,
    round_top,
    text_field,
    time_axis,
    value_axis,
)

MOST_LINES = 4
_LABEL_LINE = 17
_PLOT = HEIGHT - 50
_DOT: Spec = {"filled": True, "size": 34, "opacity": 1}


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
    top, step = round_top(max(values, default=0))
    low = min(0.0, math.floor(min(values, default=0) / step) * step)
    labels = _spread({name: _last(points) for name, points in series.items()}, top, top - low)
    colours = dict(zip(series, COLOURS, strict=False))
    rows = [
        {"at": p.at.isoformat(), "value": p.value, "tip": p.tip, "series": name}
        for name, points in series.items()
        for p in points
    ]
    colour = {
        **text_field("series"),
        "scale": {"domain": list(series), "range": list(colours.values())},
        "legend": None,
    }
    days = sorted({p.at for points in series.values() for p in points})
    x = time_axis(days, most=4 if len(series) == 1 else 3)
    y = value_axis("value", low, top, step, suffix)
    seen = [row for row in rows if row["value"] is not None]
    line = {"strokeWidth": 2.5, "invalid": "break-paths-show-path-domains"}
    layers = [
        marks("rows", "line", line, x=x, y=y, color=colour),
        marks("seen", "point", _DOT, x=x, y=y, color=colour, description=TIP),
    ]
    ends: list[dict[str, Any]] = []
    if len(series) > 1:
        ends = [
            {"at": _last(points)[0].isoformat(), "value": labels[name], "text": _wrapped(name)}
            for name, points in series.items()
            if name in labels
        ]
        layers.append(_end_labels(x, y))
    return drawn(title, {"layer": layers}, rows=rows, seen=seen, ends=ends)


def ages(title: str, points: Sequence[tuple[int, float, str]]) -> str:
    """A line of percentages over months elapsed, with its values labelled every six months."""
    top, step = round_top(max(value for _, value, _ in points))
    rows: list[dict[str, Any]] = [
        {"age": age, "value": value, "tip": tip, "over": "", "under": ""}
        for age, value, tip in points
    ]
    for row in rows:
        if row["age"] % 6 == 0:
            row["under" if row["value"] > top / 6 else "over"] = f"{row['value']:.0f}%"
    x = {
        **number_field("age"),
        "scale": {"nice": False, "padding": 24},
        "axis": {
            "values": [age for age, _, _ in points if age % 6 == 0],
            "labelExpr": "datum.value == 0 ? 'same month' : datum.value + ' months'",
            "grid": False,
        },
    }
    y = value_axis("value", 0, top, step, "%")
    y["scale"]["domain"] = [0, top + step / 2]
    bold = {"color": INK, "fontWeight": "bold"}
    layers = [
        marks("rows", "line", {"strokeWidth": 2.5, "color": BLUE}, x=x, y=y),
        marks("rows", "point", {**_DOT, "color": BLUE}, x=x, y=y, description=TIP),
        # Below the line, which rises; above it where the axis is near.
        marks("rows", "text", {"dy": 18, "dx": 4, **bold}, x=x, y=y, text=text_field("under")),
        marks("rows", "text", {"dy": -14, **bold}, x=x, y=y, text=text_field("over")),
    ]
    return drawn(title, {"layer": layers}, rows=rows)


def columns(title: str, points: Sequence[Point], suffix: str = "", legend: str = "") -> str:
    """A column for each value; marked ones are hollow. `legend` says what hollow means."""
    values = [p.value for p in points if p.value is not None]
    top, step = round_top(max(values, default=0))
    low = min(0.0, math.floor(min(values, default=0) / step) * step)
    rows = [
        {"at": p.at.isoformat(), "value": p.value, "tip": p.tip, "hollow": p.is_marked}
        for p in points
        if p.value is not None
    ]
    size = max(2.0, min(34.0, 0.72 * (WIDTH - 80) / max(1, _slots(points))))
    layers = [
        marks(
            "rows",
            "bar",
            {"size": size, "stroke": BLUE, "strokeWidth": 1.5},
            x=time_axis(sorted(p.at for p in points), padded=True),
            y=value_axis("value", low, top, step, suffix),
            fill=either("hollow", PAPER, BLUE),
            strokeDash=either("hollow", [3, 2], [1, 0]),
            description=TIP,
        )
    ]
    if legend and any(row["hollow"] for row in rows):
        layers.append(_corner(f"Dashed: {legend}"))
    return drawn(title, {"layer": layers}, rows=rows, corner=[{}])


def bars(title: str, rows: Sequence[Bar]) -> str:
    """Horizontal bars in the order given, with their values beside them."""
    values = [
        {"label": f"{n:03}", "value": bar.value, "shown": bar.shown, "marked": bar.is_marked,
         "tip": f"{bar.label}: {bar.shown}", "name": bar.label}
        for n, bar in enumerate(rows)
    ]  # fmt: skip
    top = max([bar.value for bar in rows if bar.value > 0], default=1) or 1
    low = min([bar.value for bar in rows if bar.value < 0], default=0)
    bands = {"paddingInner": 0.5, "paddingOuter": 0.4}
    y = {**text_field("label"), "sort": None, "scale": bands, "axis": None}
    lengths = {"domain": [low, top * 1.24], "nice": False}
    x = {**number_field("value"), "scale": lengths, "axis": None}
    colour = either("marked", ORANGE, BLUE)
    left = {"align": "left", "color": INK}
    value = {**left, "baseline": "middle", "dx": 6, "dy": 8}
    name = {**left, "baseline": "bottom", "dy": -1, "limit": WIDTH - 20}
    layers = [
        marks("rows", "bar", {"height": 14, "yOffset": 8}, x=x, y=y, color=colour, description=TIP),
        marks("rows", "text", value, x=x, y=y, text=text_field("shown")),
        marks("rows", "text", name, x={"value": 0}, y=y, text=text_field("name")),
    ]
    return drawn(title, {"layer": layers}, height=44 * max(1, len(rows)) + 10, rows=values)


def _end_labels(x: Spec, y: Spec) -> Spec:
    look = {"align": "left", "baseline": "middle", "dx": 10, "color": INK}
    look["lineHeight"] = _LABEL_LINE - 2
    return marks("ends", "text", look, x=x, y=y, text=text_field("text"))


def _corner(words: str) -> Spec:
    look = {"align": "right", "baseline": "top", "color": MUTED, "fontSize": FONT - 1}
    where: Spec = {"x": {"value": "width"}, "y": {"value": -18}}
    return marks("corner", "text", look, **where, text={"value": words})


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
