"""Keep scheduled runs from fetching what was removed."""

from __future__ import annotations

import logging

from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse.books import removals
from include.warehouse.connection import connect

log = logging.getLogger(__name__)


def without_removed(
    contract: Contract, partitions: list[Partition], *, dsn: str, asked_for: bool
) -> list[Partition]:
    """The partitions of a run, without those that `wandle remove` removed.

    A run that a person started (`asked_for`) has them, too, with a warning.
    """
    with connect(dsn) as connection, connection.cursor() as cursor:
        removed = removals.removed_places(cursor, contract.name)
    kept = []
    for partition in partitions:
        how = removed.get((partition.council, partition.period.starts_at))
        if how:
            log.warning(
                "%s was removed by %s on %s UTC: %s",
                partition,
                how["removed_by"],
                f"{how['removed_at']:%Y-%m-%d %H:%M}",
                "fetched again, because this run asks for it"
                if asked_for
                else "skipped. To fetch it again, trigger a run for it",
            )
        if asked_for or not how:
            kept.append(partition)
    return kept
