"""The partitions that a command names by source, council and period."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from include.councils.model import UK, council_titles
from include.councils.model import council as council_named
from include.errors import PermanentError, UnknownName
from include.sources.model import contract as source_named
from include.sources.model import contracts
from include.sources.partition import Grain, Partition, Period


@dataclass(frozen=True)
class Selection:
    """Sources, councils and periods as options name them; empty selects all.

    A period stands for the shorter ones within it, too: `2026-10` for its
    days, hours and weeks (those whose Thursday is in it). `first` and `last`
    are included.
    """

    sources: tuple[str, ...] = ()
    councils: tuple[str, ...] = ()
    periods: tuple[str, ...] = ()
    first: str = ""
    last: str = ""

    def check(self, known: Collection[tuple[str, str]] = ()) -> None:
        """Raise `UnknownName` for a name, and `PermanentError` for a range, that selects nothing.

        Sources and councils that have no file any more are in `known`.
        """
        for name in self.sources:
            if name not in {source for source, _ in known}:
                source_named(name)
        for name in self.councils:
            if name not in (UK, *council_titles(), *(council for _, council in known)):
                council_named(name)
        self.check_periods()

    def check_periods(self) -> None:
        """The same for periods alone, which the sources in use must have."""
        grains = {contracts()[name].period for name in self.sources if name in contracts()}
        if self.periods and (self.first or self.last):
            raise PermanentError("`--period` excludes `--from` and `--to`. Use one or the other.")
        for text in filter(None, (*self.periods, self.first, self.last)):
            self._check_period(text, grains)
        if self.first and self.last and not self._is_range(grains):
            raise PermanentError(f"`--from {self.first}` is after `--to {self.last}`. Swap them.")

    def _check_period(self, text: str, grains: Collection[Grain]) -> None:
        for grain in grains:
            Period.span(text, grain)
        Period.read(text)

    def _is_range(self, grains: Collection[Grain]) -> bool:
        likely: Grain = next(iter(grains)) if len(grains) == 1 else "month"
        return Period.read(self.first, likely).start < Period.read(self.last, likely).end

    def has(self, partition: Partition) -> bool:
        """Whether it selects the partition, whose whole period it must cover."""
        period = partition.period
        return (
            (not self.sources or partition.source in self.sources)
            and (not self.councils or partition.council in self.councils)
            and (not self.periods or any(_covers(text, text, period) for text in self.periods))
            and _covers(self.first, self.last, period)
        )


def _covers(first: str, last: str, period: Period) -> bool:
    """Whether the range has the whole period; an empty text sets no limit."""
    if period.grain == "all" or "all" in (first, last):
        return period.grain == "all" and {first, last} <= {"", "all"}
    begin, end = first and _bounds(first, period.grain), last and _bounds(last, period.grain)
    return (not begin or begin[0] <= period.start) and (not end or period.end <= end[1])


def _bounds(text: str, grain: Grain) -> tuple[datetime, datetime]:
    """Begin and end of a text, for periods of a grain."""
    try:
        start, last = Period.span(text, grain)
    except UnknownName:
        # A shorter period is within no longer one, but limits a range.
        start = last = Period.read(text, grain)
    return start.start, last.end


EVERYTHING = Selection()
