"""A query string as what it asks for, or the problem with it. Nothing in it is ever ignored."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from include.api.data.columns import Column
from include.api.data.problems import Problem, quoted, unknown
from include.api.data.values import Interval

MOST_CHARACTERS = 4096
MOST_FILTERS = 20
MOST_IN = 100
MOST_COLUMNS = 100
MOST_ORDER = 5
MOST_ROWS = 1000
DEFAULT_ROWS = 100

COMPARISONS = ("eq", "neq", "gt", "gte", "lt", "lte", "in")
OPERATORS = (*COMPARISONS, "is")
MEASURES = ("count", "sum", "mean", "min", "max")
OF_ROWS = ("select", "order", "limit", "after")
OF_AGGREGATE = ("group", "measure")

_OPERATOR = re.compile(r"([a-z_]{1,12})\.(.*)", re.DOTALL)
_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")
_WHOLE = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True)
class Filter:
    """A condition on a column: an operator, and what it compares with.

    `intervals` is empty for `is`, whose `null` says which.
    """

    column: str
    operator: str
    intervals: tuple[Interval, ...] = ()
    null: bool = False


@dataclass(frozen=True)
class Rows:
    """A page of rows: columns and, by name, whether each of the order falls.

    `said` is what the query says of columns, order and filters, as text.
    """

    filters: tuple[Filter, ...]
    select: tuple[str, ...]
    order: tuple[tuple[str, bool], ...]
    limit: int
    after: str
    said: str

    @property
    def fingerprint(self) -> str:
        """What a cursor belongs to."""
        said = self.said.encode("utf-8", "surrogateescape")
        return hashlib.blake2b(said, digest_size=6).hexdigest()


@dataclass(frozen=True)
class Aggregate:
    """Groups of rows, and what is computed of each: pairs of measure and column, "" for count."""

    filters: tuple[Filter, ...]
    group: tuple[str, ...]
    measures: tuple[tuple[str, str], ...]


@dataclass
class _Parameters:
    """The parameters of a query string: those with a meaning of their own, and the filters."""

    own: dict[str, str] = field(default_factory=dict)
    filters: list[tuple[str, str]] = field(default_factory=list)


def parse_rows(query: str, columns: Mapping[str, Column]) -> Rows:
    """What the query string asks of `/rows`. Raises `Problem`."""
    found = _parameters(query, columns, OF_ROWS)
    return Rows(
        filters=_filters(found, columns),
        select=_select(found.own.get("select"), columns),
        order=_order(found.own.get("order"), columns),
        limit=_limit(found.own.get("limit")),
        after=found.own.get("after", ""),
        said=repr((found.own.get("select"), found.own.get("order"), found.filters)),
    )


def parse_aggregate(query: str, columns: Mapping[str, Column]) -> Aggregate:
    """What the query string asks of `/aggregate`. Raises `Problem`."""
    found = _parameters(query, columns, OF_AGGREGATE)
    group = tuple(_names("group", found.own["group"], columns)) if "group" in found.own else ()
    for name in group:
        _comparable(columns[name], "group")
    measures = _measures(found.own.get("measure", "count"), columns)
    if "count" in group and ("count", "") in measures:
        raise Problem(
            400,
            "The group `count` and the measure `count` would have one name. Leave one of them out.",
            parameter="measure",
        )
    return Aggregate(_filters(found, columns), group, measures)


def parse_none(query: str) -> None:
    """Raise `Problem` if there is any parameter, where there is none."""
    for name, _ in _pairs(query):
        raise unknown("parameter", name, (), name)


def _pairs(query: str) -> Iterable[tuple[str, str]]:
    if len(query) > MOST_CHARACTERS:
        raise Problem(
            414, f"The query string has {len(query)} characters; at most {MOST_CHARACTERS}."
        )
    if not query:
        return
    if _ESCAPE.search(query):
        raise Problem(400, "The query string has a `%` without two hexadecimal digits. Write %25.")
    for part in query.split("&"):
        if not part:
            continue
        name, equals, value = part.partition("=")
        try:
            decoded = _decoded(name), _decoded(value)
        except UnicodeDecodeError:
            raise Problem(400, f"The parameter {quoted(name)} is not UTF-8.") from None
        if not equals:
            raise Problem(
                400,
                f"The parameter {quoted(decoded[0])} has no value. Write {quoted(decoded[0])}=...",
            )
        yield decoded


def _decoded(text: str) -> str:
    # Most have neither, and this is much faster.
    if "%" not in text and "+" not in text:
        return text
    return unquote_plus(text, errors="strict")


def _parameters(query: str, columns: Mapping[str, Column], own: tuple[str, ...]) -> _Parameters:
    found = _Parameters()
    for name, value in _pairs(query):
        if name in own:
            if name in found.own:
                raise Problem(400, f"The parameter `{name}` is given twice.", parameter=name)
            found.own[name] = value
        elif name in columns:
            found.filters.append((name, value))
        else:
            raise unknown("parameter", name, [*own, *columns], name)
    if len(found.filters) > MOST_FILTERS:
        raise Problem(400, f"{len(found.filters)} filters; at most {MOST_FILTERS}.")
    return found


def _filters(found: _Parameters, columns: Mapping[str, Column]) -> tuple[Filter, ...]:
    return tuple(_filter(columns[name], value) for name, value in found.filters)


def _filter(column: Column, text: str) -> Filter:
    operator, value = "eq", text
    if named := _OPERATOR.fullmatch(text):
        operator, value = named.groups()
        if operator not in OPERATORS:
            raise Problem(
                400,
                f"Unknown operator {quoted(operator)} for {column.name!r}. Known: "
                f"{', '.join(OPERATORS)}. For a value that begins so, write "
                f"{column.name}=eq.{text[:60]}",
                parameter=column.name,
                known=list(OPERATORS),
            )
    if operator == "is":
        if value not in ("null", "not_null"):
            raise _wrong(column, operator, value, "null or not_null")
        return Filter(column.name, "is", null=value == "null")
    parse = _comparable(column, column.name)
    literals = _listed(column, value) if operator == "in" else [value]
    intervals = tuple(_interval(column, parse, operator, one) for one in literals)
    return Filter(column.name, operator, intervals)


def _comparable(column: Column, parameter: str) -> Callable[[str], Interval]:
    """What reads the column's literals. Raises `Problem` if its values are not compared."""
    if column.type.parse is None:
        raise Problem(
            400,
            f"The column {column.name!r} holds JSON, which is not compared. It can be selected, "
            "and filtered with is.null and is.not_null.",
            parameter=parameter,
        )
    return column.type.parse


