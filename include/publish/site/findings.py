"""Titles that state what the figures show, computed from them alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from include.publish.site import words

_MOST_NAMED = 3
_HARDLY = 0.001


@dataclass(frozen=True)
class Year:
    """The twelve months up to the newest month of a series, and the twelve before.

    `before` is None unless every month of both years is there.
    """

    months: Sequence[date]
    missing: Sequence[date]
    total: int
    before: int | None

    @classmethod
    def of(cls, by_month: Mapping[date, int]) -> Year:
        """Raises ValueError for an empty series."""
        last = max(by_month)
        months = words.months_between(words.months_before(last, 11), last)
        earlier = words.months_between(words.months_before(last, 23), words.months_before(last, 12))
        missing = [m for m in months if m not in by_month]
        complete = not missing and all(m in by_month for m in earlier)
        return cls(
            months,
            missing,
            sum(by_month.get(m, 0) for m in months),
            sum(by_month[m] for m in earlier) if complete else None,
        )

    @property
    def loaded(self) -> int:
        """How many of the twelve months are there."""
        return len(self.months) - len(self.missing)

    @property
    def span(self) -> str:
        """`October 2025 to September 2026`, or less if less is there."""
        return words.ranges([m for m in self.months if m not in self.missing])


def compared(now: int, before: int, what: str) -> str:
    """The change on the year before: `4.3% fewer crimes than in the year before`."""
    if now == before:
        return f"as many {what} as in the year before"
    if before == 0:
        return f"{words.number(now)} {what}, after none in the year before"
    share = abs(now - before) / before
    if share < _HARDLY:
        return f"almost as many {what} as in the year before"
    direction = "fewer" if now < before else "more"
    return f"{words.percent(share)} {direction} {what} than in the year before"


def crime_total(place: str, by_month: Mapping[date, int]) -> str:
    """What is known of the newest year: its change, or its total, or its only month."""
    year = Year.of(by_month)
    if year.before is not None:
        if year.total == year.before == 0:
            return f"No crimes in {place} in two years"
        return f"{place} had {compared(year.total, year.before, 'crimes')}"
    if year.loaded == 1:
        only = max(by_month)
        return f"{place} had {words.counted(by_month[only], 'crime')} in {words.month(only)}"
    months = f"{year.loaded} of 12" if year.missing else "12"
    return f"{place} had {words.counted(year.total, 'crime')} in {months} months"


def leading(values: Mapping[str, float]) -> list[str]:
    """The names that share the highest value, in alphabetical order; none if all are zero."""
    top = max(values.values(), default=0)
    return sorted(name for name, value in values.items() if value == top) if top > 0 else []


def most_common(values: Mapping[str, int], what: str, span: str) -> str:
    """Which kind there is most of, with its share: `Burglary is 24% of crimes in ...`."""
    total, names = sum(values.values()), leading(values)
    if not names:
        return f"No {what} in {span}"
    share = words.percent(values[names[0]] / total)
    if len(names) == 1:
        if values[names[0]] == total:
            return f"{names[0]} is all there was of {what} in {span}"
        return f"{names[0]} is the most common kind: {share} of {what}"
    if len(names) > _MOST_NAMED:
        return f"{len(names)} kinds are equally common: {share} of {what} each"
    return f"{words.joined(names)} are equally common: {share} of {what} each"


def ward_with_most(values: Mapping[str, int]) -> str:
    """Which ward has the most crimes, ties included."""
    total, names = sum(values.values()), leading(values)
    if not names:
        return f"No crimes in any of {words.counted(len(values), 'ward')}"
    top = words.counted(int(values[names[0]]), "crime")
    if len(values) == 1:
        return f"{names[0]}, the only ward with figures, had {top}"
    if len(names) == 1:
        return f"{names[0]} had the most: {top}, {words.percent(values[names[0]] / total)} of all"
    if len(names) > _MOST_NAMED:
        return f"{len(names)} wards share the most crimes: {words.number(values[names[0]])} each"
    return f"{words.joined(names)} had the most: {top} each"


def outcomes(place: str, with_outcome: int, crimes: int) -> str:
    """The share of crimes with an outcome a year on, over the mature months."""
    if not crimes:
        return f"No month of {place} is old enough to compare outcomes"
    share = words.percent(with_outcome / crimes)
    return f"{share} of crimes in {place} have an outcome within a year"


@dataclass(frozen=True)
class Reach:
    """On which days a gauge left its typical range; `has_low` if its lower end is known."""

    name: str
    above: Sequence[date]
    below: Sequence[date]
    has_low: bool


def river(reach: Reach, days: int, has_range: bool) -> str:
    """When a gauge with readings on so many days left its typical range."""
    if not has_range:
        return f"{reach.name}: no typical range to compare with"
    if not days:
        return f"{reach.name}: no readings"
    if reach.above and reach.below:
        above, below = (words.counted(len(left), "day") for left in (reach.above, reach.below))
        return f"{reach.name} left its typical range: above it on {above}, below it on {below}"
    if reach.above or reach.below:
        side = "above" if reach.above else "below"
        return f"{reach.name} was {side} its typical range {_on(reach.above or reach.below, days)}"
    return f"{reach.name} {_kept(reach.has_low)} its typical range"


def _on(left: Sequence[date], days: int) -> str:
    if len(left) == days:
        return "on the only day" if days == 1 else f"on all {days} days"
    if len(left) == 1:
        return f"on {words.day(left[0])}"
    return f"on {len(left)} of {days} days"


def _kept(has_low: bool) -> str:
    return "stayed within" if has_low else "did not rise above"


def rivers(gauges: Sequence[Reach], place: str) -> str:
    """How many of a council's gauges that have a typical range left it."""
    if not gauges:
        return f"No gauge near {place} has a typical range to compare with"
    if any(one.above for one in gauges):
        return _left([one.name for one in gauges if one.above], len(gauges), place, "rose above")
    below = [one.name for one in gauges if one.below]
    if below:
        return _left(below, len(gauges), place, "fell below")
    every = "The only gauge" if len(gauges) == 1 else f"All {len(gauges)} gauges"
    return f"{every} near {place} {_kept(all(one.has_low for one in gauges))} the typical range"


