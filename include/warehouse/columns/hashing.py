"""The content hash of a partition, independent of order, pages, landing and record numbers.

A value's hash is that of its typed form: XXH3-64 of the UTF-8 of text and of
canonical JSON; two's complement, IEEE 754 bits, days or microseconds since
1970 for the rest. A row's hash has two lanes of 64 bits; in each lane the
values' hashes, mixed with the column's name, are added up and mixed again.
A null adds nothing, so that a new, empty column changes no hash. The content
hash is the lane-wise sum over the rows, modulo 2^64.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import orjson
import xxhash
from numpy.typing import NDArray

from include.records.json.values import ExactNumber

Hashes = NDArray[np.uint64]
Mask = NDArray[np.bool_]

# May be a whole number written as a float, or NaN, which is written as null: needs a closer look.
_FLOAT_NOISE = (b".0", b"null", b"e+1")
# A whole number of 64 bits has no more characters.
_WORD_CHARACTERS = 20
# Of a numeric: PostgreSQL's manual, "Arbitrary Precision Numbers".
_MOST_WHOLE_DIGITS = 131_072
_MOST_DECIMALS = 16_383
_MOST_TEXT = _MOST_WHOLE_DIGITS + _MOST_DECIMALS + 100
_LANES = (b"wandle lane 1:", b"wandle lane 2:")
_MARKED_BITS = 23
# Longest run of sorted hashes: 16 MB, and as much again while two are merged.
LONGEST_RUN = 1 << 21


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
    """Two lanes for each of `count` rows, or only the first lane: shape (count, lanes).

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

    def merge(self, other: ContentHash) -> None:
        """Add the rows of another sum."""
        self._lanes += other._lanes

    def hexdigest(self) -> str:
        """32 hexadecimal digits."""
        return "".join(f"{int(lane):016x}" for lane in self._lanes)


class Seen:
    """The 64-bit hashes seen so far, at 8 bytes each.

    They are kept in sorted runs, each at least twice as long as the next, so
    that a hash is merged only a few times; the longest runs are not merged, to
    save memory. Most new hashes are recognised by their first bits alone, in a
    bitmap of 8 MB.
    """

    def __init__(self) -> None:
        self._runs: list[Hashes] = []
        self._marked = np.zeros(1 << _MARKED_BITS, dtype=bool)
        self._unsorted: list[Hashes] = []

    def holds(self, hashes: Hashes) -> Mask:
        """For each hash, whether it was in an earlier call; remembers nothing."""
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
        """For each hash, whether it was seen before, here or in an earlier call; remembers them."""
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
        """Remember hashes, possibly repeated; they are sorted when needed."""
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
    """JSON that is the same for what PostgreSQL stores as the same jsonb: sorted keys, 1e2 as 100.

    Numbers as sent keep the zeros at their end, as in PostgreSQL: 12.50 is not 12.5.
    Raises `TypeError` or `ValueError` for what jsonb cannot hold, such as NaN
    and numbers of more digits than a numeric has.
    """
    written = _plain_json(value)
    if written is None:
        written = orjson.dumps(_with_numbers(value, _canonical), option=orjson.OPT_SORT_KEYS)
    return written.decode()


def json_forms(value: Any) -> tuple[str, str]:
    """JSON with every number as sent, and its `canonical_json`. Raises as that does."""
    written = _plain_json(value)
    if written is not None:
        return written.decode(), written.decode()
    sent = orjson.dumps(_with_numbers(value, _sent), option=orjson.OPT_SORT_KEYS)
    return sent.decode(), canonical_json(value)


def _plain_json(value: Any) -> bytes | None:
    """The JSON of a value without converting its numbers; None if they need it."""
    try:
        written = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return None
    return None if any(mark in written for mark in _FLOAT_NOISE) else written


def hash_multiset(texts: Iterable[bytes]) -> str:
    """One hash over byte strings in any order."""
    total = sum(xxhash.xxh3_128_intdigest(text) for text in texts)
    return f"{total % 2**128:032x}"


def _with_numbers(value: Any, written: Callable[[int | float | ExactNumber], Any]) -> Any:
    """The value with every number converted by `written`."""
    if isinstance(value, dict):
        return {name: _with_numbers(item, written) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_numbers(item, written) for item in value]
    is_number = isinstance(value, int | float | ExactNumber) and not isinstance(value, bool)
    return written(value) if is_number else value


def _sent(number: int | float | ExactNumber) -> Any:
    if isinstance(number, ExactNumber):
        if not fits_numeric(number):
            raise ValueError("PostgreSQL cannot store a number with so many digits")
        return orjson.Fragment(number.text)
    if isinstance(number, int) and not _is_word(number):
        return orjson.Fragment(str(number))
    return _canonical(number)


def _canonical(number: int | float | ExactNumber) -> Any:
    """One form for each number that PostgreSQL tells apart in jsonb.

    Those with zeros at the end of their decimals in full, and of the others
    whole numbers of 64 bits, doubles in their shortest form, and the rest.
    """
    if isinstance(number, float):
        if not math.isfinite(number):
            raise ValueError("JSON has neither NaN nor infinity")
        whole = int(Decimal(repr(number))) if number.is_integer() and abs(number) < 2**64 else None
        return number if whole is None or not _is_word(whole) else whole
    if isinstance(number, int) and _is_word(number):
        return number
    exact = Decimal(number)
    _, last, places = exact.as_tuple()
    if int(places) < 0 and last[-1] == 0:
        # PostgreSQL has no negative zero here.
        return orjson.Fragment(format(exact if exact else exact.copy_abs(), "f"))
    digits, exponent = _scientific(exact)
    if exponent >= 0 and len(digits) + exponent <= _WORD_CHARACTERS:
        whole = int(digits) * 10**exponent
        if _is_word(whole):
            return whole
    double = _nearest_double(exact)
    if math.isfinite(double) and _scientific(Decimal(repr(double))) == (digits, exponent):
        return double
    return orjson.Fragment(f"{digits}e{exponent}")


def _is_word(number: int) -> bool:
    return -(2**63) <= number < 2**64


def fits_numeric(number: Decimal) -> bool:
    """Whether PostgreSQL's numeric, including in jsonb, can hold a number as it is written."""
    if number.adjusted() >= _MOST_WHOLE_DIGITS or number.adjusted() < -_MOST_DECIMALS:
        return False
    # Its digits as a tuple take eight times as much memory as its text.
    if isinstance(number, ExactNumber) and len(number.text) > _MOST_TEXT:
        return False
    exponent = number.as_tuple().exponent
    return isinstance(exponent, int) and exponent >= -_MOST_DECIMALS


def _scientific(number: Decimal) -> tuple[str, int]:
    """The digits of a number without zeros at either end, with its sign, and their exponent."""
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    shortest = text.rstrip("0")
    if not shortest:
        return "0", 0
    return ("-" if sign else "") + shortest, int(exponent) + len(text) - len(shortest)


def _nearest_double(number: Decimal) -> float:
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
