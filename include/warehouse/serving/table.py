"""Read what a profile needs of a table: exact counts of all rows, and a sample that fits in memory.

Values of masked columns never leave the database: of them, only counts and lengths are read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

import pandas as pd
import psycopg

from include.errors import PermanentError
from include.sources.raw_table import quoted
from include.warehouse.connection import Connection, Cursor, rows

Kind = Literal["number", "boolean", "time", "text", "json", "other", "masked"]

# Longer texts are cut in the sample.
MOST_CHARACTERS = 500
# Of values in the sample, before pandas makes them smaller or larger.
MOST_BYTES = 64 * 1024 * 1024
_CHUNK_ROWS = 5_000
# About what a number or a time takes.
_FIXED_BYTES = 16
# A sample of the same rows is drawn each time, as long as the table has not been written to.
SEED = 0.5

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_TIMES = ("date", "timestamp")
_TEXTS = ("text", "character", "uuid")

_COLUMNS = """
select attname as name, format_type(atttypid, atttypmod) as type
from pg_catalog.pg_attribute
where attrelid = to_regclass($1) and attnum > 0 and not attisdropped
order by attnum
"""


@dataclass(frozen=True)
class Table:
    """A table or view, and the type of each of its columns; `masked` are the columns to hide."""

    schema: str
    name: str
    types: Mapping[str, str]
    masked: Collection[str] = ()

    @property
    def relation(self) -> str:
        """Its name as SQL text."""
        return f"{quoted(self.schema)}.{quoted(self.name)}"

    def kind(self, column: str) -> Kind:
        """How a column is described."""
        return "masked" if column in self.masked else kind_of(self.types[column])


@dataclass(frozen=True)
class Slice:
    """The rows of some councils and periods; none of either selects all.

    `ranges` have a begin and an end, which is not included, in UTC.
    """

    council_column: str = ""
    period_column: str = ""
    councils: tuple[str, ...] = ()
    ranges: tuple[tuple[datetime, datetime], ...] = ()

    def where(self, types: Mapping[str, str]) -> tuple[str, tuple[Any, ...]]:
        """SQL with `$1`, `$2`, ..., and their values."""
        parts: list[str] = ["true"]
        values: list[Any] = []
        if self.councils:
            values.append(list(self.councils))
            parts.append(f"{quoted(self.council_column)} = any(${len(values)})")
        spans = []
        for span in self.ranges:
            bounds = [
                moment.date() if types[self.period_column] == "date" else moment for moment in span
            ]
            values += bounds
            column, end = quoted(self.period_column), len(values)
            spans.append(f"({column} >= ${end - 1} and {column} < ${end})")
        if spans:
            parts.append(f"({' or '.join(spans)})")
        return " and ".join(parts), tuple(values)


@dataclass(frozen=True)
class Counted:
    """Of all rows: how many have a value, its lengths as text, its least and largest value."""

    values: int
    shortest: int | None = None
    mean_length: float | None = None
    longest: int | None = None
    lowest: Any = None
    highest: Any = None


@dataclass(frozen=True)
class Contents:
    """Of all rows of a slice, the counts; and a sample of them, a column for each that has values.

    The sample of a masked column holds lengths, of JSON the types.
    """

    rows: int
    counted: Mapping[str, Counted]
    sample: pd.DataFrame = field(repr=False)


def kind_of(sql_type: str) -> Kind:
    """How values of a PostgreSQL type are described."""
    if sql_type.endswith("]"):
        return "other"
    if sql_type.startswith(_NUMBERS):
        return "number"
    if sql_type.startswith(_TIMES):
        return "time"
    if sql_type.startswith(_TEXTS):
        return "text"
    if sql_type in ("json", "jsonb"):
        return "json"
    return "boolean" if sql_type == "boolean" else "other"


def types_of(cursor: Cursor, schema: str, name: str) -> dict[str, str]:
    """The columns of a table or view and their types; none if this role sees no such table."""
    found = rows(cursor, _COLUMNS, f"{quoted(schema)}.{quoted(name)}")
    return {row["name"]: row["type"] for row in found}


def read(connection: Connection, table: Table, part: Slice, most_rows: int) -> Contents:
    """Count all rows of a slice and sample at most about `most_rows` of them, in one snapshot.

    Fewer are sampled of a table with long texts. Raises `PermanentError` if
    the role may not read the table.
    """
    connection.execute("set transaction isolation level repeatable read read only")
    where, values = part.where(table.types)
    with connection.cursor() as cursor:
        try:
            total, counted = _count(cursor, table, where, values)
        except psycopg.errors.InsufficientPrivilege as error:
            raise PermanentError(
                f"profile: {connection.info.user} may not read {table.schema}.{table.name}. "
                "Run `wandle migrate`, which restores the grants."
            ) from error
    fits = max(1, MOST_BYTES // max(1, _row_bytes(table, counted)))
    return Contents(
        total, counted, _sample(connection, table, where, values, total, min(most_rows, fits))
    )


def _count(
    cursor: Cursor, table: Table, where: str, values: tuple[Any, ...]
) -> tuple[int, dict[str, Counted]]:
    selected = ["count(*)"]
    for name in table.types:
        column, kind = quoted(name), table.kind(name)
        length = f"char_length({column}::text)"
        has_length = kind in ("text", "json", "other", "masked")
        lengths = [f"min({length})", f"avg({length})::float8", f"max({length})"]
        ends = {
            "number": [f"min({column})::float8", f"max({column})::float8"],
            "time": [f"min({column})::text", f"max({column})::text"],
        }
        selected.append(f"count({column})")
        selected += lengths if has_length else ["null"] * 3
        selected += ends.get(kind, ["null"] * 2)
    query = f"select {', '.join(selected)} from {table.relation} where {where}"  # noqa: S608, quoted
    cursor.execute(query, values)
    total, *found = cursor.fetchall()[0]
    size = 6
    return int(total), {
        name: Counted(*found[place * size : (place + 1) * size])
        for place, name in enumerate(table.types)
    }


def _row_bytes(table: Table, counted: Mapping[str, Counted]) -> int:
    width = 0.0
    for name, found in counted.items():
        is_text = table.kind(name) == "text"
        width += min(found.mean_length or 0, MOST_CHARACTERS) if is_text else _FIXED_BYTES
    return round(width)


def _sample(
    connection: Connection,
    table: Table,
    where: str,
    values: tuple[Any, ...],
    total: int,
    wanted: int,
) -> pd.DataFrame:
    selected = {
        name: expression
        for name in table.types
        if (expression := _sampled(table.kind(name), quoted(name)))
    }
    if not selected or not total:
        return pd.DataFrame(columns=list(selected))
    listed = ", ".join(selected.values())
    query = f"select {listed} from {table.relation} where {where}"  # noqa: S608, quoted
    if total > wanted:
        connection.execute(f"select setseed({SEED})")
        query += f" and random() < {wanted / total:.12f}"
    with psycopg.RawServerCursor(connection, "profile") as cursor:
        cursor.itersize = _CHUNK_ROWS
        cursor.execute(query, values)
        frames = [_frame(table, list(selected), chunk) for chunk in _chunks(cursor)]
    if not frames:
        return pd.DataFrame(columns=list(selected))
    return pd.concat(frames, ignore_index=True)


def _chunks(cursor: Any) -> Iterator[list[Any]]:
    while chunk := cursor.fetchmany(_CHUNK_ROWS):
        yield chunk


def _sampled(kind: Kind, column: str) -> str:
    """What is read of a column; empty for nothing."""
    expressions = {
        "number": f"{column}::float8",
        "boolean": column,
        # Infinite and ancient times are beyond what Python can hold.
        "time": f"case when {column} between '0001-01-02' and '9999-12-30' then "
        f"({column} at time zone 'UTC')::timestamp end",
        "text": f"left({column}::text, {MOST_CHARACTERS})",
        "json": f"json_typeof({column}::json)",
        "masked": f"char_length({column}::text)",
    }
    return expressions.get(kind, "")


_DTYPES = {
    "number": "float64",
    "boolean": "boolean",
    "time": "datetime64[us]",
    "text": "str",
    "json": "str",
    "masked": "Int64",
}


def _frame(table: Table, names: list[str], chunk: list[Any]) -> pd.DataFrame:
    columns = dict(zip(names, zip(*chunk, strict=True), strict=True))
    return pd.DataFrame(
        {
            name: pd.Series(values, dtype=_DTYPES[table.kind(name)])
            for name, values in columns.items()
        }
    )
