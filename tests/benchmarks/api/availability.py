"""Days of copies of the server behind a load balancer, simulated from what was measured."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from tests.benchmarks.api.phases import Result

DAY = 86_400.0
DEPLOYS, LOST, KILLED, SWITCHED, AWAY = (
    "deploys", "lost copies", "killed processes", "new versions", "S3 away",
)  # fmt: skip
CAUSES = (DEPLOYS, LOST, KILLED, SWITCHED, AWAY)


@dataclass(frozen=True)
class Assumed:
    """What happens in a day, which nobody measured: more than on most days."""

    deploys: int = 4
    versions: int = 24
    outages: int = 2
    outage_seconds: tuple[float, float] = (300.0, 3600.0)
    killed_a_copy: int = 2
    # Of a copy, in a day; its replacement is a new host.
    lost_probability: float = 1 / 30
    host_seconds: float = 180.0
    # Two failed looks, one every 10 s.
    noticed_seconds: float = 20.0


@dataclass(frozen=True)
class Measured:
    """What a run of the benchmark found: seconds, and seconds of all traffic of a copy lost."""

    start_seconds: float
    killed: float
    killed_while_away: float
    switched: float
    away: float

    @classmethod
    def of(cls, results: Sequence[Result]) -> Measured | None:
        """From the results of a run; None if one is missing."""
        by_phase = {one["phase"]: one for one in results}
        needed = ("start", "kill", "kill in an outage", "new version", "outage")
        if not by_phase.keys() >= set(needed):
            return None
        lost = [by_phase[name]["errors"] / by_phase[name]["rate"] for name in needed[1:]]
        return cls(by_phase["start"]["start_seconds"], *lost)


@dataclass
class Out:
    """A copy that does not answer, from `begin` to `end`; until `noticed`, requests go to it."""

    begin: float
    end: float
    noticed: float
    cause: str


@dataclass
class Found:
    """Of simulated days: the share of requests answered on each, and by cause the rest in all."""

    days: list[float] = field(default_factory=list)
    lost_seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys(CAUSES, 0.0))

    @property
    def mean(self) -> float:
        """The share of all requests that were answered."""
        return sum(self.days) / len(self.days)


def simulated(
    measured: Measured, copies: int, days: int, assumed: Assumed | None = None, seed: int = 1
) -> Found:
    """Days with so many copies, each with the same share of steady traffic."""
    chance, found = random.Random(seed), Found()
    for _ in range(days):
        lost = _day(measured, assumed or Assumed(), copies, chance)
        for cause, seconds in lost.items():
            found.lost_seconds[cause] += seconds
        found.days.append(1 - sum(lost.values()) / DAY)
    return found


def _day(
    measured: Measured, assumed: Assumed, copies: int, chance: random.Random
) -> dict[str, float]:
    """Seconds of all traffic that were lost in a day, by cause."""
    away = []
    for _ in range(assumed.outages):
        begin = chance.uniform(0, DAY)
        away.append((begin, begin + chance.uniform(*assumed.outage_seconds)))
    out: list[list[Out]] = [[] for _ in range(copies)]
    for _ in range(assumed.deploys):
        # One copy after another; requests are routed away from it before it ends.
        at = chance.uniform(0, DAY)
        for copy in out:
            ready = started(at, measured.start_seconds, away)
            copy.append(Out(at, ready, at, DEPLOYS))
            at = ready
    for copy in out:
        if chance.random() < assumed.lost_probability:
            at = chance.uniform(0, DAY)
            ready = started(at + assumed.host_seconds, measured.start_seconds, away)
            copy.append(Out(at, ready, min(ready, at + assumed.noticed_seconds), LOST))
    lost = dict.fromkeys(CAUSES, 0.0)
    for cause, seconds in _lost(out):
        lost[cause] += seconds
    for _ in range(assumed.killed_a_copy * copies):
        at = chance.uniform(0, DAY)
        is_away = any(begin <= at < end for begin, end in away)
        lost[KILLED] += (measured.killed_while_away if is_away else measured.killed) / copies
    lost[SWITCHED] += assumed.versions * measured.switched
    lost[AWAY] += assumed.outages * measured.away
    return lost


def started(at: float, seconds: float, away: Sequence[tuple[float, float]]) -> float:
    """When a copy that starts is ready: it needs S3 at the end of its start."""
    ready = at + seconds
    for begin, end in sorted(away):
        if begin <= ready < end:
            ready = end
    return ready


def _lost(out: Sequence[Sequence[Out]]) -> Iterator[tuple[str, float]]:
    """Seconds of all traffic that were lost because copies were out, with their cause."""
    every = [one for copy in out for one in copy]
    times = sorted({0.0, DAY, *(t for o in every for t in (o.begin, o.noticed, o.end) if t < DAY)})
    for begin, end in pairwise(times):
        now = [
            max((one for one in copy if one.begin <= begin < one.end), key=_begin, default=None)
            for copy in out
        ]
        gone = [one for one in now if one]
        asked = [one for one in gone if begin < one.noticed]
        if len(gone) == len(out):
            yield max(gone, key=_begin).cause, end - begin
        elif asked:
            share = len(asked) / (len(out) - len(gone) + len(asked))
            yield max(asked, key=_begin).cause, share * (end - begin)


def _begin(out: Out) -> float:
    return out.begin