def _left(names: Sequence[str], gauges: int, place: str, how: str) -> str:
    if len(names) == gauges > 1:
        return f"All {gauges} gauges near {place} {how} their typical range"
    if len(names) <= _MOST_NAMED:
        its = "its" if len(names) == 1 else "their"
        return f"{words.joined(sorted(names))} {how} {its} typical range"
    return f"{len(names)} of {gauges} gauges near {place} {how} their typical range"


def conditions(place: str, above: Sequence[date], compared: int, rain: Mapping[date, float]) -> str:
    """On how many days any river was above its typical range, and the wettest of all days."""
    if not compared and not rain:
        return f"No day of rain or rivers near {place}"
    if not compared:
        rivers = f"No river near {place} can be compared with a typical range"
    elif not above:
        rivers = f"No river near {place} rose above its typical range in "
        rivers += words.counted(compared, "day")
    else:
        rivers = f"A river near {place} was above its typical range {_on(above, compared)}"
    top = max(rain.values(), default=0)
    if not rain:
        return rivers
    if top <= 0:
        return f"{rivers}; it did not rain"
    wettest = sorted(day for day, value in rain.items() if value == top)
    if len(wettest) == 1:
        return f"{rivers}; {words.day(wettest[0])} was the wettest: {words.decimals(top)} mm"
    return f"{rivers}; {len(wettest)} days were the wettest: {words.decimals(top)} mm each"


def rain(place: str, by_day: Mapping[date, float]) -> str:
    """The wettest day, or days."""
    if not by_day:
        return f"No complete day of rain in {place}"
    top = max(by_day.values())
    if top <= 0:
        return f"No rain in {place} on {words.counted(len(by_day), 'day')}"
    days = sorted(day for day, value in by_day.items() if value == top)
    if len(days) == 1:
        return f"{words.day(days[0])} was the wettest day in {place}: {words.decimals(top)} mm"
    return f"{len(days)} days were the wettest in {place}: {words.decimals(top)} mm each"


def temperature(place: str, lowest: Mapping[date, float], highest: Mapping[date, float]) -> str:
    """The range from the coldest to the warmest hour."""
    if not lowest or not highest:
        return f"No temperatures in {place}"
    low, high = words.decimals(min(lowest.values())), words.decimals(max(highest.values()))
    return f"{place} had between {low} and {high} °C"


def spending(paid: Mapping[str, float], total: float) -> str:
    """Which supplier received most of the total."""
    names = leading(paid)
    if not names:
        return f"No supplier received more than it paid back: {words.pounds(total)} in all"
    if len(paid) == 1:
        return f"{names[0]} is the only supplier: {words.pounds(paid[names[0]])}"
    if len(names) > 1:
        named = words.joined(names) if len(names) <= _MOST_NAMED else f"{len(names)} suppliers"
        return f"{named} received the most: {words.pounds(paid[names[0]])} each"
    amount = words.pounds(paid[names[0]])
    share = f", {words.percent(paid[names[0]] / total)} of all" if total >= paid[names[0]] else ""
    return f"{names[0]} received the most: {amount}{share}"


def planning(place: str, days: Sequence[int], undecided: int) -> str:
    """How long decisions took, and how many applications wait."""
    waiting = f"{words.number(undecided)} {'is' if undecided == 1 else 'are'} undecided"
    if not days:
        return f"No decision on planning in {place} can be timed; {waiting}"
    middle = sorted(days)[(len(days) - 1) // 2]
    took = f"{words.counted(middle, 'day')} or less"
    return f"Half of {place}'s planning decisions took {took}; {waiting}"
