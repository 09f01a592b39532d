"""The values of cells: numbers exactly as stored, dates and times as ISO text.

Values are ready to be written as JSON: a number is its text, so that no
digit is lost.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Literal, TypeAlias

import msgspec

from include.errors import BeyondLimit
from include.sources.limits import VALUE_BYTES

# https://support.microsoft.com/office/excel-specifications-and-limits
MOST_COLUMNS = 16_384
DAY_MS = 86_400_000

Value: TypeAlias = str | bool | msgspec.Raw
Shows = Literal["", "date", "time", "moment", "elapsed"]


@dataclass(slots=True)
class Row:
    """The cells of a row that have a value, by their column from 1.

    `number` is that of the row in its sheet, from 1, `times` how often it is
    repeated; `lacking` names the first cell with a formula whose value the
    file does not contain.
    """

    number: int
    cells: dict[int, Value] = field(default_factory=dict)
    lacking: str = ""
    times: int = 1


def grown(size: int, more: int, limit: int) -> int:
    """The size of a row with `more` bytes. Raises `BeyondLimit`."""
    if size + more > limit:
        raise BeyondLimit(
            f"expected rows, found one of more than {limit} bytes, a value counted as at least "
            f"{VALUE_BYTES}",
            "record_bytes",
            limit,
        )
    return size + more


@lru_cache(maxsize=MOST_COLUMNS)
def letters_of(column: int) -> str:
    """The letters of a column: 28 is AB."""
    letters = ""
    while column:
        column, place = divmod(column - 1, 26)
        letters = chr(65 + place) + letters
    return letters


def name_of(column: int, row: int) -> str:
    """The name of a cell: C7."""
    return f"{letters_of(column)}{row}"


_JSON_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?", re.ASCII)
# Up to here, a number is written as it is meant.
_SURELY_SHORTEST = 15
_DIGITS_OF_DOUBLES = (17, 16)


def number(text: str) -> Value:
    """A number; text that is none is returned as text.

    Programs write the double 1.1 as 1.1000000000000001, with 17 digits, or 16:
    it is written in its shortest form. More digits than a double has are kept.
    """
    text = text.strip()
    if not _JSON_NUMBER.fullmatch(text):
        return _other_number(text)
    if len(text) > _SURELY_SHORTEST and text != (shortest := repr(float(text))):
        text = shortest if _is_written_double(text) else text
    return msgspec.Raw(text.encode())


def _is_written_double(text: str) -> bool:
    """Whether it has the digits with which programs write a double."""
    try:
        exact = Decimal(text)
    except InvalidOperation:
        # Its exponent is beyond 10^18, and so beyond that of a double.
        return False
    return exact in (Decimal(f"{float(text):.{digits}g}") for digits in _DIGITS_OF_DOUBLES)


def _other_number(text: str) -> Value:
    """Numbers that JSON writes otherwise, such as .5 and +1."""
    match = re.fullmatch(r"[+]?(-?)0*+([0-9]*)(?:\.([0-9]*))?([eE][+-]?[0-9]+)?", text, re.ASCII)
    if match is None or not (match[2] or match[3] or "0" in text):
        return text
    digits = f".{match[3]}" if match[3] else ""
    return msgspec.Raw(f"{match[1]}{match[2] or '0'}{digits}{match[4] or ''}".encode())


def moment(text: str, shows: Shows, first_day: date) -> Value:
    """A number that is shown as a date or time, as ISO text.

    Raises nothing: a number that is not a date is returned as a number. Times are
    exact to a millisecond, as in Excel.
    """
    try:
        ms = round(float(text) * DAY_MS)
        return _elapsed(ms) if shows == "elapsed" else _moment(ms, shows, first_day)
    except (OverflowError, ValueError):
        return number(text)


def _moment(ms: int, shows: Shows, first_day: date) -> str:
    days, rest = divmod(ms, DAY_MS)
    if ms < 0:
        raise ValueError("before the calendar")
    clock = _clock(rest)
    if shows == "time" and not days:
        return clock
    day = _day(days, first_day)
    return day if shows == "date" and not rest else f"{day}T{clock}"


def _day(days: int, first_day: date) -> str:
    if first_day == EXCEL_1900:
        # Excel counts a day that never was: https://learn.microsoft.com/office/troubleshoot/excel/wrongly-assumes-1900-is-leap-year
        if days == 60:
            return "1900-02-29"
        days -= 1 if days > 60 else 0
        if not days:
            return "1900-01-00"
    return (first_day + timedelta(days=days)).isoformat()


def _clock(ms: int) -> str:
    seconds, ms = divmod(ms, 1000)
    hours, minutes = divmod(seconds // 60, 60)
    fraction = f".{ms:03d}" if ms else ""
    return f"{hours:02d}:{minutes:02d}:{seconds % 60:02d}{fraction}"


def _elapsed(ms: int) -> str:
    sign = "-" if ms < 0 else ""
    return sign + _clock(abs(ms))


EXCEL_1900, EXCEL_1904 = date(1899, 12, 31), date(1904, 1, 1)

# ECMA-376 part 1, 18.8.30; 27 to 58 are those of East Asian languages.
_BUILT_IN: Mapping[int, Shows] = {
    **dict.fromkeys((14, 15, 16, 17), "date"),
    **dict.fromkeys((18, 19, 20, 21, 32, 33, 34, 35, 45, 47, 55, 56), "time"),
    **dict.fromkeys((27, 28, 29, 30, 31, 36, 50, 51, 52, 53, 54, 57, 58), "date"),
    22: "moment",
    46: "elapsed",
}
# A bracket that is never closed takes the rest, so that each character is read once.
_NO_CODE = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*(?:\]|\Z)', re.I)


@lru_cache(maxsize=4096)
def shown_as(code: int, format_code: str | None) -> Shows:
    """What cells of a number format show, by its built-in number or its code."""
    if format_code is None:
        return _BUILT_IN.get(code, "")
    plain = _NO_CODE.sub("", format_code.partition(";")[0]).lower().replace("general", "")
    if re.search(r"\[[hms]+\]", plain):
        return "elapsed"
    clock = bool(re.search(r"[hs]|am/pm|a/p", plain))
    plain = plain.replace("am/pm", "").replace("a/p", "")
    day = bool(re.search(r"[yd]|mmm", plain)) or ("m" in plain and not clock)
    if day and clock:
        return "moment"
    return "date" if day else "time" if clock else ""
