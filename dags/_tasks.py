"""What the DAG files share: how tasks retry, their connections, and checks of what they are asked.

No DAG: `.airflowignore` names it.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule

from include.errors import PermanentError

if TYPE_CHECKING:
    from include.jobs.lake import Lake
    from include.sources.model import Contract

PERMANENT_ERRORS_FAIL_AT_ONCE = ExceptionRetryPolicy(
    rules=[RetryRule(exception=PermanentError, action=RetryAction.FAIL)]
)

# Waits at least 10 seconds, then 30, then 90; at most twice as long.
DEFAULTS = {
    "owner": "data-team",
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 3,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": PERMANENT_ERRORS_FAIL_AT_ONCE,
    "execution_timeout": timedelta(hours=2),
}
BOOKKEEPING_TIMEOUT = timedelta(minutes=10)

# How the UI names a mapped task.
PARTITION_LABEL = "{{ task.op_kwargs['council'] }} {{ task.op_kwargs['period'] }}"


def postgres_dsn(connection: str) -> str:
    """The DSN of an Airflow Connection to PostgreSQL."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    return PostgresHook(connection, sqlalchemy_scheme="postgresql").get_uri()


def source_dsn(contract: Contract) -> str | None:
    """The DSN of a source that is a database, or the URI of an SFTP server; else None.

    The extras of an Airflow Connection are parameters of its URI.
    """
    from airflow.sdk import Connection

    name = getattr(contract.extract, "connection", "")
    if not name:
        return None
    if contract.extract.kind == "database":
        return postgres_dsn(name)
    return str(Connection.get(name).get_uri())


def loader_dsn() -> str:
    """The DSN of the warehouse for extracting and loading."""
    return postgres_dsn("wandle_loader")


def lake() -> Lake:
    """The bucket that the Airflow Connection `wandle_s3` names, with its client."""
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from include.jobs.lake import S3_CONFIG, Lake

    hook = S3Hook("wandle_s3", config=S3_CONFIG)
    bucket = hook.service_config["bucket_name"]
    return Lake(s3=hook.conn, bucket=bucket, session=hook.get_session())


def landings_of(ti: Any, task_id: str, partitions: list[dict[str, str]]) -> list[str | None]:
    """The landing that the mapped task `task_id` dealt with, by partition; None where it failed."""
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[task_id], run_ids=[ti.run_id])
    return [
        ti.xcom_pull(task_ids=task_id, key="landing", map_indexes=index)
        if states.get(ti.run_id, {}).get(f"{task_id}_{index}") in ("success", "skipped")
        else None
        for index in range(len(partitions))
    ]


def refuse_unknown_parameters(dag_run: Any, known: Iterable[str]) -> None:
    """Raise `PermanentError` for a parameter that is not on the form; Airflow ignores it."""
    for name in dag_run.conf or {}:
        if name not in known:
            raise PermanentError(
                f"{dag_run.dag_id}: unknown parameter {name!r}. Known: {', '.join(known)}. "
                "Correct it and start the run again."
            )
