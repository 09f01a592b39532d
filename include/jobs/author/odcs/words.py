"""The words of the standard: types, units, custom properties; each in both directions."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from include.sources.columns import NUMERIC

VENDOR = "wandle"
VERSION = "v3.2.0"
# What the standard says of a column with personal data.
PERSONAL = "personal"
LICENCE = "licence"

_LOGICAL = {
    "text": "string",
    "integer": "integer",
    "double": "number",
    "boolean": "boolean",
    "date": "date",
    "timestamptz": "timestamp",
    "jsonb": "object",
}
_NAMED_TYPES = {
    "text": "char|varchar|nchar|nvarchar|text|ntext|string|character|character varying|varchar2"
    "|nvarchar2|clob|citext|uuid|uniqueidentifier|guid|enum|xml|time|interval",
    "integer": "tinyint|smallint|mediumint|int|integer|bigint|int2|int4|int8|int16|int32|int64"
    "|long|short|byteint|serial|bigserial|identity",
    "double": "float|double|double precision|real|float4|float8|float32|float64|binary_double",
    "boolean": "bool|boolean|bit",
    "date": "date",
    "timestamptz": "timestamp|timestamptz|timestamp_ntz|timestamp_ltz|timestamp_tz|datetime"
    "|datetime2|smalldatetime|datetimeoffset|timestamp with time zone"
    "|timestamp without time zone",
    "jsonb": "json|jsonb|variant|super|object|array|struct|record|map|list",
}
_BY_NAME = {name: type_ for type_, names in _NAMED_TYPES.items() for name in names.split("|")}
_EXACT = {"numeric", "decimal", "number", "dec", "bignumeric", "money", "smallmoney"}
# Holds what a number without a declared precision holds in practice; more goes to quarantine.
_ANY_NUMBER = "numeric(38,10)"
_BY_LOGICAL = {
    **{logical: type_ for type_, logical in _LOGICAL.items()},
    "number": _ANY_NUMBER,
    "time": "text",
    **dict.fromkeys(("array", "map", "vector"), "jsonb"),
}
_PHYSICAL = re.compile(
    r"(?P<name>[a-z_][a-z0-9_]*(?: [a-z]+)*)\s*(?:\((?P<size>[^()]*)\))?(?P<rest>.*)", re.DOTALL
)
_ZONED = re.compile(r"tz$|_ltz|offset|with time zone")

_DAYS = {
    **dict.fromkeys(("d", "day", "days"), 1),
    **dict.fromkeys(("w", "week", "weeks"), 7),
    **dict.fromkeys(("mo", "month", "months"), 31),
    **dict.fromkeys(("y", "yr", "yrs", "year", "years"), 366),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 1 / 24),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 1 / 1440),
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1 / 86_400),
}
_DURATION = re.compile(
    r"P(?:(\d+)Y)?(?:(\d+)M)?(?:(\d+)W)?(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?"
)
_PARTS = ("y", "mo", "w", "d", "h", "m", "s")


def logical_type(type_: str) -> str:
    """The standard's type of a column's type."""
    return "number" if NUMERIC.fullmatch(type_) else _LOGICAL[type_]


def column_type(physical: str, logical: str) -> tuple[str, bool]:
    """The type of a column, and whether its times have no zone.

    Empty if neither is known.
    """
    found = _PHYSICAL.fullmatch(physical.strip().lower())
    name = found["name"].strip() if found else ""
    if name in _EXACT:
        return _exact(found["size"] if found else ""), False
    known = _BY_NAME.get(name) or _BY_NAME.get(name.partition(" ")[0])
    if known:
        zoned = bool(_ZONED.search(name + (found["rest"] if found else "")))
        return known, known == "timestamptz" and not zoned
    return _BY_LOGICAL.get(logical, ""), logical == "timestamp"


def _exact(size: str | None) -> str:
    numbers = [part.strip() for part in (size or "").split(",") if part.strip()]
    if not numbers or not all(number.isdecimal() for number in numbers):
        return _ANY_NUMBER
    precision, scale = int(numbers[0]), int(numbers[1]) if len(numbers) > 1 else 0
    if not 1 <= precision <= 38 or scale > precision:
        return _ANY_NUMBER
    return f"numeric({precision},{scale})"


def days(value: Any, unit: str) -> int | None:
    """A duration in whole days, rounded up; None for one that is not understood."""
    if isinstance(value, str) and (found := _DURATION.fullmatch(value.strip())):
        parts = zip(found.groups(), _PARTS, strict=True)
        return math.ceil(sum(int(number) * _DAYS[part] for number, part in parts if number))
    try:
        return math.ceil(float(value) * _DAYS[unit.strip().lower()])
    except (KeyError, TypeError, ValueError, OverflowError):
        return None


def custom(words: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Words of a contract as custom properties: the standard has no others for them."""
    return [
        {"property": _camel_case(name), "value": value, "vendor": VENDOR}
        for name, value in words.items()
    ]


def own_words(properties: Iterable[Mapping[str, Any]] | None) -> dict[str, Any]:
    """The words that `custom` has written."""
    return {
        _snake_case(item["property"]): item["value"]
        for item in properties or ()
        if item.get("vendor") == VENDOR
    }


def _camel_case(name: str) -> str:
    return re.sub(r"_([a-z0-9])", lambda found: found[1].upper(), name)


def _snake_case(name: str) -> str:
    return re.sub(r"([A-Z])", lambda found: f"_{found[1].lower()}", name)
