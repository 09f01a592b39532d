"""Readings of a network in columns: a pure function of measure, time and day of asking.

A reading is there once its measure's transfer lag is over, and the API keeps
it for 28 days. The lags are those measured on 2026-03-03: 89% of the measures
are up to an hour late, 5% six to twelve hours, 2% up to three days, 4% have
been silent for more than a week.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from sandbox.rivers.measures import NEVER, RAIN, TIDE, WARMTH, Network
from sandbox.world.clock import Moment
from sandbox.world.noise import mixed, uniform

KEPT_DAYS = 28
SILENT_DAYS = 30
DAY_SECONDS = 86_400
TIDE_SECONDS = 44_712
SLOW_SECONDS = 6.3 * DAY_SECONDS
STORM_SECONDS = 6 * 3_600
WET_SHARE = 0.25
SENTINEL_SHARE = 0.03
SECOND_VALUE_STEP = 0.007

# A national day is 10 MB in columns.
DAYS_IN_MEMORY = 6

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Rows(NamedTuple):
    """Readings in columns. `measure` is a place in the network, `at` seconds since 1970."""

    measure: Ints
    at: Ints
    value: Floats

    def take(self, which: Any) -> Rows:
        """The rows that an index or a mask selects, in its order."""
        return Rows(self.measure[which], self.at[which], self.value[which])

    @staticmethod
    def joined(parts: list[Rows]) -> Rows:
        """The rows of all parts, one part after the other."""
        if not parts:
            return Rows(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))
        return Rows(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


class Span(NamedTuple):
    """The readings that a query is about: of these measures, on these days, after that second."""

    measures: tuple[int, ...]
    first_day: date
    last_day: date
    after: int | None = None


class Readings:
    """The readings of one network as they are known at one moment."""

    def __init__(self, network: Network, moment: Moment) -> None:
        self.network = network
        self.moment = moment
        self._now = int(moment.now.timestamp())
        self._weather = mixed(np.array([moment.seed], np.uint64))[0]
        self._day = lru_cache(DAYS_IN_MEMORY)(self._day_in_order)
        self._count = lru_cache(4_096)(lambda *query: len(self._day(*query).at))

    def held(self, span: Span) -> list[date]:
        """The days of a span that the API still has or has by now, newest first."""
        first = max(span.first_day, self.moment.as_of - timedelta(days=KEPT_DAYS))
        last = min(span.last_day, self.moment.as_of)
        return [last - timedelta(days=back) for back in range((last - first).days + 1)]

    def page(self, span: Span, *, offset: int, limit: int, newest_first: bool) -> Rows:
        """Some of the readings of a span.

        Unless `newest_first` they come in no order that means anything, the
        same for every page of a query on one day, another on the next.
        """
        parts: list[Rows] = []
        for day in self.held(span):
            if limit <= 0:
                break
            query = (span.measures, day, span.after, newest_first)
            count = self._count(*query)
            if offset < count:
                part = self._day(*query).take(slice(offset, offset + limit))
                parts.append(part)
                limit -= len(part.at)
            offset = max(0, offset - count)
        return Rows.joined(parts)

    def latest(self, measures: tuple[int, ...]) -> Rows:
        """The latest reading of each measure that has one in the last 28 days."""
        which = np.array(measures, np.int64)
        traits = self.network.traits[which]
        period, offset = traits["period"], traits["offset"]
        at = (self._now - traits["lag"] - offset) // period * period + offset
        phase = traits["silent_phase"]
        block = (at // DAY_SECONDS + phase) // SILENT_DAYS
        silent = (phase >= 0) & (block % 2 == 1)
        spoke_until = (block * SILENT_DAYS - phase) * DAY_SECONDS - period + offset
        at = np.where(silent, spoke_until, at)
        oldest = _midnight(self.moment.as_of - timedelta(days=KEPT_DAYS))
        there = ~traits["dead"] & (at >= oldest)
        which, at = which[there], at[there]
        return Rows(which, at, self._values(self.network.traits[which], at))

    def archive(self, day: date) -> Iterator[Rows]:
        """Every reading of a day that has arrived by now, by time, hour by hour."""
        measures = np.arange(len(self.network.measures))
        for hour in range(24):
            begin = _midnight(day) + hour * 3_600
            rows = self._between(measures, begin, begin + 3_600)
            yield rows.take(np.lexsort((rows.measure, rows.at)))

    def second_value(self, rows: Rows) -> Floats:
        """The second value where a reading is a list of two, NaN where it is a number."""
        traits = self.network.traits[rows.measure]
        every, slot = traits["list_every"], rows.at - traits["offset"]
        listed = (every != NEVER) & (slot % np.maximum(every, 1) == 0)
        second = np.round(rows.value + SECOND_VALUE_STEP, 3)
        return np.asarray(np.where(listed, second, np.nan), np.float64)

    def _day_in_order(
        self, measures: tuple[int, ...], day: date, after: int | None, newest_first: bool
    ) -> Rows:
        begin = _midnight(day)
        rows = self._between(np.array(measures, np.int64), begin, begin + DAY_SECONDS)
        if after is not None:
            rows = rows.take(rows.at > after)
        if newest_first:
            return rows.take(np.lexsort((rows.measure, -rows.at)))
        release = mixed(np.array([self.moment.as_of.toordinal()], np.uint64))
        key = self.network.traits["key"][rows.measure] ^ release
        return rows.take(np.argsort(mixed(key, rows.at, np.arange(len(rows.at)))))

    def _between(self, measures: Ints, begin: int, end: int) -> Rows:
        """The readings from `begin` to before `end`; those that stand twice come again last."""
        traits = self.network.traits
        parts = []
        for period in np.unique(traits["period"][measures]):
            which = measures[traits["period"][measures] == period]
            slots = np.arange(begin // period * period, end, period)
            at = slots[np.newaxis, :] + traits["offset"][which, np.newaxis]
            there = (at >= begin) & (at < end) & self._arrived(traits[which][:, np.newaxis], at)
            row, column = np.nonzero(there)
            measure, at = which[row], at[row, column]
            parts.append(Rows(measure, at, self._values(traits[measure], at)))
        rows = Rows.joined(parts)
        again = rows.take(traits["twice"][rows.measure])
        return Rows.joined([rows, again])

    def _arrived(self, traits: NDArray[Any], at: Ints) -> NDArray[np.bool_]:
        phase = traits["silent_phase"]
        silent = (phase >= 0) & ((at // DAY_SECONDS + phase) // SILENT_DAYS % 2 == 1)
        return np.asarray(~traits["dead"] & ~silent & (at + traits["lag"] <= self._now))

    def _values(self, traits: NDArray[Any], at: Ints) -> Floats:
        key, kind, base, swing = (traits[name] for name in ("key", "kind", "base", "swing"))
        phase = uniform(key) * 2 * np.pi
        draw = uniform(key, at)
        slow = np.sin(2 * np.pi * at / SLOW_SECONDS + phase)
        value = base + swing * slow + (draw - 0.5) * 0.02 * swing
        tide = base + swing * np.sin(2 * np.pi * at / TIDE_SECONDS + phase)
        value = np.where(kind == TIDE, tide, value)
        warmth = base + swing * (slow - np.cos(2 * np.pi * at / DAY_SECONDS)) / 2
        value = np.where(kind == WARMTH, np.round(warmth, 1), value)
        storm = uniform(np.full_like(key, self._weather), at // STORM_SECONDS) < WET_SHARE
        rain = np.where(storm, np.floor(draw * 4) / 5, 0.0)
        value = np.where(kind == RAIN, rain, value)
        broken = ~np.isnan(traits["sentinel"]) & (uniform(key, at + 1) < SENTINEL_SHARE)
        return np.asarray(np.round(np.where(broken, traits["sentinel"], value), 3))


def seconds_of(moment: datetime) -> int:
    """Whole seconds since 1970."""
    return int(moment.timestamp())


def _midnight(day: date) -> int:
    return (day - date(1970, 1, 1)).days * DAY_SECONDS
