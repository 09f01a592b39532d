"""Records to columns: typed, ruled, hashed; and which records break the contract, and how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from include.sources.model import Column, Contract
from include.warehouse.hashing import Mask, canonical_json, hash_rows, hash_texts
from include.warehouse.typed import Typed, full_match, typed

EXTRA = "_extra"

# A value that broke a rule is shown up to here; the whole record is kept beside it.
SHOWN_CHARACTERS = 200


@dataclass(frozen=True)
class Broken:
    """A record that breaks the contract: its place in the batch, and the first rule broken."""

    index: int
    column: str | None
    rule: str
    value: str | None


@dataclass(frozen=True)
class Batch:
    """Some thousand consecutive records as columns.

    `arrays` are the contract's columns and `_extra`, as long as `records`;
    `rows` are the two hash lanes of each, `keys` a hash of the contract's key.
    """

    records: int
    arrays: Mapping[str, pa.Array]
    rows: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    broken: list[Broken]


@dataclass
class _Node:
    """The fields that the contract knows at one level of a record."""

    columns: list[Column] = field(default_factory=list)
    below: dict[str, _Node] = field(default_factory=dict)


class Reader:
    """Turns records into batches as one contract says."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract
        self._tree = _Node()
        for column in contract.columns:
            node = self._tree
            for name in column.record_path:
                node = node.below.setdefault(name, _Node())
            if column.record_path:
                node.columns.append(column)

    def read(
        self,
        records: Sequence[Any],
        positions: Sequence[int],
        contexts: Sequence[Mapping[str, str]],
    ) -> Batch:
        """Read records, given each one's number in its page and its request's values."""
        count = len(records)
        values: dict[str, list[Any]] = {}
        for column in self._contract.columns:
            if column.request:
                # None from a landing older than the column.
                values[column.name] = [context.get(column.request) for context in contexts]
            elif column.position:
                values[column.name] = list(positions)
        objects = [record if type(record) is dict else None for record in records]
        extras: dict[int, dict[str, Any]] = {}
        _collect(self._tree, objects, values, extras, ())
        columns = {
            column.name: typed(values[column.name], column.type)
            for column in self._contract.columns
        }
        extra = _extra(extras, count)
        broken = self._broken(records, values, columns, extra)
        hashed = {name: (column.hashes, column.nulls) for name, column in columns.items()}
        hashed[EXTRA] = (extra.hashes, extra.nulls)
        rows = hash_rows(hashed, count)
        key = {name: hashed[name] for name in self._contract.key}
        return Batch(
            records=count,
            arrays={name: column.array for name, column in columns.items()} | {EXTRA: extra.array},
            rows=rows,
            keys=hash_rows(key, count)[:, 0] if key else rows[:, 1],
            broken=broken,
        )

    def _broken(
        self,
        records: Sequence[Any],
        values: Mapping[str, list[Any]],
        columns: Mapping[str, Typed],
        extra: Typed,
    ) -> list[Broken]:
        found: dict[int, Broken] = {}
        not_objects = np.array([type(record) is not dict for record in records], dtype=bool)
        for index in map(int, np.flatnonzero(not_objects)):
            found[index] = Broken(index, None, "object", _shown(records[index]))
        for index in map(int, np.flatnonzero(extra.wrong)):
            found.setdefault(index, Broken(index, EXTRA, "type", None))
        for column in self._contract.columns:
            for rule, mask in _rules(column, columns[column.name]):
                for index in map(int, np.flatnonzero(mask)):
                    if index not in found:
                        value = None if column.personal else values[column.name][index]
                        found[index] = Broken(index, column.name, rule, _shown(value))
        return [found[index] for index in sorted(found)]


def _rules(column: Column, values: Typed) -> list[tuple[str, Mask]]:
    """Each rule of the column with the mask of the values that break it, the type first."""
    rules = [("type", values.wrong)]
    if column.required:
        rules.append(("required", values.nulls & ~values.wrong))
    if column.allowed:
        allowed = typed(list(column.allowed), column.type).array
        inside = pc.is_in(values.array, value_set=allowed)
        rules.append(("allowed", ~_true(inside) & ~values.nulls))
    if column.pattern:
        rules.append(("pattern", ~full_match(values.array, column.pattern)))
    if column.minimum is not None:
        rules.append(("minimum", _true(pc.less(_double(values.array), column.minimum))))
    if column.maximum is not None:
        rules.append(("maximum", _true(pc.greater(_double(values.array), column.maximum))))
    return rules


def _double(array: pa.Array) -> pa.Array:
    return pc.cast(array, pa.float64(), safe=False)


def _true(array: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False))


def _collect(
    node: _Node,
    objects: list[dict[str, Any] | None],
    values: dict[str, list[Any]],
    extras: dict[int, dict[str, Any]],
    path: tuple[str, ...],
) -> None:
    """Fill `values` column by column, and `extras` with what no column names, by record."""
    for name, child in node.below.items():
        found = [None if item is None else item.get(name) for item in objects]
        for column in child.columns:
            values[column.name] = found
        if child.below:
            inner = [item if type(item) is dict else None for item in found]
            _collect(child, inner, values, extras, (*path, name))
            if not child.columns:
                for index, item in enumerate(found):
                    if item is not None and inner[index] is None:
                        _keep(extras, index, (*path, name), item)
    known = node.below.keys()
    for index, item in enumerate(objects):
        if item is not None and not item.keys() <= known:
            for name in item.keys() - known:
                _keep(extras, index, (*path, name), item[name])


def _keep(extras: dict[int, dict[str, Any]], index: int, path: tuple[str, ...], value: Any) -> None:
    place = extras.setdefault(index, {})
    for name in path[:-1]:
        place = place.setdefault(name, {})
    place[path[-1]] = value


def _extra(extras: Mapping[int, dict[str, Any]], count: int) -> Typed:
    if extras:
        return typed([extras.get(index) for index in range(count)], "jsonb")
    nulls = np.ones(count, dtype=bool)
    array = pa.nulls(count, pa.string()).cast(pa.json_())
    return Typed(array, nulls, hash_texts([None]).repeat(count), ~nulls)


def _shown(value: Any) -> str | None:
    """A value as it can be stored and read: one line of JSON, cut."""
    if value is None:
        return None
    try:
        text = canonical_json(value)
    except (TypeError, RecursionError):
        return "nested too deeply to be shown"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
