"""The fields of sample records: their paths, and the type that holds all their values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from itertools import combinations
from typing import Any

from include.jobs.author.samples.notations import Notation, notation_of
from include.sources import paths
from include.warehouse.columns.cast import typed

DEEPEST = 6
# Below PostgreSQL's 1,600, since a row must fit into a page of 8 kB.
MOST_COLUMNS = 300
MOST_KEY_COLUMNS = 3
# Limits of the search for the key.
MOST_KEY_FIELDS = 12
MOST_KEY_RECORDS = 5_000

_INTEGER = re.compile(r"0|-?[1-9]\d{0,17}", re.ASCII)
_NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_MOMENT = re.compile(
    r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?(?P<zone>Z|[-+]\d{2}:?\d{2})?", re.ASCII
)
_LIKE_AN_ID = re.compile(
    r"(?i)(?<!post)(?<!post[ _])(?:id|code|ref|reference|key|no|urn|[uw]prn)$|(?<!phone)"
    r"(?<!phone[ _])number$"
)
_LIKE_A_TIME = re.compile(r"(?i)(time|date)$")
# What publishers write where there is no value, among values of a type.
NULL_WORDS = frozenset(
    {"NULL", "null", "N/A", "n/a", "NA", "#N/A", "NaN", "No data", "-", "--", ".", "..", ":"}
    | {"[c]", "[x]", "[z]", "[u]", "[low]"}
)
_NUMBERS = ("integer", "double", "numeric(38,0)", "numeric(38,10)", "numeric(38,20)")

# The members of a geometry of GeoJSON, which stays whole.
_GEOMETRY = {"type", "coordinates"}

Path = tuple[str, ...]


@dataclass(frozen=True)
class Field:
    """A field of the records: its path, and the type that fits its values."""

    path: Path
    type: str
    without_zone: bool = False
    null_values: tuple[str, ...] = ()
    always_there: bool = False
    all_text: bool = False
    notation: Notation | None = None

    @property
    def shown(self) -> str:
        """The path for people to read, printable characters only."""
        path = paths.joined(self.path)
        return path if path.isprintable() else json.dumps(path)[1:-1]


def fields_of(
    records: Sequence[dict[str, Any]], order: str = "", deepest: int = DEEPEST
) -> list[Field]:
    """Every field that a path can name, objects flattened, in order of first occurrence.

    An object that is a value or a list in another record is one field.
    Objects are flattened less deeply if there would be more than
    `MOST_COLUMNS` fields, and no deeper than `deepest`. `order` says whether days
    or months come first in dates that do not show it.
    """
    for depth in range(deepest, -1, -1):
        found = _values(records, depth)
        if len(found) <= MOST_COLUMNS:
            break
    found = dict([*found.items()][:MOST_COLUMNS])
    return [_field(path, values, len(records), order) for path, values in found.items()]


def key_of(records: Sequence[dict[str, Any]], fields: Iterable[Field]) -> list[Field]:
    """The smallest set of fields that identifies each record; empty if none does."""
    records = records[:MOST_KEY_RECORDS]
    if len(records) < 2:
        return []
    able = [
        field
        for field in fields
        if field.always_there and field.type not in ("jsonb", "double", "boolean")
    ]
    able.sort(key=_likeness_to_a_key)
    able = able[:MOST_KEY_FIELDS]
    columns = {field.path: [str(_at(record, field.path)) for record in records] for field in able}
    for count in range(1, MOST_KEY_COLUMNS + 1):
        for chosen in combinations(able, count):
            rows = set(zip(*(columns[field.path] for field in chosen), strict=True))
            if len(rows) == len(records):
                return [*chosen]
    return []


def _likeness_to_a_key(field: Field) -> int:
    name = field.path[-1]
    return 0 if _LIKE_AN_ID.search(name) else 1 if _LIKE_A_TIME.search(name) else 2


def _at(record: Any, path: Path) -> Any:
    for name in path:
        record = record.get(name) if isinstance(record, dict) else None
    return record


def _values(records: Sequence[dict[str, Any]], depth: int) -> dict[Path, list[Any]]:
    """The values of each field that is not always an object."""
    objects: set[Path] = set()
    others: set[Path] = set()
    for record in records:
        for path, value in _inner(record, depth):
            if isinstance(value, dict):
                objects.add(path)
            elif value is not None:
                others.add(path)
    apart = {
        path
        for path in objects
        if not any(path[:length] in others for length in range(1, len(path) + 1))
        and any(_at(record, path) for record in records)
    }
    found: dict[Path, list[Any]] = {}
    for record in records:
        for path, value in _inner(record, depth):
            whole = all(path[:length] in apart for length in range(1, len(path)))
            if whole and path not in apart:
                found.setdefault(path, []).append(value)
    return found


def _inner(value: dict[str, Any], depth: int, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Every field at every level; an object that must stay whole is wrapped in a list.

    No path leads to a field without a name, so the object around it stays whole.
    """
    for name, inner in value.items():
        if not name:
            continue
        if not isinstance(inner, dict):
            yield (*path, name), inner
        elif len(path) < depth and "" not in inner and not _GEOMETRY.issubset(inner):
            yield (*path, name), inner
            yield from _inner(inner, depth, (*path, name))
        else:
            yield (*path, name), [inner]


