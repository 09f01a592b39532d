"""Airflow's own `S3ToSqlOperator`: one object, one execution, its rows inserted and committed."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks.contenders import Task
from tests.benchmarks.contenders.rows import COLUMNS, Landed
from tests.benchmarks.readings import SOURCE


def ready(task: Task) -> Callable[[], None]:
    """The operator's `execute` for each page, with connections from the environment."""
    from include.settings import Settings

    settings = Settings.read()
    database = urlsplit(settings.need("loader_dsn"))
    _connection(
        "sql_default",
        conn_type="postgres",
        host=database.hostname,
        port=database.port,
        login=database.username,
        password=database.password,
        schema=database.path.lstrip("/"),
    )
    _connection(
        "aws_default",
        conn_type="aws",
        login=settings.s3_access_key,
        password=settings.s3_secret_key,
        extra={"endpoint_url": settings.s3_endpoint, "region_name": settings.region},
    )
    os.environ["AIRFLOW_HOME"] = str(settings.home / "airflow")

    from airflow.providers.amazon.aws.transfers.s3_to_sql import S3ToSqlOperator

    logging.disable(logging.INFO)
    landed = Landed(task)
    operators = [
        S3ToSqlOperator(
            task_id=f"page_{number}",
            s3_bucket=settings.bucket,
            s3_key=key,
            table=f"raw.{SOURCE}",
            column_list=list(COLUMNS),
            parser=partial(landed.file_rows, key),
        )
        for number, key in enumerate(landed.keys, start=1)
    ]

    def work() -> None:
        for operator in operators:
            operator.execute({})

    return work


def _connection(name: str, **fields: Any) -> None:
    os.environ[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(fields)
