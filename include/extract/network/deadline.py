"""A time limit for whatever goes through some sockets, however slowly it trickles."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType

from include.errors import BeyondLimit
from include.sources.limits import Limits


class Fetch:
    """The time that one fetch has taken: when it began, and by when it must end."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._ends = time.monotonic() + limits.fetch_seconds

    @property
    def seconds_left(self) -> float:
        """May be negative."""
        return self._ends - time.monotonic()

    def check(self, who: str) -> None:
        """Raise `BeyondLimit` once the fetch has taken too long."""
        if self.seconds_left <= 0:
            raise self.beyond(who)

    def beyond(self, who: str) -> BeyondLimit:
        """The failure of a fetch that takes too long."""
        limit = self.limits.fetch_seconds
        return BeyondLimit(f"fetching took more than {limit:.12g} s", "fetch_seconds", limit, who)

    def request(self) -> Deadline:
        """The deadline of a request that begins now."""
        return Deadline(self)


class Deadline:
    """Cuts the sockets of one request, from another thread, when its time is up.

    A time-out of a socket starts again with every byte; this one does not. A
    cut connection looks closed to its reader, so `check` must be called at
    the end of whatever was read, and where reading failed.
    """

    def __init__(self, fetch: Fetch) -> None:
        limits = fetch.limits
        self._fetch = fetch
        self._of_fetch = fetch.seconds_left < limits.request_seconds
        self._seconds = max(0.0, min(fetch.seconds_left, limits.request_seconds))
        self._timer = threading.Timer(self._seconds, self._cut)
        self._timer.daemon = True
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._interrupts: list[Callable[[], object]] = []
        self.is_over = False

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()
        with self._lock:
            self._interrupts.clear()
            while self._sockets:
                self._sockets.pop().close()

    def watch(self, descriptor: int) -> None:
        """Cut this socket, too; it may be wrapped by TLS later, or be closed before."""
        watched = socket.socket(fileno=os.dup(descriptor))
        with self._lock:
            self._sockets.append(watched)
            if self.is_over:
                _shut(watched)

    def interrupt(self, by: Callable[[], object]) -> None:
        """Call this, too, from another thread: for clients whose sockets cannot be had."""
        with self._lock:
            self._interrupts.append(by)
            over = self.is_over
        if over:
            by()

    def check(self, who: str) -> None:
        """Raise `BeyondLimit` if the time is up."""
        if not self.is_over:
            return
        if self._of_fetch:
            raise self._fetch.beyond(who)
        limit = self._fetch.limits.request_seconds
        what = f"one request took more than {limit:.12g} s"
        raise BeyondLimit(what, "request_seconds", limit, who)

    def _cut(self) -> None:
        with self._lock:
            self.is_over = True
            for watched in self._sockets:
                _shut(watched)
            interrupts = list(self._interrupts)
        for interrupt in interrupts:
            # It has nobody to tell: whoever is interrupted notices.
            with suppress(Exception):
                interrupt()


def _shut(watched: socket.socket) -> None:
    with suppress(OSError):
        watched.shutdown(socket.SHUT_RDWR)
