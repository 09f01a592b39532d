"""Where in a JSON answer its records may be: lists of objects, objects by name, arrays."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Literal

from include.sources import paths

EVERY = "*"
DEEPEST = 6

# Names that APIs give to their list of records, and to other lists of objects.
RECORDS = {
    "results", "result", "records", "items", "data", "features", "value", "values", "rows",
    "entries", "hits", "elements", "content", "list", "observations", "readings",
}  # fmt: skip
NOT_RECORDS = {
    "fields", "columns", "links", "link", "schema", "errors", "warnings", "facets", "headers",
    "meta", "metadata", "included", "parameters", "params", "aliases", "sort", "filters", "help",
    "messages", "_links", "namespaces",
}  # fmt: skip
TOTALS = {
    "total", "totalcount", "total_count", "totalresults", "total_results", "count", "numfound",
    "totalitems", "total_items", "numbermatched", "numberreturned", "@odata.count", "@count",
    "hitcount",
}  # fmt: skip

Path = tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """A place that may hold the records: how many, and whether the answer declares that number."""

    path: Path
    kind: Literal["json", "columnar", "rows"]
    records: int
    declared: bool = False
    inherit: tuple[str, ...] | dict[str, str] = field(default=())
    one_or_many: bool = False

    @property
    def layout(self) -> dict[str, Any]:
        """The `format` of a contract that reads them."""
        kind = {} if self.kind == "json" else {"kind": self.kind}
        records = {"records": paths.joined(self.path)} if self.path else {}
        inherit = self.inherit if isinstance(self.inherit, dict) else [*self.inherit]
        others = {"inherit": inherit, "one_or_many": self.one_or_many}
        return {**kind, **records, **{name: value for name, value in others.items() if value}}

    def __str__(self) -> str:
        where = paths.joined(self.path) or "(the whole body)"
        return f"`{where}` ({self.records} record{'' if self.records == 1 else 's'})"


def shapes(body: Any) -> list[Shape]:
    """Every place that may hold the records, the most likely first.

    More likely are names such as `results` than `fields`, a list as long as
    the answer's declared total, and longer lists.
    """
    found = [*_lists(body), *_of_every(body), *_by_name(body), *_columnar(body), *_rows(body)]
    found += _lists_in_lists(body)
    return sorted(found, key=_likelihood, reverse=True)


def below_every(body: Any, path: Path) -> list[Shape]:
    """The records at a path with a `*`, with what they can inherit; empty if there are none.

    The second one also takes an object for the list of it alone, and a missing list for none.
    """
    around: list[list[dict[str, Any]]] = [[] for _ in path]
    records = [*_walked(body, path, around)]
    if not records:
        return []
    taken = set().union(*records)
    inherit: dict[str, str] = {}
    for place in range(len(path) - 1, -1, -1):
        for name in _scalars_of_all(around[place]) if around[place] else ():
            source = paths.joined((name,))
            if source not in inherit.values():
                above = path[place - 1] if place else "parent"
                inherit[f"{above}_{name}" if name in taken | {*inherit} else name] = source
    return [Shape(path, "json", len(records), False, inherit, many) for many in (False, True)]


def _walked(
    value: Any, path: Path, around: list[list[dict[str, Any]]], place: int = 0
) -> Iterator[dict[str, Any]]:
    """The objects at a path; `around` collects the items at each `*` of it."""
    if place == len(path):
        items = value if isinstance(value, list) else [value]
        yield from (item for item in items if isinstance(item, dict))
    elif path[place] != EVERY:
        if isinstance(value, dict) and path[place] in value:
            yield from _walked(value[path[place]], path, around, place + 1)
    else:
        rest = path[place + 1 :]
        is_item = isinstance(value, dict) and bool(rest) and rest[0] in value
        items = [value] if is_item else [*value.values()] if isinstance(value, dict) else value
        for item in items if isinstance(items, list) else ():
            if rest and isinstance(item, dict):
                around[place].append(item)
            yield from _walked(item, path, around, place + 1)


def _likelihood(shape: Shape) -> tuple[bool, bool, bool, int]:
    names = {name.lower() for name in shape.path}
    last = shape.path[-1].lower() if shape.path else ""
    return (not names & NOT_RECORDS, shape.declared, last in RECORDS, shape.records)


def totals(body: Any, path: Path = ()) -> Iterator[tuple[Path, int]]:
    """The totals that an answer declares outside of its lists."""
    for name, value in body.items() if isinstance(body, dict) else ():
        if isinstance(value, dict) and _can_be_named(name) and len(path) < DEEPEST:
            yield from totals(value, (*path, name))
        elif name.lower() in TOTALS and type(value) is int and _can_be_named(name):
            yield (*path, name), value


def _lists(body: Any) -> Iterator[Shape]:
    declared = [*totals(body)]
    for path, found in _object_lists(body):
        if found:
            above = {total for place, total in declared if place[:-1] == path[: len(place) - 1]}
            yield Shape(path, "json", len(found), len(found) in above)


def _object_lists(value: Any, path: Path = ()) -> Iterator[tuple[Path, list[Any]]]:
    """Lists of objects, empty ones included, that are not in another list."""
    if isinstance(value, list):
        if all(isinstance(item, dict) for item in value):
            yield path, value
    elif isinstance(value, dict) and len(path) < DEEPEST:
        for name, inner in value.items():
            if _can_be_named(name):
                yield from _object_lists(inner, (*path, name))


def _lists_in_lists(value: Any, path: Path = ()) -> Iterator[Shape]:
    """Lists of objects that are the items of a list."""
    if isinstance(value, list):
        items = [item for inner in value if isinstance(inner, list) for item in inner]
        only_lists = all(isinstance(inner, list) for inner in value)
        if items and only_lists and all(isinstance(item, dict) for item in items):
            yield Shape((*path, EVERY), "json", len(items))
    elif isinstance(value, dict) and len(path) < DEEPEST:
        for name, inner in value.items():
            if _can_be_named(name):
                yield from _lists_in_lists(inner, (*path, name))


def _of_every(value: Any, path: Path = ()) -> Iterator[Shape]:
    """Lists of similar records in every field of an object whose field names are data."""
    if not isinstance(value, dict) or len(path) >= DEEPEST:
        return
    names = {name.lower() for name in value}
    if len(value) > 1 and not names & (RECORDS | NOT_RECORDS):
        members = [dict(_object_lists(inner)) for inner in value.values()]
        for below in members[0]:
            lists = [member.get(below) for member in members]
            if all(found is not None for found in lists) and _alike(lists):
                records = sum(len(found or ()) for found in lists)
                inherit = _scalars_of_all([*value.values()]) if below else ()
                yield Shape((*path, EVERY, *below), "json", records, inherit=inherit)
    for name, inner in value.items():
        if _can_be_named(name):
            yield from _of_every(inner, (*path, name))


def _by_name(value: Any, path: Path = ()) -> Iterator[Shape]:
    """Objects of alike records: their names are data, such as an id."""
    if not isinstance(value, dict) or len(path) >= DEEPEST:
        return
    names = {name.lower() for name in value}
    members = [*value.values()]
    if len(value) > 1 and not names & (RECORDS | NOT_RECORDS):
        # An object of arrays is rather one of columns.
        are_records = all(isinstance(inner, dict) and _has_scalars(inner) for inner in members)
        if are_records and _alike([[inner] for inner in members]):
            taken = set().union(*members)
            key = next(name for name in _keys() if name not in taken)
            yield Shape((*path, EVERY), "json", len(members), inherit={key: EVERY})
    for name, inner in value.items():
        if _can_be_named(name):
            yield from _by_name(inner, (*path, name))


def _has_scalars(found: dict[str, Any]) -> bool:
    return any(not isinstance(inner, dict | list) for inner in found.values())


def _keys() -> Iterator[str]:
    yield "key"
    for number in count(2):
        yield f"key_{number}"


def _rows(value: Any, path: Path = ()) -> Iterator[Shape]:
    """Arrays of one length below a first one of names."""
    if isinstance(value, list):
        first, *others = value or [None]
        named = bool(others) and isinstance(first, list) and _are_names(first)
        if named and all(isinstance(row, list) and len(row) == len(first) for row in others):
            yield Shape(path, "rows", len(others))
    elif isinstance(value, dict) and len(path) < DEEPEST:
        for name, inner in value.items():
            if _can_be_named(name):
                yield from _rows(inner, (*path, name))


def _are_names(row: list[Any]) -> bool:
    named = bool(row) and all(isinstance(name, str) and name for name in row)
    return named and len(set(row)) == len(row)


def nameless_arrays(value: Any, path: Path = ()) -> Path | None:
    """Where arrays are in a list, as rows whose names are elsewhere are; None if nowhere."""
    if isinstance(value, list):
        return path if value and all(isinstance(row, list) and row for row in value) else None
    if not isinstance(value, dict) or len(path) >= DEEPEST:
        return None
    found = (nameless_arrays(inner, (*path, name)) for name, inner in value.items())
    return next((place for place in found if place is not None), None)


def _alike(lists: list[Any]) -> bool:
    """Whether the first records share most of their fields."""
    firsts = [set(found[0]) for found in lists if found]
    either, both = set().union(*firsts), firsts[0].intersection(*firsts) if firsts else set()
    return len(firsts) > 1 and 2 * len(both) > len(either)


def _scalars_of_all(objects: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(
        name
        for name in objects[0]
        if name and all(type(item.get(name)) in (str, int, float, bool) for item in objects)
    )


def _columnar(value: Any, path: Path = ()) -> Iterator[Shape]:
    """Objects of aligned arrays; the whole body may have other fields too."""
    if not isinstance(value, dict) or len(path) > DEEPEST:
        return
    arrays = [inner for inner in value.values() if isinstance(inner, list)]
    lengths = {len(found) for found in arrays}
    plain = not any(isinstance(item, dict | list) for found in arrays for item in found)
    complete = len(arrays) == len(value) or not path
    if len(arrays) > 1 and plain and complete and len(lengths) == 1 and lengths != {0}:
        yield Shape(path, "columnar", lengths.pop())
    for name, inner in value.items():
        if _can_be_named(name):
            yield from _columnar(inner, (*path, name))


def _can_be_named(name: str) -> bool:
    """Whether a path can name this field."""
    return name not in ("", EVERY)
