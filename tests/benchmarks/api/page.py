"""`docs/performance-api.md` and its chart, from what was measured."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from tests.benchmarks.api import assessment
from tests.benchmarks.api.charts import against_load, both_servers, svg
from tests.benchmarks.api.fastapi_app import POOL
from tests.benchmarks.api.mix import SHARES
from tests.benchmarks.api.phases import Result
from tests.benchmarks.api.servers import OTHER, OURS, WORKERS
from tests.benchmarks.bars import Bar

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


def write(place: Path, found: dict[str, Any], judged: Sequence[Bar]) -> None:
    """The page, the results next to it, and its charts in the folder `images`."""
    place.write_text(page(found, judged))
    place.with_suffix(".json").write_text(json.dumps(found) + "\n")
    images = place.parent / "images"
    images.mkdir(exist_ok=True)
    results = found["results"]
    (images / "performance-api.svg").write_text(svg(both_servers(results)))
    (images / "performance-api-load.svg").write_text(svg(against_load(results)))


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
        bars=table(("bar", "found", ""), [_judgement(bar) for bar in judged]),
        peak=_peak(results),
        rates=_rates(results),
        load=table(*assessment.load(results)),
        model=assessment.model(results),
        events=table(*assessment.events(results)),
        assumed=assessment.assumed(),
        availability=table(*assessment.availability(results)),
        limits=assessment.limits(results, found["rows"], found["parquet_mb"]),
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
    return table(heads, rows)


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
    return table(heads, rows)


def _errors(one: Result) -> str:
    wrong = one["errors"] - one["unanswered"]
    return f"{wrong:,} wrong, {one['unanswered']:,} unanswered, of {one['due']:,}"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
