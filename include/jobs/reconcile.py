"""Balance the books of a run: every planned partition must have a good entry in the ledger."""

from __future__ import annotations

from collections import Counter

from include.errors import PermanentError
from include.jobs.books import public_entry
from include.sources.model import Contract
from include.warehouse import ledger
from include.warehouse.connection import connect


def reconcile(
    contract: Contract, partitions: list[dict[str, str]], *, dsn: str, run_id: str
) -> dict[str, int]:
    """Count the run's partitions by status.

    Raises `PermanentError` naming each partition without a good entry, and why.
    """
    entries = {
        (entry["council"], entry["period"]): entry for entry in _entries(contract, dsn, run_id)
    }
    missing = []
    counts: Counter[str] = Counter()
    for partition in partitions:
        entry = entries.get((partition["council"], partition["period"]))
        name = f"{partition['council']} {partition['period']}"
        if entry is None:
            missing.append(f"{name} (nothing was loaded; see the log of its `extract`)")
        elif entry["status"] not in ledger.GOOD:
            missing.append(f"{name} ({entry['status']}: {entry['error']})")
        else:
            counts[entry["status"]] += 1
    if missing:
        raise PermanentError(
            f"{contract.name}: {len(missing)} of {len(partitions)} partitions failed: "
            f"{'; '.join(missing)}. The others are in place. Clear the failed tasks to try again."
        )
    return dict(counts)


def anything_loaded(contract: Contract, *, dsn: str, run_id: str) -> bool:
    """Whether the run changed the raw table."""
    return any(entry["status"] == "loaded" for entry in _entries(contract, dsn, run_id))


def _entries(contract: Contract, dsn: str, run_id: str) -> list[dict[str, object]]:
    with connect(dsn) as connection, connection.cursor() as cursor:
        found = ledger.entries_of_run(cursor, contract.name, run_id)
    return [public_entry(entry) for entry in found]
