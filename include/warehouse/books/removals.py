"""Removed landings in the database: references to them, and the record of removals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from include.sources.model import Contract
from include.sources.partition import Partition, begin_of
from include.sources.raw_table import of_partition, of_place, qualified
from include.warehouse.books import ledger
from include.warehouse.books.ledger import Entry
from include.warehouse.books.stored import Place, has_table
from include.warehouse.connection import Cursor, rows

_PLACE = "source = $1 and council = $2 and period = $3"


@dataclass(frozen=True)
class Removal:
    """A landing removed from S3, and why. `subject` is a keyed hash of the erased person.

    With the reason `removed`, `removed_by` is the operator, and the counts say
    what was deleted with it; an empty `landing_id` stands for what had none.
    Without a period, `definitions` of a whole dataset or council were removed.
    """

    source: str
    council: str
    period: datetime | None
    landing_id: str
    reason: str
    objects: int
    bytes: int
    removed_at: datetime
    replaced_by: str | None = None
    records_erased: int = 0
    subject: str | None = None
    removed_by: str | None = None
    rows: int = 0
    quarantined: int = 0
    entries: int = 0
    definitions: list[str] | None = None


def known_landings(cursor: Cursor) -> Iterator[dict[str, Any]]:
    """The ledger's copy of the landings' manifests: outcome, `parents`, `replaces`."""
    query = (
        "select source, council, period, landing_id, outcome, parents::text as parents, replaces "
        "from ops.landing"
    )
    for row in rows(cursor, query):
        yield row | {"parents": json.loads(row["parents"])}


def removals(cursor: Cursor) -> list[dict[str, Any]]:
    """Every removed landing, in order of removal."""
    return rows(
        cursor,
        "select * from ops.removal where landing_id <> '' and period is not null "
        "order by removed_at, landing_id",
    )


def pointed_at(cursor: Cursor, partition: Partition) -> set[str]:
    """The landings that the partition's rows, quarantine and newest good load refer to."""
    place = (partition.council, partition.period.starts_at)
    found = rows(
        cursor,
        f"select distinct landing_id from ops.quarantine where {_PLACE}",  # noqa: S608, no value
        partition.source,
        *place,
    )
    if has_table(cursor, partition.source):
        query = "select distinct _landing_id as landing_id"
        in_table = (partition.council, partition.period.in_table)
        found += rows(cursor, of_place(partition.source, query), *in_table)
    current = ledger.current_load(cursor, partition)
    return {row["landing_id"] for row in (*found, *([current] if current else ()))}


def partitions_of(cursor: Cursor, contract: Contract) -> set[Place]:
    """Council and begin of each partition that has rows, or records in quarantine."""
    found = rows(
        cursor,
        "select distinct council, period from ops.quarantine where source = $1",
        contract.name,
    )
    if has_table(cursor, contract.name):
        name = qualified(contract)
        query = f"select distinct _council as council, _period as period from {name}"  # noqa: S608
        found += rows(cursor, query)
    return {(row["council"], begin_of(row["period"])) for row in found}


def empty(
    cursor: Cursor,
    contract: Contract,
    partition: Partition,
    *,
    landing_id: str,
    code_version: str,
    run_id: str,
) -> tuple[int, int]:
    """Delete a partition's rows and its quarantine, and record it in the ledger once.

    Returns the number of each.
    """
    place = (partition.council, partition.period.starts_at)
    raw = quarantined = 0
    if has_table(cursor, contract.name):
        in_table = (partition.council, partition.period.in_table)
        raw = _deleted(cursor, of_partition(contract, "delete"), *in_table)
    quarantine = f"delete from ops.quarantine where {_PLACE}"  # noqa: S608, no value
    quarantined = _deleted(cursor, quarantine, partition.source, *place)
    newest = rows(
        cursor,
        f"select status from ops.load where {_PLACE} and step = 'load' "  # noqa: S608, no value
        "order by load_id desc limit 1",
        partition.source,
        *place,
    )
    if raw or quarantined or not newest or newest[0]["status"] != "expired":
        begun = Entry.begin(contract, partition, run_id=run_id, code_version=code_version)
        expired = begun.ended("expired", landing_id=landing_id, rules_hash="")
        ledger.write_entry(cursor, expired)
    return raw, quarantined


