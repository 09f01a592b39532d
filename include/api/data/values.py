"""How the values of each type are written in a query and in an answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson
import pyarrow as pa

# The inclusive bounds of the values that a literal stands for: `2017-01` is every
# day of that month.
Interval = tuple[Any, Any]

_INTEGER = re.compile(r"[+-]?\d{1,40}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,3})?", re.ASCII)
_DAY = re.compile(r"(\d{4})(?:-(\d\d)(?:-(\d\d))?)?", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?", re.ASCII)


@dataclass(frozen=True)
class Type:
    """A type of values: its `name` in the documentation, and its JSON schema.

    `parse` turns a literal into the values it stands for, and raises
    `ValueError`; it is None if values cannot be compared. `written` makes JSON
    of a value. `looks` says how a literal looks, with an example.
    """

    name: str
    schema: dict[str, Any]
    parse: Callable[[str], Interval] | None
    written: Callable[[Any], bytes]
    looks: str
    is_number: bool = False


def _text(literal: str) -> Interval:
    return literal, literal


def _integer(literal: str) -> Interval:
    if not _INTEGER.fullmatch(literal):
        raise ValueError
    return int(literal), int(literal)


def _number(literal: str) -> Interval:
    if not _NUMBER.fullmatch(literal):
        raise ValueError
    value = float(literal)
    return value, value


def _decimal(literal: str) -> Interval:
    if not _NUMBER.fullmatch(literal):
        raise ValueError
    try:
        return Decimal(literal), Decimal(literal)
    except InvalidOperation as error:
        raise ValueError from error


def _boolean(literal: str) -> Interval:
    if literal not in ("true", "false"):
        raise ValueError
    return literal == "true", literal == "true"


def _day(literal: str) -> tuple[date, date]:
    found = _DAY.fullmatch(literal)
    if not found:
        raise ValueError
    year, month, day = (int(part) if part else 0 for part in found.groups())
    if day:
        return date(year, month, day), date(year, month, day)
    first = date(year, month or 1, 1)
    if not month or month == 12:
        return first, date(year, 12, 31)
    return first, date(year, month + 1, 1) - timedelta(days=1)


def _moment(literal: str, zone: Any) -> Interval:
    if _TIME.fullmatch(literal):
        value = datetime.fromisoformat(literal)
        if zone is None and value.tzinfo:
            raise ValueError
        if zone is not None:
            try:
                value = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
            except OverflowError as error:
                raise ValueError from error
        return value, value
    first, last = _day(literal)
    begin = datetime(first.year, first.month, first.day, tzinfo=zone)
    end = datetime(last.year, last.month, last.day, 23, 59, 59, 999_999, tzinfo=zone)
    return begin, end


def _dumped(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_UTC_Z)


def _decimal_written(value: Decimal) -> bytes:
    return format(value, "f").encode()


_INTEGERS = Type(
    "integer", {"type": "integer"}, _integer, _dumped, "a whole number, e.g. 12", is_number=True
)
_NUMBERS = Type("number", {"type": "number"}, _number, _dumped, "a number, e.g. 12.5", True)
_DECIMALS = Type("decimal", {"type": "number"}, _decimal, _decimal_written, _NUMBERS.looks, True)
_BOOLEANS = Type("boolean", {"type": "boolean"}, _boolean, _dumped, "true or false")
_DATES = Type(
    "date",
    {"type": "string", "format": "date"},
    _day,
    _dumped,
    "a day, month or year, e.g. 2017-01-31, 2017-01 or 2017",
)
_TIMES = Type(
    "datetime",
    {"type": "string", "format": "date-time"},
    lambda literal: _moment(literal, UTC),
    _dumped,
    "a time, day, month or year, e.g. 2017-01-31T12:00:00Z or 2017-01-31",
)
_LOCAL_TIMES = Type(
    "local datetime",
    {"type": "string"},
    lambda literal: _moment(literal, None),
    _dumped,
    "a time without a zone, day, month or year, e.g. 2017-01-31T12:00:00 or 2017-01-31",
)
_TEXTS = Type("text", {"type": "string"}, _text, _dumped, "text")
_JSON = Type("json", {}, None, lambda value: str(value).encode(), "nothing but is.null")


def type_of(arrow: pa.DataType, *, is_json: bool) -> Type:
    """The type of a column of a published Parquet file; `is_json` says that its text is JSON."""
    if is_json:
        return _JSON
    if pa.types.is_integer(arrow):
        return _INTEGERS
    if pa.types.is_floating(arrow):
        return _NUMBERS
    if pa.types.is_decimal(arrow):
        return _DECIMALS
    if pa.types.is_boolean(arrow):
        return _BOOLEANS
    if pa.types.is_date(arrow):
        return _DATES
    if pa.types.is_timestamp(arrow):
        return _TIMES if arrow.tz else _LOCAL_TIMES
    return _TEXTS
