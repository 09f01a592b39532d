"""Read a mart row by row, in the order of its key, in one snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import psycopg

from include.sources.raw_table import quoted
from include.warehouse.connection import Connection, rows

_CHUNK_ROWS = 2_000

_KEY = """
select a.attname as name
from pg_catalog.pg_index as i
join unnest(i.indkey) with ordinality as k (attnum, place) on true
join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = to_regclass($1) and i.indisprimary
order by k.place
"""


def begin_snapshot(connection: Connection) -> None:
    """Let everything that this transaction reads be of one moment."""
    connection.rollback()
    connection.execute("set transaction isolation level repeatable read read only")


def size_of(
    connection: Connection, name: str, types: Mapping[str, str]
) -> tuple[int, dict[str, int]]:
    """The number of rows of a mart, and the most characters of a value of each column, as text."""
    longest = [f"coalesce(max(char_length({quoted(column)}::text)), 0)" for column in types]
    query = f"select count(*), {', '.join(longest)} from marts.{quoted(name)}"  # noqa: S608, quoted
    with connection.cursor() as cursor:
        cursor.execute(query)
        total, *found = cursor.fetchall()[0]
    return int(total), {column: int(most) for column, most in zip(types, found, strict=True)}


def rows_in_order(
    connection: Connection, name: str, types: Mapping[str, str]
) -> Iterator[tuple[Any, ...]]:
    """The rows of a mart by its primary key; without one, by all columns."""
    table = f"marts.{quoted(name)}"
    with connection.cursor() as cursor:
        key = [row["name"] for row in rows(cursor, _KEY, table)]
    order = ", ".join(quoted(column) for column in key or types)
    listed = ", ".join(quoted(column) for column in types)
    with psycopg.RawServerCursor(connection, "mart") as reading:
        reading.itersize = _CHUNK_ROWS
        reading.execute(f"select {listed} from {table} order by {order}")  # noqa: S608, quoted
        yield from reading
