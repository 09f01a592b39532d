"""Raw tables that no contract describes any more."""

from __future__ import annotations

from collections.abc import Collection

import psycopg
from psycopg import sql

from include.sources.raw_table import SCHEMA
from include.warehouse.schema import developer, views
from include.warehouse.schema.locks import OWNER

# Views of these schemas are dbt's, which builds them again if a model is left.
_BUILT = ("staging", "intermediate", "marts")


def drop_empty(connection: psycopg.Connection, files: Collection[str], changed: list[str]) -> None:
    """Drop every raw table that is empty and has no contract, with the views of dbt on it."""
    found = connection.execute(
        "select c.relname from pg_class as c where c.relnamespace = to_regnamespace(%s) "
        "and c.relkind = 'r' and pg_get_userbyid(c.relowner) = %s and c.relname <> all(%s) "
        "order by 1",
        (SCHEMA, OWNER, list(files)),
    ).fetchall()
    for (name,) in found:
        table = sql.Identifier(SCHEMA, name)
        rows = connection.execute(sql.SQL("select 1 from {} limit 1").format(table)).fetchone()
        if rows or not _only_built(connection, table.as_string(connection)):
            continue
        # As the administrator: the views belong to another role than the table.
        connection.execute("reset role")
        connection.execute(sql.SQL("drop table {} cascade").format(table))
        changed.append(f"dropped {SCHEMA}.{name}, which was empty and has no contract")


def _only_built(connection: psycopg.Connection, table: str) -> bool:
    """Whether only views of dbt depend on a table."""
    return all(
        kind == "v" and (schema in _BUILT or owner == developer.ROLE)
        for _, schema, _, kind, owner, *_ in connection.execute(
            views.DEPENDENTS, (table,)
        ).fetchall()
    )
