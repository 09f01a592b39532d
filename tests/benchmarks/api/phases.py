"""What is measured: the peak by wrk, fixed rates, and a switch of versions under load."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from tests.benchmarks.api.mix import SHARES, STATUS, Request, plan
from tests.benchmarks.api.servers import Here, Served

Result = dict[str, Any]
_PEAK_CONNECTIONS = 32
# Of the bar, and among the events of a day, at their rate.
SWITCHES = ("switch", "new version")
_LUA = Path(__file__).with_name("peak.lua")


def peaks(here: Here, seconds: float) -> Iterator[Result]:
    """As many as can be had, of each kind and of the mix, by turns."""
    for kind in [*SHARES, "mix"]:
        for server in (here.ours, here.other):
            shares = SHARES if kind == "mix" else {kind: 1}
            yield _peak(here, server, kind, plan(server.etag, shares), seconds)


def _peak(
    here: Here, server: Served, kind: str, requests: Sequence[Request], seconds: float
) -> Result:
    place = here.folder / "requests.tsv"
    place.write_text("".join(f"{one.path}\t{one.etag}\n" for one in requests))
    command = [
        "wrk", "--threads", "1", "--connections", str(_PEAK_CONNECTIONS),
        "--duration", f"{max(1, round(seconds))}s", "--timeout", "10s", "--script", str(_LUA),
        f"http://127.0.0.1:{server.port}", "--", str(place),
    ]  # fmt: skip
    before = server.cpu_seconds()
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    cpu = server.cpu_seconds() - before
    found = json.loads(said.strip().splitlines()[-1])
    # wrk counts every 4xx, and some of the mix are meant to be.
    refused = 0 if kind in ("error", "mix") else found["refused"]
    return {
        "phase": "peak",
        "server": server.name,
        "kind": kind,
        "per_second": round(found["requests"] / found["seconds"]),
        "errors": found["lost"] + refused,
        "p99": found["p99"],
        "cpu_microseconds": round(cpu / max(1, found["requests"]) * 1e6, 1),
        **server.memory(),
    }


def fixed(here: Here, rates: Sequence[int], seconds: float) -> Iterator[Result]:
    """The mix at fixed rates, by turns."""
    for rate in rates:
        for server in (here.ours, here.other):
            yield at_rate(here, server, "rate", rate, seconds)


def switch(here: Here, rate: int, seconds: float, phase: str = "switch") -> Result:
    """The mix at a fixed rate, while a new version is published."""
    took: list[float] = []
    publishing = threading.Timer(seconds / 3, lambda: took.append(here.switch()))
    publishing.start()
    found = at_rate(here, here.ours, phase, rate, seconds)
    publishing.join()
    if not took:
        raise SystemExit("bench-api: no version was switched")
    return {**found, "switched_seconds": round(took[0], 2)}


def knee(here: Here, rates: Sequence[int], seconds: float) -> Iterator[Result]:
    """The mix at more rates, only of ours: to find where it bends."""
    for rate in rates:
        yield at_rate(here, here.ours, "knee", rate, seconds)


def at_rate(here: Here, server: Served, phase: str, rate: int, seconds: float) -> Result:
    """The mix at a fixed rate; `phase` names it."""
    place = here.folder / "asked.json"
    asked = {
        "port": server.port,
        "requests": plan(server.etag),
        "rate": rate,
        "seconds": seconds,
        "connections": min(64, max(8, rate // 50)),
    }
    place.write_text(json.dumps(asked))
    before = server.cpu_seconds()
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.api.generator", str(place)],
        stdout=subprocess.PIPE,
        check=True,
    )
    # What a killed process took is in neither.
    cpu = max(0.0, server.cpu_seconds() - before)
    found = json.loads(done.stdout)
    return {
        "phase": phase,
        "server": server.name,
        "rate": rate,
        **found,
        "errors": found["unanswered"] + unexpected(found["statuses"], is_switch=phase in SWITCHES),
        "cpu_microseconds": round(cpu / max(1, found["answered"]) * 1e6, 1),
        **server.memory(),
    }


def unexpected(statuses: dict[str, int], *, is_switch: bool) -> int:
    """Answers of another status than theirs; what was unchanged has changed after a switch."""
    allowed = {f"{kind} {status}" for kind, status in STATUS.items()}
    if is_switch:
        allowed.add("unchanged 200")
    return sum(count for named, count in statuses.items() if named not in allowed)
