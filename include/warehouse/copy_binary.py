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

from include.warehouse.columns.hashing import Mask
from include.warehouse.columns.typed_column import nulls_of
from include.warehouse.connection import CopyCursor

_BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_END = b"\xff\xff"
# PostgreSQL's dates and times count from 2000-01-01, Arrow's from 1970-01-01.
_EPOCH_DAYS = 10_957
_EPOCH_MICROSECONDS = _EPOCH_DAYS * 24 * 60 * 60 * 1_000_000
# A numeric consists of digits in this base, of four decimal digits each.
_BASE, _BASE_DIGITS = 10_000, 4
_NEGATIVE = 0x4000
# With more decimals, Python's numbers are used: 64 bits may be too few.
_WORD_SCALE = 16
_JSONB_VERSION = b"\x01"
_LENGTH_BYTES = 4
# Rows to encode at a time: few enough to be sent from the processor's cache.
_ROWS = 4_000


class _Broken(Exception):
    """Aborts the COPY if a batch fails, without leaking values to the server log."""

    def __init__(self, failure: Exception) -> None:
        super().__init__("the rows to copy could not be prepared")
        self.failure = failure


def append(cursor: CopyCursor, schema: str, table: str, batches: Iterable[pa.RecordBatch]) -> int:
    """Add the rows of batches with the same columns to a table; returns their number.

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
    # Fixed-width columns first: together they are one piece.
    fields = sorted(first.schema, key=lambda field: _has_any_width(field.type))
    names = [field.name for field in fields]
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    into = sql.SQL("copy {} ({}) from stdin (format binary)").format(table, columns)
    batches = chain([first], batches)
    del first
    with cursor.copy(into) as copy:
        copy.write(_BEGIN)
        for batch in _unsaid(batches):
            ordered = batch.select(names)
            for start in range(0, batch.num_rows, _ROWS):
                copy.write(memoryview(encoded(ordered.slice(start, _ROWS))))
        copy.write(_END)
    return cursor.rowcount


def _has_any_width(kind: pa.DataType) -> bool:
    return _is_json(kind) or _is_text(kind)


def _is_json(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_binary(kind))


def _unsaid(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except Exception as error:
        raise _Broken(error) from None


def encoded(batch: pa.RecordBatch) -> pa.Buffer:
    """The rows of a batch in COPY format, without its header and trailer.

    Columns are text, bytes, JSON (for `jsonb`), 64-bit integers and doubles,
    booleans, dates, times in microseconds, decimals of 128 bits, and
    dictionaries of one value for every row.

    Raises `TypeError` for another type.
    """
    row = _Row(batch.num_rows)
    row.add([(">i2", batch.num_columns)])
    for column in batch.columns:
        _add_field(row, column)
    return row.joined()


# What follows each other in a row: numpy's name of a format, and each row's value or all rows'.
_Parts = list[tuple[str, Any]]


class _Row:
    """The pieces of each row; consecutive fixed-width columns are one piece."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._pieces: list[pa.Array] = []
        self._fixed: _Parts = []

    def add(self, parts: _Parts, nulls: Mask | None = None) -> None:
        """Append these; of `nulls`, only the first part, the length, is written."""
        if nulls is None:
            self._fixed += parts
            return
        self._end_piece()
        self._pieces.append(_cut(_together(parts, self._rows), nulls))

    def add_bytes(self, values: pa.Array) -> None:
        """Append bytes of any width."""
        self._end_piece()
        self._pieces.append(values)

    def joined(self) -> pa.Buffer:
        """The concatenated rows."""
        self._end_piece()
        joined = pc.binary_join_element_wise(*self._pieces, pa.scalar(b"", pa.binary()))
        return joined.buffers()[2] or pa.py_buffer(b"")

    def _end_piece(self) -> None:
        if self._fixed:
            self._pieces.append(_cut(_together(self._fixed, self._rows)))
            self._fixed = []


def _add_field(row: _Row, column: pa.Array) -> None:
    nulls = nulls_of(column) if column.null_count else None
    kind = column.type
    if _is_json(kind):
        _add_texts(row, column.storage, nulls, _JSONB_VERSION)
    elif _is_text(kind):
        _add_texts(row, column, nulls)
    elif pa.types.is_dictionary(kind) and nulls is None and len(column.dictionary) == 1:
        value = column.dictionary.view(pa.binary())[0].as_py()
        row.add([(">i4", len(value)), (f"S{len(value)}", value)])
    elif pa.types.is_decimal128(kind):
        row.add(_numerics(column, nulls), nulls)
    else:
        row.add(_words(column, nulls), nulls)


