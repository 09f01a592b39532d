"""What the DAG files share: how tasks retry, their connections, and checks of what they are asked.

No DAG: `.airflowignore` names it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import ExceptionRetryPolicy, RetryAction, RetryRule, task

from include.errors import PermanentError, PipelineError
from include.sources.model import contract

if TYPE_CHECKING:
    from include.extract.login.secret import Secret
    from include.jobs.lake import Lake
    from include.sources.model import Contract
    from include.sources.partition import Partition

log = logging.getLogger(__name__)

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
FETCH, RELOAD = "fetch", "reload"
# The parameter, and what `plan` says of a run that is one.
DRY_RUN = "dry_run"
ACTIVE = ["queued", "running"]
NOT_STARTED = (None, "scheduled", "queued", "up_for_retry", "restarting")
# What `plan` says of files that belong to nothing.
UNMATCHED = "unmatched"
# Why `plan`, `approve` or `publish` failed, for alerts.
ERROR = "error"
# The task that asks a person, and the version that was approved.
APPROVAL, APPROVED = "approve", "version"
BOOKKEEPING_TIMEOUT = timedelta(minutes=10)

# How the UI names a mapped task.
PARTITION_LABEL = "{{ task.op_kwargs['council'] }} {{ task.op_kwargs['period'] }}"


def postgres_dsn(connection: str) -> str:
    """The DSN of an Airflow Connection to PostgreSQL."""
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    return PostgresHook(connection, sqlalchemy_scheme="postgresql").get_uri()


def source_dsn(contract: Contract) -> str | None:
    """The address of a source's database or SFTP server, by its Airflow Connection; else None."""
    from airflow.sdk import Connection

    from include.extract.databases.address import url_of

    name = getattr(contract.extract, "connection", "")
    if not name:
        return None
    found = Connection.get(name)
    if contract.extract.kind == "files":
        # The extras are parameters of the URI.
        return str(found.get_uri())
    if found.conn_type == "postgres":
        return postgres_dsn(name)
    parts = {part: getattr(found, part) for part in ("host", "port", "schema", "login", "password")}
    return url_of(name, found.conn_type, parts, found.extra_dejson)


def looks_at_files(contract: Contract, params: Any, dag_run: Any) -> bool:
    """Whether a run has no periods of its own, and is also for files that are new."""
    asked = params["from"] or params["to"] or params["mode"] == RELOAD
    return contract.extract.kind == "files" and dag_run.run_type != "backfill" and not asked


def changed_partitions(contract: Contract, ti: Any) -> tuple[Partition, ...]:
    """The partitions of new and changed files; what belongs to none is pushed as `UNMATCHED`."""
    from include.jobs.files.classify import classify_files, unmatched_message

    seen = classify_files(
        contract,
        lake=lake(),
        today=datetime.now(UTC),
        source_dsn=source_dsn(contract),
        secret_of=secret_of,
        rate_shared_in=loader_dsn(),
    )
    ti.xcom_push(UNMATCHED, unmatched_message(contract, seen.unmatched))
    return seen.partitions


def show_dry_run(
    contract: Contract, partitions: Sequence[Partition], reload: bool, ti: Any
) -> None:
    """Log what a run of these partitions would do, and push its rows as `DRY_RUN`."""
    from include.jobs.dry_run.preview import preview, summary, table

    planned = preview(contract, partitions, lake=lake(), dsn=loader_dsn(), reload=reload)
    for line in (*table(planned), summary(contract, planned)):
        log.info("%s", line)
    ti.xcom_push(DRY_RUN, [item.shown for item in planned])


def loader_dsn() -> str:
    """The DSN of the warehouse for extracting and loading."""
    return postgres_dsn("wandle_loader")


