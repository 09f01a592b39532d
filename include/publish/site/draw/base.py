"""What all charts share: colours, axes with round steps, and the SVG that is drawn of them.

Charts are written as Vega-Lite specifications.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import vl_convert

from include.publish.site.draw.svg import finished

BLUE, TURQUOISE, PINK, ORANGE = "#12436D", "#28A197", "#801650", "#F46A25"
COLOURS = (BLUE, ORANGE, TURQUOISE, PINK)
INK, MUTED, GRID, PALE, PAPER = "#0B0C0C", "#505A5F", "#D9DEE2", "#E4EDF4", "#FFFFFF"
WIDTH, HEIGHT, FONT = 420, 280, 14
_VEGA_LITE = "6.1"
# A part of a Vega-Lite specification.
Spec = dict[str, Any]
_LOOK: Spec = {
    "background": "transparent",
    "font": "Arial",
    "view": {"stroke": None},
    "axis": {
        "aria": False,
        "labelColor": MUTED,
        "labelFontSize": FONT,
        "title": None,
        "domainColor": MUTED,
        "tickColor": MUTED,
        "gridColor": GRID,
    },
    "text": {"fontSize": FONT},
}
TIP: Spec = {"field": "tip", "type": "nominal"}


@dataclass(frozen=True)
class Point:
    """A value in time. None is a gap, which breaks a line. `tip` says the same in words."""

    at: date
    value: float | None
    tip: str
    is_marked: bool = False


def drawn(title: str, chart: Spec, *, height: int = HEIGHT, **rows: Sequence[Any]) -> str:
    """The finished SVG of a chart, or of charts below each other, over the rows with that name."""
    if "vconcat" not in chart:
        fit = {"type": "fit", "contains": "padding"}
        chart = {**chart, "width": WIDTH, "height": height, "autosize": fit}
    spec = {
        **chart,
        "padding": {"left": 4, "right": 12, "top": 8, "bottom": 4},
        "config": _LOOK,
        "datasets": rows,
    }
    return finished(vl_convert.vegalite_to_svg(spec, vl_version=_VEGA_LITE), title)


def marks(rows: str, kind: str, look: Spec, **encoding: Spec) -> Spec:
    """A layer: a mark of that kind and look for each of the named rows."""
    return {"data": {"name": rows}, "mark": {"type": kind, **look}, "encoding": encoding}


def text_field(field: str) -> Spec:
    """The text in that field of a row."""
    return {"field": field, "type": "nominal"}


def number_field(field: str) -> Spec:
    """The number in that field of a row."""
    return {"field": field, "type": "quantitative"}


def either(flag: str, when_set: Any, otherwise: Any) -> Spec:
    """One of two values by a flag of the row."""
    return {"condition": {"test": f"datum.{flag}", "value": when_set}, "value": otherwise}


def time_axis(days: Sequence[date], padded: bool = False, most: int = 4) -> Spec:
    """The encoding of `at`, with at most so many dates, the first of them on the first value."""
    is_monthly = all(day.day == 1 for day in days)
    ticks = list(days)
    if len(ticks) > most:
        ticks = ticks[:: math.ceil(len(ticks) / most)]
    axis = {
        "values": [{"year": d.year, "month": d.month, "date": d.day, "utc": True} for d in ticks],
        "format": "%b %Y" if is_monthly else "%-d %b",
        "grid": False,
        "labelAlign": "left" if not padded else "center",
        "labelOffset": 0 if padded else -4,
        "labelOverlap": True,
        "title": None,
    }
    scale = {"type": "utc", "padding": 20 if padded else 6}
    return {"field": "at", "type": "temporal", "scale": scale, "axis": axis}


def value_axis(field: str, low: float, top: float, step: float, suffix: str) -> Spec:
    """The encoding of a field from `low` to `top`, labelled at each step, without a line."""
    count = round((top - low) / step)
    return {
        **number_field(field),
        "scale": {"domain": [low, top], "nice": False},
        "axis": {
            "values": [round(low + n * step, 6) for n in range(count + 1)],
            "labelExpr": f"format(datum.value, ',') + {json.dumps(suffix)}",
            "domain": False,
            "ticks": False,
            "title": None,
        },
    }


def round_step(reach: float) -> float:
    """A round step that divides the reach into about four."""
    rough = reach / 4
    size = 10.0 ** math.floor(math.log10(rough))
    return next(size * f for f in (1, 2, 2.5, 5, 10) if size * f >= rough * 0.999)


def round_top(highest: float) -> tuple[float, float]:
    """A round top of an axis from zero, and its step."""
    if highest <= 0:
        return 1.0, 1.0
    step = round_step(highest)
    if highest >= 4:
        step = max(1.0, math.ceil(step) if step < 10 else step)
    return math.ceil(highest / step - 1e-9) * step, step
