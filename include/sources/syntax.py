"""Texts of a contract that another program reads later: schedules, patterns, time zones.

What is accepted here, croniter and Airflow, RE2, and polars accept, too; tests compare them.
Reading a contract must not import any of them.
"""

from __future__ import annotations

import calendar
import re
from zoneinfo import ZoneInfo

_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS = tuple(name.lower() for name in calendar.month_abbr[1:])
# The fields of a schedule: what each is called, its first and last value, names for values.
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, start=1)}),
    ("day of the week", 0, 7, {name: number for number, name in enumerate(_DAYS)}),
)
_ITEM = re.compile(r"(?:\*|(?P<first>\w+)(?:-(?P<last>\w+))?)(?:/(?P<step>\d{1,2}))?", re.ASCII)
_LEAP_YEAR = 2024


def schedule(value: str) -> str:
    """A cron expression of five fields that fires at some time. Raises `ValueError`."""
    fields = value.split(" ")
    if len(fields) != len(_FIELDS):
        raise ValueError("expected five fields: minute hour day-of-month month day-of-week")
    _, _, days, months, weekdays = (
        _values(text, *known) for text, known in zip(fields, _FIELDS, strict=True)
    )
    any_weekday = len({day % 7 for day in weekdays}) == len(_DAYS)
    if any_weekday and all(
        day > calendar.monthrange(_LEAP_YEAR, month)[1] for day in days for month in months
    ):
        raise ValueError(f"no such date: day {fields[2]} of month {fields[3]}")
    return value


def _values(text: str, what: str, lowest: int, highest: int, names: dict[str, int]) -> set[int]:
    found: set[int] = set()
    for item in text.split(","):
        read = _ITEM.fullmatch(item)
        if read is None or (read["step"] and read["first"] and not read["last"]):
            raise ValueError(f"{what}: expected *, 1, 1-5, 1-5/2 or */15, found {item!r}")
        first = _number(read["first"], what, names) if read["first"] else lowest
        last = _number(read["last"], what, names) if read["last"] else first
        last = last if read["first"] else highest
        step = int(read["step"] or 1)
        if not lowest <= first <= last <= highest:
            raise ValueError(f"{what}: expected {lowest} to {highest}, found {item!r}")
        if not 1 <= step <= highest:
            raise ValueError(f"{what}: expected a step from 1 to {highest}, found {item!r}")
        found.update(range(first, last + 1, step))
    return found


def _number(text: str, what: str, names: dict[str, int]) -> int:
    if text.isdigit() and len(text) <= 2:
        return int(text)
    if text.lower() not in names:
        raise ValueError(f"{what}: {text!r} is not a number{' or name' if names else ''}")
    return names[text.lower()]


# RE2 allows no more repetitions, including nested ones; and its programs are limited.
_MOST_REPEATS = 1000
_MOST_PARTS = 10_000
# A class by name is hundreds of ranges of characters.
_LARGE_CLASS = 100
_BY_NAME = re.compile(r"\\[pP]\{\w+\}")
_IN_CLASS = r"\\(?:[dDsSwWnrtfv]|x[0-9A-Fa-f]{2}|[!-/:-@\[-^`{-~]|[pP]\{(?:L|Lu|Ll|N|Nd|P|S|Z)\})"
_TOKEN = re.compile(
    rf"""
      (?P<class> \[ \^? (?: \] )? (?: {_IN_CLASS} | (?!&&|--|~~|\|\|) [^\]\\\[] )* \] )
    | (?P<open> \( (?: \?: | \?P<[A-Za-z_]\w*> | \?[ims]+: )? (?!\?) )
    | (?P<flags> \(\?[ims]+\) )
    | (?P<close> \) )
    | (?P<repeat> (?: [*+?] | \{{ (?P<least>\d+) (?: , (?P<most>\d*) )? \}} ) \?? )
    | (?P<place> \\[bBA] | \^ | \$ | \| )
    | (?P<one> {_IN_CLASS} | [^\\\[(){{}}*+?|^$] )
    """,
    re.VERBOSE | re.ASCII | re.DOTALL,
)


def pattern(value: str) -> str:
    """A regular expression that RE2 compiles. Raises `ValueError`.

    RE2 runs in time linear to the text, and so has no look-around and no back-references.
    """
    # For each open group, its parts and the most repetitions in it.
    groups = [[0, 1]]
    last, place, repeated = [0, 1], 0, False
    while place < len(value):
        token = _TOKEN.match(value, place)
        closed = token is not None and bool(token["close"]) and len(groups) == 1
        if token is None or closed or (token["repeat"] and repeated):
            raise ValueError(
                f"expected a regular expression of RE2, found {value[place : place + 10]!r}; RE2 "
                "has no look-around, back-references or possessive repeats, and braces that "
                r"repeat nothing are written as \{"
            )
        place, repeated = token.end(), bool(token["repeat"])
        if token["open"]:
            groups.append([0, 1])
        elif token["close"]:
            last = groups.pop()
            groups[-1] = _joined(groups[-1], last)
        elif token["repeat"] and token["least"]:
            times = max(int(token["least"]), int(token["most"] or 0), 1)
            groups[-1][0] += last[0] * (times - 1)
            last = [last[0] * times, last[1] * times]
            groups[-1][1] = max(groups[-1][1], last[1])
        elif token["class"] or token["one"]:
            last = [1 + _LARGE_CLASS * len(_BY_NAME.findall(token[0])), 1]
            groups[-1] = _joined(groups[-1], last)
        if groups[-1][1] > _MOST_REPEATS or groups[-1][0] > _MOST_PARTS:
            raise ValueError(f"expected at most {_MOST_REPEATS} repetitions, including nested ones")
    try:
        # Python knows no Unicode classes by name.
        re.compile(_BY_NAME.sub(r"\\w", value))
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"expected a regular expression: {error}") from error
    return value


def _joined(group: list[int], part: list[int]) -> list[int]:
    return [group[0] + part[0], max(group[1], part[1])]


# Files beside the time zones, on some machines.
_NOT_A_PLACE = re.compile("Factory$|localtime$|posix|right/")


def zone(value: str) -> str:
    """The name of a time zone. Raises `ValueError`."""
    try:
        if not _NOT_A_PLACE.match(value):
            return ZoneInfo(value).key
        raise ValueError(value)
    except (KeyError, ValueError, OSError) as error:  # KeyError: unknown; OSError: a folder
        raise ValueError("expected the name of a time zone, like Europe/London") from error
