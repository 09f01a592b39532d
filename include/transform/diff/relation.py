"""A table as the database has it: its columns, types and primary key."""

from __future__ import annotations

from dataclasses import dataclass

import psycopg
from psycopg import sql

_COLUMNS = """
select attname, format_type(atttypid, atttypmod)
from pg_attribute
where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
order by attnum
"""
_KEY = """
select column_name.attname
from pg_constraint as c
cross join unnest(c.conkey) with ordinality as part (number, position)
join pg_attribute as column_name
    on column_name.attrelid = c.conrelid and column_name.attnum = part.number
where c.conrelid = to_regclass(%s) and c.contype = 'p'
order by part.position
"""


@dataclass(frozen=True)
class Table:
    """A table with its columns, name -> type, in order, and its primary key, if it has one."""

    schema: str
    name: str
    columns: dict[str, str]
    key: tuple[str, ...]

    @property
    def quoted(self) -> sql.Identifier:
        """Its name in a statement."""
        return sql.Identifier(self.schema, self.name)


def read_table(connection: psycopg.Connection, schema: str, name: str) -> Table | None:
    """The table or view of this name; nothing if there is none."""
    known = sql.Identifier(schema, name).as_string(connection)
    columns: dict[str, str] = dict(connection.execute(_COLUMNS, (known,)).fetchall())
    if not columns:
        return None
    key = tuple(row[0] for row in connection.execute(_KEY, (known,)).fetchall())
    return Table(schema, name, columns, key)
