"""Rebuild a raw table from the landings in S3, for a type that its rows cannot be changed to."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from include.errors import PermanentError
from include.jobs.lake import Lake
from include.jobs.pipeline.load import load
from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse.rebuild import Rebuild, rebuilding

RUN_ID = "wandle migrate --rebuild"
_SHOWN = 5


def rebuild(
    contract: Contract,
    *,
    lake: Lake,
    admin_dsn: str,
    progress: Callable[[str, int, int], None] = lambda doing, number, total: None,
) -> list[str]:
    """Recreate `raw.<source>` and load every partition into it; returns what was changed.

    These are the partitions that the table has, or should have according to
    the ledger. Each is loaded from its current landing, or from the newest if
    that is gone. Until all are loaded, readers see the old rows, and loads of
    the source wait; if one fails, nothing is changed. Raises `PermanentError`
    for rows that no landing in S3 has, and the errors of `load`.
    """
    with rebuilding(admin_dsn, contract) as new:
        landings = _landings(contract, lake, new)
        new.begin(sorted(landings))
        for number, (partition, landing_id) in enumerate(sorted(landings.items()), start=1):
            progress(str(partition), number, len(landings))
            load(
                contract,
                partition,
                lake=lake,
                dsn=admin_dsn,
                run_id=RUN_ID,
                landing_id=landing_id,
                loading=new.load,
            )
        changed = new.swap()
    return [*changed, f"loaded its {len(landings)} partitions from S3"]


def _landings(contract: Contract, lake: Lake, new: Rebuild) -> dict[Partition, str]:
    """The landing to load of each partition. Raises `PermanentError` if rows have none."""
    today = datetime.now(UTC).date()
    store = lake.as_job("load").landings
    found, lost = {}, []
    for partition, loaded in sorted(new.current_landings().items()):
        if contract.is_past_limit(partition.period, today):
            continue
        if loaded and loaded in store.finished(partition):
            found[partition] = loaded
        elif newest := store.newest_complete(partition):
            found[partition] = newest.landing_id
        else:
            lost.append(str(partition))
    if lost:
        more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
        raise PermanentError(
            f"wandle migrate: raw.{contract.name}: {len(lost)} partitions without a landing "
            f"in S3 would be lost: {', '.join(lost[:_SHOWN])}{more}. Nothing was changed. "
            f"Fetch them first (`wandle ingest {contract.name} --period ...`)."
        )
    return found
