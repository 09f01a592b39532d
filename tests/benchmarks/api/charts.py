"""Charts of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import vl_convert

from tests.benchmarks.api.phases import Result
from tests.benchmarks.api.queueing import fitted
from tests.benchmarks.api.servers import OTHER, OURS

_BLUE, _ORANGE, _TEAL = "#12436D", "#F46A25", "#28A197"
_COLOURS = [_BLUE, _ORANGE]
_STEPS = 60


def svg(chart: Any) -> str:
    """A chart as SVG."""
    return str(vl_convert.vegalite_to_svg(chart.to_dict()))


def both_servers(results: Sequence[Result]) -> Any:
    """Median and p99 of both servers against the rate."""
    points: Any = alt.InlineData(
        [
            {"rate": one["rate"], "server": one["server"], "percentile": name, "ms": one[name]}
            for one in results
            if one["phase"] == "rate"
            for name in ("p50", "p99")
            if name in one
        ]
    )
    return (
        alt.Chart(points, title="Time until the answer: median, and p99 (dashed)")
        .mark_line(point=True)
        .encode(
            x=alt.X("rate:Q", scale=alt.Scale(type="log"), title="requests a second"),
            y=alt.Y("ms:Q", scale=alt.Scale(type="log"), title="milliseconds"),
            color=alt.Color("server:N", scale=alt.Scale(domain=[OURS, OTHER], range=_COLOURS)),
            strokeDash=alt.StrokeDash("percentile:N", legend=None),
        )
        .properties(width=520, height=300)
    )


def against_load(results: Sequence[Result]) -> Any:
    """Mean and p99 of our server against the rate, with the means of the fitted model."""
    names = ["mean", "p99", "mean of the model"]
    points = [
        {"rate": one["rate"], "what": name, "ms": one[name]}
        for one in results
        if one["phase"] in ("rate", "knee") and one["server"] == OURS
        for name in names[:2]
        if name in one
    ]
    title = "Time until the answer against load: it bends at the knee"
    if (model := fitted(results)) is None:
        title = "Time until the answer against load"
    else:
        rates = np.linspace(100, 0.99 * model.capacity, _STEPS).tolist()
        points += [
            {"rate": rate, "what": names[2], "ms": 1000 * model.mean(rate)} for rate in rates
        ]
    data: Any = alt.InlineData(points)
    lines = (
        alt.Chart(data, title=title)
        .mark_line(point=alt.OverlayMarkDef(size=25))
        .encode(
            x=alt.X("rate:Q", title="requests a second"),
            y=alt.Y("ms:Q", scale=alt.Scale(type="log"), title="milliseconds"),
            color=alt.Color(
                "what:N",
                title=None,
                scale=alt.Scale(domain=names, range=[_BLUE, _ORANGE, _TEAL]),
            ),
        )
        .properties(width=520, height=300)
    )
    if model is None:
        return lines
    place: Any = alt.InlineData([{"rate": model.knee}])
    return lines + alt.Chart(place).mark_rule(strokeDash=[4, 4]).encode(x="rate:Q")
