"""Numbers, and texts of numbers, to columns that hold each of them exactly."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from decimal import Decimal
from functools import partial
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from include.sources.columns import is_kept_by_double
from include.warehouse.columns.hashing import Mask
from include.warehouse.columns.typed_column import (
    Typed,
    hash_limbs,
    none_wrong,
    of_words,
    parsed,
    replaced,
    texts_of,
)

_INTEGER = r"^[+-]?[0-9]{1,19}$"
_DOUBLE = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
_DOUBLE_TEXT = re.compile(_DOUBLE.replace("$", r"\Z"))
# Up to this many digits, different decimal numbers have different doubles.
_EXACT_DIGITS = 15
# A double has at most 767 digits, after at most 323 zeros.
_MOST_DIGITS = 2_000
# Up to here, 10^s is exact as a double.
_EXACT_SCALE = 22

# A column of numbers (null if not a number), and which values must be read from their text.
_Native = tuple[Typed, Mask]


def read_integers(values: list[Any], kinds: set[type]) -> Typed:
    """Whole numbers of 64 bits."""

    def native(numbers: list[Any]) -> _Native | None:
        try:
            series = pl.Series(numbers, dtype=pl.Int64)
        except (OverflowError, TypeError, pl.exceptions.PolarsError):
            return None
        return of_words(series.to_arrow(), none_wrong(numbers)), none_wrong(numbers)

    def read(text: pl.Expr) -> pl.Expr:
        return text.cast(pl.Int64, strict=False)

    return _read(values, kinds, {int}, native, partial(_by_text, _INTEGER, read))


def read_doubles(values: list[Any], kinds: set[type]) -> Typed:
    """Finite numbers that a double preserves.

    PostgreSQL, like most programs, writes a double with the fewest digits that
    distinguish it. Some write 17 digits or more: 0.1 as 0.10000000000000001.
    So a number is accepted if the double, written with as many digits, is that
    number. This holds for every number of up to 15 digits; one that a double
    would change is wrong.
    """

    def native(numbers: list[Any]) -> _Native | None:
        array = pl.Series(numbers, dtype=pl.Float64).to_arrow()
        finite = np.isfinite(array.fill_null(0.0).to_numpy(zero_copy_only=False))
        return of_words(array, none_wrong(numbers)), ~finite

    def read(text: pl.Expr) -> pl.Expr:
        number = text.cast(pl.Float64, strict=False)
        return pl.when(number.is_finite()).then(number)

    def by_text(values: list[Any], kinds: set[type]) -> Typed:
        texts, wrong = texts_of(values, kinds)
        places = [place for place in _doubtful(texts) if not _gives_back(texts[place])]
        if places:
            texts = [*texts]
            for place in places:
                texts[place], wrong[place] = None, True
        return parsed(texts, wrong, _DOUBLE, read)

    return _read(values, kinds, {float}, native, by_text)


def _doubtful(texts: list[str | None]) -> list[int]:
    """Which numbers a double may not preserve: long ones, and those with an exponent."""
    array = pa.array(texts, pa.string())
    mask = pc.or_(
        pc.greater(pc.binary_length(array), _EXACT_DIGITS),
        pc.match_substring_regex(array, "[eE]"),
    )
    return [int(place) for place in pc.indices_nonzero(mask.fill_null(False)).to_numpy()]


def _gives_back(text: str | None) -> bool:
    """Whether a double, written with as many digits, is the number; True for other texts."""
    if text is None or not _DOUBLE_TEXT.match(text):
        return True
    if len(text) > _MOST_DIGITS:
        return False
    number = Decimal(text)
    return not math.isfinite(float(number)) or is_kept_by_double(number)


def read_decimals(values: list[Any], kinds: set[type], precision: int, scale: int) -> Typed:
    """Decimal numbers of up to `precision` digits, `scale` of them after the point."""
    # Any leading zeros, at most p - s digits, at most s decimals, any trailing zeros.
    pattern = rf"^[+-]?0*[0-9]{{0,{precision - scale}}}(\.[0-9]{{0,{scale}}}0*)?$"

    def native(numbers: list[Any]) -> _Native | None:
        try:
            doubles = pa.array(numbers, pa.float64())
        except (pa.ArrowInvalid, OverflowError):
            return None  # a whole number that is not a double
        return _decimals_of_doubles(doubles, precision, scale)

    def read(text: pl.Expr) -> pl.Expr:
        some = pl.when(text.str.contains("[0-9]")).then(text)
        return some.cast(pl.Decimal(precision, scale), strict=False)

    exact = {float, int} if scale <= _EXACT_SCALE else set()
    return _read(values, kinds, exact, native, partial(_by_text, pattern, read))


def _read(
    values: list[Any],
    kinds: set[type],
    types: set[type],
    native: Callable[[list[Any]], _Native | None],
    by_text: Callable[[list[Any], set[type]], Typed],
) -> Typed:
    """Numbers of these types unchanged; other values, and numbers that need it, from their text."""
    found = None
    if kinds & types:
        numbers = values
        if not kinds <= types:
            numbers = [value if type(value) in types else None for value in values]
        found = native(numbers)
    if found is None:
        return by_text(values, kinds)
    column, others = found
    if not kinds <= types:
        others = others | [
            number is None and value is not None
            for number, value in zip(numbers, values, strict=True)
        ]
    places = np.flatnonzero(others)
    if not len(places):
        return column
    some = [values[place] for place in places]
    return replaced(column, places, by_text(some, set(map(type, some))))


def _by_text(
    pattern: str, read: Callable[[pl.Expr], pl.Expr], values: list[Any], kinds: set[type]
) -> Typed:
    return parsed(*texts_of(values, kinds), pattern, read)


def _decimals_of_doubles(array: pa.Array, precision: int, scale: int) -> _Native:
    """Doubles as decimals; those with more decimals or digits must be read from their text.

    A double is the decimal with `scale` places if that decimal, divided out,
    gives the same double again: division of exact integers rounds correctly.
    """
    nulls = np.asarray(array.is_null().to_numpy(zero_copy_only=False))
    doubles = array.fill_null(0.0).to_numpy(zero_copy_only=False)
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is over the limit
        unscaled = np.rint(doubles * 10.0**scale)
        exact = (np.abs(unscaled) < 10.0 ** min(precision, _EXACT_DIGITS)) & (
            unscaled / 10.0**scale == doubles
        )
    if not exact.all():
        nulls = nulls | ~exact
        unscaled[~exact] = 0
    words = unscaled.astype(np.int64)
    # An Arrow decimal is a 128-bit integer: the low word, then the sign.
    limbs = np.stack([words, words >> 63], axis=1)
    decimals = pa.Array.from_buffers(
        pa.decimal128(precision, scale),
        len(words),
        [pa.array(~nulls).buffers()[1], pa.py_buffer(limbs)],
        null_count=int(nulls.sum()),
    )
    return Typed(decimals, nulls, hash_limbs(limbs, nulls), none_wrong(words)), ~exact
