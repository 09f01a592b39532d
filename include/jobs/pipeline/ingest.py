"""Extract and load partitions one after the other, without Airflow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from include.errors import LandingDamaged, LoadRefused, PipelineError, UnknownName
from include.jobs.lake import Lake
from include.jobs.pipeline.books import extract_failures_recorded
from include.jobs.pipeline.causes import Failure
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.known_sources import belongs
from include.jobs.pipeline.load import load
from include.jobs.pipeline.selection import EVERYTHING, Selection
from include.landing.store import ROOT
from include.printable import one_line
from include.settings import Settings
from include.sources.model import Contract, contracts
from include.sources.partition import Partition
from include.warehouse import read_back
from include.warehouse.books.ledger import Step
from include.warehouse.connection import connect

log = logging.getLogger(__name__)

# The same for every call, so that the next `wandle ingest` resumes an interrupted one.
RUN_ID = "wandle ingest"


@dataclass(frozen=True)
class Outcome:
    """The result of one partition: its ledger entry, or the error and the step that raised it.

    Both, if the newest landing was refused and an earlier one was loaded to
    restore what the raw table had lost.
    """

    partition: Partition
    entry: dict[str, Any] | None
    error: PipelineError | None
    step: Step = "load"

    @property
    def failure(self) -> Failure | None:
        """The error, as causes are grouped."""
        if self.error is None:
            return None
        status = "refused" if isinstance(self.error, LoadRefused) else "failed"
        place = f"{self.partition.council} {self.partition.period}"
        return Failure(self.partition.source, place, self.step, status, str(self.error))


def ingest(
    contract: Contract,
    partitions: Iterable[Partition],
    *,
    lake: Lake,
    dsn: str,
    forced_by: str | None = None,
    fetch: bool = True,
    progress: Callable[[str], None] = lambda doing: None,
) -> Iterable[Outcome]:
    """Yield the outcome of each partition; a failure does not stop the others.

    Without `fetch`, the newest landing in S3 is loaded and no API is called.
    If a check refuses it and the raw table has lost its rows, the landing
    that it held before is loaded, so that a rebuilt table is complete.
    """
    for partition in partitions:
        progress(str(partition))
        loading = partial(
            load,
            contract,
            partition,
            lake=lake,
            dsn=dsn,
            run_id=RUN_ID,
            forced_by=forced_by,
        )
        step: Step = "extract" if fetch else "load"
        try:
            landing_id = _fetch(contract, partition, lake, dsn, progress) if fetch else None
            step = "load"
            yield Outcome(partition, loading(landing_id=landing_id), None)
        except LoadRefused as refusal:
            restored = None if fetch else _restored(contract, partition, dsn, loading)
            yield Outcome(partition, restored, refusal)
        except PipelineError as error:
            yield Outcome(partition, None, error, step)


def _fetch(
    contract: Contract,
    partition: Partition,
    lake: Lake,
    dsn: str,
    progress: Callable[[str], None],
) -> str:
    with extract_failures_recorded(contract, partition, dsn=dsn, run_id=RUN_ID):
        return extract(
            contract,
            partition,
            lake=lake,
            run_id=RUN_ID,
            source_dsn=source_dsn(contract),
            rate_shared_in=dsn,
            progress=lambda pages: progress(f"{partition}: {pages} pages"),
        )


def _restored(
    contract: Contract, partition: Partition, dsn: str, loading: Callable[..., dict[str, Any]]
) -> dict[str, Any] | None:
    """The entry of the load that restored the rows that the raw table had lost, if any."""
    try:
        with connect(dsn) as connection, connection.cursor() as cursor:
            landing_id = read_back.lost(cursor, contract, partition)
        return loading(landing_id=landing_id) if landing_id else None
    except PipelineError as error:
        log.error("%s: the previous rows could not be restored: %s", partition, error)
        return None


def source_dsn(contract: Contract) -> str | None:
    """The DSN of the database, or the URI of the server, that the contract names."""
    name = getattr(contract.extract, "connection", "")
    return Settings.read().connection(name) if name else None


def landed_partitions(
    lake: Lake, selection: Selection = EVERYTHING
) -> list[tuple[Contract, Partition]]:
    """The selected partitions with a landing in S3, parents before their children."""
    lake = lake.as_job("load")
    found = []
    for contract in _parents_first():
        if selection.sources and contract.name not in selection.sources:
            continue
        prefix = f"{ROOT}{contract.name}/"
        for name in lake.landings.folders(prefix):
            if selection.councils and name not in selection.councils:
                continue
            if not belongs(contract, name):
                log.warning(
                    "%s%s/: skipped: not a council of this source. See `wandle verify %s`",
                    *(prefix, name, contract.name),
                )
                continue
            for text in lake.landings.folders(f"{prefix}{name}/"):
                try:
                    partition = contract.partition(name, text)
                except UnknownName:
                    log.warning(
                        "%s%s/: skipped: not a valid %s",
                        prefix,
                        one_line(f"{name}/{text}"),
                        contract.period,
                    )
                    continue
                if selection.has(partition) and _is_landed(lake, partition):
                    found.append((contract, partition))
    return found


def _is_landed(lake: Lake, partition: Partition) -> bool:
    """Whether there is a landing to load; a damaged one counts, and then fails to load."""
    try:
        return lake.landings.newest_complete(partition) is not None
    except LandingDamaged:
        return True


def _parents_first() -> list[Contract]:
    return sorted(contracts().values(), key=lambda contract: len(contract.extract.parents))
