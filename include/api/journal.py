"""A line of JSON for each request, and counts for Prometheus: written by a thread, not on the way.

Each process writes its counts to a file of its own, so that whichever is asked can add them up.
"""

from __future__ import annotations

import json
import os
import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import orjson

_EVERY_SECONDS = 0.2
# If nobody takes the lines, later ones are dropped, and counted.
_MOST_WAITING = 100_000
# Upper bounds of the histogram, in seconds.
BOUNDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0)


class Entry(NamedTuple):
    """A request that was answered; `client` is empty unless clients are logged."""

    at: float
    request_id: str
    method: str
    route: str
    status: int
    bytes: int
    micros: int
    client: str


class Journal:
    """Takes entries, and writes them every 200 ms, with the gauges as they are then."""

    def __init__(
        self, folder: Path, gauges: Callable[[], dict[str, float]], *, output: int | None = 1
    ) -> None:
        self._output, self._gauges = output, gauges
        self._place = folder / f"metrics-{os.getpid()}.json"
        self._waiting: list[Entry] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._requests: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._buckets: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self.dropped = 0
        self.add = self._waiting.append

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what is left."""
        self._stop.set()
        self._thread.join(timeout=5)

    def _run(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            self.flush()
        self.flush()

    def flush(self) -> None:
        """Write and count what came since the last time."""
        count = len(self._waiting)
        entries = self._waiting[:count]
        # In place: others keep adding to this list.
        del self._waiting[:count]
        for entry in entries:
            self._count(entry)
        self._keep()
        self.dropped += max(0, count - _MOST_WAITING)
        if self._output is not None and entries:
            _write(self._output, _json_lines(entries[:_MOST_WAITING]))

    def _count(self, entry: Entry) -> None:
        label = f"{entry.route} {entry.status}"
        self._requests[label] += 1
        self._bytes[entry.route] += entry.bytes
        seconds = entry.micros / 1e6
        buckets = self._buckets.setdefault(entry.route, [0] * (len(BOUNDS) + 1))
        buckets[bisect_left(BOUNDS, seconds)] += 1
        self._seconds[entry.route] = self._seconds.get(entry.route, 0.0) + seconds

    def _keep(self) -> None:
        begun = self._place.with_suffix(".part")
        content = {
            "requests": self._requests,
            "bytes": self._bytes,
            "buckets": self._buckets,
            "seconds": self._seconds,
            "dropped": self.dropped,
            "gauges": self._gauges(),
        }
        begun.write_bytes(orjson.dumps(content))
        begun.replace(self._place)


# Of ten thousand requests a second, ten share each of these.
@lru_cache(maxsize=8)
def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")


def _json_lines(entries: list[Entry]) -> bytes:
    """Made as one array: an allocation for each line would cost more than all else."""
    array = orjson.dumps([_said(entry) for entry in entries])
    # In a string, the quotes would be escaped: this is only ever between two objects.
    return array[1:-1].replace(b'},{"time":', b'}\n{"time":') + b"\n"


def _said(entry: Entry) -> dict[str, Any]:
    said: dict[str, Any] = {
        "time": _moment(int(entry.at * 1000)),
        "request": entry.request_id,
        "method": entry.method,
        "route": entry.route,
        "status": entry.status,
        "bytes": entry.bytes,
        "microseconds": entry.micros,
    }
    if entry.client:
        said["client"] = entry.client
    return said


def _write(output: int, text: bytes) -> None:
    view = memoryview(text)
    try:
        while view:
            view = view[os.write(output, view) :]
    except OSError:
        # Nobody reads the log any more; requests are answered all the same.
        return


def metrics(folder: Path) -> str:
    """The counts of all processes, in the text format of Prometheus; of gauges, the highest."""
    requests: Counter[str] = Counter()
    sent: Counter[str] = Counter()
    buckets: dict[str, list[int]] = {}
    seconds: Counter[str] = Counter()
    dropped = 0
    gauges: dict[str, float] = {}
    for place in sorted(folder.glob("metrics-*.json")):
        found = json.loads(place.read_bytes())
        requests.update(found["requests"])
        sent.update(found["bytes"])
        for route, counts in found["buckets"].items():
            known = buckets.setdefault(route, [0] * len(counts))
            buckets[route] = [a + b for a, b in zip(known, counts, strict=True)]
        for route, value in found["seconds"].items():
            seconds[route] += value
        dropped += found["dropped"]
        for name, value in found["gauges"].items():
            gauges[name] = max(value, gauges.get(name, value))
    return "\n".join([*_lines(requests, sent, buckets, seconds), *_rest(dropped, gauges)]) + "\n"


def _lines(
    requests: Counter[str],
    sent: Counter[str],
    buckets: dict[str, list[int]],
    seconds: Counter[str],
) -> list[str]:
    lines = ["# TYPE wandle_api_requests_total counter"]
    for label, count in sorted(requests.items()):
        route, _, status = label.rpartition(" ")
        lines.append(f'wandle_api_requests_total{{route="{route}",status="{status}"}} {count}')
    lines.append("# TYPE wandle_api_bytes_total counter")
    lines += [f'wandle_api_bytes_total{{route="{r}"}} {n}' for r, n in sorted(sent.items())]
    lines.append("# TYPE wandle_api_seconds histogram")
    for route, counts in sorted(buckets.items()):
        below = 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), counts, strict=True):
            below += count
            lines.append(f'wandle_api_seconds_bucket{{route="{route}",le="{bound}"}} {below}')
        lines.append(f'wandle_api_seconds_sum{{route="{route}"}} {seconds[route]:.6f}')
        lines.append(f'wandle_api_seconds_count{{route="{route}"}} {below}')
    return lines


def _rest(dropped: int, gauges: dict[str, float]) -> list[str]:
    lines = ["# TYPE wandle_api_log_lines_dropped_total counter"]
    lines.append(f"wandle_api_log_lines_dropped_total {dropped}")
    for name, value in sorted(gauges.items()):
        lines += [f"# TYPE wandle_api_{name} gauge", f"wandle_api_{name} {value:.6g}"]
    return lines
