"""Before values are cast: replace those that mean null, and handle lists."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from include.errors import BeyondLimit
from include.records.json.values import ExactNumber, written
from include.sources.columns import Column
from include.sources.limits import VALUE_BYTES
from include.warehouse.columns.cast import typed_as
from include.warehouse.columns.convert import clean_values
from include.warehouse.columns.hashing import Mask
from include.warehouse.columns.typed_column import Typed, decimal_text

# The characters of numbers, dates, times and booleans.
_IN_SCALARS = frozenset("+-.: 0123456789TZabcdefghijklmnopqrstuvwxyzE")
# `list_value: explode` may repeat at most so many times `record_bytes` in one batch.
MOST_REPEATED = 32
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)", re.ASCII)


class Nulls:
    """The values of one column that mean null, compared as values: 5.0, 5 and "5" are equal."""

    def __init__(self, column: Column, texts: Iterable[str] = ()) -> None:
        sentinels = clean_values([*texts, *column.null_values], column.clean)
        self._found = frozenset(form for value in sentinels for form in _forms(value))
        # In Python, True equals 1 and False 0; in a record they do not.
        self._like_booleans = bool(self._found & {0, 1})
        self._typed = None
        if sentinels and column.type not in ("text", "jsonb"):
            values = typed_as(column, sentinels).array.drop_null()
            self._typed = values if len(values) else None

    def __bool__(self) -> bool:
        return bool(self._found)

    def before(self, values: list[Any]) -> list[Any]:
        """The values with None for those that mean null as written."""
        found = self._found
        if not self._like_booleans:
            try:
                if found.isdisjoint(values):
                    return values
                return [None if value in found else value for value in values]
            except TypeError:  # lists and objects are not hashable
                pass
        return [None if self._is_null(value) else value for value in values]

    def _is_null(self, value: Any) -> bool:
        if not isinstance(value, str | int | float | ExactNumber):
            return False
        if isinstance(value, bool):
            return any(value is other for other in self._found)
        return any(
            value == other and not isinstance(other, bool)
            for other in self._found
            if isinstance(other, str) == isinstance(value, str)
        )

    def after(self, column: Typed) -> Typed:
        """The column with null for those that mean null once cast: "32768.470"."""
        if self._typed is None:
            return column
        hit = pc.fill_null(pc.is_in(column.array, value_set=self._typed), False)
        mask = np.asarray(hit.to_numpy(zero_copy_only=False)) & ~column.nulls
        if not mask.any():
            return column
        array = pc.if_else(pa.array(mask), pa.scalar(None, column.array.type), column.array)
        return dataclasses.replace(column, array=array, nulls=column.nulls | mask)


def _forms(value: Any) -> Iterable[Any]:
    """A null value as a number and as text, however the contract writes it."""
    yield value
    if isinstance(value, bool):
        return
    if not isinstance(value, str):
        value = decimal_text(value)
        yield value
    if _NUMBER.fullmatch(value):
        number = Decimal(value)
        yield number
        # A float in a record is the number that its shortest form has.
        if Decimal(repr(float(value))) == number:
            yield float(value)


def lists(column: Column, values: Sequence[Any]) -> dict[int, list[Any]]:
    """Which values are lists, or texts with the column's separator, and their items."""
    separator = column.list_separator
    found: dict[int, list[Any]] = {}
    kinds = set(map(type, values))
    if list in kinds:
        found = {index: value for index, value in enumerate(values) if type(value) is list}
    if separator and str in kinds:
        for index, value in enumerate(values):
            if type(value) is str and separator in value:
                found[index] = value.split(separator)
    return found


def single(column: Column, values: list[Any]) -> tuple[list[Any], list[int]]:
    """One value instead of each list, as the contract says; and which values must not be lists.

    An empty list is null. Under `quarantine`, a joined text
    breaks the rule even where the column's type could hold it.
    """
    found = lists(column, values)
    if not found:
        return values, []
    values = list(values)
    if column.list_value == "quarantine":
        joined = [index for index in found if type(values[index]) is str]
        for index in joined:
            values[index] = None
        return values, joined
    place = 0 if column.list_value == "first" else -1
    for index, parts in found.items():
        values[index] = parts[place] if parts else None
    return values, []


