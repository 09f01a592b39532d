"""Values to typed columns: the whole column at once, and which values its type cannot hold.

Numbers, dates and times may also come as text, as they do in CSV and in many
an API's JSON; text must come as text. Nothing is rounded, cut or guessed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from include.sources.model import NUMERIC
from include.warehouse.hashing import Hashes, Mask, canonical_json, hash_texts, hash_words

SQL_TYPES = {"integer": "bigint", "double": "double precision"}

_INTEGER = r"^[+-]?[0-9]{1,19}$"
_DOUBLE = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
# There is no year 0, and a leap second would be moved to the next minute.
_YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_DATE = rf"^{_YEAR}-[0-9]{{2}}-[0-9]{{2}}$"
_LOCAL = rf"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-5][0-9](\.[0-9]{{1,6}})?)?"
_ZONE = r"(Z|[+-][0-9]{2}:?[0-9]{2})"
_TIMESTAMP = f"^{_LOCAL}{_ZONE}$"
_TIMESTAMP_WITHOUT_ZONE = f"^{_LOCAL}$"
_WITHOUT_SECONDS = rf"^(.{{10}}T[0-9]{{2}}:[0-9]{{2}})({_ZONE}?)$"
# An escaped NUL, not an escaped backslash before `u0000`.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# Nobody knows how clocks will be put after that; the library's tables end there.
_LAST_KNOWN_YEAR = 2099
# 10^s is exact as a double up to here.
_EXACT_SCALE = 22
_EXACT_INTEGER = 2**53


@dataclass(frozen=True)
class Typed:
    """A column: its values, which are null, their hashes, and which were not of its type.

    `unplaced` are the local times that the clocks of their zone never showed,
    or showed twice: no moment is guessed for them.
    """

    array: pa.Array
    nulls: Mask
    hashes: Hashes
    wrong: Mask
    unplaced: Mask | None = None


def sql_type(type_name: str) -> str:
    """The PostgreSQL type of a contract's type."""
    return SQL_TYPES.get(type_name, type_name)


def typed(values: list[Any], type_name: str, zone: str = "") -> Typed:
    """Turn Python values, as a JSON reader gives them, into a column of `type_name`.

    `zone` is that of moments whose text names none; without it they are wrong.
    """
    try:
        return _typed(values, type_name, zone)
    except UnicodeEncodeError:
        # Half a surrogate pair is no character; no encoding of text has a place for it.
        bad = np.array([not _is_text(value) for value in values], dtype=bool)
        kept = [None if is_bad else value for is_bad, value in zip(bad, values, strict=True)]
        column = _typed(kept, type_name, zone)
        return dataclasses.replace(column, wrong=column.wrong | bad)


def _is_text(value: Any) -> bool:
    try:
        return not isinstance(value, str) or value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def _typed(values: list[Any], type_name: str, zone: str) -> Typed:
    if type_name == "jsonb":
        return _jsonb(values)
    if type_name == "text":
        return _text(values)
    kinds = set(map(type, values)) - {type(None)}
    numeric = NUMERIC.fullmatch(type_name)
    if numeric:
        return _numeric(values, kinds, int(numeric[1]), int(numeric[2]))
    if type_name == "timestamptz":
        return _timestamptz(values, kinds, zone)
    return _READERS[type_name](values, kinds)


def _text(values: list[Any]) -> Typed:
    wrong = _none_wrong(values)
    if set(map(type, values)) - {str, type(None)}:
        wrong = np.array([not isinstance(value, str | None) for value in values], dtype=bool)
        values = [value if isinstance(value, str) else None for value in values]
    array = pa.array(values, pa.string())
    # PostgreSQL's text cannot hold this one character.
    with_nul = _mask(pc.match_substring(array, "\0"))
    if with_nul.any():
        wrong |= with_nul
        values = [None if bad else value for value, bad in zip(values, with_nul, strict=True)]
        array = pa.array(values, pa.string())
    return Typed(array, _nulls(array), hash_texts(values), wrong)


def _jsonb(values: list[Any]) -> Typed:
    texts = [None if value is None else _json_text(value) for value in values]
    wrong = np.array(
        [text is None and value is not None for text, value in zip(texts, values, strict=True)],
        dtype=bool,
    )
    array = pa.array(texts, pa.string())
    return Typed(array.cast(pa.json_()), _nulls(array), hash_texts(texts), wrong)


def _json_text(value: Any) -> str | None:
    """Canonical JSON, None where jsonb cannot hold it: with a NUL, NaN, or nested too deeply."""
    try:
        text = canonical_json(value)
    except (TypeError, ValueError, RecursionError):
        return None
    return None if "\\u0000" in text and _NUL.search(text) else text


