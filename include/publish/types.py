"""How the values of each SQL type are written: in CSV, Arrow, JSON, CSVW and Data Package."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import LiteralString

import pyarrow as pa

from include.errors import PermanentError


@dataclass(frozen=True)
class Kind:
    """A type. `value` is SQL for the text of a column, whose name is put in for `{}`.

    `csvw` and `frictionless` are the names of the type in these standards;
    `is_json` says that the text is JSON.
    """

    arrow: pa.DataType
    csvw: str
    frictionless: str
    value: LiteralString = "{}::text"
    is_json: bool = False
    is_text: bool = False


_TEXT = Kind(pa.string(), "string", "string", is_text=True)
_JSON = Kind(pa.string(), "json", "any", is_json=True)
# By ISO 8601, with a fraction only where there is one. Infinity and years before 1 fit no type, so
# they are found; `to_char` would make null of one and another year of the other.
_TIMESTAMP: LiteralString = "replace(({}{})::text, ' ', 'T')"
_KINDS = {
    "text": _TEXT,
    "character varying": _TEXT,
    "character": _TEXT,
    "smallint": Kind(pa.int32(), "integer", "integer"),
    "integer": Kind(pa.int32(), "integer", "integer"),
    "bigint": Kind(pa.int64(), "integer", "integer"),
    "real": Kind(pa.float64(), "double", "number"),
    "double precision": Kind(pa.float64(), "double", "number"),
    # Of any precision, which Parquet does not have. The CSV has every digit.
    "numeric": Kind(pa.float64(), "decimal", "number"),
    "boolean": Kind(pa.bool_(), "boolean", "boolean"),
    "date": Kind(pa.date32(), "date", "date"),
    "timestamp with time zone": Kind(
        pa.timestamp("us", "UTC"),
        "dateTimeStamp",
        "datetime",
        _TIMESTAMP.format("{}", " at time zone 'UTC'") + " || 'Z'",
    ),
    "timestamp without time zone": Kind(
        pa.timestamp("us"), "dateTime", "datetime", _TIMESTAMP.format("{}", "")
    ),
    "jsonb": _JSON,
    "json": _JSON,
}
_ARRAY = Kind(pa.string(), "json", "array", "to_json({})::text", is_json=True)
_DECIMAL = re.compile(r"numeric\((\d+),(\d+)\)")
_MOST_DIGITS = 38


def kind_of(mart: str, column: str, type_: str) -> Kind:
    """How a column of this SQL type is published. Raises `PermanentError` if it cannot be."""
    if decimal := _DECIMAL.fullmatch(type_):
        precision, scale = int(decimal[1]), int(decimal[2])
        if precision <= _MOST_DIGITS:
            return Kind(pa.decimal128(precision, scale), "decimal", "number")
        return _KINDS["numeric"]
    if type_.endswith("[]"):
        return _ARRAY
    found = _KINDS.get(re.sub(r"\(\d+\)", "", type_))
    if found is None:
        raise PermanentError(
            f"publish: marts.{mart}.{column}: its type, {type_}, cannot be published. Cast it in "
            "the model, e.g. to text, then run `wandle transform`."
        )
    return found