def told_by_type(column: Column) -> bool:
    """Whether a list, or two values in a text, cannot be a value of the column's type."""
    if column.type in ("text", "jsonb") or (column.conversion and column.list_separator):
        return False
    return not column.list_separator or not _IN_SCALARS.issuperset(column.list_separator)


@dataclass(frozen=True)
class Exploded:
    """Rows made of records: `source` is each row's record; `unequal` records could not be split,
    since their lists differ in length."""

    source: NDArray[np.int64]
    values: Mapping[str, list[Any]]
    unequal: Mapping[int, str]


def explode(
    columns: Sequence[Column],
    values: Mapping[str, list[Any]],
    extras: Mapping[int, Any],
    count: int,
    record_bytes: int,
) -> Exploded | None:
    """A row for each value of a list; None if no record has one.

    Several lists of a record are combined by position, and single values
    are repeated, as are `extras`; lists of different lengths cannot be
    combined. An empty list is one row with null.

    Raises `BeyondLimit` for a text of more values than a record of
    `record_bytes` may hold, and if more than `MOST_REPEATED` times as many
    bytes would be repeated.
    """
    found = {column.name: lists(column, values[column.name]) for column in columns}
    if not any(found.values()):
        return None
    repeats = np.ones(count, dtype=np.int64)
    unequal: dict[int, str] = {}
    for name, parts in found.items():
        for index, items in parts.items():
            length = max(1, len(items))
            if repeats[index] not in (1, length) and length != 1:
                unequal[index] = name
            repeats[index] = max(repeats[index], length)
    repeats[list(unequal)] = 1
    many = {int(index): int(repeats[index]) for index in np.flatnonzero(repeats > MOST_REPEATED)}
    _refuse_repeated(many, {**values, "": extras}, found, record_bytes)
    source = np.repeat(np.arange(count), repeats)
    starts = np.cumsum(repeats) - repeats
    rows = {name: [items[index] for index in source] for name, items in values.items()}
    for name, parts in found.items():
        for index, items in parts.items():
            if index in unequal:
                rows[name][starts[index]] = None
                continue
            for number in range(repeats[index]):
                row = starts[index] + number
                rows[name][row] = items[number if len(items) > 1 else 0] if items else None
    return Exploded(source, rows, unequal)


def _refuse_repeated(
    times: Mapping[int, int],
    values: Mapping[str, Sequence[Any] | Mapping[int, Any]],
    found: Mapping[str, Mapping[int, list[Any]]],
    limit: int,
) -> None:
    most = max(times.values(), default=0)
    if most * VALUE_BYTES > limit:
        raise BeyondLimit(f"expected a list, found {most} values", "record_bytes", limit)
    size = 0
    for name, items in values.items():
        parts = found.get(name, {})
        for index, number in times.items():
            if len(parts.get(index, ())) < 2:
                item = items.get(index) if isinstance(items, Mapping) else items[index]
                size += number * _size(item)
    if size > MOST_REPEATED * limit:
        what = (
            f"expected rows of at most {MOST_REPEATED} times a record, found {size} bytes that "
            "`list_value: explode` repeats"
        )
        raise BeyondLimit(what, "record_bytes", limit)


def _size(value: Any) -> int:
    if isinstance(value, str):
        return len(value)
    return len(written(value)) if isinstance(value, dict | list) else 0


def wrong_at(column: Typed, indexes: Sequence[int]) -> Typed:
    """The column with these values marked as wrong too."""
    if not indexes:
        return column
    wrong: Mask = column.wrong.copy()
    wrong[list(indexes)] = True
    return dataclasses.replace(column, wrong=wrong)
