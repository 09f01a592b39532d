"""`pandas.to_sql`: a frame a page, appended to the same table, committed at the end."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.contenders import Task
from tests.benchmarks.contenders.rows import COLUMNS, Landed
from tests.benchmarks.readings import SOURCE


def ready(task: Task) -> Callable[[], None]:
    """As its documentation has it, with SQLAlchemy's own batches of inserts."""
    import pandas as pd
    import sqlalchemy as sa

    from include.settings import Settings

    dsn = Settings.read().need("loader_dsn")
    engine = sa.create_engine(dsn.replace("postgresql://", "postgresql+psycopg2://"))
    landed = Landed(task)

    def work() -> None:
        with engine.begin() as connection:
            for page in landed.pages():
                frame = pd.DataFrame(page, columns=list(COLUMNS))
                frame["date_time"] = pd.to_datetime(frame["date_time"])
                frame.to_sql(SOURCE, connection, schema="raw", if_exists="append", index=False)

    return work
