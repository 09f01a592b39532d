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
            return self.values.array, 0
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
    """Values of Arrow or numpy that become Python objects when they are asked for."""

    def __init__(self, array: Any) -> None:
        self._array = array

    def __len__(self) -> int:
        return len(self._array)

    def __getitem__(self, place: Any) -> Any:
        found = self._array[place]
        return found.item() if isinstance(found, np.generic) else found.as_py()

    @property
    def array(self) -> Any:
        """All of them, as they are held."""
        return self._array

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
    """The column with these values. What JSON has no number for, such as NaN, becomes null.

    Nothing here may make an Arrow value of a Python one, or call Arrow's `to_numpy`: that imports
    pandas, which takes 40 MB.
    """
    encoded = found.combine_chunks().dictionary_encode(null_encoding="encode")
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    distinct = encoded.dictionary
    in_order = compute.sort_indices(distinct)
    # Null is last.
    count = len(distinct) - distinct.null_count
    values: Any = distinct.take(in_order[:count])
    places = np.arange(count)
    if pa.types.is_floating(values.type):
        values, places = _finite(_numpy(values))
    ranks = np.full(len(distinct), NULL, dtype=np.int64)
    ranks[_numpy(in_order)[:count]] = places
    codes = ranks[_numpy(encoded.indices)].astype(np.min_scalar_type(-max(1, len(values))))
    codes.flags.writeable = False
    return _with_values(name, type_, description, codes, values)


def _numpy(array: pa.Array) -> npt.NDArray[Any]:
    return np.from_dlpack(array)


def _finite(values: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """The finite ones of sorted numbers, and for each number its place among them, or `NULL`."""
    finite = np.isfinite(values)
    # Adding zero makes one zero of two.
    distinct, places = np.unique(values[finite] + 0.0, return_inverse=True)
    found = np.full(len(values), NULL, dtype=np.int64)
    found[finite] = places
    return distinct, found


def _with_values(name: str, type_: Type, description: str, codes: Codes, distinct: Any) -> Column:
    key = orjson.dumps(name) + b":"
    if len(distinct) > _MOST_OBJECTS:
        lazy = _Lazy(distinct)
        fragments = _LazyFragments(key, lazy, type_.written)
        return Column(name, type_, description, codes, lazy, fragments)
    values = distinct.tolist()
    written = [*(key + type_.written(value) for value in values), key + b"null"]
    return Column(name, type_, description, codes, values, written)
