"""Formats of dates and times, by the directives of `strptime`, with English names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from include.sources.conversions.patterns import escaped

MONTHS = {
    name[:3]: f"{number:02}"
    for number, name in enumerate(
        (
            *("january", "february", "march", "april", "may", "june", "july", "august"),
            *("september", "october", "november", "december"),
        ),
        start=1,
    )
}
WEEKDAYS = {
    name: number
    for number, name in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"), start=1)
}
_MONTH_NAMES = (
    "january|february|march|april|may|june|july|august|september|october|november|december"
)
_SHORT_MONTHS = "jan|feb|mar|apr|may|jun|jul|aug|sept|sep|oct|nov|dec"
_WEEKDAY_NAMES = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_SHORT_WEEKDAYS = "mon|tues|tue|wed|thurs|thur|thu|fri|sat|sun"


def _in_any_case(names: str) -> str:
    # (?i) would also match the long s and the Kelvin sign.
    return re.sub("[a-z]", lambda found: f"[{found[0].upper()}{found[0]}]", names)


@dataclass(frozen=True)
class _Directive:
    """What a directive matches; its text on its own, and where a digit is next to it."""

    what: str
    pattern: str
    beside_digits: str = ""


_DIRECTIVES = {
    "Y": _Directive("year", "[0-9]{4}"),
    "y": _Directive("year", "[0-9]{2}"),
    "m": _Directive("month", "0?[1-9]|1[0-2]", "0[1-9]|1[0-2]"),
    "b": _Directive("month", _in_any_case(_SHORT_MONTHS)),
    "B": _Directive("month", _in_any_case(_MONTH_NAMES)),
    "d": _Directive("day", "0?[1-9]|[12][0-9]|3[01]", "0[1-9]|[12][0-9]|3[01]"),
    "a": _Directive("weekday", _in_any_case(_SHORT_WEEKDAYS)),
    "A": _Directive("weekday", _in_any_case(_WEEKDAY_NAMES)),
    "H": _Directive("hour", "[01]?[0-9]|2[0-3]", "[01][0-9]|2[0-3]"),
    "I": _Directive("hour", "0?[1-9]|1[0-2]", "0[1-9]|1[0-2]"),
    "p": _Directive("half of the day", "[AaPp][Mm]"),
    "M": _Directive("minute", "[0-5][0-9]"),
    "S": _Directive("second", "[0-5][0-9]"),
    "f": _Directive("fraction of a second", "[0-9]+"),
    "z": _Directive("zone", "Z|[+-][0-9]{2}(?::?[0-9]{2})?"),
}
_NUMERIC = frozenset("YymdHIMSf")
# Those of a time of day.
OF_TIMES = frozenset("HIpMSfz")
# Their length varies, so that a digit behind them could be theirs.
_OPEN_END = frozenset("fz")
_TOKEN = re.compile(r"%(?P<directive>.?)|(?P<literal>[^%]+)", re.DOTALL)


@dataclass(frozen=True)
class DateFormat:
    """A format of dates or times: its pattern, which names its parts by directive."""

    pattern: str
    directives: frozenset[str]


@cache
def date_format(text: str) -> DateFormat:
    """A format like `%d/%m/%Y`. Raises `ValueError`."""
    tokens = [_token(found, text) for found in _TOKEN.finditer(text)]
    used = [letter for letter, _ in tokens if letter]
    for what in ("year", "month", "day", *(item.what for item in _DIRECTIVES.values())):
        named = [f"%{letter}" for letter in used if _DIRECTIVES[letter].what == what]
        if len(named) > 1:
            raise ValueError(f"{text!r} has the {what} twice: {' and '.join(named)}")
        if not named and what in ("year", "month", "day"):
            hint = ": load months as text, and make dates of them in the staging model"
            raise ValueError(f"{text!r} has no {what}{hint if what == 'day' else ''}")
    _check_time(text, frozenset(used))
    pattern = "".join(_patterns(text, tokens))
    return DateFormat(pattern, frozenset(used))


def _token(found: re.Match[str], text: str) -> tuple[str, str]:
    """The letter of a directive, or a literal text."""
    letter = found["directive"]
    if letter is None:
        return "", found["literal"]
    if letter == "%":
        return "", "%"
    if letter not in _DIRECTIVES:
        known = " ".join(f"%{name}" for name in _DIRECTIVES)
        raise ValueError(f"{text!r}: expected one of {known}, found %{letter}")
    return letter, ""


def _check_time(text: str, used: frozenset[str]) -> None:
    if ("I" in used) != ("p" in used):
        raise ValueError(f"{text!r}: %I, an hour of twelve, needs %p, and %p needs %I")
    for part, needed in (("M", "HI"), ("S", "M"), ("f", "S"), ("z", "M")):
        if part in used and not used & set(needed):
            raise ValueError(f"{text!r}: %{part} needs %{needed[0]}")
    if used & set("HI") and "M" not in used:
        raise ValueError(f"{text!r} has an hour, but no minute")


def _patterns(text: str, tokens: Sequence[tuple[str, str]]) -> Iterator[str]:
    for place, (letter, literal) in enumerate(tokens):
        if not letter:
            yield escaped(literal)
            continue
        before = _ends(tokens[place - 1]) if place else False
        after = _begins(tokens[place + 1]) if place + 1 < len(tokens) else False
        if letter in _OPEN_END and after:
            raise ValueError(f"{text!r}: a digit directly behind %{letter} could belong to it")
        directive = _DIRECTIVES[letter]
        pattern = directive.beside_digits if before or after else ""
        yield f"(?P<{letter}>{pattern or directive.pattern})"


def _begins(token: tuple[str, str]) -> bool:
    return token[0] in _NUMERIC if token[0] else token[1][0].isdigit()


def _ends(token: tuple[str, str]) -> bool:
    return token[0] in _NUMERIC if token[0] else token[1][-1].isdigit()
