"""What happens to a server in a day, under load: a start, a killed process, S3 down."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator

import psutil

from tests.api_server import served, wait_until, workers
from tests.benchmarks.api.mix import MONTHS, NAME, table
from tests.benchmarks.api.phases import Result, at_rate, switch
from tests.benchmarks.api.servers import OURS, WORKERS, Here
from tests.published_version import publish

_STARTS = 3
_TIMES = 10


def starts(here: Here) -> Iterator[Result]:
    """Start another server several times, with the table and with ten times its rows."""
    yield {"phase": "start", **_start(here, "start")}
    larger = table(months=_TIMES * MONTHS)
    publish(here.store.published, {NAME: larger}, here.folder / "larger")
    yield {"phase": f"start with {_TIMES} times the rows", **_start(here, "larger-start")}


def _start(here: Here, name: str) -> Result:
    """Medians of the seconds until a server has a version, and of what loading it took."""
    ready, loaded, memory = [], [], []
    for number in range(_STARTS):
        home = here.folder / f"{name}-{number}"
        begun = time.monotonic()
        with served(here.store, home, "--workers", str(WORKERS)):
            ready.append(time.monotonic() - begun)
            wait_until(lambda home=home: len(workers(home)) == WORKERS, "a process has no version")
            found = workers(home)
            loaded.append(max(gauges["load_seconds"] for gauges in found.values()))
            memory.append(max(psutil.Process(one).memory_info().rss for one in found) / 1e6)
    return {
        "server": OURS,
        "start_seconds": round(statistics.median(ready), 2),
        "load_seconds": round(statistics.median(loaded), 3),
        "process_mb": round(statistics.median(memory), 1),
    }


def new_version(here: Here, rate: int, seconds: float) -> Result:
    """The mix at a fixed rate, while another version is published."""
    return switch(here, rate, seconds, "new version")


def kill(here: Here, rate: int, seconds: float) -> Result:
    """The mix at a fixed rate, while one of the processes is killed."""
    return _during(here, "kill", rate, seconds, lambda: {"back_seconds": _killed(here)})


def outage(here: Here, rate: int, seconds: float) -> Result:
    """The mix at a fixed rate, while S3 is unavailable for a third of the time."""

    def away() -> Result:
        here.store.stop()
        time.sleep(seconds / 3)
        here.store.start()
        return {"outage_seconds": round(seconds / 3, 1)}

    return _during(here, "outage", rate, seconds, away)


def kill_in_outage(here: Here, rate: int, seconds: float) -> Result:
    """The mix at a fixed rate, while a process is killed when S3 is unavailable."""

    def away() -> Result:
        here.store.stop()
        try:
            return {"back_seconds": _killed(here)}
        finally:
            here.store.start()

    return _during(here, "kill in an outage", rate, seconds, away)


def _killed(here: Here) -> float:
    """Kill a process; returns the seconds until another process has a version in its place."""
    killed = next(iter(workers(here.home)))
    os.kill(killed, signal.SIGKILL)
    begun = time.monotonic()
    wait_until(
        lambda: len(set(workers(here.home)) - {killed}) >= WORKERS, "it was not replaced", 60
    )
    return round(time.monotonic() - begun, 2)


def _during(
    here: Here, phase: str, rate: int, seconds: float, what: Callable[[], Result]
) -> Result:
    said: list[Result] = []
    timer = threading.Timer(seconds / 3, lambda: said.append(what()))
    timer.start()
    found = at_rate(here, here.ours, phase, rate, seconds)
    timer.join()
    if not said:
        raise SystemExit(f"bench-api: {phase}: nothing happened")
    return {**found, **said[0]}
