"""What all charts share: colours, axes with round steps, and the SVG that is drawn of them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import altair as alt
import vl_convert

from include.publish.site.draw.svg import finished

BLUE, TURQUOISE, PINK, ORANGE = "#12436D", "#28A197", "#801650", "#F46A25"
COLOURS = (BLUE, ORANGE, TURQUOISE, PINK)
INK, MUTED, GRID, PALE, PAPER = "#0B0C0C", "#505A5F", "#D9DEE2", "#E4EDF4", "#FFFFFF"
WIDTH, HEIGHT, FONT = 420, 280, 14
_VEGA_LITE = "6.1"


@dataclass(frozen=True)
class Point:
    """A value in time. None is a gap, which breaks a line. `tip` says the same in words."""

    at: date
    value: float | None
    tip: str
    is_marked: bool = False


def drawn(title: str, chart: Any, *, height: int = HEIGHT, **rows: Sequence[Any]) -> str:
    """The finished SVG of a chart, or of charts below each other, over the rows of that name."""
    text = {"aria": False, "labelColor": MUTED, "labelFontSize": FONT, "title": None}
    if not isinstance(chart, alt.VConcatChart):
        fit = alt.AutoSizeParams(type="fit", contains="padding")
        chart = chart.properties(width=WIDTH, height=height, autosize=fit)
    spec = (
        chart.properties(padding={"left": 4, "right": 12, "top": 8, "bottom": 4})
        .configure(background="transparent", font="Arial")
        .configure_view(stroke=None)
        .configure_axis(**text, domainColor=MUTED, tickColor=MUTED, gridColor=GRID)
        .configure_text(fontSize=FONT)
        .to_dict(validate=False)
    )
    spec["datasets"] = rows
    return finished(vl_convert.vegalite_to_svg(spec, vl_version=_VEGA_LITE), title)


def time_axis(days: Sequence[date], padded: bool = False, most: int = 4) -> alt.X:
    """An axis with at most so many dates, the first of them on the first value."""
    is_monthly = all(day.day == 1 for day in days)
    ticks = list(days)
    if len(ticks) > most:
        ticks = ticks[:: math.ceil(len(ticks) / most)]
    labels = "%b %Y" if is_monthly else "%-d %b"
    axis = alt.Axis(
        values=[alt.DateTime(year=d.year, month=d.month, date=d.day, utc=True) for d in ticks],
        format=labels,
        grid=False,
        labelAlign="left" if not padded else "center",
        labelOffset=0 if padded else -4,
        labelOverlap=True,
        title=None,
    )
    scale = alt.Scale(type="utc", padding=20 if padded else 6)
    return alt.X("at:T").scale(scale).axis(axis)


def y_axis(low: float, top: float, step: float, suffix: str) -> alt.Axis:
    """An axis labelled at each step, without a line."""
    count = round((top - low) / step)
    return alt.Axis(
        values=[round(low + n * step, 6) for n in range(count + 1)],
        labelExpr=f"format(datum.value, ',') + {json.dumps(suffix)}",
        domain=False,
        ticks=False,
        title=None,
    )


def over(rows: str) -> alt.Chart:
    """A chart over named rows, which Altair need not copy with each step."""
    return alt.Chart(alt.NamedData(rows))


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
