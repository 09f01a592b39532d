"""How many requests a client may make: a bucket for each, which fills steadily."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

# Of so many clients, those that were away longest are forgotten.
_MOST_CLIENTS = 50_000
_KEPT_CLIENTS = 40_000


@dataclass(frozen=True)
class Rate:
    """So many requests a second, and so many at once after a pause; no limit with 0."""

    per_second: float
    burst: int


@dataclass(frozen=True)
class Verdict:
    """Whether a request is allowed, how many more are, and after how many seconds all are."""

    allowed: bool
    limit: int
    remaining: int
    reset: int


class Limiter:
    """The buckets of all clients of this process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # When each bucket is full again.
        self._full_at: dict[str, float] = {}

    def take(self, client: str, rate: Rate) -> Verdict | None:
        """Count a request of a client; None without a limit."""
        if not rate.per_second:
            return None
        now, each = self._clock(), 1 / rate.per_second
        full_at = max(self._full_at.get(client, now), now)
        filled = (full_at - now) / each
        if filled + 1 > rate.burst + 1e-9:
            return Verdict(False, rate.burst, 0, int((filled + 1 - rate.burst) * each) + 1)
        full_at += each
        if client not in self._full_at and len(self._full_at) >= _MOST_CLIENTS:
            self._forget(now)
        self._full_at[client] = full_at
        remaining = int(rate.burst - (full_at - now) / each + 1e-9)
        return Verdict(True, rate.burst, remaining, int(full_at - now) + 1)

    def _forget(self, now: float) -> None:
        """Make room for many at once: this must not be done for each new client."""
        kept = {name: at for name, at in self._full_at.items() if at > now}
        for name in list(kept)[: max(0, len(kept) - _KEPT_CLIENTS)]:
            del kept[name]
        self._full_at = kept
