"""`make bench-api`: the read API under load, compared with FastAPI over PostgreSQL."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from include.settings import Settings
from tests.benchmarks.api.bars import RATE, bars
from tests.benchmarks.api.events import kill, kill_in_outage, new_version, outage, starts
from tests.benchmarks.api.mix import table
from tests.benchmarks.api.page import machine, write
from tests.benchmarks.api.phases import Result, fixed, knee, peaks, switch
from tests.benchmarks.api.servers import servers
from tests.benchmarks.report import show_bars

# A process looks for a version every 2 s.
_SWITCH_SECONDS = 10
_CORES = 2
RATES = [100, 1_000, 5_000, RATE]
# Only of ours, to find where it bends.
KNEE_RATES = [2_500, 7_500, 12_500, 15_000, 17_500]
# In so many seconds, a new process is up and S3 was down for long enough to be noticed.
_EVENT_SECONDS = (12.0, 30.0)
# So that what is lost is due to the event, not to the load.
_EVENT_RATE = 1_000

app = typer.Typer(add_completion=False)


@app.command()
def bench(
    rates: Annotated[list[int], typer.Option("--rate", help="Requests a second.")] = RATES,
    seconds: Annotated[float, typer.Option(min=0.5, help="How long each is measured.")] = 10,
    switch_rate: Annotated[int, typer.Option(help="While the version is switched.")] = 5_000,
    knee_rates: Annotated[list[int], typer.Option("--knee-rate", help="Of ours.")] = KNEE_RATES,
    page_at: Annotated[
        Path | None,
        typer.Option("--page", help="Write the page here, results next to it, charts in `images`."),
    ] = None,
    check: Annotated[bool, typer.Option(help="Fail if a bar is not met, or not measured.")] = False,
) -> None:
    """Measure, report and judge; writes `bench-api.json` into the state folder."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench-api: ended from outside"))
    if not shutil.which("wrk"):
        raise SystemExit("bench-api: wrk is missing. On Debian and Ubuntu: apt install wrk")
    # The bars are for two cores that all share; what is started below inherits it.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:_CORES])
    target = Settings.read().home / "bench-api.json"
    console = Console(width=None if sys.stdout.isatty() else 120)
    results: list[Result] = []
    found: dict[str, Any] = {
        "machine": machine(),
        "seconds": seconds,
        "rows": len(table().rows),
        "results": results,
    }
    with (
        tempfile.TemporaryDirectory(prefix="wandle-bench-api-") as folder,
        servers(Path(folder)) as here,
    ):
        found["parquet_mb"] = round(here.parquet_mb, 3)
        for one in peaks(here, min(seconds, 10)):
            _tell(console, results, one)
        for one in fixed(here, rates, seconds):
            _tell(console, results, one)
        for one in knee(here, knee_rates, min(seconds, 10)):
            _tell(console, results, one)
        _tell(console, results, switch(here, switch_rate, max(seconds, _SWITCH_SECONDS)))
        shortest, longest = _EVENT_SECONDS
        for event in (new_version, kill, outage, kill_in_outage):
            lasts = min(max(seconds, shortest), longest)
            _tell(console, results, event(here, min(switch_rate, _EVENT_RATE), lasts))
        results += starts(here)
    found["load_after"] = machine()["load"]
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(found, indent=1) + "\n")
    judged = bars(results, found["parquet_mb"])
    show_bars(console, judged)
    if page_at:
        write(page_at, found, judged)
    console.print(f"written to {target}" + (f" and {page_at}" if page_at else ""))
    if check and not all(bar.met for bar in judged):
        raise typer.Exit(1)


def _tell(console: Console, results: list[Result], one: Result) -> None:
    results.append(one)
    what = one.get("kind") or f"{one['rate']:,}/s"
    rate = one.get("per_second") or round(one["answered"] / one["seconds"])
    console.print(
        f"{one['phase']}: {one['server']}: {what}: {rate:,} a second, "
        f"p99 {one.get('p99', '-')} ms, {one['errors']} errors, {one['cpu_microseconds']} µs CPU"
    )


if __name__ == "__main__":
    app()
