"""Extract and load partitions one after the other, without Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from include.errors import PipelineError
from include.jobs.extract import extract
from include.jobs.lake import Lake
from include.jobs.load import load
from include.landing.store import ROOT
from include.settings import Settings
from include.sources.asking import DatabaseExtract
from include.sources.model import Contract, contracts
from include.sources.partition import Partition

# One id for every call, so that an interrupted `wandle ingest` is resumed by the next.
RUN_ID = "wandle ingest"


@dataclass(frozen=True)
class Outcome:
    """How one partition went: its ledger entry, or why there is none."""

    partition: Partition
    entry: dict[str, Any] | None
    error: PipelineError | None


def ingest(
    contract: Contract,
    partitions: Iterable[dict[str, str]],
    *,
    lake: Lake,
    dsn: str,
    forced_by: str | None = None,
    fetch: bool = True,
    progress: Callable[[Partition, int], None] = lambda partition, pages: None,
) -> Iterable[Outcome]:
    """Yield the outcome of each partition; one that fails holds back no other.

    Without `fetch`, the newest landing in S3 is loaded and no API is asked.
    """
    for item in partitions:
        partition = Partition(contract.name, item["council"], contract.parse_period(item["period"]))
        try:
            landing_id = (
                extract(
                    contract,
                    item["council"],
                    item["period"],
                    lake=lake,
                    run_id=RUN_ID,
                    source_dsn=_source_dsn(contract),
                    progress=lambda pages, which=partition: progress(which, pages),  # type: ignore[misc]
                )
                if fetch
                else None
            )
            entry = load(
                contract,
                item["council"],
                item["period"],
                lake=lake,
                dsn=dsn,
                run_id=RUN_ID,
                landing_id=landing_id,
                forced_by=forced_by,
            )
            yield Outcome(partition, entry, None)
        except PipelineError as error:
            yield Outcome(partition, None, error)


def _source_dsn(contract: Contract) -> str | None:
    if isinstance(contract.extract, DatabaseExtract):
        return Settings.read().connection(contract.extract.connection)
    return None


def landed_partitions(
    lake: Lake, source: str | None = None, council: str | None = None, period: str | None = None
) -> list[tuple[Contract, dict[str, str]]]:
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
                partition = Partition(contract.name, name, contract.parse_period(text))
                if lake.landings.newest_complete(partition):
                    found.append((contract, {"council": name, "period": text}))
    return found


def _parents_first() -> list[Contract]:
    return sorted(contracts().values(), key=lambda contract: len(contract.extract.parents))
