"""Arrow batches into PostgreSQL by binary `COPY`, column by column.

The format is that of PostgreSQL's manual, `COPY`, "Binary Format": a row is the
number of its fields, then of each its length in bytes, -1 for null, and the
bytes that its type's `recv` function reads, all big-endian.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from psycopg import sql

from include.warehouse.connection import CopyCursor
from include.warehouse.hashing import Mask
from include.warehouse.reading import nulls_of

_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
# Dates and times count from 2000-01-01, Arrow's from 1970-01-01.
_EPOCH_DAYS = 10_957
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 24 * 60 * 60 * 1_000_000
# A numeric is digits to this base, so many decimal digits each.
_BASE, _BASE_DIGITS = 10_000, 4
_NEGATIVE = 0x4000
# With more decimals than these, numbers are Python's: 64 bits may not hold them.
_WORD_SCALE = 16
_JSONB_VERSION = b"\x01"
# So many rows are made at once: they are sent while a processor's cache still holds them.
_ROWS = 4_000


class _Broken(Exception):
    """What PostgreSQL is told, and logs, when batches fail: the failure's text may hold a value."""

    def __init__(self, failure: Exception) -> None:
        super().__init__("what was to be copied could not be made")
        self.failure = failure


def append(cursor: CopyCursor, schema: str, table: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Add the rows of batches with the same columns to a table; how many.

    Raises what the batches raise.
    """
    try:
        return _append(cursor, sql.Identifier(schema, table), iter(batches))
    except _Broken as broken:
        failure = broken.failure
    raise failure


def _append(cursor: CopyCursor, table: sql.Identifier, batches: Iterator[pa.RecordBatch]) -> int:
    first = next(batches, None)
    if first is None:
        return 0
    columns = sql.SQL(", ").join(map(sql.Identifier, first.schema.names))
    into = sql.SQL("copy {} ({}) from stdin (format binary)").format(table, columns)
    batches = chain([first], batches)
    del first
    with cursor.copy(into) as copy:
        copy.write(_BEGIN)
        for batch in _unsaid(batches):
            for start in range(0, batch.num_rows, _ROWS):
                copy.write(memoryview(encoded(batch.slice(start, _ROWS))))
        copy.write(_END)
    return cursor.rowcount


def _unsaid(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except Exception as error:
        raise _Broken(error) from None


def encoded(batch: pa.RecordBatch) -> pa.Buffer:
    """The rows of a batch as `COPY` reads them, without its header and its end.

    Columns are text, bytes, JSON (for `jsonb`), 64-bit integers and doubles,
    booleans, dates, moments in microseconds, and decimals of 128 bits.

    Raises `TypeError` for another type.
    """
    count = pa.scalar(len(batch.schema).to_bytes(2, "big"), pa.binary())
    fields = [piece for column in batch.columns for piece in _fields(column)]
    rows = pc.binary_join_element_wise(count, *fields, pa.scalar(b"", pa.binary()))
    return rows.buffers()[2] or pa.py_buffer(b"")


def _fields(column: pa.Array) -> list[pa.Array]:
    """Each row's field, in one piece or in two that follow each other."""
    nulls = nulls_of(column)
    if isinstance(column, pa.ExtensionArray):
        return _texts(column.storage, nulls, _JSONB_VERSION)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return _texts(column, nulls)
    if pa.types.is_decimal128(kind):
        return [_numerics(column, nulls)]
    if pa.types.is_boolean(kind):
        return [_words(column.fill_null(False).cast(pa.int8()), nulls, "i1")]
    if pa.types.is_int64(kind):
        return [_words(column.fill_null(0), nulls, "i8")]
    if pa.types.is_float64(kind):
        return [_words(column.fill_null(0), nulls, "f8")]
    if pa.types.is_date32(kind):
        return [_words(column.cast(pa.int32()).fill_null(0), nulls, "i4", _EPOCH_DAYS)]
    if pa.types.is_timestamp(kind) and kind.unit == "us":
        return [_words(column.cast(pa.int64()).fill_null(0), nulls, "i8", _EPOCH_MICROSECONDS)]
    raise TypeError(f"no binary COPY of {kind}")


def _texts(column: pa.Array, nulls: Mask, before: bytes = b"") -> list[pa.Array]:
    """Length and bytes; `before` each value stands what is no part of it."""
    values = column.fill_null(b"" if pa.types.is_binary(column.type) else "")
    lengths = pc.binary_length(values).to_numpy(zero_copy_only=False)
    field = np.empty(len(values), [("length", ">i4"), ("before", f"S{len(before)}")])
    field["length"] = np.where(nulls, -1, lengths + len(before))
    field["before"] = before
    return [_pieces(field, nulls), values.cast(pa.binary())]


def _words(column: pa.Array, nulls: Mask, kind: str, epoch: int = 0) -> pa.Array:
    """Values of one width, as they stand but for the order of their bytes, and where they begin."""
    field = np.empty(len(column), [("length", ">i4"), ("value", f">{kind}")])
    field["length"] = np.where(nulls, -1, field["value"].itemsize)
    field["value"] = column.to_numpy(zero_copy_only=False) - epoch
    return _pieces(field, nulls)


def _numerics(column: pa.Array, nulls: Mask) -> pa.Array:
    """Digits of the same number for every value; PostgreSQL leaves out the zeros at both ends."""
    scale = column.type.scale
    limbs = np.frombuffer(column.buffers()[1], dtype=np.int64).reshape(-1, 2)
    limbs = limbs[column.offset : column.offset + len(column)]
    low, high = limbs[:, 0], limbs[:, 1]
    in_words = scale <= _WORD_SCALE and not ((high != low >> 63) & ~nulls).any()
    values = low if in_words else (high.astype(object) << 64) + low.view(np.uint64).astype(object)
    values = np.where(nulls, 0, values)
    sizes = np.abs(values)
    # The smallest of 64 bits has no positive counterpart in them but as an unsigned one.
    digits, weight = _digits(sizes.view(np.uint64) if in_words else sizes, scale)
    field = np.empty(
        len(column),
        [
            ("length", ">i4"),
            *((name, ">i2") for name in ("count", "weight", "sign", "scale")),
            ("digits", ">i2", (len(digits),)),
        ],
    )
    field["length"] = np.where(nulls, -1, field.dtype.itemsize - 4)
    field["count"], field["weight"], field["scale"] = len(digits), weight, scale
    field["sign"] = np.where(values < 0, _NEGATIVE, 0)
    for place, digit in enumerate(digits):
        field["digits"][:, place] = digit
    return _pieces(field, nulls)


def _digits(values: NDArray[Any], scale: int) -> tuple[list[NDArray[Any]], int]:
    """The digits of values without their sign, highest first, and the first one's exponent."""
    whole, part = _divided(values, 10**scale)
    digits: list[NDArray[Any]] = []
    places = -(-scale // _BASE_DIGITS)
    part = part * 10 ** (places * _BASE_DIGITS - scale)
    for _ in range(places):
        part, digit = _divided(part, _BASE)
        digits.insert(0, digit)
    weight = -1
    while whole.any():
        whole, digit = _divided(whole, _BASE)
        digits.insert(0, digit)
        weight += 1
    return digits, weight


def _divided(values: NDArray[Any], by: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Quotients and rests, also of Python's numbers."""
    whole = values // by
    return whole, values - whole * by


def _pieces(field: NDArray[Any], nulls: Mask) -> pa.Array:
    """A field of one width as bytes; of a null only its length."""
    width = field.dtype.itemsize
    data = field.view(np.uint8).reshape(len(field), width)
    widths = np.full(len(field), width)
    if nulls.any():
        widths[nulls] = field.dtype["length"].itemsize
        data = data[np.arange(width) < widths[:, np.newaxis]]
    offsets = np.zeros(len(field) + 1, dtype=np.int32)
    np.cumsum(widths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(pa.binary(), len(field), buffers)
