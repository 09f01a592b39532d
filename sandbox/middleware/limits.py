"""Rate limiting middleware per client address: a token bucket, windows, a queue."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime

from starlette.responses import JSONResponse, PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FORGET_ABOVE_CLIENTS = 1_000

WINDOW_FORMATS = ("%Y-%m-%dT%H:%M", "%Y-%m-%dT%H", "%Y-%m-%d")
WINDOW_REASONS = (
    "Minutely API request limit exceeded. Please try again in one minute.",
    "Hourly API request limit exceeded. Please try again in the next hour.",
    "Daily API request limit exceeded. Please try again tomorrow.",
)
MOST_AT_ONCE = 6


class RateLimit:
    """Allows a client `burst` requests at once and `per_second` sustained; then 429.

    The 429 has a plain-text body and no Retry-After, as at data.police.uk. A
    refused request does not count. `clock` returns seconds.
    """

    def __init__(
        self,
        app: ASGIApp,
        per_second: float,
        burst: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.app = app
        self.per_second = per_second
        self.burst = burst
        self.clock = clock
        self._buckets: dict[str, tuple[float, float]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        client = scope.get("client") if scope["type"] == "http" else None
        if scope["type"] != "http" or self._admits(client[0] if client else ""):
            await self.app(scope, receive, send)
            return
        await PlainTextResponse("Too many requests", status_code=429)(scope, receive, send)

    def _admits(self, address: str) -> bool:
        now = self.clock()
        tokens, then = self._buckets.get(address, (float(self.burst), now))
        tokens = min(float(self.burst), tokens + (now - then) * self.per_second)
        admitted = tokens >= 1
        self._buckets[address] = (tokens - 1 if admitted else tokens, now)
        if len(self._buckets) > FORGET_ABOVE_CLIENTS:
            self._forget_the_idle(now)
        return admitted

    def _forget_the_idle(self, now: float) -> None:
        refilled_after = self.burst / self.per_second
        self._buckets = {
            address: bucket
            for address, bucket in self._buckets.items()
            if now - bucket[1] < refilled_after
        }


class Windows:
    """Counts a client's weighted calls per minute, hour and day; over a limit, 429.

    The counters reset at the full minute, the full hour and 00:00 UTC. Body
    and status are those of open-meteo.com, which sends no Retry-After: only
    the reason says how long to wait. A call is allowed until the limit is
    reached, whatever its weight. A refused call does not count.
    """

    def __init__(
        self,
        app: ASGIApp,
        limits: tuple[int, int, int],
        weigh: Callable[[Scope], float],
        clock: Callable[[], datetime],
    ) -> None:
        self.app = app
        self.limits = limits
        self.weigh = weigh
        self.clock = clock
        self._spent: dict[tuple[str, str], float] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        windows = self._windows(scope)
        for window, limit, reason in zip(windows, self.limits, WINDOW_REASONS, strict=True):
            if self._spent.get(window, 0) >= limit:
                await _refusal(reason)(scope, receive, send)
                return

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                self._spend(windows, self.weigh(scope))
            await send(message)

        await self.app(scope, receive, count)

    def _windows(self, scope: Scope) -> list[tuple[str, str]]:
        now, client = self.clock(), scope.get("client")
        return [(client[0] if client else "", now.strftime(form)) for form in WINDOW_FORMATS]

    def _spend(self, windows: list[tuple[str, str]], weight: float) -> None:
        # Drop the counts of past windows.
        current = {moment for _, moment in windows}
        self._spent = {key: spent for key, spent in self._spent.items() if key[1] in current}
        for window in windows:
            self._spent[window] = self._spent.get(window, 0) + weight


class OneAtATime:
    """Allows one request per client at a time; up to five more wait, the next gets 429."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._turns: dict[str, tuple[asyncio.Lock, int]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        address = scope["client"][0] if scope.get("client") else ""
        lock, count = self._turns.get(address, (asyncio.Lock(), 0))
        if count >= MOST_AT_ONCE:
            await _refusal("Too many concurrent requests")(scope, receive, send)
            return
        self._turns[address] = lock, count + 1
        try:
            async with lock:
                await self.app(scope, receive, send)
        finally:
            lock, count = self._turns.pop(address)
            if count > 1:
                self._turns[address] = lock, count - 1


def _refusal(reason: str) -> ASGIApp:
    return JSONResponse({"error": True, "reason": reason}, status_code=429)