def _integer(values: list[Any], kinds: set[type]) -> Typed:
    if kinds <= {int}:
        try:
            series = pl.Series(values, dtype=pl.Int64)
            return _of_words(series, _none_wrong(values))
        except (OverflowError, TypeError, pl.exceptions.PolarsError):
            pass
    texts, wrong = _texts(values, kinds)
    return _parsed(texts, wrong, _INTEGER, lambda text: text.cast(pl.Int64, strict=False))


def _double(values: list[Any], kinds: set[type]) -> Typed:
    if kinds <= {float}:
        series = pl.Series(values, dtype=pl.Float64)
        finite = series.is_finite().fill_null(True).to_numpy()
        if finite.all():
            return _of_words(series, _none_wrong(values))
    texts, wrong = _texts(values, kinds)

    def read(text: pl.Series) -> pl.Series:
        number = text.cast(pl.Float64, strict=False)
        return _only(number, number.is_finite())

    return _parsed(texts, wrong, _DOUBLE, read)


def _numeric(values: list[Any], kinds: set[type], precision: int, scale: int) -> Typed:
    if kinds <= {float} and precision <= 15 and scale <= _EXACT_SCALE:
        exact = _numeric_from_doubles(values, precision, scale)
        if exact is not None:
            return exact
    texts, wrong = _texts(values, kinds)
    # Any leading zeros, at most p - s digits, at most s decimals but for zeros after them.
    pattern = rf"^[+-]?0*[0-9]{{0,{precision - scale}}}(\.[0-9]{{0,{scale}}}0*)?$"

    def read(text: pl.Series) -> pl.Series:
        return _only(text, text.str.contains("[0-9]")).cast(
            pl.Decimal(precision, scale), strict=False
        )

    return _parsed(texts, wrong, pattern, read)


def _numeric_from_doubles(values: list[Any], precision: int, scale: int) -> Typed | None:
    """The exact path for doubles, or None where one has more decimals than the column.

    A double is the decimal with `scale` places if that decimal, divided out,
    gives the same double again: division of exact integers rounds correctly.
    """
    series = pl.Series(values, dtype=pl.Float64)
    nulls = series.is_null().to_numpy()
    doubles = series.fill_null(0.0).to_numpy()
    with np.errstate(over="ignore"):  # what becomes infinite is over the limit
        unscaled = np.rint(doubles * 10.0**scale)
    limit = min(10.0**precision, _EXACT_INTEGER)
    if not (np.abs(unscaled) < limit).all() or not (unscaled / 10.0**scale == doubles).all():
        return None
    words = unscaled.astype(np.int64)
    # An Arrow decimal is a 128-bit integer: the low word, then the sign.
    limbs = np.stack([words, words >> 63], axis=1)
    valid = pa.array(~nulls).buffers()[1]
    array = pa.Array.from_buffers(
        pa.decimal128(precision, scale),
        len(words),
        [valid, pa.py_buffer(np.ascontiguousarray(limbs))],
        null_count=int(nulls.sum()),
    )
    return Typed(array, nulls, _hash_limbs(limbs, nulls), np.zeros(len(words), dtype=bool))


def _boolean(values: list[Any], kinds: set[type]) -> Typed:
    if kinds <= {bool}:
        return _of_words(pl.Series(values, dtype=pl.Boolean), _none_wrong(values))
    texts, wrong = _texts(values, kinds, booleans=True)
    return _parsed(texts, wrong, "^(true|false)$", lambda text: text == "true")


def _date(values: list[Any], kinds: set[type]) -> Typed:
    texts, wrong = _texts(values, kinds & {str}, only_text=values)
    return _parsed(texts, wrong, _DATE, lambda text: text.str.to_date("%Y-%m-%d", strict=False))


def _timestamptz(values: list[Any], kinds: set[type], zone: str) -> Typed:
    texts, wrong = _texts(values, kinds & {str}, only_text=values)
    text = pl.Series(texts, dtype=pl.String).str.replace(" ", "T", literal=True)
    placed = text.str.contains(_TIMESTAMP).fill_null(False)
    series = _moments(_only(text, placed), "%#z", "UTC")
    unplaced = None
    if zone and not (placed | text.is_null()).all():
        local = _moments(_only(text, text.str.contains(_TIMESTAMP_WITHOUT_ZONE)), "", None)
        known = _only(local, local.dt.year() <= _LAST_KNOWN_YEAR) if zone != "UTC" else local
        found = known.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
        unplaced = (found.is_null() & local.is_not_null()).to_numpy()
        series = series.zip_with(placed, found.dt.convert_time_zone("UTC"))
    failed = (series.is_null() & text.is_not_null()).to_numpy()
    if unplaced is not None:
        failed &= ~unplaced
    return dataclasses.replace(_of_words(series, wrong | failed), unplaced=unplaced)


