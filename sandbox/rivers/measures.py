"""The gauges of a river network: stations and what they measure, as the API shows both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

URI = "http://environment.data.gov.uk/flood-monitoring"
Item = dict[str, Any]
Ints = NDArray[np.int64]

LEVEL, TIDE, RAIN, WARMTH = range(4)

QUARTER_HOUR = 900
NEVER = 0


class Trait(NamedTuple):
    """How the readings of one measure come about. Seconds, and the measure's own unit."""

    key: int
    kind: int = LEVEL
    base: float = 0.5
    swing: float = 0.1
    period: int = QUARTER_HOUR
    # Its readings are stamped so long after the full quarter of an hour.
    offset: int = 0
    # From the reading to its publication.
    lag: int = 0
    dead: bool = False
    # Silent every other month, from this day of a cycle of 60; never if below 0.
    silent_phase: int = -1
    # Now and then its reading is this, which means that it is broken; never if NaN.
    sentinel: float = float("nan")
    # Each reading at such a full time is a list of two; never if 0.
    list_every: int = NEVER
    # Every row stands twice.
    twice: bool = False


TRAITS = np.dtype(
    [
        ("key", "u8"), ("kind", "u1"), ("base", "f8"), ("swing", "f8"), ("period", "i8"),
        ("offset", "i8"), ("lag", "i8"), ("dead", "?"), ("silent_phase", "i8"),
        ("sentinel", "f8"), ("list_every", "i8"), ("twice", "?"),
    ]
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Network:
    """Stations in the full view, measures without their latest reading, one trait for each."""

    stations: list[Item]
    measures: list[Item]
    traits: NDArray[Any]
    _station: dict[str, int] = field(default_factory=dict)
    _measure: dict[str, int] = field(default_factory=dict)
    _measures_of: dict[str, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._station.update((item["notation"], at) for at, item in enumerate(self.stations))
        for at, item in enumerate(self.measures):
            self._measure[item["notation"]] = at
            self._measures_of.setdefault(item["stationReference"], []).append(at)

    def station(self, reference: str) -> Item | None:
        """The station of a reference or URI."""
        at = self._station.get(reference.rsplit("/", 1)[-1])
        return None if at is None else self.stations[at]

    def measure(self, notation: str) -> int | None:
        """Where the measure of a notation or URI stands."""
        return self._measure.get(notation.rsplit("/", 1)[-1])

    def measures_of(self, reference: str) -> list[int]:
        """Where the measures of a station stand."""
        return self._measures_of.get(reference.rsplit("/", 1)[-1], [])


def network(stations: list[Item], measures: list[Item], traits: list[Trait]) -> Network:
    """The network of these; `traits` are in the order of the measures."""
    return Network(stations, measures, np.array([tuple(trait) for trait in traits], TRAITS))
