"""Charts of rivers: the levels of a gauge in its typical range, and the rain beside all gauges."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import altair as alt

from include.publish.site.draw.base import (
    BLUE,
    FONT,
    MUTED,
    ORANGE,
    PALE,
    PAPER,
    WIDTH,
    Point,
    drawn,
    over,
    round_step,
    round_top,
    time_axis,
    y_axis,
)

# Beside the labels of the axis.
_PANEL_WIDTH, _PANEL_HEIGHT = WIDTH - 66, 88


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
    y = alt.Y("highest:Q").scale(domain=[low, top], nice=False)
    y = y.axis(y_axis(low, top, step, f" {unit}" if unit else ""))
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
    base = over("rows").encode(x=time_axis(sorted(p.at for p in points)), y=y)
    marks = base.mark_point(filled=True, opacity=1).encode(
        size=alt.when(alt.datum.above).then(alt.value(60)).otherwise(alt.value(22)),
        color=alt.when(alt.datum.above).then(alt.value(ORANGE)).otherwise(alt.value(BLUE)),
        description="tip:N",
    )
    band = {"low": low if typical.low is None else typical.low, "high": typical.high}
    layers: list[Any] = [
        *(_band(typical) if typical.high is not None else []),
        base.mark_rule(stroke=BLUE, strokeWidth=4, strokeOpacity=0.28, strokeCap="round")
        .encode(y2="lowest:Q")
        .properties(data=alt.NamedData("seen")),
        base.mark_line(strokeWidth=2.5, color=BLUE, invalid="break-paths-show-path-domains"),
        marks.properties(data=alt.NamedData("seen")),
        base.mark_point(filled=True, opacity=1, size=60, color=ORANGE)
        .encode(y="lowest:Q", description="tip:N")
        .properties(data=alt.NamedData("below")),
    ]
    if typical.high is not None:
        # Twice: once as a halo, so that the line does not cross it.
        layers += [_limit(stroke=PAPER, strokeWidth=5), _limit(color=MUTED)]
    return drawn(title, alt.layer(*layers), rows=rows, seen=seen, below=below, band=[band])


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
        alt.vconcat(*panels, spacing=14).resolve_scale(x="shared"),
        rain=[_row(p) for p in rain if p.value is not None],
        rows=rows,
        seen=[row for row in rows if row["value"] is not None],
        zero=[{"zero": 0}],
    )


def _row(point: Point) -> dict[str, Any]:
    at = point.at.isoformat()
    return {"at": at, "value": point.value, "tip": point.tip, "above": point.is_marked}


def _rain(days: Sequence[date], values: Sequence[float]) -> Any:
    top, step = round_top(max(values))
    size = max(2.0, min(20.0, 0.7 * _PANEL_WIDTH / max(1, len(days))))
    return (
        over("rain")
        .mark_bar(size=size, color=BLUE)
        .encode(
            x=time_axis(days, padded=True),
            y=_panel_axis(0, top, step, " mm"),
            description="tip:N",
        )
        .properties(**_panel("Rain of the day, at the wettest place"))
    )


def _rises(days: Sequence[date], values: Sequence[float]) -> Any:
    reach = max(0.0, *values) - min(0.0, *values)
    step = round_step(max(reach, 0.1))
    low = math.floor(min(0.0, *values) / step) * step
    top = math.ceil(max(0.0, *values) / step) * step
    if top == low:
        top = step
    base = over("rows").encode(x=time_axis(days, padded=True), y=_panel_axis(low, top, step, " m"))
    marks = base.mark_point(filled=True, opacity=1).encode(
        size=alt.when(alt.datum.above).then(alt.value(60)).otherwise(alt.value(22)),
        color=alt.when(alt.datum.above).then(alt.value(ORANGE)).otherwise(alt.value(BLUE)),
        description="tip:N",
    )
    limit = over("zero").mark_rule(stroke=MUTED, strokeDash=[4, 3]).encode(y="zero:Q")
    line = base.mark_line(strokeWidth=2.5, color=BLUE, invalid="break-paths-show-path-domains")
    return alt.layer(limit, line, marks.properties(data=alt.NamedData("seen"))).properties(
        **_panel("The highest river; 0 is the top of its typical range")
    )


def _panel(label: str) -> dict[str, Any]:
    title = alt.TitleParams(
        label,
        anchor="start",
        frame="group",
        fontSize=FONT - 1,
        fontWeight="normal",
        color=MUTED,
        offset=8,
    )
    return {"width": _PANEL_WIDTH, "height": _PANEL_HEIGHT, "title": title}


def _panel_axis(low: float, top: float, step: float, suffix: str) -> alt.Y:
    """An axis for half the height, so with half the labels."""
    if round((top - low) / step) > 3:
        step *= 2
        low, top = math.floor(low / step) * step, math.ceil(top / step) * step
    y = alt.Y("value:Q").scale(domain=[low, top], nice=False)
    return y.axis(y_axis(low, top, step, suffix))


def _band(typical: Typical) -> list[Any]:
    band = over("band")
    dashed = band.mark_rule(stroke=MUTED, strokeDash=[4, 3])
    low = [] if typical.low is None else [dashed.encode(y="low:Q")]
    shade = band.mark_rect(fill=PALE).encode(y="low:Q", y2="high:Q")
    return [shade, *low, dashed.encode(y="high:Q")]


def _limit(**look: Any) -> Any:
    return (
        over("band")
        .mark_text(align="left", baseline="bottom", dx=4, dy=-4, fontSize=FONT - 1, **look)
        .encode(x=alt.value(0), y="high:Q", text=alt.value("Top of the typical range"))
    )