def _listed(column: Column, text: str) -> list[str]:
    """The values of `in`: with commas between them, in double quotes where they have a comma."""
    found, place = [], 0
    while place <= len(text):
        if text.startswith('"', place):
            end = place + 1
            while (end := text.find('"', end)) >= 0 and text.startswith('""', end):
                end += 2
            if end < 0 or text[end + 1 : end + 2] not in ("", ","):
                raise _wrong(column, "in", text, "values separated by commas")
            found.append(text[place + 1 : end].replace('""', '"'))
            place = end + 2
        else:
            end = text.find(",", place)
            end = len(text) if end < 0 else end
            found.append(text[place:end])
            place = end + 1
    if len(found) > MOST_IN:
        raise Problem(
            400, f"`in` has {len(found)} values; at most {MOST_IN}.", parameter=column.name
        )
    return found


def _interval(
    column: Column, parse: Callable[[str], Interval], operator: str, literal: str
) -> Interval:
    try:
        return parse(literal)
    except (ValueError, OverflowError):
        raise _wrong(column, operator, literal, column.type.looks) from None


def _wrong(column: Column, operator: str, value: str, expected: str) -> Problem:
    return Problem(
        400,
        f"{quoted(value)} is not a value for {operator!r} of {column.name!r}, of the type "
        f"{column.type.name}. Expected {expected}.",
        parameter=column.name,
        expected=expected,
    )


def _names(parameter: str, text: str, columns: Mapping[str, Column]) -> list[str]:
    names = text.split(",")
    for number, name in enumerate(names):
        if name not in columns:
            raise unknown("column", name, columns, parameter)
        if name in names[:number]:
            raise Problem(400, f"`{parameter}` has {name!r} twice.", parameter=parameter)
    return names


def _select(text: str | None, columns: Mapping[str, Column]) -> tuple[str, ...]:
    return tuple(columns) if text is None else tuple(_names("select", text, columns))


def _order(text: str | None, columns: Mapping[str, Column]) -> tuple[tuple[str, bool], ...]:
    if text is None:
        return ()
    parts = [part.partition(".") for part in text.split(",")]
    if len(parts) > MOST_ORDER:
        raise Problem(400, f"`order` has {len(parts)} columns; at most {MOST_ORDER}.")
    names = _names("order", ",".join(name for name, _, _ in parts), columns)
    for name, dot, way in parts:
        _comparable(columns[name], "order")
        if dot and way not in ("asc", "desc"):
            raise unknown("direction", way, ("asc", "desc"), "order")
    return tuple((name, way == "desc") for name, (_, _, way) in zip(names, parts, strict=True))


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_ROWS
    if not _WHOLE.fullmatch(text) or not 1 <= int(text) <= MOST_ROWS:
        raise Problem(
            400,
            f"{quoted(text)} is not a value for `limit`. Expected a whole number from 1 to "
            f"{MOST_ROWS}; for all rows, follow `next` or download the file.",
            parameter="limit",
        )
    return int(text)


def _measures(text: str, columns: Mapping[str, Column]) -> tuple[tuple[str, str], ...]:
    measures: list[tuple[str, str]] = []
    for part in text.split(","):
        found, _, name = part.partition(".")
        if found not in MEASURES:
            raise unknown("measure", part, MEASURES, "measure")
        if found == "count":
            if name:
                raise Problem(400, "`count` takes no column: it counts rows.", parameter="measure")
        elif name not in columns:
            raise unknown("column", name, columns, "measure")
        else:
            _measurable(found, columns[name])
        if (found, name) in measures:
            raise Problem(400, f"`measure` has {part!r} twice.", parameter="measure")
        measures.append((found, name))
    if len(measures) > MOST_COLUMNS:
        raise Problem(400, f"`measure` has {len(measures)} parts; at most {MOST_COLUMNS}.")
    return tuple(measures)


def _measurable(measure: str, column: Column) -> None:
    _comparable(column, "measure")
    if measure in ("sum", "mean") and not column.type.is_number:
        raise Problem(
            400,
            f"`{measure}` needs a column of numbers; {column.name!r} is of the type "
            f"{column.type.name}.",
            parameter="measure",
        )
