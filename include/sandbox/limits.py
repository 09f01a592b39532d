"""Rate limiting as middleware: a token bucket for each client address."""

from __future__ import annotations

import time
from collections.abc import Callable

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

FORGET_ABOVE_CLIENTS = 1_000


class RateLimit:
    """Lets `burst` requests of a client through at once, `per_second` sustained; then 429.

    The 429 has a plain-text body and no Retry-After, as at data.police.uk. A
    refused request costs nothing. `clock` gives seconds.
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
