"""Values to typed columns: the whole column at once, and which values its type cannot hold.

Numbers, dates and times may also come as text, as they do in CSV and in many
an API's JSON; text must come as text. Nothing is rounded, cut or guessed.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from include.sources.model import NUMERIC
from include.warehouse.columns.cast_numbers import read_decimals, read_doubles, read_integers
from include.warehouse.columns.cast_times import read_dates, read_moments
from include.warehouse.columns.hashing import Mask, canonical_json, hash_texts
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
# Of so many values it is looked at how many differ; if it is at most this share, each is read once.
_SAMPLE = 512
_FEW = 0.25
# Columns of so many batches: a contract has some ten.
_BATCHES_REMEMBERED = 32


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
    if not values or (values[0] is None and values.count(None) == len(values)):
        return nothing(type_name, len(values))
    texts = _texts(values)
    if texts is None:
        return _read(values, set(map(type, values)) - {type(None)}, type_name, zone)
    # Equal texts are one value; 1, 1.0 and True are not.
    distinct = _few(values, texts)
    if distinct is not None:
        return _of_few(distinct, type_name, zone)
    return _text_of(values, texts) if type_name == "text" else _read(values, {str}, type_name, zone)


def _texts(values: list[Any]) -> pa.Array | None:
    """The values if all of them are texts, or null."""
    if not isinstance(values[0], str | None):
        return None
    try:
        return pa.array(values, pa.string())
    except (pa.ArrowTypeError, pa.ArrowInvalid):
        return None


def _of_few(texts: pa.DictionaryArray, type_name: str, zone: str) -> Typed:
    places = texts.indices.to_numpy()
    if len(texts.dictionary) > _SAMPLE:
        return taken(_read(texts.dictionary.to_pylist(), {str}, type_name, zone), places)
    order = pc.sort_indices(texts.dictionary).to_numpy()
    in_order = tuple(texts.dictionary.take(pa.array(order)).to_pylist())
    return taken(_read_again(in_order, type_name, zone), np.argsort(order)[places])


@lru_cache(maxsize=_BATCHES_REMEMBERED)
def _read_again(texts: tuple[str | None, ...], type_name: str, zone: str) -> Typed:
    """Read once what comes again in the next batch, such as a day's moments."""
    return _read([*texts], {str}, type_name, zone)


@lru_cache(maxsize=_BATCHES_REMEMBERED)
def nothing(type_name: str, count: int) -> Typed:
    """A column without a value."""
    nulls, hashes = np.ones(count, dtype=bool), np.zeros(count, dtype=np.uint64)
    column = Typed(pa.nulls(count, _arrow_type(type_name)), nulls, hashes, ~nulls)
    for shared in (column.nulls, column.hashes, column.wrong):
        shared.flags.writeable = False
    return column


@cache
def _arrow_type(type_name: str) -> pa.DataType:
    return _read([None], set(), type_name, "").array.type


def _few(values: list[str | None], texts: pa.Array) -> pa.DictionaryArray | None:
    """The texts, each different one once, or None if those are many."""
    sample = values[:_SAMPLE]
    if len(set(sample)) > len(sample) * _FEW:
        return None
    encoded = texts.dictionary_encode(null_encoding="encode")
    return encoded if len(encoded.dictionary) <= len(texts) * _FEW else None


def _read(values: list[Any], kinds: set[type], type_name: str, zone: str) -> Typed:
    if numeric := NUMERIC.fullmatch(type_name):
        return read_decimals(values, kinds, int(numeric[1]), int(numeric[2]))
    if type_name == "timestamptz":
        return read_moments(values, kinds, zone)
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
    """Whether a byte of any text is 0, which in UTF-8 is no part of another character."""
    data = array.buffers()[2]
    return data is not None and not np.frombuffer(data, dtype=np.uint8).all()


def _jsonb(values: list[Any], kinds: set[type]) -> Typed:
    texts = [None if value is None else _json_text(value) for value in values]
    wrong = np.array(
        [text is None and value is not None for text, value in zip(texts, values, strict=True)],
        dtype=bool,
    )
    array = pa.array(texts, pa.string())
    hashes = hash_texts(texts, array.null_count > 0)
    return Typed(array.cast(pa.json_()), nulls_of(array), hashes, wrong)


def _json_text(value: Any) -> str | None:
    """Canonical JSON, None where jsonb cannot hold it: with a NUL, NaN, or nested too deeply."""
    try:
        text = canonical_json(value)
    except (TypeError, ValueError, RecursionError):
        return None
    return None if "\\u0000" in text and _NUL.search(text) else text


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
    """Which texts match the whole pattern; nulls do. RE2 syntax."""
    matches = pc.match_substring_regex(array, rf"\A(?:{pattern})\z")
    return np.asarray(matches.fill_null(True).to_numpy(zero_copy_only=False))
