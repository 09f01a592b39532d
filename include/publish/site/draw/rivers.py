"""Charts of rivers: the levels of a gauge in its typical range, and the rain beside all gauges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from include.publish.site.draw.base import (
    BLUE,
    FONT,
    MUTED,
    ORANGE,
    PALE,
    PAPER,
    TIP,
    WIDTH,
    Point,
    Spec,
    drawn,
    either,
    marks,
    number_field,
    round_step,
    round_top,
    time_axis,
    value_axis,
)

# Beside the labels of the axis.
_PANEL_WIDTH, _PANEL_HEIGHT = WIDTH - 66, 88
_LINE: Spec = {"strokeWidth": 2.5, "color": BLUE, "invalid": "break-paths-show-path-domains"}
_DASHED: Spec = {"stroke": MUTED, "strokeDash": [4, 3]}
_DOT: Spec = {"filled": True, "opacity": 1}
# Above the typical range: large and orange.
_BY_RANGE: Spec = {"size": either("above", 60, 22), "color": either("above", ORANGE, BLUE)}


@dataclass(frozen=True)
class Level:
    """What a gauge read on a day; None without a reading. `tip` says the same in words."""

    at: date
    lowest: float | None
    highest: float | None
    tip: str


@dataclass(frozen=True)
class Typical:
    """The typical range of a gauge, in the unit of its levels; None where none is given."""

    low: float | None = None
    high: float | None = None

    def is_above(self, level: float | None) -> bool:
        """Whether a level is above it."""
        return level is not None and self.high is not None and level > self.high

    def is_below(self, level: float | None) -> bool:
        """Whether a level is below it."""
        return level is not None and self.low is not None and level < self.low


def levels(title: str, points: Sequence[Level], typical: Typical, unit: str) -> str:
    """The lowest to the highest level of each day, over the band of typical ones.

    Days that left the band have a larger mark.
    """
    limits = [one for one in (typical.low, typical.high) if one is not None]
    reach = [v for p in points for v in (p.lowest, p.highest) if v is not None] + limits or [0]
    step = round_step(max(max(reach) - min(0, *reach), 0.1))
    low = min(0.0, math.floor(min(reach) / step) * step)
    top = math.ceil(max(reach) / step + 0.25) * step
    rows: list[dict[str, Any]] = [
        {
            "at": p.at.isoformat(),
            "lowest": p.lowest,
            "highest": p.highest,
            "tip": p.tip,
            "above": typical.is_above(p.highest),
        }
        for p in points
    ]
    seen = [row for row in rows if row["highest"] is not None]
    low_days = {p.at.isoformat() for p in points if typical.is_below(p.lowest)}
    below = [row for row in seen if row["at"] in low_days]
    x = time_axis(sorted(p.at for p in points))
    y = value_axis("highest", low, top, step, f" {unit}" if unit else "")
    span = {"stroke": BLUE, "strokeWidth": 4, "strokeOpacity": 0.28, "strokeCap": "round"}
    low_mark = {**_DOT, "size": 60, "color": ORANGE}
    band = {"low": low if typical.low is None else typical.low, "high": typical.high}
    layers = [
        *(_band(typical) if typical.high is not None else []),
        marks("seen", "rule", span, x=x, y=y, y2={"field": "lowest"}),
        marks("rows", "line", _LINE, x=x, y=y),
        marks("seen", "point", _DOT, x=x, y=y, description=TIP, **_BY_RANGE),
        marks("below", "point", low_mark, x=x, y=number_field("lowest"), description=TIP),
    ]
    if typical.high is not None:
        # Twice: once as a halo, so that the line does not cross it.
        layers += [_limit({"stroke": PAPER, "strokeWidth": 5}), _limit({"color": MUTED})]
    return drawn(title, {"layer": layers}, rows=rows, seen=seen, below=below, band=[band])


def rain_and_rivers(title: str, rain: Sequence[Point], rises: Sequence[Point]) -> str:
    """Two charts of the same days: rain in mm, and metres above the top of a typical range.

    Only the one for which there is any value, if it is one; marked rises are above the range.
    """
    days = sorted({p.at for p in (*rain, *rises)})
    wet, known = ([p.value for p in points if p.value is not None] for points in (rain, rises))
    panels = [*([_rain(days, wet)] if wet else []), *([_rises(days, known)] if known else [])]
    rows = [_row(p) for p in rises]
    return drawn(
        title,
        {"vconcat": panels, "spacing": 14, "resolve": {"scale": {"x": "shared"}}},
        rain=[_row(p) for p in rain if p.value is not None],
        rows=rows,
        seen=[row for row in rows if row["value"] is not None],
        zero=[{"zero": 0}],
    )


def _row(point: Point) -> dict[str, Any]:
    at = point.at.isoformat()
    return {"at": at, "value": point.value, "tip": point.tip, "above": point.is_marked}


def _rain(days: Sequence[date], values: Sequence[float]) -> Spec:
    top, step = round_top(max(values))
    size = max(2.0, min(20.0, 0.7 * _PANEL_WIDTH / max(1, len(days))))
    x, y = time_axis(days, padded=True), _panel_axis(0, top, step, " mm")
    bars = marks("rain", "bar", {"size": size, "color": BLUE}, x=x, y=y, description=TIP)
    return {**bars, **_panel("Rain of the day, at the wettest place")}


def _rises(days: Sequence[date], values: Sequence[float]) -> Spec:
    reach = max(0.0, *values) - min(0.0, *values)
    step = round_step(max(reach, 0.1))
    low = math.floor(min(0.0, *values) / step) * step
    top = math.ceil(max(0.0, *values) / step) * step
    if top == low:
        top = step
    x, y = time_axis(days, padded=True), _panel_axis(low, top, step, " m")
    layers = [
        marks("zero", "rule", _DASHED, y=number_field("zero")),
        marks("rows", "line", _LINE, x=x, y=y),
        marks("seen", "point", _DOT, x=x, y=y, description=TIP, **_BY_RANGE),
    ]
    return {"layer": layers, **_panel("The highest river; 0 is the top of its typical range")}


def _panel(label: str) -> Spec:
    title = {
        "text": label,
        "anchor": "start",
        "frame": "group",
        "fontSize": FONT - 1,
        "fontWeight": "normal",
        "color": MUTED,
        "offset": 8,
    }
    return {"width": _PANEL_WIDTH, "height": _PANEL_HEIGHT, "title": title}


def _panel_axis(low: float, top: float, step: float, suffix: str) -> Spec:
    """An axis for half the height, so with half the labels."""
    if round((top - low) / step) > 3:
        step *= 2
        low, top = math.floor(low / step) * step, math.ceil(top / step) * step
    return value_axis("value", low, top, step, suffix)


def _band(typical: Typical) -> list[Spec]:
    low, high = number_field("low"), number_field("high")
    shade = marks("band", "rect", {"fill": PALE}, y=low, y2={"field": "high"})
    limits = [high] if typical.low is None else [low, high]
    return [shade, *(marks("band", "rule", _DASHED, y=y) for y in limits)]


def _limit(look: Spec) -> Spec:
    place = {"align": "left", "baseline": "bottom", "dx": 4, "dy": -4, "fontSize": FONT - 1}
    text = {"value": "Top of the typical range"}
    return marks(
        "band", "text", {**place, **look}, x={"value": 0}, y=number_field("high"), text=text
    )
