"""Values as a publisher writes them, turned into the texts that each type reads, a column at once.

Digits are moved, never computed with: nothing is rounded, and what is written
in any other way is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache, reduce
from typing import Any

import numpy as np
import polars as pl

from include.sources.columns import Column
from include.sources.conversions.conversion import Conversion, Step, cleaned
from include.sources.conversions.dates import MONTHS, WEEKDAYS, date_format
from include.sources.conversions.numbers import NumberFormat
from include.warehouse.columns.hashing import Mask
from include.warehouse.columns.typed_column import as_text, none_wrong

# A number with an exponent, as programs write doubles: nothing in it is a separator.
_SCIENTIFIC = r"^[+-]?[0-9]+(\.[0-9]+)?[eE][+-]?[0-9]{1,3}$"
_CENTURY = 100


def clean_values(values: list[Any], steps: Sequence[Step]) -> list[Any]:
    """The values with every text after these steps."""
    if not steps:
        return values
    return [cleaned(value, steps) if type(value) is str else value for value in values]


def plain(column: Column, value: Any) -> Any:
    """One value clean and as its type reads it: a date of ISO 8601, a number without separators;
    clean only, if it is written in another way."""
    (value,) = clean_values([value], column.clean)
    conversion = column.conversion
    if value is None or conversion is None or conversion.epoch is not None:
        return value
    (found,), wrong = convert([value], conversion)
    if isinstance(found, bool):
        return str(found).lower()
    return value if wrong[0] else found


def convert(values: list[Any], conversion: Conversion) -> tuple[list[Any], Mask]:
    """The values as their type reads them, None for those that are written in another way; which
    those are."""
    if conversion.number:
        return _numbers(values, conversion.number)
    if conversion.formats:
        return _dates(values, conversion)
    words = dict.fromkeys(conversion.true_values, True)
    words |= dict.fromkeys(conversion.false_values, False)
    return [_of_word(value, words) for value in values], none_wrong(values)


def _of_word(value: Any, words: dict[str, bool]) -> Any:
    text = value if isinstance(value, str) else as_text(value)
    return value if text is None else words.get(text, value)


def _numbers(values: list[Any], form: NumberFormat) -> tuple[list[Any], Mask]:
    """Texts of numbers with a point and a minus only; other values as they are, unless a percentage
    must have its sign."""
    texts = [value if isinstance(value, str) else None for value in values]
    found = _computed(texts, _plain_number(form))
    if form.percent == "fraction":
        return found, _missing(found, values)
    wrong = _missing(found, texts)
    return [
        value if text is None else number
        for value, text, number in zip(values, texts, found, strict=True)
    ], wrong


@cache
def _plain_number(form: NumberFormat) -> pl.Expr:
    text = pl.col("text")
    some = pl.when(text.str.contains(f"^(?:{form.pattern})$")).then(text)
    # Symbols, signs and separators have no digits, and symbols no decimal separator.
    digits = some.str.replace_all(f"[^0-9{form.decimal}]", "")
    digits = digits.str.replace(form.decimal, ".", literal=True)
    if form.percent == "fraction":
        digits = _hundredth(digits)
    minus = pl.when(text.str.contains(f"^(?:{form.negatives})$")).then(pl.lit("-"))
    found = pl.concat_str(minus.otherwise(pl.lit("")), digits)
    if form.decimal == "." and not form.percent:
        found = pl.when(text.str.contains(_SCIENTIFIC)).then(text).otherwise(found)
    return found


def _hundredth(digits: pl.Expr) -> pl.Expr:
    """The decimal point two places further to the left."""
    whole = digits.str.extract(r"^([0-9]*)").str.zfill(3)
    decimals = digits.str.extract(r"\.([0-9]*)$").fill_null("")
    return pl.concat_str(whole.str.head(-2), pl.lit("."), whole.str.tail(2), decimals)


def _dates(values: list[Any], conversion: Conversion) -> tuple[list[Any], Mask]:
    """Dates and times of ISO 8601; a whole number is its digits."""
    texts = [
        value if isinstance(value, str) else str(value) if type(value) is int else None
        for value in values
    ]
    formats = conversion.formats
    parts = {
        text: pl.col("text").str.extract_groups(f"^(?:{date_format(text).pattern})$")
        for text in formats
    }
    found = _computed(texts, _agreed(formats, conversion.years_from), **parts)
    return found, _missing(found, values)


@cache
def _agreed(formats: tuple[str, ...], years_from: int | None) -> pl.Expr:
    """The date in the formats that fit, by the parts of each; null if they differ."""
    if len(formats) == 1:
        return _iso(formats[0], years_from)
    found = [_existing(_iso(text, years_from)) for text in formats]
    first = pl.coalesce(found)
    agree = reduce(
        lambda all_so_far, each: all_so_far & (each.is_null() | (each == first)),
        found,
        pl.lit(True),
    )
    return pl.when(agree).then(first)


def _existing(iso: pl.Expr) -> pl.Expr:
    """Null for a date that does not exist, which must not compete with those that do."""
    return pl.when(_date(iso).is_not_null()).then(iso)


def _date(iso: pl.Expr) -> pl.Expr:
    return iso.str.head(len("2017-05-01")).str.to_date("%Y-%m-%d", strict=False)


def _iso(text: str, years_from: int | None) -> pl.Expr:
    """A date or a time in one format as ISO 8601; null if it is written in another way."""
    used = date_format(text).directives
    part = {letter: pl.col(text).struct.field(letter) for letter in used}
    year = part["Y"] if "Y" in used else _full_year(part["y"], years_from or 0)
    named = [part[letter] for letter in "bB" if letter in used]
    month = _by_name(named[0], MONTHS, pl.String) if named else part["m"].str.zfill(2)
    day = pl.concat_str(year, pl.lit("-"), month, pl.lit("-"), part["d"].str.zfill(2))
    for letter in used & {"a", "A"}:
        weekday = _by_name(part[letter], WEEKDAYS, pl.Int8)
        day = pl.when(_date(day).dt.weekday() == weekday).then(day)
    if "M" not in used:
        return day
    pieces = [day, pl.lit("T"), _hour(part), pl.lit(":"), part["M"]]
    for letter, mark in (("S", ":"), ("f", ".")):
        if letter in used:
            pieces += [pl.lit(mark), part[letter]]
    return pl.concat_str(*pieces, *([part["z"]] if "z" in used else []))


def _hour(part: dict[str, pl.Expr]) -> pl.Expr:
    if "H" in part:
        return part["H"].str.zfill(2)
    half = pl.when(part["p"].str.to_lowercase() == "pm").then(12).otherwise(0)
    return (part["I"].cast(pl.Int32, strict=False) % 12 + half).cast(pl.String).str.zfill(2)


def _full_year(short: pl.Expr, first: int) -> pl.Expr:
    since = (short.cast(pl.Int32, strict=False) + _CENTURY - first % _CENTURY) % _CENTURY
    return (since + first).cast(pl.String).str.zfill(4)


def _by_name(name: pl.Expr, values: dict[str, Any], kind: Any) -> pl.Expr:
    """The value for an English name: its first three letters decide."""
    start = name.str.head(3).str.to_lowercase()
    return start.replace_strict(values, default=None, return_dtype=kind)


def _computed(texts: list[str | None], result: pl.Expr, **parts: pl.Expr) -> list[str | None]:
    """The result for each text, from the text or from parts of it, which are found only once."""
    frame = pl.LazyFrame({"text": texts}, schema={"text": pl.String}).with_columns(**parts)
    return frame.select(result=result).collect()["result"].to_list()


def _missing(found: Iterable[Any], values: Iterable[Any]) -> Mask:
    """Which values were lost."""
    pairs = zip(found, values, strict=True)
    return np.array([new is None and old is not None for new, old in pairs], dtype=bool)
