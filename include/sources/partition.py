"""Periods and partitions: the unit of fetching, replacing, retrying and backfilling."""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal, NamedTuple

from include.errors import UnknownName

Grain = Literal["hour", "day", "week", "month", "quarter", "year", "financial_year", "all"]


class Form(NamedTuple):
    """How the periods of a grain are written: for people, an example, and as a pattern."""

    shown: str
    example: str
    pattern: str


FORMS: dict[Grain, Form] = {
    "hour": Form("YYYY-MM-DDTHH (UTC)", "2017-05-31T09", r"^\d{4}-\d{2}-\d{2}T\d{2}$"),
    "day": Form("YYYY-MM-DD", "2017-05-31", r"^\d{4}-\d{2}-\d{2}$"),
    "week": Form("YYYY-Www", "2017-W22", r"^\d{4}-W\d{2}$"),
    "month": Form("YYYY-MM", "2017-05", r"^\d{4}-\d{2}$"),
    "quarter": Form("YYYY-Qn", "2017-Q2", r"^\d{4}-Q[1-4]$"),
    "year": Form("YYYY", "2017", r"^\d{4}$"),
    "financial_year": Form("YYYY-YY", "2017-18", r"^\d{4}-\d{2}$"),
    "all": Form("all", "all", "^all$"),
}
_WRITTEN = {grain: re.compile(form.pattern[1:-1], re.ASCII) for grain, form in FORMS.items()}
# The longer periods that consist of those of a grain.
_WITHIN: dict[Grain, tuple[Grain, ...]] = {
    "hour": ("day", "week", "month", "quarter", "year", "financial_year"),
    "day": ("week", "month", "quarter", "year", "financial_year"),
    "week": ("month", "quarter", "year", "financial_year"),
    "month": ("quarter", "year", "financial_year"),
    "quarter": ("year", "financial_year"),
    "year": (),
    "financial_year": (),
    "all": (),
}
# Months of a period, for those that begin with a month.
_MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "year": 12, "financial_year": 12}
_APRIL = 4


def grain_label(grain: str) -> str:
    """A grain in words."""
    return grain.replace("_", " ")


