"""The rate limit of a host, shared by all of its clients: tasks, workers and commands.

The state is one number for each host, the theoretical arrival time of the
generic cell rate algorithm (GCRA), in `ops.rate_limit` of the warehouse: the
one place that every process of a deployment reaches, on however many hosts.
The server's clock counts, and the row's lock makes clients take turns.
"""

from __future__ import annotations

import os
from functools import cache
from math import ceil, floor
from typing import Any

import psycopg
from pyrate_limiter import (
    Limiter,
    Rate,
    SingleBucketFactory,
    StateBucket,
    StateStore,
    TokenBucket,
)
from pyrate_limiter.abstracts.algorithm import Decision, State, StateAlgorithm

from include.errors import ServiceUnavailable, TableOutdated
from include.sources.extract.http import Rate as AllowedRate

HOUR_MS = 3_600_000
# Added to each wait, so that the next attempt succeeds.
BUFFER_MS = 1
CONNECT_SECONDS = 10
# The server ends the transaction of a client that stops in the middle of its turn.
STALLED_SECONDS = 5

READ = """
select theoretical_arrival_us, (extract(epoch from clock_timestamp()) * 1e6)::bigint
from ops.rate_limit where host = %s for update
"""
ADD = """
insert into ops.rate_limit (host, theoretical_arrival_us) values (%s, 0) on conflict do nothing
"""
WRITE = "update ops.rate_limit set theoretical_arrival_us = %s where host = %s"


def limiter(host: str, rate: AllowedRate, shared_in: str | None) -> Limiter:
    """The limiter of a host; always the same object in a process.

    `shared_in` is the DSN of the warehouse in which all clients of the host
    share `rate`. Without it, `rate` is for this process only, and the caller
    must divide the host's rate between processes.

    `try_acquire` raises `ServiceUnavailable` (retryable) while the warehouse
    does not answer, and `TableOutdated` if it lacks the table.
    """
    return _limiter(host, rate.per_second, rate.burst, shared_in, os.getpid())


@cache
def _limiter(
    host: str, per_second: float, burst: int, shared_in: str | None, _process: int
) -> Limiter:
    # Rounded down: never faster than allowed.
    rate = Rate(max(1, floor(per_second * HOUR_MS / 1000)), HOUR_MS, burst=burst)
    store = SharedState(shared_in, host) if shared_in else None
    bucket = StateBucket([rate], TokenBucket(), store)
    return Limiter(SingleBucketFactory(bucket, schedule_leak=False), buffer_ms=BUFFER_MS)


class SharedState(StateStore):
    """The state of one host's bucket, in the warehouse. One thread at a time."""

    def __init__(self, dsn: str, host: str) -> None:
        self._dsn = dsn
        self._host = host
        self._connection: psycopg.Connection[Any] | None = None

    def check(
        self, algorithm: StateAlgorithm, rates: list[Rate], now: int, weight: int
    ) -> Decision:
        """Take the turn of `weight` requests, or say how long to wait; `now` is the server's."""
        fresh = self._connection is None
        try:
            return self._step(algorithm, rates, weight)
        except psycopg.OperationalError as error:
            self.close()
            if fresh:
                raise self._unavailable(error) from error
        # The connection was lost while idle. If the turn was taken anyway, it is wasted.
        try:
            return self._step(algorithm, rates, weight)
        except psycopg.OperationalError as error:
            self.close()
            raise self._unavailable(error) from error

    def read(self, algorithm: StateAlgorithm, rates: list[Rate]) -> State:
        """The state, for reports."""
        row = self._connected().execute(READ, (self._host,)).fetchone()
        return (row[0],) if row else algorithm.initial(rates)

    def reset(self) -> None:
        """Forget what was sent."""
        self._connected().execute(WRITE, (0, self._host))

    def close(self) -> None:
        """Close the connection; the next check opens another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def _step(self, algorithm: StateAlgorithm, rates: list[Rate], weight: int) -> Decision:
        connection = self._connected()
        try:
            with connection.transaction():
                arrival, now_us = self._locked(connection)
                state, decision = algorithm.step(
                    rates, (_plausible(arrival, now_us, rates[0]),), now_us // 1000, weight
                )
                if decision.allowed or state[0] != arrival:
                    connection.execute(WRITE, (int(state[0]), self._host))
        except (psycopg.errors.UndefinedTable, psycopg.errors.InsufficientPrivilege) as error:
            raise TableOutdated(
                f"rate limit of {self._host}: the warehouse has no table ops.rate_limit that this "
                "role may change. Run `wandle migrate`, then run the task again."
            ) from error
        return decision

    def _locked(self, connection: psycopg.Connection[Any]) -> tuple[int, int]:
        row = connection.execute(READ, (self._host,)).fetchone()
        if row is None:
            connection.execute(ADD, (self._host,))
            row = connection.execute(READ, (self._host,)).fetchone()
        assert row is not None  # noqa: S101, just added, and nobody may delete
        return row[0], row[1]

    def _connected(self) -> psycopg.Connection[Any]:
        if self._connection is None:
            self._connection = psycopg.connect(
                self._dsn,
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                application_name="wandle rate limit",
            )
            for setting, value in (
                ("idle_in_transaction_session_timeout", f"{STALLED_SECONDS}s"),
                ("lock_timeout", f"{4 * STALLED_SECONDS}s"),
                # A crash may lose the last commits, but the restart takes longer than a turn.
                ("synchronous_commit", "off"),
            ):
                self._connection.execute("select set_config(%s, %s, false)", (setting, value))
        return self._connection

    def _unavailable(self, error: psycopg.Error) -> ServiceUnavailable:
        return ServiceUnavailable(
            f"rate limit of {self._host}: the warehouse, in which the clients of this host take "
            f"turns, does not answer ({type(error).__name__}). Try again later."
        )


def _plausible(arrival_us: int, now_us: int, rate: Rate) -> int:
    """The state, at most that of a bucket that is empty now.

    No client writes more. More means that the server's clock was set back, or
    that the row was changed by hand: then the burst counts as spent.
    """
    return min(arrival_us, now_us + rate.burst * ceil(rate.interval * 1000 / rate.limit))
