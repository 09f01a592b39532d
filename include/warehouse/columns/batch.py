"""Records to columns: typed, checked, hashed; and which records break which rule."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from include.errors import PermanentError
from include.sources.columns import Column
from include.sources.model import Contract
from include.sources.raw_table import EXTRA
from include.warehouse.columns.cast import nothing, typed, typed_as
from include.warehouse.columns.convert import clean_values
from include.warehouse.columns.flatten import LeftOver, Path, collect, tree_of
from include.warehouse.columns.hashing import hash_rows
from include.warehouse.columns.nulls_and_lists import (
    Exploded,
    Nulls,
    explode,
    single,
    told_by_type,
    wrong_at,
)
from include.warehouse.columns.pseudonyms import Pseudonyms
from include.warehouse.columns.rules import broken_rules, difference, shown
from include.warehouse.columns.typed_column import Typed


@dataclass(frozen=True)
class Broken:
    """A record that breaks the contract: its place in the batch, and the first broken rule."""

    index: int
    column: str | None
    rule: str
    value: str | None


@dataclass(frozen=True)
class Batch:
    """Some thousand consecutive records as columns.

    `arrays` are the contract's columns and `_extra`; `rows` are the two hash
    lanes of each row, `keys` a hash of the contract's key. A record is one
    row, unless the contract makes a row of each value of a list: then `source`
    is each row's record. `unknown` are the values of fields that the contract
    does not name; `differences` describes, by column and rule, the first
    record that breaks it.
    """

    records: int
    arrays: Mapping[str, pa.Array]
    rows: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    broken: list[Broken]
    source: NDArray[np.int64] | None
    unknown: Mapping[Path, list[Any]]
    differences: Mapping[tuple[str, str], str]


@dataclass
class _Values:
    """The values of a batch by row, before they are cast."""

    of: Mapping[str, list[Any]]
    # Whether every record is known to be an object.
    all_objects: bool = False
    left: LeftOver = field(default_factory=LeftOver)
    exploded: Exploded | None = None


class Reader:
    """Turns records into batches by one contract, for one way of requesting."""

    def __init__(
        self, contract: Contract, way: str = "api", pseudonyms: Pseudonyms | None = None
    ) -> None:
        self._columns = contract.raw_columns(way)
        self._key = contract.key
        self._record_bytes = contract.limits.record_bytes
        self._personal = contract.personal
        self._pseudonyms = pseudonyms
        self._tree = tree_of(contract.columns_of(way))
        texts = contract.layout(way).null_values
        nulls = {
            column.name: Nulls(column, texts if column.record_path else ())
            for column in self._columns
        }
        self._nulls = {name: found for name, found in nulls.items() if found}
        lists = [
            column
            for column in self._columns
            if column.list_separator or column.list_value != "quarantine"
        ]
        self._told_by_type = {column.name for column in self._columns if told_by_type(column)}
        self._exploding = [column for column in lists if column.list_value == "explode"]
        self._single = {column.name for column in lists if column.list_value != "explode"}

    def read(
        self,
        records: Sequence[Any],
        positions: Iterable[int],
        contexts: Sequence[tuple[Mapping[str, str], int]],
    ) -> Batch:
        """Read records, given their numbers in their pages and the values of their requests:
        those of the first so many records, those of the next, and so on."""
        values = self._values(records, positions, contexts)
        source = values.exploded.source if values.exploded else None
        count = len(records) if source is None else len(source)
        columns = {
            column.name: self._typed(column, values.of[column.name]) for column in self._columns
        }
        # If any column is personal, unknown fields may be personal too.
        extras = {} if self._personal else values.left.extras
        extra = _extra(extras, range(count) if source is None else source)
        broken, differences = self._broken(records, values, columns, extra)
        self._pseudonymise(columns)
        hashed = {name: (column.hashes, column.nulls) for name, column in columns.items()}
        hashed[EXTRA] = (extra.hashes, extra.nulls)
        rows = hash_rows(hashed, count)
        key = {name: hashed[name] for name in self._key}
        return Batch(
            records=len(records),
            arrays={name: column.array for name, column in columns.items()} | {EXTRA: extra.array},
            rows=rows,
            keys=hash_rows(key, count, lanes=1)[:, 0] if key else rows[:, 1],
            broken=broken,
            source=source,
            unknown=values.left.unknown,
            differences=differences,
        )

    def _values(
        self,
        records: Sequence[Any],
        positions: Iterable[int],
        contexts: Sequence[tuple[Mapping[str, str], int]],
    ) -> _Values:
        values: dict[str, list[Any]] = {}
        numbers = list(positions) if any(column.position for column in self._columns) else []
        for column in self._columns:
            if column.request:
                # None for a landing older than the column.
                values[column.name] = [
                    value
                    for context, count in contexts
                    for value in repeat(context.get(column.request), count)
                ]
            elif column.position:
                values[column.name] = numbers
        found = _Values(values)
        found.all_objects = collect(self._tree, records, values, found.left)
        if self._exploding:
            extras = {} if self._personal else found.left.extras
            exploded = explode(self._exploding, values, extras, len(records), self._record_bytes)
            if exploded:
                return dataclasses.replace(found, of=exploded.values, exploded=exploded)
        return found

    def _typed(self, column: Column, values: list[Any]) -> Typed:
        nulls = self._nulls.get(column.name)
        one_of_list = column.name in self._single
        if not nulls and not one_of_list:
            return typed_as(column, clean_values(values, column.clean))
        # Searching texts costs less than casting them in vain.
        if column.name in self._told_by_type and not (values and isinstance(values[0], str)):
            found = typed_as(column, values)
            if found.as_expected:  # no lists, and no values that only look like null
                return nulls.after(found) if nulls else found
        values, joined = single(column, values) if one_of_list else (values, [])
        values = clean_values(values, column.clean)
        if nulls:
            values = nulls.before(values)
        found = typed_as(column, values)
        return wrong_at(nulls.after(found) if nulls else found, joined)

    def _pseudonymise(self, columns: dict[str, Typed]) -> None:
        for column in self._columns:
            if column.personal == "pseudonymise":
                if self._pseudonyms is None:
                    raise PermanentError(
                        f"column {column.name}: pseudonyms need a key, but it is not set. "
                        "Set WANDLE_PSEUDONYM_KEY."
                    )
                columns[column.name] = self._pseudonyms.replacing(columns[column.name])

    def _broken(
        self,
        records: Sequence[Any],
        values: _Values,
        columns: Mapping[str, Typed],
        extra: Typed,
    ) -> tuple[list[Broken], dict[tuple[str, str], str]]:
        found = _broken_as_a_whole(records, values, extra)
        differences: dict[tuple[str, str], str] = {}
        source = values.exploded.source if values.exploded else None
        for column in self._columns:
            for rule, mask in broken_rules(column, columns[column.name]):
                for row in map(int, np.flatnonzero(mask)):
                    index = row if source is None else int(source[row])
                    if index in found:
                        continue
                    value = values.of[column.name][row]
                    # With any personal column, a value in an unexpected place may be personal too.
                    hidden = column.personal != "no" or (
                        self._personal and isinstance(value, dict | list)
                    )
                    found[index] = Broken(
                        index, column.name, rule, None if hidden else shown(value)
                    )
                    if (column.name, rule) not in differences:
                        said = difference(column, rule, records[index], value, hidden)
                        differences[column.name, rule] = said
        return [found[index] for index in sorted(found)], differences


def _broken_as_a_whole(records: Sequence[Any], values: _Values, extra: Typed) -> dict[int, Broken]:
    """By place, the records that are not objects, or cannot be stored or split into rows."""
    found: dict[int, Broken] = {}
    if not values.all_objects and set(map(type, records)) - {dict}:
        for index, record in enumerate(records):
            if type(record) is not dict:
                found[index] = Broken(index, None, "object", shown(record))
    exploded = values.exploded
    for row in map(int, np.flatnonzero(extra.wrong)):
        index = int(exploded.source[row]) if exploded else row
        found.setdefault(index, Broken(index, EXTRA, "type", None))
    for index, name in (exploded.unequal if exploded else {}).items():
        found.setdefault(index, Broken(index, name, "list", None))
    return found


def _extra(
    extras: Mapping[int, dict[str, Any]], records: Sequence[int] | NDArray[np.int64]
) -> Typed:
    if extras:
        return typed([extras.get(index) for index in records], "jsonb")
    return nothing("jsonb", len(records))
