"""The limit: ready Arrow batches through ADBC's binary COPY, committed."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.contenders import Task


def ready(task: Task) -> Callable[[], None]:
    """Copy the batches of a file that is mapped into memory."""
    import pyarrow as pa
    from adbc_driver_postgresql import dbapi

    from include.settings import Settings

    dsn = Settings.read().need("loader_dsn")
    file = pa.ipc.open_stream(pa.memory_map(task.arrow))

    def work() -> None:
        with dbapi.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.adbc_ingest(
                task.contract.partition("/")[0], file, mode="append", db_schema_name="raw"
            )
            connection.commit()

    return work
