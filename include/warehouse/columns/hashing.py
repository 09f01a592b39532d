"""The content hash: what a partition holds, whatever its order, pages, landing or record numbers.

A value's hash is that of its typed form: XXH3-64 of the UTF-8 of text and of
canonical JSON; two's complement, IEEE 754 bits, days or microseconds since
1970 for the rest. A row's hash has two lanes of 64 bits; in each lane the
values' hashes, mixed with the column's name, are added up and mixed again.
A null adds nothing, so that a new, empty column changes no hash. The content
hash is the lane-wise sum over the rows, modulo 2^64.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import orjson
import xxhash
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]

# Where a whole number may stand as a float, or NaN, which is written as null: looked at closely.
_FLOAT_NOISE = (b".0", b"null", b"e+1")
_LANES = (b"wandle lane 1:", b"wandle lane 2:")
_MARKED_BITS = 24
# A run of sorted hashes grows no longer: 32 MB, and as much again while two are merged.
LONGEST_RUN = 1 << 22


def hash_texts(values: Sequence[str | None], some_null: bool) -> Hashes:
    """The hash of each text, 0 for null; `some_null` says whether there may be any."""
    digest = xxhash.xxh3_64_intdigest
    hashes: Iterable[int]
    if some_null:
        hashes = (0 if value is None else digest(value.encode()) for value in values)
    else:
        hashes = map(digest, map(str.encode, values))  # type: ignore[arg-type]
    return np.fromiter(hashes, dtype=np.uint64, count=len(values))


def hash_words(words: NDArray[Any]) -> Hashes:
    """The hash of each 64-bit value: its bits."""
    return words.view(np.uint64)


def hash_rows(
    columns: Mapping[str, tuple[Hashes, Mask]], count: int, lanes: int = len(_LANES)
) -> NDArray[np.uint64]:
    """Two lanes for each of `count` rows, or only the first of them: shape (count, lanes).

    `columns` maps a column's name to its values' hashes and to the mask of
    those that are null.
    """
    sums = np.zeros((lanes, count), dtype=np.uint64)
    for name, (hashes, nulls) in columns.items():
        some_null = nulls.any()
        if some_null and nulls.all():
            continue
        for lane, label in zip(sums, _LANES, strict=False):
            mixed = _mix(hashes ^ np.uint64(xxhash.xxh3_64_intdigest(label + name.encode())))
            if some_null:
                mixed[nulls] = 0
            lane += mixed
    return _mix(sums).T


class ContentHash:
    """Adds up the rows of a partition."""

    def __init__(self) -> None:
        self._lanes = np.zeros(2, dtype=np.uint64)

    def add(self, rows: NDArray[np.uint64]) -> None:
        """Add rows as `hash_rows` gives them."""
        self._lanes += rows.sum(axis=0, dtype=np.uint64)

    def hexdigest(self) -> str:
        """32 hexadecimal digits."""
        return "".join(f"{int(lane):016x}" for lane in self._lanes)


class Seen:
    """Which 64-bit hashes have come before, at 8 bytes each.

    They are kept in sorted runs, each at least twice as long as the next, so
    that what is added is merged a few times only; but for those that are so
    long that merging them would take memory. Most hashes are told to be new by
    their first bits alone, which are marked in 16 MB.
    """

    def __init__(self) -> None:
        self._runs: list[Hashes] = []
        self._marked = np.zeros(1 << _MARKED_BITS, dtype=bool)
        self._unsorted: list[Hashes] = []

    def holds(self, hashes: Hashes) -> Mask:
        """For each hash, whether it came before in an earlier call; remembers nothing."""
        self._settle()
        found = self._marked[_first_bits(hashes)]
        if found.any():
            found[found] = self._in_runs(hashes[found])
        return found

    def _in_runs(self, hashes: Hashes) -> Mask:
        found = np.zeros(len(hashes), dtype=bool)
        for run in self._runs:
            place = np.searchsorted(run, hashes)
            place[place == len(run)] = 0
            found |= run[place] == hashes
        return found

    def again(self, hashes: Hashes) -> Mask:
        """For each hash, whether it came before, here or in an earlier call; remembers them."""
        ordered = np.sort(hashes)
        before = self.holds(ordered)
        result = np.zeros(len(hashes), dtype=bool)
        if (ordered[1:] == ordered[:-1]).any() or before.any():
            order = np.argsort(hashes, kind="stable")
            before[1:] |= ordered[1:] == ordered[:-1]
            result[order] = before
            ordered = ordered[~before]
        self._remember(ordered)
        return result

    def add(self, hashes: Hashes) -> None:
        """Remember hashes, some of which may have come before; they are sorted when asked for."""
        self._unsorted.append(hashes)

    def _settle(self) -> None:
        while self._unsorted:
            self._remember(np.sort(self._unsorted.pop()))

    def _remember(self, run: Hashes) -> None:
        if not len(run):
            return
        self._marked[_first_bits(run)] = True
        while self._runs and len(self._runs[-1]) < 2 * len(run):
            if len(self._runs[-1]) + len(run) > LONGEST_RUN:
                break
            run = np.concatenate([self._runs.pop(), run])
            run.sort(kind="stable")  # two sorted runs are merged in linear time
        self._runs.append(run)


def _first_bits(hashes: Hashes) -> NDArray[np.uint64]:
    return hashes >> np.uint64(64 - _MARKED_BITS)


def canonical_json(value: Any) -> str:
    """JSON whose text does not change on its way through jsonb: sorted keys, 1.0 as 1.

    Whole numbers beyond 64 bits are the nearest doubles. Raises `TypeError` or
    `ValueError` for what JSON cannot say, such as NaN.
    """
    try:
        written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
        noisy = any(mark in written for mark in _FLOAT_NOISE)
    except TypeError:
        noisy = True
    if noisy:
        written = orjson.dumps(_without_number_noise(value), option=orjson.OPT_SORT_KEYS)
    return written.decode()


def hash_multiset(texts: Iterable[bytes]) -> str:
    """One hash over byte strings in any order."""
    total = sum(xxhash.xxh3_128_intdigest(text) for text in texts)
    return f"{total % 2**128:032x}"


def _without_number_noise(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_number_noise(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_without_number_noise(item) for item in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        value = _nearest_double(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError("JSON has no NaN and no infinity")
        # jsonb writes the digits of a whole number, which are read as an integer up to here.
        return int(value) if value.is_integer() and -(2**63) <= value < 2**64 else value
    return value


def _nearest_double(number: int) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014), in place."""
    words += np.uint64(0x9E3779B97F4A7C15)
    shifted = words >> np.uint64(30)
    words ^= shifted
    words *= np.uint64(0xBF58476D1CE4E5B9)
    words ^= np.right_shift(words, np.uint64(27), out=shifted)
    words *= np.uint64(0x94D049BB133111EB)
    words ^= np.right_shift(words, np.uint64(31), out=shifted)
    return words
