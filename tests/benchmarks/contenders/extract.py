"""Our extract: asked, counted, checksummed, compressed, landed; from a server on this machine."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.contenders import Task

UNLIMITED = 1_000_000


def ready(task: Task) -> Callable[[], None]:
    """Extract one partition, with no limit to the rate, in one request."""
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.extract import extract
    from include.settings import Settings
    from include.sources.model import Rate
    from tests.benchmarks.contracts import contract_of

    lake, found = lake_of(Settings.read()), contract_of(task.contract)
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
