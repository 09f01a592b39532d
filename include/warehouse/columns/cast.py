"""Cast values to typed columns, a whole column at once; report those that the type cannot hold.

Numbers, dates and times may also be text, as in CSV and the JSON of many
APIs; text must be text. Nothing is rounded, cut or guessed.
"""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.records.json.values import ExactNumber
from include.sources.columns import NUMERIC, Column
from include.sources.conversions.conversion import Conversion
from include.warehouse.columns.cast_numbers import read_decimals, read_doubles, read_integers
from include.warehouse.columns.cast_times import read_dates, read_epochs, read_moments
from include.warehouse.columns.convert import convert
from include.warehouse.columns.hashing import Mask, hash_texts, json_forms
from include.warehouse.columns.typed_column import (
    Typed,
    none_wrong,
    nulls_of,
    of_words,
    parsed,
    taken,
    texts_of,
)

# An escaped NUL, not an escaped backslash before `u0000`.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
# The sample to count distinct values in; up to this share of it, each is read only once.
_SAMPLE = 512
_FEW = 0.25
# Columns to remember: a contract has about ten.
_BATCHES_REMEMBERED = 32


class _How(NamedTuple):
    """How to read a column: see `typed`."""

    type: str
    zone: str = ""
    fraction: str = "quarantine"
    conversion: Conversion | None = None


def typed_as(column: Column, values: list[Any], *, converted: bool = False) -> Typed:
    """Turn Python values, as a JSON reader gives them, into a column as a contract says.

    They are clean (`clean_values`), and unless `converted`, written as the
    publisher writes them.
    """
    if column.accept_numbers:
        values = [_number_as_text(value) for value in values]
    conversion = None if converted else column.conversion
    return typed(values, column.type, column.zone, column.fraction, conversion)


def _number_as_text(value: Any) -> Any:
    """A finite number as text, as it was sent; anything else unchanged."""
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else value
    if isinstance(value, int | ExactNumber) and not isinstance(value, bool):
        return str(value)
    return value


def typed(
    values: list[Any],
    type_name: str,
    zone: str = "",
    fraction: str = "quarantine",
    conversion: Conversion | None = None,
) -> Typed:
    """Turn Python values, as a JSON reader gives them, into a column of `type_name`.

    `zone` applies to times whose text has none; without it they are wrong.
    `fraction` says how to treat more than six fractional digits of a second,
    `conversion` how the values are written.
    """
    how = _How(type_name, zone, fraction, conversion)
    try:
        return _typed(values, how)
    except UnicodeEncodeError:
        # Half a surrogate pair is not a character; no encoding can represent it.
        bad = np.array([not _is_text(value) for value in values], dtype=bool)
        kept = [None if is_bad else value for is_bad, value in zip(bad, values, strict=True)]
        column = _typed(kept, how)
        return dataclasses.replace(column, wrong=column.wrong | bad)


def _is_text(value: Any) -> bool:
    try:
        return not isinstance(value, str) or value.isascii() or bool(value.encode())
    except UnicodeEncodeError:
        return False


def _typed(values: list[Any], how: _How) -> Typed:
    type_name = how.type
    if not values or (values[0] is None and values.count(None) == len(values)):
        return nothing(type_name, len(values))
    texts = _texts(values)
    if texts is None:
        return _read(values, set(map(type, values)) - {type(None)}, how)
    # Equal texts are the same value; 1, 1.0 and True are not.
    distinct = _few(values, texts)
    if distinct is not None:
        return _of_few(distinct, how)
    return _text_of(values, texts) if type_name == "text" else _read(values, {str}, how)


def _texts(values: list[Any]) -> pa.Array | None:
    """The values, if all of them are texts or null."""
    if not isinstance(values[0], str | None):
        return None
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None


def _of_few(texts: pa.DictionaryArray, how: _How) -> Typed:
    places = texts.indices.to_numpy()
    if len(texts.dictionary) > _SAMPLE:
        return taken(_read(texts.dictionary.to_pylist(), {str}, how), places)
    order = pc.sort_indices(texts.dictionary).to_numpy()
    in_order = tuple(texts.dictionary.take(pa.array(order)).to_pylist())
    return taken(_read_again(in_order, how), np.argsort(order)[places])


@lru_cache(maxsize=_BATCHES_REMEMBERED)
def _read_again(texts: tuple[str | None, ...], how: _How) -> Typed:
    """Read only once what repeats in the next batches, such as the times of a day."""
    return _read([*texts], {str}, how)


@lru_cache(maxsize=_BATCHES_REMEMBERED)
def nothing(type_name: str, count: int) -> Typed:
    """A column of nulls."""
    nulls, hashes = np.ones(count, dtype=bool), np.zeros(count, dtype=np.uint64)
    column = Typed(pa.nulls(count, _arrow_type(type_name)), nulls, hashes, ~nulls)
    for shared in (column.nulls, column.hashes, column.wrong):
        shared.flags.writeable = False
    return column


