"""The parts of every cast: the typed column, texts, and how they are parsed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from include.records.json.values import ExactNumber
from include.warehouse.columns.hashing import Hashes, Mask, hash_words

# No column of numbers has a value with so many digits before the point, or zeros after it; written
# out, a few bytes of a number in scientific notation could take 100 KB.
_FAR = 400


@dataclass(frozen=True)
class Typed:
    """A column: its values, which are null, their hashes, and which do not have its type.

    `refused` are the values that break a rule of the type other than `type`,
    by that rule, such as the times that the clocks of their zone never showed.
    """

    array: pa.Array
    nulls: Mask
    hashes: Hashes
    wrong: Mask
    refused: Mapping[str, Mask] = field(default_factory=dict)

    @property
    def as_expected(self) -> bool:
        """Whether every value has the type, or is null."""
        return not self.wrong.any() and not any(mask.any() for mask in self.refused.values())


def taken(column: Typed, places: NDArray[np.integer[Any]]) -> Typed:
    """The column's values at these places, in this order."""
    return Typed(
        column.array.take(pa.array(places)),
        column.nulls[places],
        column.hashes[places],
        column.wrong[places],
        {rule: mask[places] for rule, mask in column.refused.items()},
    )


def replaced(column: Typed, places: NDArray[np.int64], other: Typed) -> Typed:
    """The column with the values of another one at these places."""
    both = Typed(
        pa.concat_arrays([column.array, other.array]),
        np.concatenate([column.nulls, other.nulls]),
        np.concatenate([column.hashes, other.hashes]),
        np.concatenate([column.wrong, other.wrong]),
    )
    order = np.arange(len(column.nulls))
    order[places] = len(order) + np.arange(len(places))
    return taken(both, order)


def texts_of(
    values: list[Any],
    kinds: set[type],
    *,
    booleans: bool = False,
    only_text: list[Any] | None = None,
) -> tuple[list[str | None], Mask]:
    """Every value as text, None for lists and objects."""
    if only_text is not None:
        texts = [value if isinstance(value, str) else None for value in only_text]
    elif kinds <= {str}:
        return values, none_wrong(values)
    else:
        texts = [as_text(value, booleans) for value in values]
    wrong = np.array(
        [text is None and value is not None for text, value in zip(texts, values, strict=True)],
        dtype=bool,
    )
    return texts, wrong


def as_text(value: Any, booleans: bool = False) -> str | None:
    """A text, a number, or with `booleans` true and false instead, as text; None for others."""
    if isinstance(value, bool):
        return str(value).lower() if booleans else None
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not booleans:
        return str(value)
    if isinstance(value, float) and not booleans and np.isfinite(value):
        return decimal_text(value)
    if isinstance(value, ExactNumber) and not booleans and abs(value.adjusted()) < _FAR:
        return decimal_text(value)
    return None


def decimal_text(value: int | float | ExactNumber) -> str:
    """A finite number in the fewest digits that distinguish it, without an exponent."""
    exact = value if isinstance(value, ExactNumber) else Decimal(repr(value))
    text = format(exact, "f")
    return text.rstrip("0").removesuffix(".") if "." in text else text


def parsed(
    texts: list[str | None], wrong: Mask, pattern: str, read: Callable[[pl.Expr], pl.Expr]
) -> Typed:
    """The texts that match the pattern, parsed; all others are wrong."""
    text = pl.col("text")
    found = queried(texts, value=read(pl.when(text.str.contains(pattern)).then(text)))
    column = of_words(found["value"], wrong)
    return dataclasses.replace(column, wrong=wrong | (column.nulls & ~nulls_of(found["text"])))


def queried(texts: list[str | None], **columns: pl.Expr) -> dict[str, pa.Array]:
    """The texts as `text`, and columns computed from it, in one query: each separate query would
    start as many threads."""
    frame = pl.LazyFrame({"text": texts}, schema={"text": pl.String}).with_columns(**columns)
    return {series.name: series.to_arrow() for series in frame.collect()}


def nulls_of(array: pa.Array) -> Mask:
    """Which values are null."""
    return np.asarray(array.is_null().to_numpy(zero_copy_only=False))


def of_words(array: pa.Array, wrong: Mask) -> Typed:
    """A column whose values are fixed-width."""
    nulls = nulls_of(array)
    if pa.types.is_decimal(array.type):
        limbs = np.frombuffer(array.buffers()[1], dtype=np.int64)
        limbs = limbs.reshape(-1, 2)[array.offset : array.offset + len(array)]
        return Typed(array, nulls, hash_limbs(limbs, nulls), wrong)
    return Typed(array, nulls, hashes_of(array), wrong)


def hashes_of(array: pa.Array) -> Hashes:
    """The hashes of values of up to 64 bits; anything where they are null."""
    if pa.types.is_floating(array.type):
        # -0.0 + 0.0 is 0.0: the two zeros are one value.
        words = array.fill_null(0.0).to_numpy(zero_copy_only=False) + 0.0
    else:
        days = array.cast(pa.int32()) if pa.types.is_date32(array.type) else array
        words = days.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return hash_words(np.ascontiguousarray(words))


def hash_limbs(limbs: NDArray[np.int64], nulls: Mask) -> Hashes:
    # Below 2^63 the high word only repeats the sign: such a value hashes as its low word.
    low, high = limbs[:, 0], limbs[:, 1]
    hashes = hash_words(np.ascontiguousarray(low)).copy()
    wide = (high != low >> 63) & ~nulls
    hashes[wide] ^= hash_words(np.ascontiguousarray(high))[wide] * np.uint64(0x9E3779B97F4A7C15)
    return hashes


def none_wrong(values: list[Any]) -> Mask:
    return np.zeros(len(values), dtype=bool)
