"""Generated weather: a pure function of seed, grid cell, hour, and how old the hour is.

The last two days are not available yet. Values are preliminary for five days,
then revised, and final after about 75 days.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.world.clock import Moment
from sandbox.world.noise import uniform
from sandbox.world.places import digest, share

Floats = NDArray[np.float64]
HOUR = 3_600
DAY_HOURS = 24

UNKNOWN_DAYS, RESTATED_DAYS, FINAL_DAYS = 2, 5, 75
FRONT_HOURS = 18


class Asked(NamedTuple):
    """The requested cell and days; `offset` is the time zone's, in seconds."""

    cell: tuple[float, float]
    first: date
    last: date
    offset: int
    moment: Moment


def elevation(asked: Asked) -> float:
    """Metres; some cells are at sea."""
    return float(max(0, round(80 * share("elevation", asked.cell) - 8)))


class Air:
    """What the variables are computed from, one value an hour."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        days = (asked.last - asked.first).days + 1
        start = (asked.first - date(1970, 1, 1)).days * DAY_HOURS
        self.local = start + np.arange(days * DAY_HOURS)
        self.hours: Floats = np.asarray(self.local - asked.offset / HOUR, np.float64)
        self.age = (asked.moment.as_of - date(1970, 1, 1)).days - self.local // DAY_HOURS
        self.key = np.uint64(digest(asked.moment.seed, "air", asked.cell))

    @cached_property
    def doubt(self) -> Floats:
        """How far a value is from the final one: 0 then, and another number at each stage."""
        stage = (self.age < RESTATED_DAYS).astype(int) + (self.age < FINAL_DAYS)
        draw = uniform(np.full(len(self.local), self.key), self.local // DAY_HOURS, stage)
        return np.asarray(stage * (0.3 + 0.4 * draw))

    def smooth(self, name: str, every: float = FRONT_HOURS) -> Floats:
        """Changes slowly between 0 and 1."""
        key = np.full(len(self.hours), self.key ^ np.uint64(digest(name)))
        knot = np.floor(self.hours / every)
        way = self.hours / every - knot
        before, after = (uniform(key, (knot + step).astype(np.int64)) for step in (0, 1))
        way = way * way * (3 - 2 * way)
        return np.asarray(before * (1 - way) + after * way)

    @cached_property
    def sun(self) -> Floats:
        """The share of the noon sun of midsummer."""
        year = 2 * np.pi * (self.hours / DAY_HOURS - 172) / 365.25
        day = 2 * np.pi * (self.hours % DAY_HOURS - 12) / DAY_HOURS
        return np.asarray(np.clip(0.45 * np.cos(day) + 0.3 * np.cos(year) + 0.1, 0, None))

    @cached_property
    def warmth(self) -> Floats:
        """Degrees Celsius."""
        year = -6.5 * np.cos(2 * np.pi * (self.hours / DAY_HOURS - 25) / 365.25)
        day = -3 * np.cos(2 * np.pi * (self.hours % DAY_HOURS - 3) / DAY_HOURS)
        return np.asarray(10.5 + year + day + 8 * (self.smooth("warmth", 60) - 0.5) + self.doubt)

    @cached_property
    def cloud(self) -> Floats:
        """Percent."""
        return np.asarray(np.clip(140 * self.smooth("cloud") - 20 + 8 * self.doubt, 0, 100))

    @cached_property
    def rain(self) -> Floats:
        """Millimetres an hour."""
        wet = np.clip(self.smooth("rain") - 0.62, 0, None)
        return np.asarray(wet * 2.5 * (1 + self.doubt))

    @cached_property
    def damp(self) -> Floats:
        """Relative humidity, percent."""
        dry = 25 * self.sun - 10 * np.minimum(self.rain, 1)
        return np.asarray(np.clip(88 - dry - 12 * self.smooth("damp") + 3 * self.doubt, 20, 100))

    @cached_property
    def wind(self) -> Floats:
        """Kilometres an hour."""
        return np.asarray(4 + 28 * self.smooth("wind") ** 2 + 2 * self.doubt)

    @cached_property
    def pressure(self) -> Floats:
        """Hectopascal at sea level."""
        return np.asarray(1_035 - 45 * self.smooth("pressure", 48) + 0.4 * self.doubt)
