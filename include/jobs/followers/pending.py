"""The partitions of a source that it has not read since the other source landed them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from include.councils.model import UK, council_titles
from include.jobs.followers.derive import home_of
from include.sources.extract.landing import LABEL
from include.sources.model import Contract
from include.sources.partition import Partition, Period
from include.warehouse.books import ledger
from include.warehouse.connection import connect


def pending(
    contract: Contract, *, dsn: str, now: datetime, councils: Collection[str] = ()
) -> list[Partition]:
    """What the source has to read, of all councils or some, councils within periods.

    Found from the ledger: the landing that the other source tried to load
    last, and the one that this source has loaded. So nothing is lost with an
    event, or while the DAG is paused.
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
        if entry["source"] != home or not entry["landing_id"] or entry["status"] == "expired":
            continue
        period = Period.starting(entry["period"], contract.period)
        where = Partition(contract.name, entry["council"], period)
        if (
            entry["landing_id"] > read.get((entry["council"], entry["period"]), "")
            and where.period.grain == contract.period
            and where.period >= start
            and where.council in wanted
            and not contract.is_past_limit(where.period, now.date())
        ):
            found.append(where)
    return sorted(found, key=lambda item: (item.period, item.council))
