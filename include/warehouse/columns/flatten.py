"""Records to the values of their fields: those that columns name, and the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain
from operator import itemgetter
from typing import Any

from include.sources.columns import Column

# Records whose keys are data have ever new fields; no more than these are listed.
MOST_FIELDS = 200

# The path of a field in a record.
Path = tuple[str, ...]


@dataclass
class Node:
    """The contract's fields at one level of a record."""

    columns: list[Column] = field(default_factory=list)
    below: dict[str, Node] = field(default_factory=dict)
    # Must not be kept, whether known or not.
    dropped: bool = False


@dataclass
class LeftOver:
    """What no column names: by the place of each record, and of each field in order."""

    extras: dict[int, dict[str, Any]] = field(default_factory=dict)
    unknown: dict[Path, list[Any]] = field(default_factory=dict)


def holds_floats(unknown: Mapping[Path, Sequence[Any]]) -> bool:
    """Whether any number in these fields may have been sent with other digits: 12.50 as 12.5."""
    return any(map(_holds_floats, unknown.values()))


def _holds_floats(values: Iterable[Any]) -> bool:
    level = list(values)
    while float not in (kinds := set(map(type, level))) and kinds & {dict, list}:
        inner = (
            value.values() if type(value) is dict else value
            for value in level
            if type(value) in (dict, list)
        )
        level = list(chain.from_iterable(inner))
    return float in kinds


def tree_of(columns: Iterable[Column]) -> Node:
    """The fields of records that columns name, level by level."""
    tree = Node()
    for column in columns:
        node = tree
        for name in column.record_path:
            node = node.below.setdefault(name, Node())
        if not column.record_path:
            continue
        if column.personal == "drop":
            node.dropped = True
        else:
            node.columns.append(column)
    _drop_below(tree)
    return tree


def _drop_below(node: Node) -> None:
    for child in node.below.values():
        child.dropped |= node.dropped
        _drop_below(child)


def collect(
    node: Node,
    items: Sequence[Any],
    values: dict[str, list[Any]],
    left: LeftOver,
    path: Path = (),
) -> bool:
    """Fill `values` column by column, and `left` with what no column names, by record.

    Of a list of objects, a field below is the list of theirs. Returns True if
    every item is known to be an object.
    """
    fields = _fields_of_all(node.below, items)
    lists = {} if fields or not path else _lists(items)
    # Each has as many fields as were found in all of them, so no others.
    alike = bool(fields) and set(map(len, items)) == {len(fields)}
    objects = items if fields else _objects(items)
    names = fields.keys() if alike else set().union(*filter(None, objects))
    nothing = [None] * len(items)
    for name, child in node.below.items():
        found = fields.get(name) or (_field(name, objects) if name in names else nothing)
        every = _of_lists(name, found, lists) if lists else found
        for column in child.columns:
            values[column.name] = every
        if child.below:
            collect(child, every, values, left, (*path, name))
            if not child.columns and not child.dropped:
                _keep_others(found, left, (*path, name))
    if not node.dropped and not names <= node.below.keys():
        _keep_unknown(node, objects, left, path)
    return bool(fields)


def _fields_of_all(names: Iterable[str], items: Sequence[Any]) -> dict[str, list[Any]]:
    """The fields that every item has; an item with any is an object."""
    found = {}
    for name in names:
        with suppress(KeyError, TypeError):
            found[name] = list(map(itemgetter(name), items))
    return found


def _lists(items: Sequence[Any]) -> dict[int, list[Any]]:
    if list not in set(map(type, items)):
        return {}
    return {place: item for place, item in enumerate(items) if type(item) is list}


def _objects(values: Sequence[Any]) -> Sequence[dict[str, Any] | None]:
    """The values that are objects, None instead of any other."""
    if set(map(type, values)) <= {dict, type(None)}:
        return values
    return [value if type(value) is dict else None for value in values]


def _field(name: str, objects: Sequence[dict[str, Any] | None]) -> list[Any]:
    return [None if item is None else item.get(name) for item in objects]


def _of_lists(name: str, found: Sequence[Any], lists: Mapping[int, list[Any]]) -> list[Any]:
    """The values found, and of each list those of its objects; None if none has the field."""
    every = list(found)
    for place, items in lists.items():
        inner = [item.get(name) if type(item) is dict else None for item in _flat(items)]
        every[place] = inner if any(value is not None for value in inner) else None
    return every


def _flat(items: Iterable[Any]) -> Iterator[Any]:
    for item in items:
        if type(item) is list:
            yield from _flat(item)
        else:
            yield item


def _keep_others(found: list[Any], left: LeftOver, path: Path) -> None:
    """The values found where the contract expects an object."""
    if set(map(type, found)) <= {dict, type(None)}:
        return
    for index, item in enumerate(found):
        if item is not None and type(item) is not dict:
            _keep(left, index, path, item)


def _keep_unknown(
    node: Node, objects: Sequence[dict[str, Any] | None], left: LeftOver, path: Path
) -> None:
    known = node.below.keys()
    for index, item in enumerate(objects):
        if item is not None and not item.keys() <= known:
            for name in item.keys() - known:
                _keep(left, index, (*path, name), item[name])


def _keep(left: LeftOver, index: int, path: Path, value: Any) -> None:
    if path in left.unknown or len(left.unknown) < MOST_FIELDS:
        left.unknown.setdefault(path, []).append(value)
    place = left.extras.setdefault(index, {})
    for name in path[:-1]:
        place = place.setdefault(name, {})
    place[path[-1]] = value
