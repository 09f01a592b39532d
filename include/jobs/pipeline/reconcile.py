"""Check a run against the ledger: every planned partition must have a good entry."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from include.errors import PermanentError
from include.jobs.pipeline.causes import Cause, Failure, causes
from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse.books import ledger
from include.warehouse.connection import connect


def reconcile(
    contract: Contract,
    partitions: Sequence[Partition],
    landings: Sequence[str | None],
    *,
    dsn: str,
    run_id: str,
) -> dict[str, int]:
    """Count the run's partitions by status; see `outcomes`.

    Raises `PermanentError` naming each partition without a good entry, and why.
    """
    counts, failed = outcomes(contract, partitions, landings, dsn=dsn, run_id=run_id)
    if failed:
        reasons = "; ".join(map(_sentence, causes(failed)))
        others = " The others are loaded." if counts else ""
        raise PermanentError(
            f"{contract.name}: {len(failed)} of {len(partitions)} partitions failed: {reasons}."
            f"{others} Fix the cause, then clear the failed tasks to retry them."
        )
    return counts


def outcomes(
    contract: Contract,
    partitions: Sequence[Partition],
    landings: Sequence[str | None],
    *,
    dsn: str,
    run_id: str,
) -> tuple[dict[str, int], list[Failure]]:
    """The run's partitions by status, and the failure of each without a good entry.

    `landings` holds, for each of `partitions`, the id of the landing that its
    load task returned, or None if the task did not succeed; entries of
    earlier attempts of the same run do not count.
    """
    with connect(dsn) as connection, connection.cursor() as cursor:
        entries = ledger.entries_of_run(cursor, contract.name, run_id)
    newest = {(entry["council"], entry["period"]): entry for entry in entries}
    failed: list[Failure] = []
    counts: Counter[str] = Counter()
    for partition, landing_id in zip(partitions, landings, strict=True):
        entry = newest.get((partition.council, partition.period.starts_at))
        good = entry is not None and entry["status"] in ledger.GOOD
        if entry and good and landing_id == entry["landing_id"]:
            counts[entry["status"]] += 1
        else:
            failed.append(_failure(partition, entry))
    return dict(counts), failed


def anything_loaded(
    contract: Contract, landings: Sequence[str | None], *, dsn: str, run_id: str
) -> bool:
    """Whether one of these landings changed the raw table in this run.

    An attempt that was killed after its commit counts: the next one finds
    the landing unchanged.
    """
    with connect(dsn) as connection, connection.cursor() as cursor:
        return not ledger.loaded_in_run(cursor, contract.name, run_id).isdisjoint(landings)


def loaded_since(contract: Contract, moment: datetime | None, *, dsn: str) -> bool:
    """Whether any run changed the raw table after a moment; with None, at any time."""
    with connect(dsn) as connection, connection.cursor() as cursor:
        newest = ledger.last_loaded(cursor, contract.name)
    return newest is not None and (moment is None or newest > moment)


def _failure(partition: Partition, entry: dict[str, Any] | None) -> Failure:
    if entry and entry["status"] in ledger.BAD:
        return Failure.of(entry | {"period": str(partition.period)})
    place = f"{partition.council} {partition.period}"
    # Its task was killed, or never started.
    return Failure(partition.source, place, "load", "failed", "no entry; see the logs of its tasks")


def _sentence(cause: Cause) -> str:
    first = cause.first
    return f"{', '.join(cause.places)} ({first.step} {first.status}: {first.reason.rstrip('.')})"
