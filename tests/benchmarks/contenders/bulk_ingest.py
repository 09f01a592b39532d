"""pg-bulk-ingest: rows through COPY into a table that it makes, with the same columns and index."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from tests.benchmarks.contenders import SCHEMA, Task
from tests.benchmarks.contenders.rows import COLUMNS, Landed
from tests.benchmarks.readings import SOURCE


def ready(task: Task) -> Callable[[], None]:
    """One batch, so one transaction."""
    import sqlalchemy as sa
    from pg_bulk_ingest import Delete, HighWatermark, Upsert, ingest

    from include.settings import Settings

    dsn = Settings.read().admin_dsn
    engine = sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg://"))
    metadata, landed = sa.MetaData(), Landed(task)
    table = sa.Table(
        SOURCE,
        metadata,
        *_columns(),
        sa.Index(None, "_council", "_period"),
        schema=SCHEMA,
    )
    names = [column.name for column in table.columns]
    places = [COLUMNS.index(name) if name in COLUMNS else None for name in names]

    def batches(_: Any) -> Iterator[Any]:
        yield (
            None,
            None,
            (
                (table, tuple(None if place is None else row[place] for place in places))
                for page in landed.pages()
                for row in page
            ),
        )

    def work() -> None:
        with engine.connect() as connection:
            ingest(
                connection,
                metadata,
                batches,
                high_watermark=HighWatermark.EARLIEST,
                upsert=Upsert.OFF,
                delete=Delete.OFF,
            )

    return work


def _columns() -> Iterator[Any]:
    import sqlalchemy as sa
    from sqlalchemy.dialects import postgresql

    from include.sources.raw_table import expected_columns
    from tests.benchmarks.contracts import contract_of

    types = {
        "text": sa.TEXT(),
        "bigint": sa.BIGINT(),
        "date": sa.DATE(),
        "timestamptz": sa.TIMESTAMP(timezone=True),
        "jsonb": postgresql.JSONB(),
        "numeric(16,6)": sa.NUMERIC(16, 6),
    }
    for name, type_name in expected_columns(contract_of(SOURCE)).items():
        yield sa.Column(name, types[type_name])
