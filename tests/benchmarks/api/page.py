"""`docs/performance-api.md` and its chart, from what was measured."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import vl_convert

from tests.benchmarks.api.fastapi_app import POOL
from tests.benchmarks.api.mix import SHARES
from tests.benchmarks.api.phases import Result
from tests.benchmarks.api.servers import OTHER, OURS, WORKERS
from tests.benchmarks.bars import Bar

_COLOURS = ["#12436D", "#F46A25"]
_TEMPLATE = Path(__file__).with_name("template.md")


def machine() -> dict[str, Any]:
    """This machine, and how busy it is."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9),
        "system": platform.platform(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
        "is_idle_priority": os.sched_getscheduler(0) == os.SCHED_IDLE
        if hasattr(os, "SCHED_IDLE")
        else False,
        "at": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def _processor() -> str:
    place = Path("/proc/cpuinfo")
    lines = place.read_text().splitlines() if place.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def page(found: dict[str, Any], judged: Sequence[Bar]) -> str:
    """The whole page."""
    results = found["results"]
    return _TEMPLATE.read_text().format(
        workers=WORKERS,
        pool=POOL,
        rows=found["rows"],
        parts=sum(SHARES.values()),
        shares=", ".join(f"{share} {kind}" for kind, share in SHARES.items()),
        machine=_machine(found),
        bars=_table(("bar", "found", ""), [_judgement(bar) for bar in judged]),
        peak=_peak(results),
        rates=_rates(results),
        switch="\n".join(_switch(one) for one in results if one["phase"] == "switch"),
    )


def _machine(found: dict[str, Any]) -> str:
    here = found["machine"]
    busy = (
        "**It was busy with other work, so the rates and times are not what it can do.**"
        if here["load"] > here["cores"] / 2
        else ""
    )
    if here["is_idle_priority"]:
        busy += " **All of this ran at the lowest priority, in what other work left.**"
    return (
        f"{here['processor']}, {here['cores']} cores, {here['memory_gb']} GB, {here['system']}, "
        f"Python {here['python']}; {here['at'][:10]}, {found['seconds']:g} s each. Its load was "
        f"{here['load']} before and {found['load_after']} after. {busy}"
    ).rstrip()


def _judgement(bar: Bar) -> tuple[str, str, str]:
    if bar.found is None:
        return bar.says, "", "not measured"
    return bar.says, f"{bar.found:,.2f}".removesuffix(".00"), "met" if bar.met else "**not met**"


def _peak(results: Sequence[Result]) -> str:
    by_name = {(one["server"], one["kind"]): one for one in results if one["phase"] == "peak"}
    rows = []
    for kind in [*SHARES, "mix"]:
        ours, other = by_name[OURS, kind], by_name[OTHER, kind]
        ratio = ours["per_second"] / max(1, other["per_second"])
        rows.append(
            (kind, f"{ours['per_second']:,}", f"{other['per_second']:,}", f"{ratio:.1f}",
             f"{ours['cpu_microseconds']:.0f}", f"{other['cpu_microseconds']:.0f}",
             f"{ours['errors']}", f"{other['errors']}")
        )  # fmt: skip
    heads = ("", f"{OURS}, a second", f"{OTHER}, a second", "ratio", "CPU µs a request",
             "CPU µs of the other", "errors", "errors of the other")  # fmt: skip
    return _table(heads, rows)


def _rates(results: Sequence[Result]) -> str:
    names = ("mean", "p50", "p95", "p99", "p99_9", "max")
    rows = [
        (f"{one['rate']:,}", one["server"],
         *(f"{one[name]:.1f}" if name in one else "" for name in names),
         _errors(one), f"{one['cpu_microseconds']:.0f}",
         f"{one['rss_mb']:.0f}", f"{one['all_mb']:.0f}")
        for one in results
        if one["phase"] == "rate"
    ]  # fmt: skip
    heads = ("a second", "", "mean", "p50", "p95", "p99", "p99.9", "max", "errors",
             "CPU µs a request", "MB, largest process", "MB, all")  # fmt: skip
    return _table(heads, rows)


def _errors(one: Result) -> str:
    wrong = one["errors"] - one["unanswered"]
    return f"{wrong:,} wrong, {one['unanswered']:,} unanswered, of {one['due']:,}"


def _switch(one: Result) -> str:
    return (
        f"{one['rate']:,} requests a second while another version was published. Every process "
        f"served it {one['switched_seconds']} s later. Errors: {_errors(one)}; p50 "
        f"{one.get('p50', '-')}, p99 {one.get('p99', '-')}, at most "
        f"{one.get('max', '-')} ms."
    )


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def chart(results: Sequence[Result]) -> str:
    """Median and p99 of both servers against the rate, as SVG."""
    points = [
        {"rate": one["rate"], "server": one["server"], "percentile": name, "ms": one[name]}
        for one in results
        if one["phase"] == "rate"
        for name in ("p50", "p99")
        if name in one
    ]
    log = {"type": "quantitative", "scale": {"type": "log"}}
    colours = {"domain": [OURS, OTHER], "range": _COLOURS}
    spec = {
        "title": "Time until the answer: median, and p99 (dashed)",
        "data": {"values": points},
        "mark": {"type": "line", "point": True},
        "encoding": {
            "x": {"field": "rate", "title": "requests a second", **log},
            "y": {"field": "ms", "title": "milliseconds", **log},
            "color": {"field": "server", "type": "nominal", "scale": colours},
            "strokeDash": {"field": "percentile", "type": "nominal", "legend": None},
        },
        "width": 520,
        "height": 300,
    }
    return str(vl_convert.vegalite_to_svg(spec))
