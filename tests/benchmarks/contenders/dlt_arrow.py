"""dlt given Arrow tables, one a page, which it copies as CSV: its way without another driver."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa

from include.sources.raw_table import expected_columns
from tests.benchmarks.contenders import Task
from tests.benchmarks.contenders.dlt_pipeline import hints, pipeline, warm_up
from tests.benchmarks.contenders.rows import COLUMNS, Landed
from tests.benchmarks.contracts import contract_of
from tests.benchmarks.readings import SOURCE

FILE_FORMAT = "csv"
TYPES = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", "UTC"),
    "numeric(16,6)": pa.decimal128(16, 6),
}


def ready(task: Task, file_format: str = FILE_FORMAT) -> Callable[[], None]:
    """Yield Arrow tables to a new pipeline, which writes them as files of this format."""
    import dlt

    landed = Landed(task)
    sql = expected_columns(contract_of(SOURCE))
    schema = pa.schema([(name, TYPES[sql[name]]) for name in COLUMNS])

    def tables() -> Iterator[Any]:
        for columns in landed.columns():
            arrays = [_array(*each) for each in zip(columns, schema.types, strict=True)]
            yield pa.table(arrays, schema=schema)

    resource = dlt.resource(tables, name=SOURCE, columns=hints(), write_disposition="append")
    warm_up(task, pa.table({"number": [1]}), file_format)
    made = pipeline(task.contender)

    def work() -> None:
        made.run(resource, loader_file_format=file_format).raise_on_failed_jobs()

    return work


def _array(values: Any, type_: pa.DataType) -> pa.Array:
    """By Arrow's own casts from what JSON has."""
    found = pa.array(values)
    return found if found.type == type_ else found.cast(type_)