def secret_of(name: str) -> Secret | None:
    """The secret of a source, from the Airflow Connection of its name; None if there is none."""
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    from include.jobs.logins import secret_in

    try:
        found = Connection.get(name)
    except AirflowNotFoundException:
        return None
    fields = ("conn_type", "login", "password")
    return secret_in(name, {field: getattr(found, field) for field in fields})


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
    good = [
        index
        for index in range(len(partitions))
        if states.get(ti.run_id, {}).get(f"{task_id}_{index}") in ("success", "skipped")
    ]
    # One request for all, in the order of their indexes; others may have failed after their push.
    found = ti.xcom_pull(task_ids=[task_id], key="landing")
    if len(found) != len(good):
        found = [ti.xcom_pull(task_ids=task_id, key="landing", map_indexes=each) for each in good]
    landings = dict(zip(good, found, strict=True))
    return [landings.get(index) for index in range(len(partitions))]


def others_follow(ti: Any, task_id: str) -> bool:
    """Whether another run of the DAG, queued or running, has not started this task yet.

    Of several runs that start it at the same time, none follows another.
    """
    runs = ti.get_task_states(dag_id=ti.dag_id, task_ids=[task_id])
    waiting = [run for run, states in runs.items() if states.get(task_id) in NOT_STARTED]
    return any(
        ti.get_dr_count(dag_id=ti.dag_id, run_ids=waiting[begin : begin + 50], states=ACTIVE)
        for begin in range(0, len(waiting), 50)
    )


@task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT)
def alert(source: str, partitions: list[dict[str, str]] | None, of: str, ti: Any = None) -> int:
    """Tell of what went wrong in this run, once; returns the number of messages sent.

    `of` is the task that loads. A teardown: if a message cannot be sent, this
    task fails, and not the run.
    """
    from include.jobs.alerts.check import check_run

    refused = refused_by_person(contract(source), ti)
    errors = {
        "plan": ti.xcom_pull(task_ids="plan", key=ERROR) if partitions is None else None,
        "files": ti.xcom_pull(task_ids="plan", key=UNMATCHED),
        APPROVAL: refused,
    }
    # What was not approved did not fail, partition by partition.
    partitions = [] if refused else partitions
    return check_run(
        contract(source),
        partitions,
        landings_of(ti, of, partitions or []),
        {name: error for name, error in errors.items() if error},
        dsn=loader_dsn(),
        run_id=ti.run_id,
        airflow_url=airflow_url(),
        secret_of=secret_of,
    )


@task(task_id="alert", trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT)
def alert_of_transform(connection: str, ti: Any = None) -> int:
    """Send one alert about what `transform` did not build or publish; returns as `alert` does."""
    from include.jobs.alerts.check import check_transform
    from include.jobs.pipeline.transform import failed_in

    failed = failed_in(dsn=postgres_dsn(connection), run_id=ti.run_id)
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=["publish"], run_ids=[ti.run_id])
    if states.get(ti.run_id, {}).get("publish") != "success":
        errors = ti.xcom_pull(task_ids=[APPROVAL, "publish"], key=ERROR)
        failed["publish"] = next(filter(None, errors), "")
    return check_transform(
        failed,
        dsn=loader_dsn(),
        run_id=ti.run_id,
        owner=str(DEFAULTS["owner"]),
        airflow_url=airflow_url(),
        secret_of=secret_of,
    )


def refused_by_person(contract: Contract, ti: Any) -> str | None:
    """Why a run was not approved; None if it was, or if nobody was asked."""
    if contract.approval is None:
        return None
    found = ti.xcom_pull(task_ids=APPROVAL, key=ERROR)
    return None if found is None else str(found)


@contextmanager
def error_kept(ti: Any) -> Iterator[None]:
    """Push why a task failed as `ERROR`, for the task `alert`; raises it again."""
    try:
        yield
    except Exception as error:
        known = isinstance(error, PipelineError)
        ti.xcom_push(ERROR, str(error) if known else type(error).__name__)
        raise


def airflow_url() -> str:
    """Where people reach Airflow, for links in messages."""
    from airflow.sdk.configuration import conf

    return str(conf.get("api", "base_url", fallback="") or "")


def refuse_unknown_parameters(dag_run: Any, known: Iterable[str]) -> None:
    """Raise `PermanentError` for a parameter that is not on the form; Airflow ignores it."""
    for name in dag_run.conf or {}:
        if name not in known:
            raise PermanentError(
                f"{dag_run.dag_id}: unknown parameter {name!r}. Known: {', '.join(known)}. "
                "Correct it and start the run again."
            )
