"""How texts write dates, numbers and yes or no, as words of a column.

A notation is taken only if every text is written in it; a load checks it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

DAY_FIRST, MONTH_FIRST = "day-first", "month-first"
# The first of the hundred years that two digits mean.
_YEARS_FROM = 1970
_DATES = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%d.%m.%Y", "%d %b %Y", "%d %B %Y"),
    *("%d-%b-%Y", "%d/%b/%Y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%y", "%d %b %y", "%Y/%m/%d"),
    *("%d.%m.%y", "%b %d, %Y", "%B %d, %Y"),
)
_TIMES = (" %H:%M:%S", " %H:%M", "T%H:%M:%S", " %I:%M:%S %p", " %I:%M %p", " %I:%M%p")
_DIGITS = re.compile(r"\d{1,4}[ /.\-]|[A-Za-z]{3,9} \d", re.ASCII)
_MIDNIGHT = re.compile(r".* (00:00(?::00)?)")
_NUMBER = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[-\u2212])?\s*(?P<before>[£$€¥]|GBP|EUR|USD)?\s*(?P<minus>[-\u2212])?"
    r"(?P<number>\d{1,3}(?:,\d{3})+(?:\.\d*)?|\d+(?:\.\d*)?|\.\d+)"
    r"\s*(?P<after>[£$€¥%]|GBP|EUR|USD)?\s*(?P<close>\))?(?P<behind>-)?",
    re.ASCII,
)
_NET_EPOCH = re.compile(r"/Date\(-?\d+(?:[+-]\d{4})?\)/", re.ASCII)
_WORDS = (("Y", "N"), ("yes", "no"), ("true", "false"), ("T", "F"), ("on", "off"))
_MOST_DIGITS = 18


@dataclass(frozen=True)
class Notation:
    """The words of a column, a remark on what to check, and whether the order of days is open."""

    words: dict[str, Any]
    remark: str = ""
    is_ambiguous: bool = False


def notation_of(texts: Sequence[str], order: str = "") -> Notation | None:
    """How all of these texts are written; None if in no way that is known.

    `order` says whether the day or the month comes first in dates that do not show it.
    """
    known = [text.strip() for text in texts if text.strip()]
    if not known:
        return None
    found = _as_words(known) or _as_numbers(known) or _as_dates(known, order)
    if found is None:
        return None
    if any(text != text.strip() for text in texts):
        return Notation({"clean": ["trim"], **found.words}, found.remark, found.is_ambiguous)
    return found


def _as_words(texts: list[str]) -> Notation | None:
    kinds = set(texts)
    for yes, no in _WORDS:
        true = sorted(kind for kind in kinds if kind.lower() == yes.lower())
        false = sorted(kind for kind in kinds if kind.lower() == no.lower())
        if true and false and len(true) + len(false) == len(kinds):
            words: dict[str, Any] = {"type": "boolean"}
            words |= {"true_values": [each for each in true if each != "true"]}
            words |= {"false_values": [each for each in false if each != "false"]}
            return Notation({name: value for name, value in words.items() if value})
    return None


def _as_numbers(texts: list[str]) -> Notation | None:
    found = [_NUMBER.fullmatch(text) for text in texts]
    if not all(found):
        return None
    parts = [each for each in found if each]
    if any(bool(each["open"]) != bool(each["close"]) for each in parts):
        return None
    symbols = {each[place] for each in parts for place in ("before", "after") if each[place]}
    words: dict[str, Any] = {}
    if any("," in each["number"] for each in parts):
        words["thousands"] = ","
    if symbols - {"%"}:
        words["symbols"] = sorted(symbols)
    if signs := [
        sign
        for sign, place in (("(#)", "open"), ("#-", "behind"))
        if any(each[place] for each in parts)
    ]:
        words["negative"] = signs
    if symbols == {"%"}:
        words["percent"] = "points"
    elif "%" in symbols:
        return None
    # Without one of these, the text is a number already, or a code with leading zeros.
    if not words:
        return None
    decimals = max(len(each["number"].partition(".")[2]) for each in parts)
    digits = max(len(each["number"].partition(".")[0].replace(",", "")) for each in parts)
    scale = max(decimals, 2 if symbols - {"%"} else 0)
    precision = max(_MOST_DIGITS, digits + scale)
    if precision > 2 * _MOST_DIGITS:
        return None
    remark = "12.5% becomes 12.5; for 0.125: `percent: fraction`" if "percent" in words else ""
    return Notation({"type": f"numeric({precision},{scale})", "number": words}, remark)


def _as_dates(texts: list[str], order: str) -> Notation | None:
    if all(map(_NET_EPOCH.fullmatch, texts)):
        return Notation({"type": "timestamptz", "format": "epoch_ms"})
    if not all(map(_DIGITS.match, texts)):
        return None
    fitting = [form for form in _forms(texts) if all(_reads(text, form) for text in texts)]
    if not fitting:
        return None
    form = fitting[0]
    swapped = {"%d": "%m", "%m": "%d"}
    turned = re.sub("%[dm]", lambda found: swapped[found[0]], form)
    is_open = turned in fitting and turned != form
    if is_open and order == MONTH_FIRST:
        form = turned
    words: dict[str, Any] = {"type": "date", "format": form}
    remark = ""
    if re.search("%[HI]", form):
        words |= {"type": "timestamptz", "zone": "UTC"}
        remark = "times are assumed to be UTC; correct `zone` if they are local"
    if "%y" in form:
        words["two_digit_years_from"] = _YEARS_FROM
        remark = f"two-digit years begin with {_YEARS_FROM}"
    return Notation(words, remark, is_open and not order)


def _forms(texts: list[str]) -> Iterator[str]:
    midnights = {found[1] if (found := _MIDNIGHT.fullmatch(text)) else "" for text in texts}
    end = midnights.pop() if len(midnights) == 1 else ""
    for date in _DATES:
        yield date + (f" {end}" if end else "")
    if not end:
        for date in _DATES:
            for time in _TIMES:
                yield date + time


def _reads(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)
    except ValueError:
        return False
    # strptime takes four digits for two, and the other way round is refused by a load.
    return True
