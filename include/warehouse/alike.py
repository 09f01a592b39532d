"""Batches without the columns that hold nothing: each such field would cost as much as a value."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa


def alike(batches: Iterator[pa.RecordBatch]) -> Iterator[Iterator[pa.RecordBatch]]:
    """Consecutive batches, with the columns that have held a value so far.

    A batch that has a value in one more column begins the next of these. Each
    must be read to its end before the next is asked for.
    """
    names: list[str] = []
    some = (batch for batch in batches if batch.num_rows)
    waiting = next(some, None)

    def with_names() -> Iterator[pa.RecordBatch]:
        nonlocal waiting
        while waiting is not None and _filled(waiting) <= {*names}:
            yield waiting.select(names)
            waiting = next(some, None)

    while waiting is not None:
        filled = _filled(waiting)
        names = [name for name in waiting.schema.names if name in filled or name in names]
        yield with_names()


def _filled(batch: pa.RecordBatch) -> set[str]:
    columns = zip(batch.schema.names, batch.columns, strict=True)
    return {name for name, column in columns if column.null_count < len(column)}