def _field(path: Path, values: list[Any], records: int, order: str) -> Field:
    known = [value for value in values if value is not None and value != ""]
    fits, notation = _type_and_notation(known, order)
    words = {value for value in known if isinstance(value, str) and value in NULL_WORDS}
    if words and fits in ("text", "jsonb"):
        others = [value for value in known if not (isinstance(value, str) and value in words)]
        fits_others, notation_of_others = _type_and_notation(others, order)
        if fits_others not in ("text", "jsonb"):
            known, fits, notation = others, fits_others, notation_of_others
    if fits in ("text", "jsonb"):
        words = set()
    elif "" in values:
        words.add("")
    texts = (value for value in values if value is not None)
    moments = [_MOMENT.fullmatch(str(value)) for value in known] if fits == "timestamptz" else []
    return Field(
        path=path,
        type=fits,
        without_zone=not notation
        and any(moment is None or not moment["zone"] for moment in moments),
        null_values=tuple(sorted(words)),
        always_there=len(known) == records,
        all_text=all(isinstance(value, str) for value in texts),
        notation=notation,
    )


def _type_and_notation(known: list[Any], order: str) -> tuple[str, Notation | None]:
    fits = _type(known)
    if not known or fits != "text" or not all(isinstance(value, str) for value in known):
        return fits, None
    notation = notation_of(known, order)
    return (notation.words["type"], notation) if notation else (fits, None)


def _type(known: list[Any]) -> str:
    """The narrowest type that holds these values exactly; `text` if there are none."""
    kinds = set(map(type, known))
    if not kinds:
        return "text"
    if kinds == {str}:
        return _type_of_texts(known)
    if kinds == {bool}:
        return "boolean"
    if kinds & {bool, str, dict, list}:
        return "jsonb"
    return next((kind for kind in _NUMBERS if _holds(kind, known)), "jsonb")


def _holds(kind: str, numbers: list[Any]) -> bool:
    too_large = any(isinstance(number, int) and abs(number) > 2**53 for number in numbers)
    if kind == "double" and too_large:
        return False
    return not typed(numbers, kind).wrong.any()


def _type_of_texts(texts: list[str]) -> str:
    kinds = {_type_of_text(text) for text in texts}
    if kinds == {"integer", "double"}:
        return "double"
    if kinds == {"date", "timestamptz"}:
        return "timestamptz"
    return kinds.pop() if len(kinds) == 1 else "text"


def _type_of_text(text: str) -> str:
    if text in ("true", "false"):
        return "boolean"
    if _INTEGER.fullmatch(text):
        return "integer"
    try:
        if _NUMBER.fullmatch(text) and Decimal(repr(float(text))) == Decimal(text):
            return "double"
        if _DAY.fullmatch(text):
            date.fromisoformat(text)
            return "date"
        if _MOMENT.fullmatch(text):
            datetime.fromisoformat(text)
            return "timestamptz"
    except (ValueError, InvalidOperation):
        # No such day or moment, or an exponent beyond any number.
        pass
    return "text"
