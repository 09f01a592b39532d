"""dlt as it comes: dictionaries, normalised and inserted, into a table that it makes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmarks.contenders import Task
from tests.benchmarks.contenders.dlt_pipeline import hints, pipeline, warm_up
from tests.benchmarks.contenders.rows import COLUMNS, Landed
from tests.benchmarks.readings import SOURCE


def ready(task: Task) -> Callable[[], None]:
    """Yield pages of dictionaries, typed by hints, to a new pipeline."""
    import dlt

    landed = Landed(task)

    def pages() -> Iterator[Any]:
        for page in landed.pages():
            yield [dict(zip(COLUMNS, row, strict=True)) for row in page]

    resource = dlt.resource(pages, name=SOURCE, columns=hints(), write_disposition="append")
    warm_up(task, [{"number": 1}])
    made = pipeline(task.contender)

    def work() -> None:
        made.run(resource).raise_on_failed_jobs()

    return work
