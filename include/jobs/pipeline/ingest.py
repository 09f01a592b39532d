"""Extract and load partitions one after the other, without Airflow."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from include.errors import LandingDamaged, LoadRefused, PipelineError, UnknownName
from include.jobs.lake import Lake
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.landing.store import ROOT
from include.settings import Settings
from include.sources.extract import DatabaseExtract
from include.sources.model import Contract, contracts
from include.sources.partition import Partition
from include.warehouse import read_back
from include.warehouse.connection import connect

log = logging.getLogger(__name__)

# One id for every call, so that an interrupted `wandle ingest` is resumed by the next.
RUN_ID = "wandle ingest"


@dataclass(frozen=True)
class Outcome:
    """How one partition went: its ledger entry, or why there is none.

    Both, if the newest landing was refused and what the partition had lost was
    loaded instead.
    """

    partition: Partition
    entry: dict[str, Any] | None
    error: PipelineError | None


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
    """Yield the outcome of each partition; one that fails holds back no other.

    Without `fetch`, the newest landing in S3 is loaded and no API is asked. If
    a check refuses it and the raw table has lost what it held, that is loaded
    again, so that a rebuilt table holds what it held.
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
        try:
            landing_id = _fetch(contract, partition, lake, dsn, progress) if fetch else None
            yield Outcome(partition, loading(landing_id=landing_id), None)
        except LoadRefused as refusal:
            restored = None if fetch else _restored(contract, partition, dsn, loading)
            yield Outcome(partition, restored, refusal)
        except PipelineError as error:
            yield Outcome(partition, None, error)


def _fetch(
    contract: Contract,
    partition: Partition,
    lake: Lake,
    dsn: str,
    progress: Callable[[str], None],
) -> str:
    return extract(
        contract,
        partition,
        lake=lake,
        run_id=RUN_ID,
        source_dsn=_source_dsn(contract),
        rate_shared_in=dsn,
        progress=lambda pages: progress(f"{partition}: {pages} pages"),
    )


def _restored(
    contract: Contract, partition: Partition, dsn: str, loading: Callable[..., dict[str, Any]]
) -> dict[str, Any] | None:
    """The entry of the load that brought back what the raw table had lost; None if nothing did."""
    try:
        with connect(dsn) as connection, connection.cursor() as cursor:
            landing_id = read_back.lost(cursor, contract, partition)
        return loading(landing_id=landing_id) if landing_id else None
    except PipelineError as error:
        log.error("%s: what the raw table held could not be loaded again: %s", partition, error)
        return None


def _source_dsn(contract: Contract) -> str | None:
    if isinstance(contract.extract, DatabaseExtract):
        return Settings.read().connection(contract.extract.connection)
    return None


def landed_partitions(
    lake: Lake, source: str | None = None, council: str | None = None, period: str | None = None
) -> list[tuple[Contract, Partition]]:
    """Every partition that S3 holds a landing of, parents before their children."""
    lake = lake.as_job("load")
    found = []
    for contract in _parents_first():
        if source and contract.name != source:
            continue
        prefix = f"{ROOT}{contract.name}/"
        for name in lake.landings.folders(prefix):
            if council and name != council:
                continue
            for text in lake.landings.folders(f"{prefix}{name}/"):
                if period and text != period:
                    continue
                try:
                    partition = contract.partition(name, text)
                except UnknownName:
                    log.warning(
                        "%s%s/: passed over: no %s", prefix, f"{name}/{text}", contract.period
                    )
                    continue
                if _is_landed(lake, partition):
                    found.append((contract, partition))
    return found


def _is_landed(lake: Lake, partition: Partition) -> bool:
    """Whether there is something to load; a damaged manifest is, and fails by itself."""
    try:
        return lake.landings.newest_complete(partition) is not None
    except LandingDamaged:
        return True


def _parents_first() -> list[Contract]:
    return sorted(contracts().values(), key=lambda contract: len(contract.extract.parents))
