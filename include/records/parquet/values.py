"""Arrow arrays -> values that are ready to be written as JSON, without loss.

Numbers have all their digits, times are ISO text with all digits of a second,
dates YYYY-MM-DD, binary data `\\x...` as PostgreSQL writes it. Lists, structs
and maps with text as keys are lists and objects; any other map is a list of
objects with `key` and `value`.
"""

from __future__ import annotations

import json
import math
import uuid
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.types as kinds

_UNITS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}


def json_values(array: Any) -> list[Any]:
    """The values of an array, in order."""
    for fits, convert in _CONVERTERS:
        if fits(array.type):
            return convert(array)
    found: list[Any] = array.to_pylist()
    return found


def moments(array: Any) -> list[str | None]:
    """Timestamps as ISO text; with a zone, in UTC."""
    unit = array.type.unit
    zone = "Z" if array.type.tz else ""
    counts = array.view(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    shown = np.datetime_as_string(counts.view(f"datetime64[{unit}]"))
    texts = (f"{_short(text)}{zone}" for text in shown.tolist())
    return _nulled(array, texts)


def _short(text: str) -> str:
    """Without zeros at the end of a fraction."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def _nulled(array: Any, values: Any) -> list[Any]:
    """The values, None where the array has none."""
    if not array.null_count:
        return list(values)
    valid = array.is_valid().to_pylist()
    return [value if is_valid else None for value, is_valid in zip(values, valid, strict=True)]


def _texts(array: Any) -> list[Any]:
    try:
        found: list[Any] = array.to_pylist()
    except UnicodeDecodeError:
        found = [_text(value) for value in array.cast(pa.large_binary()).to_pylist()]
    return found


def _text(value: bytes | None) -> Any:
    """Invalid UTF-8 becomes lone surrogates, which break a rule of one record."""
    if value is None:
        return None
    return msgspec.Raw(json.dumps(value.decode("utf-8", "surrogateescape")).encode())


def _floats(array: Any) -> list[Any]:
    found: list[Any] = array.to_pylist()
    if all(value is None or math.isfinite(value) for value in found):
        return found
    return [value if value is None or math.isfinite(value) else _raw(value) for value in found]


def _raw(number: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(float(number)).encode())


def _short_floats(array: Any) -> list[Any]:
    """The shortest text that a number of fewer bits is read from: 0.1."""
    numbers = array.fill_null(0).to_numpy(zero_copy_only=False)
    texts = (
        msgspec.Raw(str(number).encode()) if np.isfinite(number) else _raw(number)
        for number in numbers
    )
    return _nulled(array, texts)


def _decimals(array: Any) -> list[Any]:
    return [
        None if value is None else msgspec.Raw(str(value).encode()) for value in array.to_pylist()
    ]


def _dates(array: Any) -> list[Any]:
    days = array.cast(pa.date32()).view(pa.int32()).fill_null(0).to_numpy(zero_copy_only=False)
    return _nulled(array, np.datetime_as_string(days.astype("datetime64[D]")).tolist())


def _clocks(array: Any) -> list[Any]:
    unit = _UNITS[array.type.unit]
    digits = len(str(unit)) - 1
    words = pa.int32() if kinds.is_time32(array.type) else pa.int64()
    return [
        None if count is None else _short(_clock(count // unit, count % unit, digits))
        for count in array.view(words).to_pylist()
    ]


def _clock(seconds: int, rest: int, digits: int) -> str:
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    return f"{clock}.{rest:0{digits}d}" if digits else clock


def _durations(array: Any) -> list[Any]:
    """In seconds."""
    unit = _UNITS[array.type.unit]
    digits = len(str(unit)) - 1
    found: list[Any] = []
    for count in array.view(pa.int64()).to_pylist():
        if count is None:
            found.append(None)
            continue
        seconds, rest = divmod(abs(count), unit)
        text = f"{'-' if count < 0 else ''}{seconds}"
        text = _short(f"{text}.{rest:0{digits}d}") if digits else text
        found.append(msgspec.Raw(text.encode()))
    return found


def _binary(array: Any) -> list[Any]:
    return [None if value is None else f"\\x{value.hex()}" for value in array.to_pylist()]


def _shared(array: Any) -> list[Any]:
    """Values of a dictionary: each is there once, however long and often used."""
    values = json_values(array.dictionary)
    return [None if place is None else values[place] for place in array.indices.to_pylist()]


def _lists(array: Any) -> list[Any]:
    if not (kinds.is_list(array.type) or kinds.is_large_list(array.type)):
        array = array.cast(pa.large_list(array.type.value_field))
    (values,), places = _inner([array.values], array)
    items = json_values(values)
    return _nulled(array, (items[start:end] for start, end in pairwise(places)))


def _inner(children: list[Any], array: Any) -> tuple[list[Any], list[int]]:
    """The items that the lists of an array have, and where each list begins and the last ends."""
    places = array.offsets.to_pylist()
    first = places[0]
    return (
        [child.slice(first, places[-1] - first) for child in children],
        [place - first for place in places],
    )


def count_items(array: Any) -> int:
    """How many items the lists and maps in an array have, those in them included."""
    kind = array.type
    if kinds.is_struct(kind):
        return sum(map(count_items, array.flatten()))
    if kinds.is_list(kind) or kinds.is_large_list(kind) or kinds.is_map(kind):
        children = [array.keys, array.items] if kinds.is_map(kind) else [array.values]
        inner, _ = _inner(children, array)
        return sum(len(child) + count_items(child) for child in inner)
    return len(array) * kind.list_size if kinds.is_fixed_size_list(kind) else 0


def _structs(array: Any) -> list[Any]:
    names = [array.type.field(place).name for place in range(array.type.num_fields)]
    fields = [json_values(child) for child in array.flatten()]
    if not fields:
        return _nulled(array, ({} for _ in range(len(array))))
    rows = zip(*fields, strict=True)
    return _nulled(array, (dict(zip(names, row, strict=True)) for row in rows))


def _maps(array: Any) -> list[Any]:
    children, places = _inner([array.keys, array.items], array)
    keys, items = map(json_values, children)
    pairs = (
        _object(keys[start:end], items[start:end], array.type) for start, end in pairwise(places)
    )
    return _nulled(array, pairs)


def _object(keys: list[Any], items: list[Any], kind: Any) -> Any:
    if _is_text(kind.key_type) and len({key for key in keys if type(key) is str}) == len(keys):
        return dict(zip(keys, items, strict=True))
    return [{"key": key, "value": item} for key, item in zip(keys, items, strict=True)]


def _is_text(kind: Any) -> bool:
    return bool(kinds.is_string(kind) or kinds.is_large_string(kind) or kinds.is_string_view(kind))


def _is_binary(kind: Any) -> bool:
    return bool(
        kinds.is_binary(kind)
        or kinds.is_large_binary(kind)
        or kinds.is_fixed_size_binary(kind)
        or kinds.is_binary_view(kind)
    )


def _is_list(kind: Any) -> bool:
    return bool(
        kinds.is_list(kind)
        or kinds.is_large_list(kind)
        or kinds.is_fixed_size_list(kind)
        or kinds.is_list_view(kind)
        or kinds.is_large_list_view(kind)
    )


def _is_extension(kind: Any) -> bool:
    return isinstance(kind, pa.BaseExtensionType)


def _extensions(array: Any) -> list[Any]:
    name, stored = array.type.extension_name, array.storage
    if name == "arrow.uuid":
        return [None if v is None else str(uuid.UUID(bytes=v)) for v in stored.to_pylist()]
    found = json_values(stored)
    return [_json(value) for value in found] if name == "arrow.json" else found


def _json(value: Any) -> Any:
    """The JSON that a text is; a text that is none stays text."""
    if not isinstance(value, str):
        return value
    try:
        msgspec.json.decode(value)
    except (ValueError, RecursionError):
        return value
    return msgspec.Raw(value.encode())


_CONVERTERS: tuple[tuple[Callable[[Any], bool], Callable[[Any], list[Any]]], ...] = (
    (_is_extension, _extensions),
    (_is_text, _texts),
    (kinds.is_integer, lambda array: array.to_pylist()),
    (kinds.is_float64, _floats),
    (kinds.is_floating, _short_floats),
    (kinds.is_decimal, _decimals),
    (kinds.is_date, _dates),
    (kinds.is_timestamp, moments),
    (kinds.is_time, _clocks),
    (kinds.is_duration, _durations),
    (_is_binary, _binary),
    (kinds.is_dictionary, _shared),
    (_is_list, _lists),
    (kinds.is_struct, _structs),
    (kinds.is_map, _maps),
)
