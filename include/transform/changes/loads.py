"""What the raw tables hold: the load of each partition, by the ledger.

A set of loads has a hash, so that a node that read the same as another one needs to store no list
of its own.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import psycopg
from psycopg import sql

# Stands for the table: another file (rebuilt, truncated), or changed by `wandle migrate`.
TABLE = ""

_LEDGER = """
select source, council, period, load_id
from (
    select distinct on (source, council, period) source, council, period, load_id, status
    from ops.load
    where status in ('loaded', 'expired')
    order by source, council, period, load_id desc
) as newest
where status = 'loaded'
"""
_TABLES = """
select
    c.relname,
    pg_relation_filenode(c.oid) || '/' || coalesce(
        (select max(migration_id) from ops.migration
        where position('raw.' || c.relname in change) > 0),
        0
    ),
    2 = (
        select count(*) from pg_attribute as a
        where a.attrelid = c.oid and a.attname in ('_council', '_period') and not a.attisdropped
    )
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname = 'raw' and c.relkind = 'r'
"""
# Steps from one partition to the next by the index, so it reads a few rows of each.
_PLACES = """
with recursive place as (
    (select _council, _period from {table} order by _council, _period limit 1)
    union all
    select further._council, further._period
    from place
    cross join lateral (
        select raw._council, raw._period
        from {table} as raw
        where (raw._council, raw._period) > (place._council, place._period)
        order by raw._council, raw._period
        limit 1
    ) as further
)
select _council, _period::timestamp from place
"""


@dataclass(frozen=True)
class Loads:
    """The loads of one source: by council and period (`kingston 2017-01-01T00:00:00`), the load.

    Under `TABLE` is the state of the table itself. Two sets with the same hash
    are the same rows.
    """

    by_place: Mapping[str, str]

    @cached_property
    def hash(self) -> str:
        """The same for the same loads only."""
        text = json.dumps(self.by_place, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def changed_from(self, other: Loads | None) -> set[str]:
        """The places whose load has changed, or is in only one of the two."""
        before = other.by_place if other else {}
        places = self.by_place.keys() | before.keys()
        return {place for place in places if self.by_place.get(place) != before.get(place)}


# By source.
Inputs = Mapping[str, Loads]


def unknown() -> str:
    """A load that is never equal to another: what it loaded is not known."""
    return f"?{uuid.uuid4().hex}"


def merged(parts: Iterable[Inputs]) -> dict[str, Loads]:
    """What something holds that was made of several inputs.

    Where they hold different loads of a partition, which one is not known.
    """
    found: dict[str, Loads] = {}
    for part in parts:
        for source, loads in part.items():
            if source in found and found[source].hash != loads.hash:
                differ = loads.changed_from(found[source])
                both = {**found[source].by_place, **loads.by_place}
                loads = Loads({**both, **{place: unknown() for place in differ}})
            found[source] = loads
    return found


def current(connection: psycopg.Connection) -> dict[str, Loads]:
    """What each raw table holds now, by one snapshot of the database.

    Rows of which the ledger knows no load count as a load that is not known.
    """
    found: dict[str, dict[str, str]] = defaultdict(dict)
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read read only")
        tables = connection.execute(_TABLES).fetchall()
        for source, council, period, load_id in connection.execute(_LEDGER):
            found[source][f"{council} {period.isoformat()}"] = str(load_id)
        for source, state, has_places in tables:
            found[source][TABLE] = state if has_places else unknown()
            if not has_places:
                continue
            query = sql.SQL(_PLACES).format(table=sql.Identifier("raw", source))
            for council, period in connection.execute(query):
                found[source].setdefault(f"{council} {period.isoformat()}", unknown())
    return {source: Loads(by_place) for source, by_place in found.items()}
