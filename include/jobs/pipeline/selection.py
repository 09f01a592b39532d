"""The partitions that a command names by source, council and period."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date

from include.councils.model import UK, council_titles
from include.councils.model import council as council_named
from include.errors import PermanentError, UnknownName
from include.sources.model import contract as source_named
from include.sources.model import contracts
from include.sources.partition import Partition, Period


@dataclass(frozen=True)
class Selection:
    """Sources, councils and periods as options name them; empty selects all.

    A period is a month or a day; a month stands for its days, too. `first`
    and `last` are included.
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
        if self.first and self.last and Period.days(self.first)[0] > Period.days(self.last)[1]:
            raise PermanentError(f"`--from {self.first}` is after `--to {self.last}`. Swap them.")

    def _check_period(self, text: str, grains: Collection[str]) -> None:
        for grain in grains:
            Period.span(text, "month" if grain == "month" else "day")
        try:
            Period.days(text)
        except UnknownName:
            raise UnknownName(
                f"{text!r} is not a valid period. Use YYYY-MM, or YYYY-MM-DD for a day."
            ) from None

    def has(self, partition: Partition) -> bool:
        """Whether it selects the partition, whose whole period it must cover."""
        period = partition.period
        return (
            (not self.sources or partition.source in self.sources)
            and (not self.councils or partition.council in self.councils)
            and any(
                start <= period.first_day and period.last_day <= end for start, end in self._spans()
            )
        )

    def _spans(self) -> Iterator[tuple[date, date]]:
        if self.periods:
            yield from map(Period.days, self.periods)
        else:
            yield (
                Period.days(self.first)[0] if self.first else date.min,
                Period.days(self.last)[1] if self.last else date.max,
            )


EVERYTHING = Selection()
