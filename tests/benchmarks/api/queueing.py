"""A queueing model of the server, fitted to what was measured.

The mean time of a request is a fixed part, which does not wait, and the time in a queue for the
cores: `T(rate) = base + S * w(rate * S / c)`, where `w` is 1 + the mean wait in an M/M/c queue as a
multiple of the service time `S` (Erlang C), scaled for service times that vary less or more than
exponential ones (Allen and Cunneen): an approximation of M/G/c. `S` is what one request takes of
all cores, the generator's part too, because they share them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.api.mix import SHARES
from tests.benchmarks.api.phases import Result
from tests.benchmarks.api.servers import OURS

CORES = 2
# Fewer points than parameters and one more would fit anything.
_FEWEST = 3
# A rate counts as sustained if so much of it was answered in time.
_SUSTAINED = 0.98
_STEPS = 2000


@dataclass(frozen=True)
class Model:
    """`base` and `service` in seconds; `variation` is the squared one of the service times."""

    base: float
    service: float
    variation: float
    cores: int = CORES

    @property
    def capacity(self) -> float:
        """Requests a second that all cores together can do at most."""
        return self.cores / self.service

    def mean(self, rate: float) -> float:
        """The mean seconds of a request at a rate; infinite at and above the capacity."""
        if rate >= self.capacity:
            return math.inf
        return self.base + self.service + self.wait(rate)

    def wait(self, rate: float) -> float:
        """The mean seconds in the queue."""
        queued = erlang_c(self.cores, rate * self.service)
        spare = self.cores / self.service - rate
        # Arrivals of many clients count as random.
        return (1 + self.variation) / 2 * queued / spare

    @property
    def knee(self) -> float:
        """The rate with the most requests a second for each second that one takes (Kleinrock)."""
        rates = np.linspace(0, self.capacity, _STEPS, endpoint=False)[1:]
        return float(max(rates, key=lambda rate: rate / self.mean(rate)))


def erlang_c(servers: int, load: float) -> float:
    """The probability that a request waits, in an M/M/c queue with `load` busy servers on average.

    1 if the load is as many as there are servers, or more.
    """
    if load >= servers:
        return 1.0
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = load * blocked / (number + load * blocked)
    return servers * blocked / (servers - load * (1 - blocked))


def sustained(results: Sequence[Result]) -> list[Result]:
    """Fixed rates that our server answered whole and without error, lowest first."""
    found = [
        one
        for one in results
        if one["phase"] in ("rate", "knee")
        and one["server"] == OURS
        and not one["errors"]
        and one["answered"] >= _SUSTAINED * one["rate"] * one["seconds"]
    ]
    return sorted(found, key=lambda one: one["rate"])


def variation(results: Sequence[Result]) -> float:
    """The squared coefficient of variation of the CPU time between kinds of requests, of the mix.

    0 if the kinds were not measured.
    """
    taken = {
        one["kind"]: one["cpu_microseconds"]
        for one in results
        if one["phase"] == "peak" and one["server"] == OURS and one["kind"] in SHARES
    }
    if set(taken) != set(SHARES):
        return 0.0
    return _variation(taken)


def _variation(taken: Mapping[str, float]) -> float:
    weights = np.array([SHARES[kind] for kind in taken], dtype=float)
    values = np.array(list(taken.values()))
    mean = np.average(values, weights=weights)
    return float(np.average((values - mean) ** 2, weights=weights) / mean**2)


def fitted(results: Sequence[Result]) -> Model | None:
    """The model whose means are nearest to those measured, relatively; None for too few rates."""
    points = sustained(results)
    if len(points) < _FEWEST:
        return None
    rates = np.array([one["rate"] for one in points], dtype=float)
    means = np.array([one["mean"] for one in points]) / 1000
    spread = variation(results)
    # For each service time, the best base is a weighted mean; a capacity that was exceeded is none.
    best: tuple[float, Model] | None = None
    for service in np.geomspace(1e-6, 0.999 * CORES / rates.max(), _STEPS):
        queue = Model(0.0, float(service), spread)
        rest = means - np.array([queue.mean(rate) for rate in rates])
        base = max(0.0, float(np.average(rest, weights=1 / means**2)))
        model = Model(base, float(service), spread)
        found = np.array([model.mean(rate) for rate in rates])
        error = float(np.sum((found / means - 1) ** 2))
        if best is None or error < best[0]:
            best = error, model
    return best[1] if best else None


def cpu_a_request(one: Result) -> float:
    """The CPU seconds that a request took of all cores: of server and generator."""
    return one["cpu_microseconds"] / 1e6 + one["generator_cpu_seconds"] / max(1, one["answered"])