def _add_texts(row: _Row, column: pa.Array, nulls: Mask | None, before: bytes = b"") -> None:
    """Length and bytes; `before` precedes each value and is not part of it."""
    values = _without_nulls(column.view(pa.binary()), b"")
    lengths = pc.binary_length(values).to_numpy() + len(before)
    if nulls is not None:
        lengths[nulls] = -1
    if before:
        row.add([(">i4", lengths), (f"S{len(before)}", before)], nulls)
    else:
        row.add([(">i4", lengths)])
    row.add_bytes(values)


def _words(column: pa.Array, nulls: Mask | None) -> _Parts:
    """Fixed-width values, unchanged except for their byte order, and their offset."""
    kind, epoch = column.type, 0
    if pa.types.is_boolean(kind):
        column, form = column.cast(pa.int8()), "i1"
    elif pa.types.is_int64(kind):
        form = "i8"
    elif pa.types.is_float64(kind):
        form = "f8"
    elif pa.types.is_date32(kind):
        column, form, epoch = column.view(pa.int32()), "i4", _EPOCH_DAYS
    elif pa.types.is_timestamp(kind) and kind.unit == "us":
        column, form, epoch = column.view(pa.int64()), "i8", _EPOCH_MICROSECONDS
    else:
        raise TypeError(f"binary COPY does not support {kind}")
    values = _without_nulls(column, 0).to_numpy(zero_copy_only=False)
    if epoch:
        values = values - epoch
    return [_length(np.dtype(form).itemsize, nulls), (f">{form}", values)]


def _without_nulls(column: pa.Array, instead: Any) -> pa.Array:
    return column.fill_null(instead) if column.null_count else column


def _length(width: int, nulls: Mask | None) -> tuple[str, Any]:
    return ">i4", width if nulls is None else np.where(nulls, -1, width)


def _numerics(column: pa.Array, nulls: Mask | None) -> _Parts:
    """As many digits for every value; PostgreSQL drops the zeros at both ends."""
    scale = column.type.scale
    limbs = np.frombuffer(column.buffers()[1], dtype=np.int64).reshape(-1, 2)
    limbs = limbs[column.offset : column.offset + len(column)]
    low, high = limbs[:, 0], limbs[:, 1]
    if nulls is not None:
        low, high = np.where(nulls, 0, low), np.where(nulls, 0, high)
    in_words = scale <= _WORD_SCALE and not (high != low >> 63).any()
    values = low if in_words else (high.astype(object) << 64) + low.view(np.uint64).astype(object)
    sizes = np.abs(values)
    # The smallest 64-bit integer has a positive counterpart only as an unsigned one.
    digits, weight = _digits(sizes.view(np.uint64) if in_words else sizes, scale)
    head = (len(digits), weight, np.where(values < 0, _NEGATIVE, 0), scale)
    words: _Parts = [(">i2", value) for value in (*head, *digits)]
    return [_length(2 * len(words), nulls), *words]


def _digits(values: NDArray[Any], scale: int) -> tuple[list[NDArray[Any]], int]:
    """The digits of absolute values, highest first, and the exponent of the first."""
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
    """Quotients and remainders, including those of Python's numbers."""
    whole = values // by
    return whole, values - whole * by


def _together(parts: _Parts, rows: int) -> NDArray[Any]:
    """The bytes of each row, in two dimensions."""
    packed = np.empty(rows, [(str(place), form) for place, (form, _) in enumerate(parts)])
    for place, (_, values) in enumerate(parts):
        packed[str(place)] = values
    return packed.view(np.uint8).reshape(rows, packed.dtype.itemsize)


def _cut(data: NDArray[np.uint8], nulls: Mask | None = None) -> pa.Array:
    """Each row of a 2-D array as bytes; for a null only its length."""
    rows, width = data.shape
    widths = np.full(rows, width)
    if nulls is not None:
        widths[nulls] = _LENGTH_BYTES
        data = data[np.arange(width) < widths[:, np.newaxis]]
    offsets = np.zeros(rows + 1, dtype=np.int32)
    np.cumsum(widths, out=offsets[1:])
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(pa.binary(), rows, buffers)


def alike(batches: Iterator[pa.RecordBatch]) -> Iterator[Iterator[pa.RecordBatch]]:
    """Consecutive batches, with the columns that have had a value so far.

    A batch with a value in another column starts the next group. Each group
    must be read to its end before the next one is requested.
    """
    names: list[str] = []
    some = (batch for batch in batches if batch.num_rows)
    waiting = next(some, None)

    def with_names() -> Iterator[pa.RecordBatch]:
        nonlocal waiting
        while waiting is not None and _filled(waiting) <= {*names}:
            yield waiting.select(names)
            waiting = next(some, None)

    while waiting is not None:
        filled = _filled(waiting)
        names = [name for name in waiting.schema.names if name in filled or name in names]
        yield with_names()


def _filled(batch: pa.RecordBatch) -> set[str]:
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return {name for name, column in columns if column.null_count < len(column)}
