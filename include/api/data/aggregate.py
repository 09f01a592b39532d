"""Groups of rows, and counts, sums, means and extremes of them, as JSON."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from include.api.data.columns import NULL, Column
from include.api.data.dataset import Dataset, Places
from include.api.data.problems import Problem
from include.api.data.query import Aggregate
from include.api.data.rows import objects

MOST_GROUPS = 10_000
MOST_VALUES = 100_000
_MOST_KEYS = 2**62


def groups_of(dataset: Dataset, asked: Aggregate) -> bytes:
    """The groups as JSON, in the order of the columns that they are made by.

    Nulls are a group of their own, the last. Raises `Problem` for too many.
    """
    rows = dataset.all_matching(asked.filters)
    columns = [dataset.columns[name] for name in asked.group]
    count = dataset.rows if rows is None else len(rows)
    order, starts = _grouped(columns, rows, count)
    if len(starts) > MOST_GROUPS:
        raise Problem(
            400,
            f"The answer would have {len(starts):,} groups; at most {MOST_GROUPS:,}. Filter, or "
            "group by fewer columns.",
            parameter="group",
        )
    values = len(starts) * (len(columns) + len(asked.measures))
    if values > MOST_VALUES:
        raise Problem(
            400,
            f"The answer would have {values:,} values; at most {MOST_VALUES:,}. Filter, or ask for "
            "fewer measures.",
            parameter="measure",
        )
    heads = _heads(columns, rows, order, starts)
    sizes = np.diff(np.append(starts, count)) if count else np.zeros(len(starts), dtype=np.int64)
    parts = [
        _measured(measure, dataset.columns.get(name), rows, order, starts, sizes)
        for measure, name in asked.measures
    ]
    measured = map(b",".join, zip(*parts, strict=True))
    lines = [
        head + (b"," if head else b"") + rest for head, rest in zip(heads, measured, strict=True)
    ]
    body = b"\n{" + b"},\n{".join(lines) + b"}\n" if lines else b""
    return b'{"groups":[' + body + b"]}\n"


def _heads(
    columns: list[Column], rows: Places | None, order: Places, starts: Places
) -> list[bytes]:
    """The JSON of the columns of each group, from its first row."""
    if not columns:
        return [b""]
    firsts = order[starts]
    text = objects(columns, firsts if rows is None else rows[firsts])
    return text[2:-2].split(b"},\n{") if text else []


def _grouped(columns: list[Column], rows: Places | None, count: int) -> tuple[Places, Places]:
    """The rows sorted by group, as places among those found, and where each group begins.

    Without columns, all are one group, even if there are none.
    """
    if not columns:
        return np.arange(count), np.zeros(1, dtype=np.int64)
    if not count:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    keys = np.zeros(count, dtype=np.int64)
    size = 1
    for column in columns:
        codes = (column.codes if rows is None else column.codes[rows]).astype(np.int64)
        width = len(column.values) + 1
        if size * width > _MOST_KEYS:
            distinct, keys = np.unique(keys, return_inverse=True)
            size = len(distinct)
        keys = keys * width + np.where(codes == NULL, width - 1, codes)
        size *= width
    # Small numbers are sorted many times faster.
    keys = keys.astype(np.min_scalar_type(size))
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    starts = np.flatnonzero(np.append(True, ordered[1:] != ordered[:-1]))
    return order, starts


def _measured(
    measure: str,
    column: Column | None,
    rows: Places | None,
    order: Places,
    starts: Places,
    sizes: npt.NDArray[Any],
) -> list[bytes]:
    """The JSON `"name":value` of a measure for each group."""
    if column is None:
        return [b'"count":%d' % size for size in sizes.tolist()]
    name = orjson.dumps(f"{measure}.{column.name}") + b":"
    codes = (column.codes if rows is None else column.codes[rows])[order].astype(np.int64)
    if not len(codes):
        return [name + b"null"] * len(starts)
    if measure in ("min", "max"):
        return [name + value for value in _extremes(measure, column, codes, starts)]
    units, scale = column.units
    present = np.add.reduceat((codes != NULL).astype(np.int64), starts).tolist()
    padded = np.append(units, np.zeros(1, dtype=units.dtype))
    sums = np.add.reduceat(padded[codes], starts).tolist()
    written = [
        _number(measure, total, number, scale, column)
        for total, number in zip(sums, present, strict=True)
    ]
    return [name + value for value in written]


def _number(measure: str, total: Any, number: int, scale: int, column: Column) -> bytes:
    if not number:
        return b"null"
    if isinstance(total, float):
        return orjson.dumps(total if measure == "sum" else total / number)
    if measure == "mean":
        return orjson.dumps(float(Fraction(total, number * 10**scale)))
    if column.type.name == "decimal":
        return column.type.written(Decimal(f"{total}E-{scale}"))
    return b"%d" % total


def _extremes(measure: str, column: Column, codes: Places, starts: Places) -> list[bytes]:
    if measure == "max":
        found = np.maximum.reduceat(codes, starts)
    else:
        last = len(column.values)
        found = np.minimum.reduceat(np.where(codes == NULL, last, codes), starts)
        found = np.where(found == last, NULL, found)
    skipped = len(orjson.dumps(column.name)) + 1
    return [column.fragments[place][skipped:] for place in found.tolist()]
