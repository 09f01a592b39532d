"""What a database's catalogue says of a query's columns: names, types, comments, a unique key."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from include.errors import SourceRejected, SourceUnavailable
from include.extract.databases.address import dialect_of
from include.extract.databases.fetch import columns_of
from include.extract.databases.postgres import READ_ONLY, SAYS_NO_VALUES
from include.extract.databases.reader import CONNECT_SECONDS, Asked

_SECONDS = 60
# Of a column that a query takes as it is: its comment, and whether it alone is the primary key.
_CATALOGUE = """
    select col_description(%(table)s::oid, %(column)s::int),
        exists (
            select from pg_index
            where indrelid = %(table)s::oid and indisprimary and indnatts = 1
                and indkey[0] = %(column)s::int2
        )
"""


@dataclass(frozen=True)
class QueryColumn:
    """A column of a query: its type as the server names it, such as `numeric(12,4)`."""

    name: str
    type: str
    comment: str = ""
    is_primary_key: bool = False


@dataclass(frozen=True)
class QueryColumns:
    """The columns in order, and the name of the one that is the primary key, if there is one."""

    columns: tuple[QueryColumn, ...] = field(default=())

    @property
    def key(self) -> str:
        """The column that identifies a row: the primary key of the only table that has one."""
        keys = [column.name for column in self.columns if column.is_primary_key]
        return keys[0] if len(keys) == 1 else ""


def columns_of_query(dsn: str, asked: Asked) -> QueryColumns:
    """The columns of a query, without reading a row.

    Of a server other than PostgreSQL, names and types alone. Raises
    `SourceUnavailable` if the database does not answer, and `SourceRejected`
    if it refuses the login or the query.
    """
    if dialect_of(dsn, asked.extract.connection) == "postgresql":
        return _of_postgresql(dsn, asked)
    kinds = columns_of(asked.extract, asked.partition, dsn)
    return QueryColumns(tuple(QueryColumn(name, kind) for name, kind in kinds.items()))


def _of_postgresql(dsn: str, asked: Asked) -> QueryColumns:
    try:
        with psycopg.connect(dsn, connect_timeout=CONNECT_SECONDS) as connection:
            connection.execute(READ_ONLY)
            connection.execute(sql.SQL("set statement_timeout = {}").format(_SECONDS * 1000))
            text = sql.SQL(asked.query("postgresql", "%({})s".format, "%%"))
            query = sql.SQL("select * from {} as asked limit 0").format(text)
            columns = tuple(_columns(connection, connection.execute(query, asked.bound)))
            connection.rollback()
            return QueryColumns(columns)
    except psycopg.OperationalError as error:
        raise SourceUnavailable(
            f"{asked.partition}: the database does not answer, or refuses the login "
            f"({type(error).__name__}). Check the connection."
        ) from None
    except psycopg.Error as error:
        state = error.sqlstate or ""
        told = error.diag.message_primary if state.startswith(SAYS_NO_VALUES) else ""
        raise SourceRejected(
            f"{asked.partition}: the database refuses the query: {told or type(error).__name__} "
            f"(SQLSTATE {state or 'unknown'}). Correct the query."
        ) from None


def _columns(connection: psycopg.Connection[Any], found: Any) -> Any:
    result = found.pgresult
    for place, column in enumerate(found.description or ()):
        comment, is_key = None, False
        if result.ftable(place):
            asked = {"table": result.ftable(place), "column": result.ftablecol(place)}
            row = connection.execute(_CATALOGUE, asked).fetchone()
            comment, is_key = row or (None, False)
        yield QueryColumn(column.name, column.type_display, comment or "", is_key)
