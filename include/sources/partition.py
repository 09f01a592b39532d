"""Periods and partitions: the unit of fetching, replacing, retrying and backfilling."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from include.errors import UnknownName

Grain = Literal["day", "month"]
# Airflow cannot count runs at the ends of the calendar.
FirstDay = Annotated[date, Field(ge=date(1600, 1, 1), le=date(2999, 12, 31))]

_WRITTEN = {"day": re.compile(r"\d{4}-\d{2}-\d{2}"), "month": re.compile(r"\d{4}-\d{2}")}


@dataclass(frozen=True, order=True)
class Period:
    """A day or a month, identified by its first day."""

    first_day: date
    grain: Grain

    @classmethod
    def of(cls, day: date, grain: Grain) -> Period:
        """The period of `grain` that contains `day`."""
        if isinstance(day, datetime):
            day = day.date()
        return cls(day if grain == "day" else day.replace(day=1), grain)

    @classmethod
    def parse(cls, text: str, grain: Grain) -> Period:
        """Read `2017-05` or `2017-05-01`, depending on `grain`. Raises `UnknownName`."""
        try:
            if _WRITTEN[grain].fullmatch(text):
                return cls(date.fromisoformat(text if grain == "day" else f"{text}-01"), grain)
        except ValueError:
            pass
        form = "YYYY-MM-DD" if grain == "day" else "YYYY-MM"
        raise UnknownName(f"{text!r} is not a valid {grain}. Use {form}.")

    @classmethod
    def span(cls, text: str, grain: Grain) -> tuple[Period, Period]:
        """The first and the last period in `text`: itself, or the days of a month.

        Raises `UnknownName`.
        """
        if grain == "day" and _WRITTEN["month"].fullmatch(text):
            month = cls.parse(text, "month")
            return cls(month.first_day, "day"), cls(month.last_day, "day")
        period = cls.parse(text, grain)
        return period, period

    @classmethod
    def days(cls, text: str) -> tuple[date, date]:
        """The first and the last day of a month or a day. Raises `UnknownName`."""
        grain: Grain = "month" if _WRITTEN["month"].fullmatch(text) else "day"
        period = cls.parse(text, grain)
        return period.first_day, period.last_day

    @property
    def next(self) -> Period:
        """The period right after this one."""
        step = timedelta(days=1 if self.grain == "day" else 32)
        return Period.of(self.first_day + step, self.grain)

    @property
    def previous(self) -> Period:
        """The period right before this one."""
        return Period.of(self.first_day - timedelta(days=1), self.grain)

    @property
    def last_day(self) -> date:
        """The last day that belongs to the period."""
        if self.grain == "day":
            return self.first_day
        year, month = self.first_day.year, self.first_day.month
        return self.first_day.replace(day=monthrange(year, month)[1])

    def until(self, last: Period) -> list[Period]:
        """Every period from this one to `last`, both included; empty if `last` is earlier."""
        found, period = [], self
        while period <= last:
            found.append(period)
            period = period.next
        return found

    def __str__(self) -> str:
        return self.first_day.isoformat()[: 10 if self.grain == "day" else 7]


@dataclass(frozen=True, order=True)
class Partition:
    """Source x council x period."""

    source: str
    council: str
    period: Period

    @property
    def place(self) -> dict[str, str]:
        """Council and period as text, as tasks pass them on."""
        return {"council": self.council, "period": str(self.period)}

    def __str__(self) -> str:
        return f"{self.source} {self.council} {self.period}"
