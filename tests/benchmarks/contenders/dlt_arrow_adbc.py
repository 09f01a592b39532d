"""dlt given Arrow tables, which it hands to ADBC as Parquet: its fastest way."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.contenders import Task, dlt_arrow


def ready(task: Task) -> Callable[[], None]:
    """Yield Arrow tables to a new pipeline, which writes them as Parquet."""
    return dlt_arrow.ready(task, "parquet")
