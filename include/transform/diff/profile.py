"""What the columns of a table hold: nulls, distinct values, the least and the greatest."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import psycopg
from psycopg import sql

from include.transform.diff.relation import Table

PROFILED_CHARACTERS = 60
# Without an order of their own.
_AS_TEXT = ("boolean", "uuid", "json", "jsonb", "xml")
NO_ORDER = ("point", "line", "lseg", "box", "path", "polygon", "circle", "json", "jsonb", "xml")


@dataclass(frozen=True)
class Profile:
    """A column's nulls and distinct values, and its extremes as text.

    The extremes are None for types without an order, and for hidden columns.
    """

    nulls: int
    distinct: int
    least: str | None
    greatest: str | None


@dataclass(frozen=True)
class Profiles:
    """The number of rows, and the profile of each column."""

    rows: int
    columns: dict[str, Profile]


def profiles(
    connection: psycopg.Connection, table: Table, hidden: Collection[str] = ()
) -> Profiles:
    """Profile every column; of `hidden` ones no value is read."""
    values: list[sql.Composable] = [sql.SQL("count(*)")]
    for name, type_ in table.columns.items():
        values += _measures(sql.Identifier(name), type_, name in hidden)
    query = sql.SQL("select {} from {}").format(sql.SQL(", ").join(values), table.quoted)
    row = connection.execute(query).fetchall()[0]
    return Profiles(
        row[0],
        {name: Profile(*row[1 + 4 * at : 5 + 4 * at]) for at, name in enumerate(table.columns)},
    )


def _measures(column: sql.Identifier, type_: str, hide: bool) -> list[sql.Composable]:
    base = type_.partition("(")[0]
    as_text = base in (*_AS_TEXT, *NO_ORDER)
    value = sql.SQL("{}::text").format(column) if as_text else column
    extremes: list[sql.Composable] = [sql.SQL("null::text")] * 2
    if not hide and base not in NO_ORDER:
        extremes = [
            sql.SQL("left({}({})::text, {})").format(sql.SQL(name), value, PROFILED_CHARACTERS)
            for name in ("min", "max")
        ]
    return [
        sql.SQL("count(*) filter (where {} is null)").format(column),
        sql.SQL("count(distinct {})").format(value),
        *extremes,
    ]
