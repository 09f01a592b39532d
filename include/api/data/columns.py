"""A column in memory: the sorted distinct values, and for each row the place of its value.

So a comparison of any type is one of small integers, and so are order and groups.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.compute as compute

from include.api.data.values import Interval, Type

Codes = npt.NDArray[Any]
# The place of a null.
NULL = -1
# With more distinct values than this, Python objects of them would take too much memory.
_MOST_OBJECTS = 10_000


@dataclass(frozen=True)
class Column:
    """A column. `codes` has each row's place in `values`, or `NULL`.

    `fragments` has the JSON `"name":value` of each of the values, and at its
    end, so also at `NULL`, that of null.
    """

    name: str
    type: Type
    description: str
    codes: Codes
    values: Sequence[Any]
    fragments: Sequence[bytes]

    def places(self, interval: Interval) -> tuple[int, int]:
        """The places of the values in an interval: from the first to before the second."""
        return bisect_left(self.values, interval[0]), bisect_right(self.values, interval[1])

    @cached_property
    def units(self) -> tuple[npt.NDArray[Any], int]:
        """The distinct values as numbers to add up, and the power of ten they are multiplied by.

        Integers and decimals are whole numbers, so that their sums are exact; of
        Python's kind if machine integers might overflow.
        """
        if isinstance(self.values, _Lazy) and self.type.name == "number":
            return self.values.to_numpy(), 0
        values = list(self.values)
        scale = 0
        if values and isinstance(values[0], Decimal):
            scale = max(-int(value.as_tuple().exponent) for value in values)
            values = [int(Fraction(value) * 10**scale) for value in values]
        elif not values or isinstance(values[0], float):
            return np.array(values, dtype=np.float64), 0
        largest = max(abs(values[0]), abs(values[-1]))
        fits = largest * max(1, len(self.codes)) < 2**63
        return np.array(values, dtype=np.int64 if fits else object), scale

    @property
    def nbytes(self) -> int:
        """The memory of its codes and, if they are not Python's objects, values."""
        held = self.values.nbytes if isinstance(self.values, _Lazy) else 0
        return int(self.codes.nbytes) + held


class _Lazy(Sequence[Any]):
    """Values that become Python objects when they are asked for."""

    def __init__(self, array: pa.Array) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, place: Any) -> Any:
        return self._array[place].as_py()

    def to_numpy(self) -> npt.NDArray[Any]:
        """All of them, if they are numbers."""
        found: npt.NDArray[Any] = self._array.to_numpy(zero_copy_only=False)
        return found

    @property
    def nbytes(self) -> int:
        """The bytes of the array."""
        return int(self._array.nbytes)


class _LazyFragments(Sequence[bytes]):
    """The JSON of such values."""

    def __init__(self, name: bytes, values: Sequence[Any], written: Callable[[Any], bytes]) -> None:
        self._name, self._values, self._written = name, values, written

    def __len__(self) -> int:
        return len(self._values) + 1

    def __getitem__(self, place: Any) -> Any:
        if place in (NULL, len(self._values)):
            return self._name + b"null"
        return self._name + self._written(self._values[place])


def column_of(name: str, type_: Type, description: str, found: pa.ChunkedArray) -> Column:
    """The column with these values. What JSON has no number for, such as NaN, becomes null."""
    array = found.combine_chunks()
    if pa.types.is_floating(array.type):
        finite = compute.is_finite(array)
        # Adding zero makes one zero of two.
        array = compute.add(compute.if_else(finite, array, None), 0.0)
    encoded = array.dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    order = compute.sort_indices(encoded.dictionary).to_numpy()
    rank = np.empty(len(order) + 1, dtype=np.int64)
    rank[order] = np.arange(len(order))
    rank[-1] = NULL
    places = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    codes = rank[places].astype(np.min_scalar_type(-max(1, len(order))))
    codes.flags.writeable = False
    return _with_values(name, type_, description, codes, encoded.dictionary.take(pa.array(order)))


def _with_values(
    name: str, type_: Type, description: str, codes: Codes, distinct: pa.Array
) -> Column:
    key = orjson.dumps(name) + b":"
    if len(distinct) > _MOST_OBJECTS:
        lazy = _Lazy(distinct)
        fragments = _LazyFragments(key, lazy, type_.written)
        return Column(name, type_, description, codes, lazy, fragments)
    values = distinct.to_pylist()
    written = [*(key + type_.written(value) for value in values), key + b"null"]
    return Column(name, type_, description, codes, values, written)
