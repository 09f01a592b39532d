"""A dataset in memory: its columns, and which of its rows meet conditions, in which order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from include.api.data.columns import NULL, Codes, Column
from include.api.data.query import Filter

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[Any]

# Rows are looked at in pieces of so many: a page ends the search as soon as it is full.
_PIECE = 1 << 16
# So many orders are remembered.
_MOST_ORDERS = 8


@dataclass(frozen=True)
class Dataset:
    """The rows of a dataset, whose content `content`, a hash, identifies.

    `about` is what the version says of it.
    """

    name: str
    content: str
    rows: int
    columns: Mapping[str, Column]
    about: Mapping[str, Any]
    _orders: dict[tuple[tuple[str, bool], ...], Places] = field(default_factory=dict, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def is_ordered(self, order: tuple[tuple[str, bool], ...]) -> bool:
        """Whether the order is known, so that it costs nothing."""
        return not order or order in self._orders

    def in_order(self, order: tuple[tuple[str, bool], ...]) -> Places | None:
        """The rows in an order; None in that of the file. Nulls are last, ties as in the file."""
        if not order:
            return None
        if (known := self._orders.get(order)) is not None:
            return known
        keys = [_key(self.columns[name], falls=falls) for name, falls in reversed(order)]
        found = np.lexsort(keys).astype(np.min_scalar_type(max(1, self.rows)))
        with self._lock:
            while len(self._orders) >= _MOST_ORDERS:
                self._orders.pop(next(iter(self._orders)))
            self._orders[order] = found
        return found

    def matching(
        self, filters: tuple[Filter, ...], order: Places | None = None, start: int = 0
    ) -> Iterator[tuple[int, Places]]:
        """Which rows meet all conditions: by piece, where it begins in the order, and the rows."""
        tests = [_test(self.columns[one.column], one) for one in filters]
        for begin in range(start, self.rows, _PIECE):
            end = min(begin + _PIECE, self.rows)
            rows = slice(begin, end) if order is None else order[begin:end]
            kept: Mask | None = None
            for codes, test in tests:
                met = test(codes[rows])
                kept = met if kept is None else kept & met
            found = np.arange(end - begin) if kept is None else np.flatnonzero(kept)
            yield begin, found

    def all_matching(self, filters: tuple[Filter, ...]) -> Places | None:
        """The rows that meet all conditions; None for all of them."""
        if not filters:
            return None
        pieces = [found + begin for begin, found in self.matching(filters)]
        return np.concatenate(pieces) if pieces else np.empty(0, dtype=np.int64)


def _key(column: Column, *, falls: bool) -> Codes:
    codes = column.codes.astype(np.int64)
    if falls:
        return np.where(codes == NULL, 1, -codes)
    return np.where(codes == NULL, len(column.values), codes)


def _test(column: Column, condition: Filter) -> tuple[Codes, Callable[[Codes], Mask]]:
    """The codes of a column, and what is true of those that meet the condition.

    No comparison is true of a null.
    """
    if condition.operator == "is":
        wanted = condition.null
        return column.codes, lambda codes: (codes == NULL) == wanted
    ranges = [column.places(interval) for interval in condition.intervals]
    if condition.operator == "in":
        return column.codes, lambda codes: _within_any(codes, ranges)
    low, high = ranges[0]
    if condition.operator == "neq":
        return column.codes, lambda codes: (codes != NULL) & ~_within(codes, low, high)
    if condition.operator in ("gt", "gte"):
        first = high if condition.operator == "gt" else low
        return column.codes, lambda codes: codes >= first
    if condition.operator in ("lt", "lte"):
        low, high = 0, low if condition.operator == "lt" else high
    return column.codes, lambda codes: _within(codes, low, high)


def _within(codes: Codes, low: int, high: int) -> Mask:
    if high - low == 1:
        return np.asarray(codes == low)
    return np.asarray((codes >= low) & (codes < high))


def _within_any(codes: Codes, ranges: list[tuple[int, int]]) -> Mask:
    found = np.zeros(len(codes), dtype=np.bool_)
    singles = [low for low, high in ranges if high - low == 1]
    if singles:
        found |= np.isin(codes, np.array(singles, dtype=np.int64))
    for low, high in ranges:
        if high - low > 1:
            found |= _within(codes, low, high)
    return found