@cache
def _arrow_type(type_name: str) -> pa.DataType:
    return _read([None], set(), _How(type_name)).array.type


def _few(values: list[str | None], texts: pa.Array) -> pa.DictionaryArray | None:
    """The distinct texts, or None if there are many."""
    sample = values[:_SAMPLE]
    if len(set(sample)) > len(sample) * _FEW:
        return None
    encoded = texts.dictionary_encode(null_encoding="encode")
    return encoded if len(encoded.dictionary) <= len(texts) * _FEW else None


def _read(values: list[Any], kinds: set[type], how: _How) -> Typed:
    if how.conversion is None:
        return _cast(values, kinds, how)
    if (digits := how.conversion.epoch) is not None:
        return read_epochs(values, kinds, digits, how.type, how.zone, how.fraction)
    values, wrong = convert(values, how.conversion)
    column = _cast(values, set(map(type, values)) - {type(None)}, how)
    return dataclasses.replace(column, wrong=column.wrong | wrong)


def _cast(values: list[Any], kinds: set[type], how: _How) -> Typed:
    type_name, zone, fraction, _ = how
    if numeric := NUMERIC.fullmatch(type_name):
        return read_decimals(values, kinds, int(numeric[1]), int(numeric[2]))
    if type_name == "timestamptz":
        return read_moments(values, kinds, zone, fraction)
    return _READERS[type_name](values, kinds)


def _text(values: list[Any], kinds: set[type]) -> Typed:
    if kinds <= {str}:
        return _text_of(values, pa.array(values, pa.string()))
    wrong = np.array([not isinstance(value, str | None) for value in values], dtype=bool)
    texts = [value if isinstance(value, str) else None for value in values]
    column = _text_of(texts, pa.array(texts, pa.string()))
    return dataclasses.replace(column, wrong=column.wrong | wrong)


def _text_of(values: list[str | None], array: pa.Array) -> Typed:
    wrong = none_wrong(values)
    if _holds_nul(array):
        # PostgreSQL's text cannot hold this one character.
        wrong = _mask(pc.match_substring(array, "\0"))
        values = [None if bad else value for value, bad in zip(values, wrong, strict=True)]
        array = pa.array(values, pa.string())
    return Typed(array, nulls_of(array), hash_texts(values, array.null_count > 0), wrong)


def _holds_nul(array: pa.Array) -> bool:
    """Whether any text contains a zero byte, which in UTF-8 can only be NUL."""
    data = array.buffers()[2]
    return data is not None and not np.frombuffer(data, dtype=np.uint8).all()


def _jsonb(values: list[Any], kinds: set[type]) -> Typed:
    forms = [(None, None) if value is None else _json_forms(value) for value in values]
    texts, canonical = map(list, zip(*forms, strict=True))
    wrong = np.array(
        [text is None and value is not None for text, value in zip(texts, values, strict=True)],
        dtype=bool,
    )
    array = pa.array(texts, pa.string())
    hashes = hash_texts(canonical, array.null_count > 0)
    return Typed(array.cast(pa.json_()), nulls_of(array), hashes, wrong)


def _json_forms(value: Any) -> tuple[str, str] | tuple[None, None]:
    """JSON as stored, and the form that is hashed; None if jsonb cannot hold it: with a NUL,
    NaN, a number beyond PostgreSQL's limits, or nested too deeply."""
    try:
        stored, canonical = json_forms(value)
    except (TypeError, ValueError, RecursionError):
        return None, None
    return (None, None) if "\\u0000" in stored and _NUL.search(stored) else (stored, canonical)


def _boolean(values: list[Any], kinds: set[type]) -> Typed:
    if kinds <= {bool}:
        return of_words(pa.array(values, pa.bool_()), none_wrong(values))
    texts, wrong = texts_of(values, kinds, booleans=True)
    return parsed(texts, wrong, "^(true|false)$", lambda text: text == "true")


_READERS: dict[str, Callable[[list[Any], set[type]], Typed]] = {
    "text": _text,
    "integer": read_integers,
    "double": read_doubles,
    "boolean": _boolean,
    "date": read_dates,
    "jsonb": _jsonb,
}


def _mask(array: pa.Array) -> Mask:
    return np.asarray(array.fill_null(False).to_numpy(zero_copy_only=False))


def full_match(array: pa.Array, pattern: str) -> Mask:
    """Which texts match the whole pattern (RE2 syntax); nulls do."""
    matches = pc.match_substring_regex(array, rf"\A(?:{pattern})\z")
    return np.asarray(matches.fill_null(True).to_numpy(zero_copy_only=False))
