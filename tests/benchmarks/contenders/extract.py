"""Our extract: asked, counted, checksummed, compressed, landed; from a server on this machine."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from tests.benchmarks.contenders import Task

if TYPE_CHECKING:
    from include.jobs.lake import Lake

UNLIMITED = 1_000_000


def ready(task: Task) -> Callable[[], None]:
    """Extract one partition, with no limit to the rate, in one request."""
    from include.jobs.pipeline.extract import extract
    from include.sources.extract.http import Rate
    from tests.benchmarks.contracts import contract_of

    lake, found = _lake(), contract_of(task.contract)
    asked = {
        "base_url": task.api,
        "rate": Rate(per_second=UNLIMITED, burst=UNLIMITED),
        "paging": None,
        "archive": None,
    }
    contract = found.model_copy(update={"extract": found.extract.model_copy(update=asked)})

    def work() -> None:
        extract(contract, contract.partition(task.council, task.period), lake=lake, run_id="bench")

    return work


@cache
def _lake() -> Lake:
    """One client of S3 for all partitions of a process: each takes 13 MB."""
    from include.jobs.lake import lake_of
    from include.settings import Settings

    return lake_of(Settings.read())
