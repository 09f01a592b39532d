"""Delete superseded and interrupted landings, and personal data past retention.

One partition at a time, while it is locked against loads: first the database rows and the record of
the removal, then the objects. After an interruption at any point, the next run finishes.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.errors import PermanentError, ServiceUnavailable
from include.jobs.lake import Lake
from include.jobs.operate.landed import known_landings, removed_landings
from include.jobs.pipeline.known_sources import known_contracts, partition_at, sources_with_data
from include.landing.inventory import Stored, remove, stored_landings
from include.landing.retention import Reason, no_longer_kept
from include.settings import Settings
from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse.books import removals
from include.warehouse.books.removals import Removal
from include.warehouse.connection import connect
from include.warehouse.lock import locked_for_removal

log = logging.getLogger(__name__)

RUN_ID = "wandle housekeeping"


@dataclass(frozen=True)
class Going:
    """What to delete of one partition: landings with reasons, and whether rows go, too."""

    partition: Partition
    landings: tuple[tuple[Stored, Reason], ...]
    past_limit: bool


def housekeeping(
    *,
    lake: Lake,
    dsn: str,
    delete: bool,
    contracts: Mapping[str, Contract] | None = None,
    now: datetime | None = None,
) -> list[dict[str, Any]]:
    """Data past retention, one object per landing; with `delete`, it is deleted.

    `source`, `council`, `period`, `landing`, `reason` (`superseded`,
    `interrupted`, `expired`), `objects` and `bytes` as stored. For
    expired personal data that are only in the database, `landing` is empty.

    Data of sources that are switched off or whose contract file is gone are
    kept as long as their contract says, too; see `refuse_unknown_retention`.

    Raises `ServiceUnavailable` (retryable) at the end, if a partition was
    being loaded and was skipped.
    """
    now = now or datetime.now(UTC)
    lake = lake.as_job("housekeeping")
    if contracts is None:
        with connect(dsn) as connection, connection.cursor() as cursor:
            contracts = known_contracts(cursor)
    going = _going(lake, dsn, contracts, now)
    left: list[str] = []
    listed: list[dict[str, Any]] = []
    for one in going:
        landings: Iterable[tuple[Stored, Reason]] = one.landings
        if delete:
            try:
                landings = _delete(one, lake, dsn, contracts, now)
            except ServiceUnavailable as error:
                left.append(str(error))
                continue
        listed += _listed(one, landings)
    _report(listed, deleted=delete)
    if left:
        raise ServiceUnavailable(f"housekeeping: skipped {len(left)} partitions: {left[0]}")
    return listed


def refuse_unknown_retention(*, lake: Lake, dsn: str) -> None:
    """Raise `PermanentError` naming the sources that have data, but no known contract."""
    with connect(dsn) as connection, connection.cursor() as cursor:
        found = sources_with_data(lake.as_job("housekeeping"), cursor)
        without = sorted(found - known_contracts(cursor).keys())
    if without:
        raise PermanentError(
            f"housekeeping: no contract is known for {', '.join(without)}, so their retention "
            "is not known either. Restore include/sources/SOURCE.yaml (`enabled: false` will "
            "do), or `wandle remove SOURCE`."
        )


def summary(listed: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, int]]:
    """Number of landings and bytes, by source and reason."""
    counted: dict[str, Counter[str]] = {}
    for item in listed:
        of_source = counted.setdefault(item["source"], Counter())
        of_source[item["reason"]] += 1
        of_source["bytes"] += item["bytes"]
    return {source: dict(counts) for source, counts in counted.items()}


def _going(lake: Lake, dsn: str, contracts: Mapping[str, Contract], now: datetime) -> list[Going]:
    stored = {item.ref: item for item in stored_landings(lake.landings)}
    past_limit: set[Partition] = set()
    with connect(dsn) as connection, connection.cursor() as cursor:
        reasons = no_longer_kept(
            known_landings(lake, cursor, stored.values(), contracts),
            contracts,
            now=now,
            pointed_at=lambda where: removals.pointed_at(cursor, where),
            removed=removed_landings(cursor, contracts),
        )
        for contract in contracts.values():
            if contract.personal:
                past_limit |= _rows_past_limit(
                    contract, removals.partitions_of(cursor, contract), now
                )
    by_partition: dict[Partition, list[tuple[Stored, Reason]]] = {where: [] for where in past_limit}
    for ref, reason in sorted(reasons.items()):
        by_partition.setdefault(stored[ref].partition, []).append((stored[ref], reason))
        if reason == "expired":
            past_limit.add(stored[ref].partition)
    return [
        Going(partition, tuple(landings), partition in past_limit)
        for partition, landings in by_partition.items()
    ]


def _rows_past_limit(
    contract: Contract, places: Iterable[tuple[str, Any]], now: datetime
) -> set[Partition]:
    known = {contract.name: contract}
    found = {partition_at(contract.name, name, day, known) for name, day in places}
    return {where for where in found if contract.is_past_limit(where.period, now.date())}


def _delete(
    going: Going, lake: Lake, dsn: str, contracts: Mapping[str, Contract], now: datetime
) -> list[tuple[Stored, Reason]]:
    """Delete the data of one partition, except what has been referenced since."""
    where = going.partition
    contract = contracts.get(where.source)
    with locked_for_removal(dsn, where) as connection:
        cursor = connection.cursor()
        pointed = removals.pointed_at(cursor, where)
        gone = [
            (stored, reason)
            for stored, reason in going.landings
            if reason != "superseded" or stored.landing_id not in pointed
        ]
        if contract and going.past_limit:
            newest = max((stored.landing_id for stored, _ in gone), default="")
            rows, quarantined = removals.empty(
                cursor,
                contract,
                where,
                landing_id=newest or max(pointed, default=""),
                code_version=Settings.read().code_version,
                run_id=RUN_ID,
            )
            log.info(
                "%s: past retention: deleted %d rows, %d quarantined", where, rows, quarantined
            )
        removals.record(cursor, (_record(stored, reason, now) for stored, reason in gone))
        connection.commit()
        for stored, _ in gone:
            remove(
                lake.landings,
                where,
                stored.landing_id,
                every_version=contract is None or contract.personal,
            )
    return gone


def _record(stored: Stored, reason: Reason, now: datetime) -> Removal:
    return Removal(
        source=stored.partition.source,
        council=stored.partition.council,
        period=stored.partition.period.starts_at,
        landing_id=stored.landing_id,
        reason=reason,
        objects=stored.objects,
        bytes=stored.bytes,
        removed_at=now,
    )


def _listed(going: Going, landings: Iterable[tuple[Stored, Reason]]) -> list[dict[str, Any]]:
    where = going.partition
    place = {"source": where.source, "council": where.council, "period": str(where.period)}
    listed: list[dict[str, Any]] = [
        place
        | {"landing": stored.landing_id, "reason": reason}
        | {"objects": stored.objects, "bytes": stored.bytes}
        for stored, reason in landings
    ]
    if going.past_limit and not listed:
        listed.append(place | {"landing": "", "reason": "expired", "objects": 0, "bytes": 0})
    return listed


def _report(listed: list[dict[str, Any]], *, deleted: bool) -> None:
    verb = "deleted" if deleted else "would delete"
    for source, counts in summary(listed).items():
        size = counts.pop("bytes")
        told = ", ".join(f"{count} {reason}" for reason, count in counts.items())
        log.info("housekeeping: %s: %s %s, %d bytes", source, verb, told, size)
    if not listed:
        log.info("housekeeping: nothing to delete")
