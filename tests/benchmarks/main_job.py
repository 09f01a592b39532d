"""Time the main job through Airflow against the same work by `wandle ingest` without it.

Each runs in a state folder of its own, from nothing, in turn; the recorded
year 2017 where its payloads are there, else three generated months. Run it by
`make bench CASES=main_job`.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from include.settings import CHECKOUT
from tests.benchmarks.measuring import Row

WANDLE = str(Path(sys.executable).with_name("wandle"))
PORT_BASE = 18_280
FOREIGN = ("WANDLE_", "AIRFLOW", "AWS_")


def main(runs: int, folder: Path) -> list[Row]:
    """Measure, print medians and ratios, and return them as rows of `bench.json`."""
    payloads = folder if (folder / "police" / "crimes").is_dir() else None
    window = ("2017-01", "2017-12") if payloads else ("", "")
    contenders: dict[str, Callable[[dict[str, str]], None]] = {
        "airflow, platform start included": lambda env: _demo(env, window),
        "wandle ingest and transform, platform already up": lambda env: _by_hand(env, window),
    }
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(runs):
        for name, work in contenders.items():
            seconds[name].append(_timed(work, payloads, warm=name.startswith("wandle")))
            sys.stdout.write(f"run {number + 1}: {name}: {seconds[name][-1]:.1f} s\n")
            sys.stdout.flush()
    return _report(seconds)


def _timed(work: Callable[[dict[str, str]], None], payloads: Path | None, *, warm: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="wandle-bench-") as home:
        environment = _environment(Path(home), payloads)
        try:
            if warm:
                _run(environment, "up")
            began = time.monotonic()
            work(environment)
            return time.monotonic() - began
        finally:
            _run(environment, "down")


def _demo(environment: dict[str, str], window: tuple[str, str]) -> None:
    options = ("--from", window[0], "--to", window[1]) if window[0] else ()
    _run(environment, "demo", "police_street_crime", *options)


def _by_hand(environment: dict[str, str], window: tuple[str, str]) -> None:
    first, last = window if window[0] else _published(environment)
    _run(environment, "ingest", "police_ward_boundaries")
    _run(environment, "ingest", "police_street_crime", "--from", first, "--to", last)
    _run(environment, "transform")


def _published(environment: dict[str, str]) -> tuple[str, str]:
    from include.local.demo.window import MONTHS_BY_DEFAULT
    from sandbox.police.months import published_months

    state = json.loads((Path(environment["WANDLE_HOME"]) / "sandbox.json").read_text())
    months = published_months(date.fromisoformat(state["as_of"]))[:MONTHS_BY_DEFAULT]
    return months[-1], months[0]


def _run(environment: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [WANDLE, *arguments], env=environment, cwd=CHECKOUT, capture_output=True, text=True
    )
    if done.returncode != 0:
        sys.exit(f"wandle {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def _environment(home: Path, payloads: Path | None) -> dict[str, str]:
    own = {"WANDLE_HOME": str(home), "WANDLE_PORT_BASE": str(PORT_BASE)}
    if payloads:
        own["WANDLE_PAYLOADS"] = str(payloads)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return inherited | own


def _report(seconds: dict[str, list[float]]) -> list[Row]:
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    reference = medians["wandle ingest and transform, platform already up"]
    rows = [
        {
            "case": "main job",
            "contender": name,
            "seconds_median": round(median, 2),
            "runs": [round(value, 2) for value in seconds[name]],
            "ratio_to_ingest": round(median / reference, 2),
        }
        for name, median in medians.items()
    ]
    for row in rows:
        sys.stdout.write(
            f"{row['contender']:<52} {row['seconds_median']:>7} s  x {row['ratio_to_ingest']}\n"
        )
    return rows