@dataclass(frozen=True, order=True)
class Period:
    """What a partition is about, from an hour to all there is, identified by its begin.

    Weeks are those of ISO 8601; financial years begin in April. Hours are
    those of UTC, so that each day has 24. `all` is one period, from the first
    day that Python has to the last.
    """

    first_day: date
    grain: Grain
    hour: int = 0

    @classmethod
    def of(cls, moment: date, grain: Grain) -> Period:
        """The period of `grain` that contains a day or a moment; without a zone, in UTC.

        Raises `OverflowError` where it would begin before the year 1.
        """
        hour = 0
        if isinstance(moment, datetime):
            moment = moment.astimezone(UTC) if moment.tzinfo else moment
            hour = moment.hour
            moment = moment.date()
        return cls(_first_day(moment, grain), grain, hour if grain == "hour" else 0)

    @classmethod
    def starting(cls, moment: date, likely: Grain) -> Period:
        """The period that begins with a value from the database.

        Of the `likely` grain, or the shortest that can begin then.
        """
        begin = begin_of(moment)
        grains: tuple[Grain, ...] = (likely, "day", "hour")
        for grain in grains:
            try:
                period = cls.of(begin, grain)
            except OverflowError:
                continue
            if period.starts_at == begin:
                return period
        raise ValueError(f"no period begins at {begin}")

    @classmethod
    def parse(cls, text: str, grain: Grain) -> Period:
        """Read `2017-05` or `2017-W22`, depending on `grain`. Raises `UnknownName`."""
        found = _parsed(text, grain)
        if found is None:
            form = FORMS[grain].shown
            raise UnknownName(f"{text!r} is not a valid {grain_label(grain)}. Use {form}.")
        return found

    @classmethod
    def read(cls, text: str, likely: Grain = "month") -> Period:
        """Read a period of any grain. Raises `UnknownName`.

        Only `2000-01` to `2011-12` have two meanings: financial years if
        `likely` says so, else months.
        """
        for grain in (likely, *FORMS):
            found = _parsed(text, grain)
            if found:
                return found
        raise UnknownName(
            f"{text!r} is not a valid period. Use {', '.join(form.example for form in _SHOWN)} "
            f"or {FORMS['financial_year'].example} (April to March)."
        )

    @classmethod
    def span(cls, text: str, grain: Grain) -> tuple[Period, Period]:
        """The first and the last period in `text`: itself, or those of a longer period.

        A week is of the month, quarter and year that its Thursday is in, as in
        ISO 8601. Raises `UnknownName`.
        """
        own = _parsed(text, grain)
        if own:
            return own, own
        # 2010-11 is a month, which has no quarters, and a financial year.
        ambiguous = grain == "quarter" and _parsed(text, "month")
        for longer in _WITHIN[grain]:
            found = _parsed(text, longer)
            if found and not ambiguous:
                return found._of_grain(grain)
        period = cls.parse(text, grain)
        return period, period

    def _of_grain(self, grain: Grain) -> tuple[Period, Period]:
        """The first and the last period of a shorter grain in this one."""
        first = Period.of(self.first_day, grain)
        last = Period.of(datetime.combine(self.last_day, time(23)), grain)
        if grain == "week":
            to_thursday = timedelta(days=3)
            if first.first_day + to_thursday < self.first_day:
                first = first.next
            if last.first_day + to_thursday > self.last_day:
                last = last.previous
        return first, last

    @property
    def next(self) -> Period:
        """The period right after this one. Raises `OverflowError` after the last one."""
        if self.grain == "hour" and self.hour < 23:
            return Period(self.first_day, self.grain, self.hour + 1)
        return Period.of(self.last_day + timedelta(days=1), self.grain)

    @property
    def previous(self) -> Period:
        """The period right before this one. Raises `OverflowError` before the first one."""
        if self.grain == "hour" and self.hour:
            return Period(self.first_day, self.grain, self.hour - 1)
        before = self.first_day - timedelta(days=1)
        return Period.of(datetime.combine(before, time(23)), self.grain)

    @property
    def last_day(self) -> date:
        """The last day that belongs to the period, at most the last that Python has."""
        first = self.first_day
        if self.grain in ("hour", "day"):
            return first
        if self.grain == "all":
            return date.max
        if self.grain == "week":
            return date.max if date.max - first < timedelta(days=6) else first + timedelta(days=6)
        months = first.month - 1 + _MONTHS[self.grain] - 1
        year, month = first.year + months // 12, months % 12 + 1
        if year > date.max.year:
            return date.max
        return date(year, month, monthrange(year, month)[1])

    @property
    def starts_at(self) -> datetime:
        """When it begins, in UTC without a zone, as the tables of `ops` have it."""
        return datetime.combine(self.first_day, time(self.hour))

    @property
    def start(self) -> datetime:
        """When it begins, in UTC."""
        return self.starts_at.replace(tzinfo=UTC)

    @property
    def end(self) -> datetime:
        """When the next one begins, in UTC; the last moment that Python has, if none does."""
        try:
            return self.next.start
        except OverflowError:
            return datetime.max.replace(tzinfo=UTC)

    @property
    def in_table(self) -> date:
        """What the raw table has in `_period`: the first day, or the moment an hour begins."""
        return self.start if self.grain == "hour" else self.first_day

    def until(self, last: Period) -> list[Period]:
        """Every period from this one to `last`, both included; empty if `last` is earlier."""
        if last < self:
            return []
        found = [self]
        while found[-1] < last:
            found.append(found[-1].next)
        return found

    def __str__(self) -> str:
        first, year = self.first_day, f"{self.first_day.year:04}"
        match self.grain:
            case "hour":
                return f"{first.isoformat()}T{self.hour:02}"
            case "day":
                return first.isoformat()
            case "week":
                iso = first.isocalendar()
                return f"{iso.year:04}-W{iso.week:02}"
            case "month":
                return first.isoformat()[:7]
            case "quarter":
                return f"{year}-Q{(first.month + 2) // 3}"
            case "financial_year":
                return f"{year}-{(first.year + 1) % 100:02}"
            case "all":
                return "all"
        return year


_SHOWN = [form for grain, form in FORMS.items() if grain != "financial_year"]


def _first_day(day: date, grain: Grain) -> date:
    match grain:
        case "week":
            return day - timedelta(days=day.weekday())
        case "month":
            return day.replace(day=1)
        case "quarter":
            return date(day.year, (day.month - 1) // 3 * 3 + 1, 1)
        case "year":
            return date(day.year, 1, 1)
        case "financial_year":
            year = day.year if day.month >= _APRIL else day.year - 1
            if year < date.min.year:
                raise OverflowError(f"{day} is in a financial year that begins before the year 1")
            return date(year, _APRIL, 1)
        case "all":
            return date.min
    return day


def _parsed(text: str, grain: Grain) -> Period | None:
    if not _WRITTEN[grain].fullmatch(text):
        return None
    try:
        day = _first_day_written(text, grain)
        hour = time(int(text[11:])).hour if grain == "hour" else 0
    except ValueError:
        return None
    period = Period(day, grain, hour)
    # A financial year that ends in another one.
    return period if str(period) == text else None


def _first_day_written(text: str, grain: Grain) -> date:
    match grain:
        case "week":
            return date.fromisocalendar(int(text[:4]), int(text[6:]), 1)
        case "month":
            return date.fromisoformat(f"{text}-01")
        case "quarter":
            return date(int(text[:4]), int(text[6]) * 3 - 2, 1)
        case "year" | "financial_year":
            return date(int(text[:4]), 1 if grain == "year" else _APRIL, 1)
        case "all":
            return date.min
    return date.fromisoformat(text[:10])


def begin_of(value: date) -> datetime:
    """A day or a moment of the database as the begin of a period: in UTC, without a zone."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


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
