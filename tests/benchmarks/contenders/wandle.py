"""Ours: gzip pages in S3, verified, validated, quarantined, committed with a ledger row."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.contenders import Task


def ready(task: Task) -> Callable[[], None]:
    """Load the landing by the one load path."""
    import include.lineage.send  # noqa: F401, it is imported only where events are sent
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.load import load
    from include.settings import Settings
    from tests.benchmarks.contracts import contract_of

    settings = Settings.read()
    lake, contract = lake_of(settings), contract_of(task.contract)

    def work() -> None:
        load(
            contract,
            contract.partition(task.council, task.period),
            lake=lake,
            dsn=settings.need("loader_dsn"),
            run_id="bench",
            landing_id=task.landing_id,
        )

    return work
