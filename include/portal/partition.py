"""Partition: what was asked for, landed, loaded and quarantined, when and by which run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from include.landing.store import MANIFEST, landing_prefix
from include.portal import books
from include.portal.books import Row
from include.portal.states import STATES, state_of, window
from include.portal.words import link, run_link
from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse.connection import Cursor

MOST_SAMPLES = 20
WHOLE = "(whole record)"


@dataclass(frozen=True)
class Attempt:
    """An entry of the ledger; `key` is the state whose sign it has, `run_href` Airflow's path."""

    at: datetime
    step: str
    status: str
    key: str
    counts: Mapping[str, int]
    seconds: float
    run_id: str
    run_href: str
    forced_by: str | None
    error: str | None
    landing_id: str


@dataclass(frozen=True)
class Landed:
    """A landing, and the address of its manifest."""

    at: datetime
    landing_id: str
    outcome: str
    pages: int
    bytes: int
    records: int
    seconds: float
    manifest: str
    run_id: str
    run_href: str
    is_current: bool


@dataclass(frozen=True)
class Rule:
    """How many records broke a rule of a column."""

    column: str
    rule: str
    responsible: str
    records: int


@dataclass(frozen=True)
class PartitionView:
    """All that the page shows. `now_in` is the attempt that describes what the raw table holds."""

    partition: Partition
    contract: Contract
    council_title: str
    state: str
    state_label: str
    attempts: Sequence[Attempt]
    landings: Sequence[Landed]
    now_in: Attempt | None
    rules: Sequence[Rule]
    samples: Sequence[Row]
    earlier: str
    later: str
    retention: str


def partition_view(
    cursor: Cursor,
    contract: Contract,
    partition: Partition,
    council_title: str,
    bucket: str,
    now: datetime,
) -> PartitionView:
    """Read the books about one partition."""
    place = (partition.source, partition.council, partition.period.starts_at)
    history = books.history(cursor, place)
    check = books.checks(cursor, partition.source).get((partition.source, partition.council))
    state = state_of(
        history[0]["status"] if history else None,
        partition.period,
        window(contract, now),
        check["first"] if check else None,
        place in books.removed(cursor, partition.source),
    )
    attempts = [_attempt(row) for row in history]
    held = next((one for one in attempts if one.status in ("loaded", "unchanged")), None)
    gone = next((one for one in attempts if one.status == "expired"), None)
    now_in = None if gone and held and attempts.index(gone) < attempts.index(held) else held
    current = now_in.landing_id if now_in else ""
    rules = [
        Rule(row["column_name"] or WHOLE, row["rule"], row["responsible"], row["records"])
        for row in books.quarantined_in(cursor, place)
    ]
    return PartitionView(
        partition=partition,
        contract=contract,
        council_title=council_title,
        state=state,
        state_label=STATES[state],
        attempts=attempts,
        landings=[
            _landed(row, partition, bucket, current) for row in books.landings(cursor, place)
        ],
        now_in=now_in,
        rules=rules,
        samples=books.samples(cursor, *place, MOST_SAMPLES) if rules else [],
        earlier=_neighbour(partition, contract, -1),
        later=_neighbour(partition, contract, 1),
        retention=f"{contract.retention_days} days" if contract.retention_days else "not limited",
    )


def _attempt(row: Row) -> Attempt:
    names = ("records", "loaded", "quarantined", "duplicates", "rows", "pages", "bytes")
    status = row["status"]
    return Attempt(
        at=row["finished_at"],
        step=row["step"],
        status=status,
        key="waiting" if status == "not_published" else status,
        counts={name: int(row[name]) for name in names},
        seconds=row["seconds"],
        run_id=row["run_id"],
        run_href=run_link(row["run_id"]),
        forced_by=row["forced_by"],
        error=row["error"],
        landing_id=row["landing_id"],
    )


def _landed(row: Row, partition: Partition, bucket: str, current: str) -> Landed:
    key = landing_prefix(partition, row["landing_id"]) + MANIFEST
    return Landed(
        at=row["finished_at"],
        landing_id=row["landing_id"],
        outcome=row["outcome"].replace("_", " "),
        pages=row["pages"],
        bytes=row["bytes"],
        records=row["records"],
        seconds=(row["finished_at"] - row["started_at"]).total_seconds(),
        manifest=f"s3://{bucket}/{key}",
        run_id=row["run_id"],
        run_href=run_link(row["run_id"]),
        is_current=row["landing_id"] == current,
    )


def _neighbour(partition: Partition, contract: Contract, step: int) -> str:
    """The page of the partition before or after; empty where there is none."""
    if contract.period == "all":
        return ""
    try:
        period = partition.period.next if step > 0 else partition.period.previous
    except OverflowError:
        return ""
    if period.last_day < contract.start:
        return ""
    values: dict[str, Any] = {"source": partition.source, "council": partition.council}
    return link("partition", **values, period=str(period))
