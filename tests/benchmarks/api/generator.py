"""An open-loop generator: a process of its own that sends at a fixed rate, whatever is answered.

A request's time begins when it was due, not when a connection was free for it: so the time that
it waited for a slow answer before it counts too (no coordinated omission).
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from array import array
from collections import Counter, deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.api.mix import STATUS, Request

PERCENTILES = {"p50": 50, "p95": 95, "p99": 99, "p99_9": 99.9}
# After the last request was due; what has no answer then is an error.
_PATIENCE = 3.0
_LENGTH = b"\r\ncontent-length: "


class Generator:
    """Sends requests in turn by `rate` for `seconds`, on connections that are kept open."""

    def __init__(
        self, port: int, requests: Sequence[Request], rate: float, seconds: float, connections: int
    ) -> None:
        self._port, self._rate = port, rate
        self._total = int(rate * seconds)
        self._raw = [_raw(port, one) for one in requests]
        self._kinds = [one.kind for one in requests]
        self._ready = select.epoll()
        self._by_number: dict[int, socket.socket] = {}
        self._idle = deque(self._opened() for _ in range(connections))
        # By connection: the number of its request, and what came of the answer.
        self._busy: dict[socket.socket, tuple[int, bytes]] = {}
        self._milliseconds: dict[str, array[float]] = {kind: array("d") for kind in STATUS}
        self._statuses: Counter[str] = Counter()
        self._sent = self._done = self._bytes = 0
        self._begun = 0.0

    def run(self) -> dict[str, Any]:
        """Send all; returns what `summary` says, with `statuses` by kind and `unanswered`."""
        self._begun = time.perf_counter()
        end = self._begun + self._total / self._rate + _PATIENCE
        while self._done < self._total and (now := time.perf_counter()) < end:
            due = min(self._total, int((now - self._begun) * self._rate) + 1)
            while self._sent < due and self._idle:
                self._send(self._idle.popleft())
            pause = self._begun + self._sent / self._rate - now
            if self._sent == self._total or not self._idle:
                pause = min(0.1, end - now)
            for number, _ in self._ready.poll(max(0.0, pause)):
                self._receive(self._by_number[number])
        seconds = time.perf_counter() - self._begun
        every = np.concatenate([np.frombuffer(one) for one in self._milliseconds.values()])
        return {
            "due": self._total,
            "seconds": round(seconds, 3),
            "unanswered": self._total - self._done,
            "statuses": dict(self._statuses),
            "bytes": self._bytes,
            **summary(every),
            "kinds": {
                kind: summary(np.frombuffer(one)) for kind, one in self._milliseconds.items() if one
            },
            "generator_cpu_seconds": round(time.process_time(), 2),
        }

    def _opened(self) -> socket.socket:
        made = socket.create_connection(("127.0.0.1", self._port))
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._by_number[made.fileno()] = made
        self._ready.register(made, select.EPOLLIN)
        return made

    def _closed(self, connection: socket.socket) -> None:
        self._ready.unregister(connection)
        del self._by_number[connection.fileno()]
        connection.close()

    def _send(self, to: socket.socket) -> None:
        number, self._sent = self._sent, self._sent + 1
        self._busy[to] = number, b""
        try:
            to.sendall(self._raw[number % len(self._raw)])
        except OSError:
            self._lost(to, number)

    def _receive(self, at: socket.socket) -> None:
        try:
            came = at.recv(1 << 18)
        except OSError:
            came = b""
        if at not in self._busy:
            # The server has closed it, between requests.
            self._idle.remove(at)
            self._closed(at)
            self._idle.append(self._opened())
            return
        number, before = self._busy[at]
        if not came:
            self._lost(at, number)
            return
        self._bytes += len(came)
        answer = before + came if before else came
        status = _complete(answer)
        if status is None:
            self._busy[at] = number, answer
            return
        del self._busy[at]
        self._idle.append(at)
        self._done += 1
        kind = self._kinds[number % len(self._kinds)]
        due = self._begun + number / self._rate
        self._milliseconds[kind].append((time.perf_counter() - due) * 1000)
        self._statuses[f"{kind} {status}"] += 1

    def _lost(self, closed: socket.socket, number: int) -> None:
        """A connection that ended before the answer did: an error, and another connection."""
        del self._busy[closed]
        self._closed(closed)
        self._done += 1
        self._statuses[f"{self._kinds[number % len(self._kinds)]} lost"] += 1
        self._idle.append(self._opened())


def _raw(port: int, request: Request) -> bytes:
    etag = f"If-None-Match: {request.etag}\r\n" if request.etag else ""
    return f"GET {request.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{etag}\r\n".encode()


def _complete(answer: bytes) -> int | None:
    """The status of an answer that is whole. Raises `ValueError` if it does not say its length."""
    head = answer.find(b"\r\n\r\n")
    if head < 0:
        return None
    status = int(answer[9:12])
    if status == 304:
        return status
    place = answer.find(_LENGTH, 0, head + 2)
    if place < 0:
        raise ValueError(f"an answer without its length: {answer[:head]!r}")
    place += len(_LENGTH)
    length = int(answer[place : answer.index(b"\r", place)])
    return status if len(answer) >= head + 4 + length else None


def summary(milliseconds: np.ndarray[Any, Any]) -> dict[str, float]:
    """How many, and mean, percentiles and maximum in milliseconds; only how many if none."""
    if not len(milliseconds):
        return {"answered": 0}
    found = {name: float(np.percentile(milliseconds, at)) for name, at in PERCENTILES.items()}
    found = {"mean": float(milliseconds.mean()), **found, "max": float(milliseconds.max())}
    return {"answered": len(milliseconds)} | {name: round(one, 3) for name, one in found.items()}


def main(place: Path) -> None:
    """Do what a file says, and print what was found."""
    asked = json.loads(place.read_text())
    requests = [Request(*one) for one in asked.pop("requests")]
    print(json.dumps(Generator(requests=requests, **asked).run()))  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
