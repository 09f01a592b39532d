"""The partitions of a source that it has not read since the other source landed them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from include.councils.model import UK, council_titles
from include.errors import PermanentError
from include.jobs.followers.derive import home_of
from include.sources.extract.landing import LABEL
from include.sources.model import Contract
from include.sources.partition import Partition, Period
from include.warehouse.books import ledger
from include.warehouse.connection import connect

# Airflow's `core.max_map_length`.
MOST_PARTITIONS = 1024


def pending(
    contract: Contract,
    *,
    dsn: str,
    now: datetime,
    councils: Collection[str] = (),
    most: int = MOST_PARTITIONS,
) -> list[Partition]:
    """What the source has to read, of all councils or some, councils within periods.

    Found from the ledger: the landing that the other source tried to load
    last, and the one that this source has loaded. So nothing is lost with an
    event, or while the DAG is paused. Raises `PermanentError` for more than
    `most` partitions.
    """
    home = home_of(contract, Partition(contract.name, "", Period.of(now, contract.period))).source
    with connect(dsn) as connection, connection.cursor() as cursor:
        landed = ledger.newest_loads(cursor)
        read = ledger.parents_read(cursor, contract.name, LABEL)
    start = Period.of(contract.start, contract.period)
    known = [UK] if contract.councils == UK else council_titles()
    wanted = set(councils or known) & set(known)
    found = []
    for entry in landed:
        place = (entry["council"], entry["period"])
        # What was read stays when the source has nothing newer to publish.
        nothing = entry["status"] == "expired" or (
            entry["status"] == "not_published" and place in read
        )
        if entry["source"] != home or not entry["landing_id"] or nothing:
            continue
        period = Period.starting(entry["period"], contract.period)
        where = Partition(contract.name, entry["council"], period)
        if (
            entry["landing_id"] > read.get(place, "")
            and where.period.grain == contract.period
            and where.period >= start
            and where.council in wanted
            and not contract.is_past_limit(where.period, now.date())
        ):
            found.append(where)
    if len(found) > most:
        raise PermanentError(
            f"{contract.name}: {len(found)} partitions of {home} have not been read; the limit for "
            f"one run is {most}. Trigger it with `from` and `to`, some at a time."
        )
    return sorted(found, key=lambda item: (item.period, item.council))
