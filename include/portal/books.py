"""What the pages read of the books, as the read-only role of the portal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from include.warehouse.connection import Cursor, connect, rows

# Milliseconds. A page that takes longer is of no use.
STATEMENT_TIMEOUT = 10_000
MOST_ENTRIES = 50

Row = Mapping[str, Any]

# Entries of the periods that a page shows, by source.
_WINDOW = """
from unnest($1::text[], $2::timestamp[]) as wanted (source, since)
join ops.load as load on load.source = wanted.source and load.period >= wanted.since
where ($3::text is null or load.council = $3)
"""
_OF_PARTITION = "group by load.source, load.council, load.period"
_NEWEST = f"""
select source, council, period, status, loaded, quarantined
from ops.load
join (select max(load_id) as load_id {_WINDOW} {_OF_PARTITION}) as newest using (load_id)
"""  # noqa: S608, no value
_KEPT = f"""
select source, council, period, loaded
from ops.load
join (
    select max(load_id) as load_id {_WINDOW}
    and load.status in ('loaded', 'unchanged', 'expired') {_OF_PARTITION}
) as newest using (load_id)
"""  # noqa: S608, no value
_SUMMED = f"""
select source, period, status, count(*) as partitions, sum(loaded) as loaded
from ({_NEWEST}) as newest
group by source, period, status
"""  # noqa: S608, no value
_CHECKS = """
select source, council, min(period) as first,
    max(finished_at) filter (where status in ('loaded', 'unchanged', 'not_published')) as checked
from ops.load
where ($1::text is null or source = $1)
group by source, council
"""
_QUARANTINED = """
select source, period, column_name, rule, responsible, count(*) as records,
    min(found_at) as first, max(found_at) as last, array_agg(distinct council) as councils
from ops.quarantine_overview
where ($1::text is null or source = $1)
group by source, period, column_name, rule, responsible
"""
_SAMPLES = """
select source, council, period, landing_id, record_no, page, page_record_no, column_name, rule,
    value, left(record, 4000) as record, found_at, responsible
from ops.quarantine_samples
where source = $1 and ($2::text is null or council = $2)
    and ($3::timestamp is null or period = $3)
order by period desc, council, record_no
limit $4
"""
_MONTHS = """
select source, month, sum(requests) as requests, sum(bytes) as bytes, sum(records) as records,
    sum(rows) as rows, sum(extract_seconds) as extract_seconds, sum(load_seconds) as load_seconds
from (
    select source, date_trunc('month', finished_at, 'UTC') as month, pages as requests, bytes,
        0 as records, 0 as rows,
        extract(epoch from finished_at - started_at) as extract_seconds, 0.0 as load_seconds
    from ops.landing where finished_at >= $1
    union all
    select source, date_trunc('month', finished_at, 'UTC'), 0, 0,
        case when status = 'loaded' then records else 0 end,
        case when status = 'loaded' then rows else 0 end,
        0.0, seconds
    from ops.load where finished_at >= $1 and step = 'load'
) as done
group by source, month
"""
# The sizes of tables are in the catalogue, which every role can read; rows are not read.
_SIZES = """
select n.nspname as schema, c.relname as name, c.relkind::text as kind,
    coalesce(pg_total_relation_size(c.oid), 0) as bytes,
    greatest(c.reltuples, 0)::bigint as rows
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = any($1) and c.relkind in ('r', 'p', 'v', 'm')
"""
_NODES = """
select distinct on (node.unique_id) node.unique_id, node.resource_type, node.status,
    node.failures, node.message, node.execution_seconds, run.started_at, run.layer, run.run_id,
    max(run.started_at) filter (where node.status in ('success', 'pass', 'warn'))
        over (partition by node.unique_id) as good_at