def _moments(text: pl.Series, offset: str, zone: str | None) -> pl.Series:
    whole = text.str.replace(_WITHOUT_SECONDS, "$1:00$2")
    pattern = f"%Y-%m-%dT%H:%M:%S%.f{offset}"
    return whole.str.to_datetime(pattern, time_unit="us", time_zone=zone, strict=False)


_READERS: dict[str, Callable[[list[Any], set[type]], Typed]] = {
    "integer": _integer,
    "double": _double,
    "boolean": _boolean,
    "date": _date,
}


def _texts(
    values: list[Any],
    kinds: set[type],
    *,
    booleans: bool = False,
    only_text: list[Any] | None = None,
) -> tuple[list[str | None], Mask]:
    """Every value as text, None for those that have no text form in a column of scalars."""
    if only_text is not None:
        texts = [value if isinstance(value, str) else None for value in only_text]
    elif kinds <= {str}:
        return values, _none_wrong(values)
    else:
        texts = [_as_text(value, booleans) for value in values]
    wrong = np.array(
        [text is None and value is not None for text, value in zip(texts, values, strict=True)],
        dtype=bool,
    )
    return texts, wrong


def _as_text(value: Any, booleans: bool) -> str | None:
    if isinstance(value, bool):
        return str(value).lower() if booleans else None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not booleans:
        return str(value)
    if isinstance(value, float) and not booleans and np.isfinite(value):
        return decimal_text(value)
    return None


def decimal_text(value: float) -> str:
    """A finite number in the fewest digits that tell it from every other, without an exponent."""
    return format(Decimal(repr(value)), "f").removesuffix(".0")


def _parsed(
    texts: list[str | None], wrong: Mask, pattern: str, read: Callable[[pl.Series], pl.Series]
) -> Typed:
    text = pl.Series(texts, dtype=pl.String)
    fits = text.str.contains(pattern).fill_null(True)
    series = read(_only(text, fits))
    failed = (series.is_null() & text.is_not_null()).to_numpy()
    return _of_words(series, wrong | failed)


def _only(series: pl.Series, keep: pl.Series) -> pl.Series:
    """The series with null wherever `keep` is not true."""
    return series.zip_with(keep.fill_null(False), pl.Series([None], dtype=series.dtype))


def _of_words(series: pl.Series, wrong: Mask) -> Typed:
    """A column whose values are fixed-width, from its polars series."""
    array = series.to_arrow()
    nulls = series.is_null().to_numpy()
    if isinstance(series.dtype, pl.Decimal):
        limbs = np.frombuffer(array.buffers()[1], dtype=np.int64)
        limbs = limbs.reshape(-1, 2)[array.offset : array.offset + len(array)]
        return Typed(array, nulls, _hash_limbs(limbs, nulls), wrong)
    words = series.to_physical()
    if words.dtype == pl.Float64:
        # -0.0 + 0.0 is 0.0: the two zeros are one value.
        numbers = (words.fill_null(0.0).to_numpy() + 0.0).view(np.int64)
    else:
        numbers = words.cast(pl.Int64).fill_null(0).to_numpy()
    return Typed(array, nulls, hash_words(np.ascontiguousarray(numbers)), wrong)


def _hash_limbs(limbs: NDArray[np.int64], nulls: Mask) -> Hashes:
    # Below 2^63 the high word only repeats the sign: such a value hashes as its low word.
    low, high = limbs[:, 0], limbs[:, 1]
    hashes = hash_words(np.ascontiguousarray(low)).copy()
    wide = (high != low >> 63) & ~nulls
    hashes[wide] ^= hash_words(np.ascontiguousarray(high))[wide] * np.uint64(0x9E3779B97F4A7C15)
    return hashes


def _none_wrong(values: list[Any]) -> Mask:
    return np.zeros(len(values), dtype=bool)


def _nulls(array: pa.Array) -> Mask:
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False))


def _mask(array: pa.Array) -> Mask:
    return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False))


def full_match(array: pa.Array, pattern: str) -> Mask:
    """Which texts match the whole pattern; nulls do. RE2 syntax."""
    matches = pc.match_substring_regex(array, rf"\A(?:{pattern})\z")
    return np.asarray(matches.fill_null(True).to_numpy(zero_copy_only=False))
