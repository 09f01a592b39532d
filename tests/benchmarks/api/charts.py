"""Charts of what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import vl_convert

from tests.benchmarks.api.phases import Result
from tests.benchmarks.api.queueing import fitted
from tests.benchmarks.api.servers import OTHER, OURS

_BLUE, _ORANGE, _TEAL = "#12436D", "#F46A25", "#28A197"
_COLOURS = [_BLUE, _ORANGE]
_STEPS = 60
_SIZE = {"width": 520, "height": 300}
_RATE = {"field": "rate", "type": "quantitative", "title": "requests a second"}
_MS = {"field": "ms", "type": "quantitative", "title": "milliseconds", "scale": {"type": "log"}}

Spec = dict[str, Any]


def svg(chart: Spec) -> str:
    """A chart in Vega-Lite as SVG."""
    return str(vl_convert.vegalite_to_svg(chart))


def both_servers(results: Sequence[Result]) -> Spec:
    """Median and p99 of both servers against the rate."""
    points = [
        {"rate": one["rate"], "server": one["server"], "percentile": name, "ms": one[name]}
        for one in results
        if one["phase"] == "rate"
        for name in ("p50", "p99")
        if name in one
    ]
    colours = {"domain": [OURS, OTHER], "range": _COLOURS}
    return {
        "title": "Time until the answer: median, and p99 (dashed)",
        "data": {"values": points},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {**_RATE, "scale": {"type": "log"}},
            "y": _MS,
            "color": {"field": "server", "type": "nominal", "scale": colours},
            "strokeDash": {"field": "percentile", "type": "nominal", "legend": None},
        },
        **_SIZE,
    }


def against_load(results: Sequence[Result]) -> Spec:
    """Mean and p99 of our server against the rate, with the means of the fitted model."""
    names = ["mean", "p99", "mean of the model"]
    points = [
        {"rate": one["rate"], "what": name, "ms": one[name]}
        for one in results
        if one["phase"] in ("rate", "knee") and one["server"] == OURS
        for name in names[:2]
        if name in one
    ]
    title = "Time until the answer against load"
    layers: list[Spec] = []
    if (model := fitted(results)) is not None:
        title += ": it bends at the knee"
        points += [
            {"rate": rate, "what": names[2], "ms": 1000 * model.mean(rate)}
            for rate in np.linspace(100, 0.99 * model.capacity, _STEPS).tolist()
        ]
        layers = [
            {
                "data": {"values": [{"rate": model.knee}]},
                "mark": {"type": "rule", "strokeDash": [4, 4]},
                "encoding": {"x": _RATE},
            }
        ]
    colours = {"domain": names, "range": [_BLUE, _ORANGE, _TEAL]}
    lines: Spec = {
        "data": {"values": points},
        "mark": {"type": "line", "point": {"size": 25}},
        "encoding": {
            "x": _RATE,
            "y": _MS,
            "color": {"field": "what", "type": "nominal", "title": None, "scale": colours},
        },
    }
    return {"title": title, "layer": [lines, *layers], **_SIZE}
