"""Removed landings in the database: references to them, and the record of removals."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import astuple, dataclass
from datetime import date, datetime
from typing import Any

from include.sources.model import Contract
from include.sources.partition import Partition
from include.sources.raw_table import SCHEMA, of_partition, qualified
from include.warehouse.books import ledger
from include.warehouse.books.ledger import Entry
from include.warehouse.connection import Cursor, rows

_PLACE = "source = $1 and council = $2 and period = $3"


@dataclass(frozen=True)
class Removal:
    """A landing removed from S3, and why. `subject` is a keyed hash of the erased person."""

    source: str
    council: str
    period: date
    landing_id: str
    reason: str
    objects: int
    bytes: int
    removed_at: datetime
    replaced_by: str = ""
    records_erased: int = 0
    subject: str = ""


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
    return rows(cursor, "select * from ops.removal order by removed_at, landing_id")


def pointed_at(cursor: Cursor, contract: Contract, partition: Partition) -> set[str]:
    """The landings that the partition's rows, quarantine and newest good load refer to."""
    place = (partition.council, partition.period.first_day)
    found = rows(
        cursor,
        f"select distinct landing_id from ops.quarantine where {_PLACE}",  # noqa: S608, no value
        partition.source,
        *place,
    )
    if has_table(cursor, contract):
        query = "select distinct _landing_id as landing_id"
        found += rows(cursor, of_partition(contract, query), *place)
    current = ledger.current_load(cursor, partition)
    return {row["landing_id"] for row in (*found, *([current] if current else ()))}


def has_table(cursor: Cursor, contract: Contract) -> bool:
    """Whether the raw table exists; a disabled source has none."""
    found = rows(cursor, "select to_regclass($1) is not null as there", f"{SCHEMA}.{contract.name}")
    return bool(found[0]["there"])


def partitions_of(cursor: Cursor, contract: Contract) -> set[tuple[str, date]]:
    """Council and first day of each partition that has rows, or records in quarantine."""
    found = rows(
        cursor,
        "select distinct council, period from ops.quarantine where source = $1",
        contract.name,
    )
    if has_table(cursor, contract):
        name = qualified(contract)
        query = f"select distinct _council as council, _period as period from {name}"  # noqa: S608
        found += rows(cursor, query)
    return {(row["council"], row["period"]) for row in found}


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
    place = (partition.council, partition.period.first_day)
    raw = quarantined = 0
    if has_table(cursor, contract):
        raw = _deleted(cursor, of_partition(contract, "delete"), *place)
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
    """Record landings before their removal; existing records are not changed."""
    for removal in removals:
        cursor.execute(
            "insert into ops.removal (source, council, period, landing_id, reason, objects, bytes, "
            "removed_at, replaced_by, records_erased, subject) values ($1, $2, $3, $4, $5, $6, $7, "
            "$8, nullif($9, ''), $10, nullif($11, '')) on conflict do nothing",
            astuple(removal),
        )


def forget_samples(cursor: Cursor, source: str, values: Iterable[str]) -> None:
    """Delete the unknown fields whose samples contain one of these values."""
    for value in values:
        cursor.execute(
            "delete from ops.schema_drift where source = $1 and exists (select from "
            "jsonb_path_query(samples, '$.**') as item where position($2 in item #>> '{}') > 0)",
            (source, value),
        )