from ops.dbt_node as node join ops.dbt_run as run using (invocation_id)
order by node.unique_id, run.started_at desc
"""


@contextmanager
def reading(dsn: str) -> Iterator[Cursor]:
    """A cursor that can only read, and not for long.

    Raises `ServiceUnavailable` and `DatabaseRefused`, never the driver's errors.
    """
    with connect(dsn) as connection, connection.cursor() as cursor:
        cursor.execute("set transaction read only")
        cursor.execute(f"set local statement_timeout = {STATEMENT_TIMEOUT}")
        # Partitions of many sources and councils are grouped in memory.
        cursor.execute("set local work_mem = '64MB'")
        yield cursor


def newest(cursor: Cursor, since: Mapping[str, datetime], council: str | None) -> list[Row]:
    """The newest entry of each partition whose period begins at or after its source's `since`."""
    return list(rows(cursor, _NEWEST, [*since], [*since.values()], council))


def kept(cursor: Cursor, since: Mapping[str, datetime], council: str | None) -> list[Row]:
    """The entry that describes what the raw table holds, of each of these partitions."""
    return list(rows(cursor, _KEPT, [*since], [*since.values()], council))


def summed(cursor: Cursor, since: Mapping[str, datetime]) -> list[Row]:
    """How many partitions of each source and period have which status, and their records."""
    return list(rows(cursor, _SUMMED, [*since], [*since.values()], None))


def checks(cursor: Cursor, source: str | None = None) -> dict[tuple[str, str], Row]:
    """By source and council: the first period asked for, and the last good attempt."""
    return {(row["source"], row["council"]): row for row in rows(cursor, _CHECKS, source)}


def removed(cursor: Cursor, source: str | None = None) -> set[tuple[str, str, datetime]]:
    """The partitions that people removed."""
    found = rows(
        cursor,
        "select source, council, period from ops.removed_partitions "
        "where ($1::text is null or source = $1)",
        source,
    )
    return {(row["source"], row["council"], row["period"]) for row in found}


def history(cursor: Cursor, place: tuple[str, str, datetime]) -> list[Row]:
    """The entries of a partition, newest first."""
    return list(
        rows(
            cursor,
            "select * from ops.load where source = $1 and council = $2 and period = $3 "
            "order by load_id desc limit $4",
            *place,
            MOST_ENTRIES,
        )
    )


def landings(cursor: Cursor, place: tuple[str, str, datetime]) -> list[Row]:
    """The landings of a partition, newest first."""
    return list(
        rows(
            cursor,
            "select * from ops.landing where source = $1 and council = $2 and period = $3 "
            "order by landing_id desc limit $4",
            *place,
            MOST_ENTRIES,
        )
    )


def quarantined(cursor: Cursor, source: str | None = None) -> list[Row]:
    """The quarantine by source, period, column, rule and who must fix it."""
    return list(rows(cursor, _QUARANTINED, source))


def samples(
    cursor: Cursor, source: str, council: str | None, period: datetime | None, most: int
) -> list[Row]:
    """Some quarantined records, without personal values."""
    return list(rows(cursor, _SAMPLES, source, council, period, most))


def drifted(cursor: Cursor) -> list[Row]:
    """The unknown fields of each source, without samples of their values."""
    return list(
        rows(
            cursor,
            "select source, field, first_seen, landing_id, type, way from ops.drift_overview "
            "order by source, field",
        )
    )


def months(cursor: Cursor, since: datetime) -> list[Row]:
    """What each source cost in each month."""
    return list(rows(cursor, _MONTHS, since))


def sizes(cursor: Cursor, schemas: Sequence[str]) -> list[Row]:
    """The tables and views of schemas: bytes with indexes, and rows as PostgreSQL estimates."""
    return list(rows(cursor, _SIZES, list(schemas)))


def nodes(cursor: Cursor) -> list[Row]:
    """The newest result of each model and test of dbt."""
    return list(rows(cursor, _NODES))


def quarantined_in(cursor: Cursor, place: tuple[str, str, datetime]) -> list[Row]:
    """The quarantine of a partition by column, rule and who must fix it, most first."""
    return list(
        rows(
            cursor,
            "select column_name, rule, responsible, count(*) as records "
            "from ops.quarantine_overview where source = $1 and council = $2 and period = $3 "
            "group by 1, 2, 3 order by 4 desc, 1, 2",
            *place,
        )
    )
