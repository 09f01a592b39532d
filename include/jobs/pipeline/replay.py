"""Reload quarantined records and refused landings after their contract was fixed."""

from __future__ import annotations

from collections.abc import Sequence

from include.errors import PermanentError
from include.jobs.pipeline import reconcile as books
from include.jobs.pipeline.known_sources import belongs, partition_at
from include.jobs.pipeline.plan import MOST_PARTITIONS
from include.jobs.rules import rules_hash_of
from include.settings import Settings
from include.sources.model import broken_contracts, contract, contracts
from include.sources.partition import Partition, Period
from include.warehouse.books import ledger, quarantine
from include.warehouse.connection import connect


def plan(dsn: str, source: str | None = None, *, most: int = MOST_PARTITIONS) -> list[Partition]:
    """The partitions that have quarantined records, and those whose newest landing was refused.

    A refused landing counts only if its contract's rules have changed since.
    Partitions whose contract is broken are listed, too; loading them fails.
    Ordered by source, council and period. Raises `UnknownName` for an unknown
    source, and `PermanentError` for more than `most` partitions.
    """
    asked = {source: contract(source)} if source else contracts()
    broken = {} if source else broken_contracts()
    settings = Settings.read()
    with connect(dsn) as connection, connection.cursor() as cursor:
        places = quarantine.partitions(cursor)
        for entry in ledger.newest_loads(cursor):
            name = entry["source"]
            if entry["status"] != "refused" or (name not in asked and name not in broken):
                continue
            if name in broken or entry["rules_hash"] != rules_hash_of(asked[name], settings):
                places.add((name, entry["council"], entry["period"]))
    found = [
        partition_at(name, council, begin, asked)
        for name, council, begin in sorted(places)
        if name in broken or (name in asked and belongs(asked[name], council))
    ]
    if len(found) > most:
        raise PermanentError(
            f"replay: {len(found)} partitions to load; the limit for one run is {most}. "
            "Choose one source, or use `wandle replay`, which has no limit."
        )
    return found


def partition(source: str, council: str, period: str) -> Partition:
    """A partition that `plan` has listed, given as text; its contract may be broken."""
    known = contracts().get(source)
    return Partition(source, council, Period.read(period, known.period if known else "day"))


def reconcile(
    partitions: Sequence[Partition], landings: Sequence[str | None], *, dsn: str, run_id: str
) -> dict[str, int]:
    """Count the run's partitions by status, over all sources.

    Raises `PermanentError` naming each partition without a good entry, and why.
    """
    counts: dict[str, int] = {}
    failed = []
    for name, (places, ids) in _by_source(partitions, landings).items():
        try:
            balanced = books.reconcile(contract(name), places, ids, dsn=dsn, run_id=run_id)
        except PermanentError as error:
            failed.append(str(error))
        else:
            counts = {
                status: counts.get(status, 0) + balanced.get(status, 0)
                for status in counts | balanced
            }
    if failed:
        raise PermanentError(" ".join(failed))
    return counts


def changed_sources(
    partitions: Sequence[Partition], landings: Sequence[str | None], *, dsn: str, run_id: str
) -> list[str]:
    """The sources whose raw table this run changed."""
    return [
        name
        for name, (_, ids) in _by_source(partitions, landings).items()
        if name in contracts()
        and books.anything_loaded(contract(name), ids, dsn=dsn, run_id=run_id)
    ]


def _by_source(
    partitions: Sequence[Partition], landings: Sequence[str | None]
) -> dict[str, tuple[list[Partition], list[str | None]]]:
    grouped: dict[str, tuple[list[Partition], list[str | None]]] = {}
    for partition, landing_id in zip(partitions, landings, strict=True):
        places, ids = grouped.setdefault(partition.source, ([], []))
        places.append(partition)
        ids.append(landing_id)
    return grouped
