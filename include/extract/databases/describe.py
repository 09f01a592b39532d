"""What a database's catalogue says of a query's columns: names, types, comments, a unique key."""

from __future__ import annotations

from dataclasses import dataclass, field

from include.extract.databases.fetch import opened
from include.extract.databases.postgres import PostgresReader
from include.extract.databases.reader import Asked


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

    Of a server other than PostgreSQL, names and types alone. Raises what
    `fetch_rows` raises for a database or a query that it cannot read.
    """
    with opened(dsn, asked) as reader:
        names = reader.names()
        notes = reader.notes() if isinstance(reader, PostgresReader) else {}
        return QueryColumns(
            tuple(
                QueryColumn(name, reader.kinds.get(name, "text"), *notes.get(name, ()))
                for name in names
            )
        )
