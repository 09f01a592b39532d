"""What the database holds of a source, whether or not it has a contract."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.sources.partition import begin_of
from include.sources.raw_table import SCHEMA, of_place, table_of
from include.warehouse.connection import Cursor, rows

# Council and begin of a partition, in UTC without a zone.
Place = tuple[str, datetime]

_TABLES = """
select c.relname as name from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = $1 and c.relkind in ('r', 'p') order by 1
"""
_NAMED = """
select source from ops.load union select source from ops.landing
union select source from ops.quarantine union select source from ops.schema_drift
"""
_COUNTED = """
select council, period, count(*) as number from ops.{table} where source = $1 group by 1, 2
"""
_DELETED = """
delete from ops.{table} where source = $1 and council = $2 and period = $3 returning landing_id
"""


@dataclass
class Counts:
    """Raw rows, quarantined records, and ledger entries (of landings and of loads)."""

    rows: int = 0
    quarantined: int = 0
    entries: int = 0

    def add(self, kind: str, number: int) -> None:
        """Count more of a kind."""
        setattr(self, kind, getattr(self, kind) + number)


def sources(cursor: Cursor) -> set[str]:
    """Every source that has raw rows, an entry in the ledger, or records in quarantine."""
    found = {str(row["source"]) for row in rows(cursor, _NAMED)}
    tables = {str(row["name"]) for row in rows(cursor, _TABLES, SCHEMA)}
    for name in tables - found:
        if rows(cursor, f"select 1 as row from {table_of(name)} limit 1"):  # noqa: S608, quoted
            found.add(name)
    return found


def councils(cursor: Cursor) -> set[str]:
    """Each council that the ledger or the quarantine names."""
    found = rows(
        cursor,
        "select council from ops.load union select council from ops.landing "
        "union select council from ops.quarantine",
    )
    return {str(row["council"]) for row in found}


def has_table(cursor: Cursor, source: str) -> bool:
    """Whether the raw table exists; a source that was never enabled has none."""
    found = rows(cursor, "select to_regclass($1) is not null as there", table_of(source))
    return bool(found[0]["there"])


def columns(cursor: Cursor, source: str) -> dict[str, str]:
    """The columns of the raw table and their types; none if there is no table."""
    found = rows(
        cursor,
        "select attname, format_type(atttypid, atttypmod) as type from pg_attribute "
        "where attrelid = to_regclass($1) and attnum > 0 and not attisdropped order by attnum",
        table_of(source),
    )
    return {row["attname"]: row["type"] for row in found}


def places(cursor: Cursor, source: str) -> dict[Place, Counts]:
    """What each partition of the source has."""
    found: dict[Place, Counts] = defaultdict(Counts)
    queries: list[tuple[str, str, tuple[str, ...]]] = [
        ("entries", _COUNTED.format(table="load"), (source,)),
        ("entries", _COUNTED.format(table="landing"), (source,)),
        ("quarantined", _COUNTED.format(table="quarantine"), (source,)),
    ]
    if has_table(cursor, source):
        raw = (
            "select _council as council, _period as period, count(*) as number "  # noqa: S608, quoted
            f"from {table_of(source)} group by 1, 2"
        )
        queries.append(("rows", raw, ()))
    for kind, query, parameters in queries:
        for row in rows(cursor, query, *parameters):
            found[row["council"], begin_of(row["period"])].add(kind, int(row["number"]))
    return dict(found)


def delete(cursor: Cursor, source: str, place: Place) -> dict[str, Counts]:
    """Delete all that the database holds of a partition; returns how much, by landing."""
    gone: dict[str, Counts] = defaultdict(Counts)
    of_source = (source, *place)
    statements: list[tuple[str, str, tuple[Any, ...]]] = [
        ("entries", _DELETED.format(table="load"), of_source),
        ("entries", _DELETED.format(table="landing"), of_source),
        ("quarantined", _DELETED.format(table="quarantine"), of_source),
    ]
    if has_table(cursor, source):
        raw = f"{of_place(source, 'delete')} returning _landing_id as landing_id"
        statements.append(("rows", raw, place))
    for kind, statement, parameters in statements:
        query = (
            f"with gone as ({statement}) "  # noqa: S608, no value
            "select landing_id, count(*) as number from gone group by 1"
        )
        for row in rows(cursor, query, *parameters):
            gone[row["landing_id"]].add(kind, int(row["number"]))
    return dict(gone)


def forget_drift(cursor: Cursor, source: str) -> None:
    """Delete the list of the source's unknown fields."""
    cursor.execute("delete from ops.schema_drift where source = $1", (source,))
