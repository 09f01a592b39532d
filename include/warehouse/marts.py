"""What dbt has made of the raw tables, seen from outside."""

from __future__ import annotations

from include.warehouse.connection import Cursor, rows


def row_counts(cursor: Cursor) -> dict[str, int]:
    """The number of rows of each table in the schema `marts`, by name."""
    found = rows(
        cursor,
        "select table_name from information_schema.tables "
        "where table_schema = 'marts' and table_type = 'BASE TABLE' order by table_name",
    )
    counts = {}
    for row in found:
        name = row["table_name"].replace('"', '""')
        counted = rows(cursor, f'select count(*) as count from marts."{name}"')  # noqa: S608, quoted
        counts[row["table_name"]] = int(counted[0]["count"])
    return counts