def _deleted(cursor: Cursor, statement: str, *parameters: Any) -> int:
    gone = f"with gone as ({statement} returning 1) select count(*) as count from gone"  # noqa: S608
    return int(rows(cursor, gone, *parameters)[0]["count"])


def record(cursor: Cursor, removals: Iterable[Removal]) -> None:
    """Record landings before their removal, each once for the same reason."""
    for removal in removals:
        values = asdict(removal)
        known = removal.landing_id and rows(
            cursor,
            f"select 1 as known from ops.removal where {_PLACE} "  # noqa: S608, no value
            "and landing_id = $4 and reason = $5",
            *(values[name] for name in ("source", "council", "period", "landing_id", "reason")),
        )
        if not known:
            places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
            cursor.execute(
                f"insert into ops.removal ({', '.join(values)}) values ({places})",  # noqa: S608
                tuple(values.values()),
            )


def removed_places(cursor: Cursor, source: str) -> dict[Place, dict[str, Any]]:
    """The partitions that `wandle remove` removed and nothing has loaded since: when and by whom.

    Not those that went with their whole dataset or council: under the same
    name, that is a new one.
    """
    found = rows(
        cursor,
        """
        select distinct on (council, period) council, period, removed_at, removed_by
        from ops.removal as removed
        where
            reason = 'removed' and source = $1 and period is not null
            and not exists (
                select from ops.removal as whole
                where
                    whole.reason = 'removed' and whole.period is null
                    and whole.source in (removed.source, '')
                    and whole.council in (removed.council, '')
                    and whole.removed_at >= removed.removed_at
            )
            and not exists (
                select from ops.load
                where
                    load.source = removed.source and load.council = removed.council
                    and load.period = removed.period
                    and load.status in ('loaded', 'unchanged', 'not_published')
            )
        order by council, period, removed_at desc
        """,
        source,
    )
    return {(row["council"], row["period"]): row for row in found}


def removed_by_hand(cursor: Cursor, source: str, landing_id: str) -> dict[str, Any] | None:
    """When and by whom `wandle remove` removed a landing; None if it did not."""
    found = rows(
        cursor,
        "select removed_at, removed_by from ops.removal "
        "where reason = 'removed' and source = $1 and landing_id = $2",
        source,
        landing_id,
    )
    return found[0] if found else None


def removed_before(
    cursor: Cursor, sources: Sequence[str], councils: Sequence[str]
) -> dict[str, Any] | None:
    """The last removal by hand of these sources and councils (empty: any): when and by whom."""
    found = rows(
        cursor,
        "select removed_at, removed_by from ops.removal where reason = 'removed' "
        "and (cardinality($1::text[]) = 0 or source = any($1)) "
        "and (cardinality($2::text[]) = 0 or council = any($2)) order by removed_at desc limit 1",
        list(sources),
        list(councils),
    )
    return found[0] if found else None


def newest_removal_of_rows(cursor: Cursor) -> datetime | None:
    """When `wandle remove` last deleted rows, which marts may have read."""
    query = "select max(removed_at) as at from ops.removal where reason = 'removed' and rows > 0"
    at: datetime | None = rows(cursor, query)[0]["at"]
    return at


def forget_samples(cursor: Cursor, source: str, values: Iterable[str]) -> None:
    """Delete the unknown fields whose samples contain one of these values."""
    for value in values:
        cursor.execute(
            "delete from ops.schema_drift where source = $1 and exists (select from "
            "jsonb_path_query(samples, '$.**') as item where position($2 in item #>> '{}') > 0)",
            (source, value),
        )
