"""dbt results by node in `ops.dbt_run` and `ops.dbt_node`, and the lock on building."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from include.errors import ServiceUnavailable
from include.sources.model import Contract
from include.transform.failures import failure, without_values
from include.transform.graph import GOOD, Result
from include.transform.project import FOLDERS, Layer
from include.transform.unfilled import LOADED_COLUMNS, Unfilled, unfilled_columns

log = logging.getLogger(__name__)

LOCK_WAIT_SECONDS = 300
# In a transaction that stays open: only roles with rights on this table can take the lock.
_LOCK = "lock table ops.build_lock in exclusive mode"
_HOLDER = "select ops.sessions_using('ops.build_lock'::regclass)"

# The latest result of each node in earlier attempts of this run. Only attempts that a retry may
# build on: with the same project, and since the layer below (or raw) last changed.
_SO_FAR = """
with attempts as (
    select * from ops.dbt_run where run_id = %(run_id)s and layer = %(layer)s
),
newest as (
    select distinct on (unique_id) node.unique_id, node.status
    from ops.dbt_node as node
    join attempts using (invocation_id)
    where
        attempts.project_hash = %(project_hash)s
        and not exists (
            select from ops.dbt_run as below
            where below.layer = %(below)s and below.started_at > attempts.started_at
        )
        and (
            %(below)s::text is not null
            or not exists (
                select from ops.load
                where
                    load.status in ('loaded', 'expired')
                    and load.finished_at > attempts.started_at
            )
        )
    order by node.unique_id, attempts.started_at desc
)
select unique_id, status
from newest
where (select status from attempts order by started_at desc limit 1) <> 'success'
"""

# The latest result of each node of a layer in a run; none if its latest attempt did not end.
_OF_RUN = """
with attempts as (
    select * from ops.dbt_run where run_id = %(run_id)s and layer = %(layer)s
)
select distinct on (node.unique_id) node.unique_id, node.status
from ops.dbt_node as node
join attempts using (invocation_id)
where (select nodes from attempts order by started_at desc limit 1) > 0
order by node.unique_id, attempts.started_at desc
"""
# The latest result of each node in any run; none of a layer whose latest attempt did not end.
_LATEST = """
with latest as (
    select distinct on (layer) layer, status from ops.dbt_run order by layer, started_at desc
)
select distinct on (node.unique_id) node.unique_id, node.status
from ops.dbt_node as node
join ops.dbt_run as run using (invocation_id)
join latest using (layer)
where latest.status <> 'running'
order by node.unique_id, run.started_at desc
"""
_LATEST_ATTEMPTS = """
select distinct on (layer) layer, status, error
from ops.dbt_run
where run_id = %s
order by layer, started_at desc
"""


@dataclass(frozen=True)
class Attempt:
    """One dbt invocation for one layer, in one pipeline run."""

    run_id: str
    invocation_id: str
    layer: Layer
    project_hash: str


class History:
    """The two tables, over a connection that holds the build lock."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def so_far(self, attempt: Attempt, below: Layer | None) -> dict[str, str]:
        """Node statuses from earlier attempts of the same run; empty after a full success."""
        values = {
            "run_id": attempt.run_id,
            "layer": attempt.layer,
            "project_hash": attempt.project_hash,
            "below": below,
        }
        return dict(self._connection.execute(_SO_FAR, values).fetchall())

    def of_run(self, run_id: str, layer: Layer) -> dict[str, str]:
        """The latest status of each node of a layer in this run."""
        values = {"run_id": run_id, "layer": layer}
        return dict(self._connection.execute(_OF_RUN, values).fetchall())

    def latest(self) -> dict[str, str]:
        """The latest status of each node; none of a layer whose latest attempt did not end."""
        return dict(self._connection.execute(_LATEST).fetchall())

    @property
    def connection(self) -> psycopg.Connection:
        """The connection, in autocommit mode."""
        return self._connection

    def unfilled(self, contracts: Mapping[str, Contract]) -> Unfilled:
        """The columns of the contracts that loaded partitions have never filled."""
        return unfilled_columns(self._connection.execute(LOADED_COLUMNS), contracts)

    def start(self, attempt: Attempt) -> None:
        """Record the start of an attempt; it stays `running` if its process is killed."""
        self._connection.execute(
            "insert into ops.dbt_run (run_id, invocation_id, layer, project_hash, started_at, "
            "status, nodes, failed) values (%s, %s, %s, %s, clock_timestamp(), 'running', 0, 0)",
            (attempt.run_id, attempt.invocation_id, attempt.layer, attempt.project_hash),
        )

    def finish(self, attempt: Attempt, results: Iterable[Result], error: str | None) -> None:
        """Record the result of an attempt and of each of its nodes."""
        rows = [
            (
                *(attempt.run_id, attempt.invocation_id, result.unique_id, result.resource_type),
                *(result.status, result.execution_seconds, result.rows_affected, result.failures),
                without_values(result.message),
            )
            for result in results
        ]
        failed = sum(row[4] not in GOOD for row in rows)
        with self._connection.transaction(), self._connection.cursor() as cursor:
            cursor.executemany(
                "insert into ops.dbt_node (run_id, invocation_id, unique_id, resource_type, "
                "status, execution_seconds, rows_affected, failures, message) "
                "values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                rows,
            )
            cursor.execute(
                "update ops.dbt_run set finished_at = clock_timestamp(), status = %s, nodes = %s, "
                "failed = %s, error = %s where invocation_id = %s",
                (
                    "failed" if error else "success",
                    *(len(rows), failed, error, attempt.invocation_id),
                ),
            )


def unfinished(dsn: str, run_id: str) -> dict[Layer, str]:
    """The layers that the latest attempts of this run did not build completely, and why."""
    with connection(dsn) as opened:
        latest = {
            layer: (status, error)
            for layer, status, error in opened.execute(_LATEST_ATTEMPTS, (run_id,))
        }
    found: dict[Layer, str] = {}
    for layer in FOLDERS:
        status, error = latest.get(layer, ("", None))
        if status != "success":
            found[layer] = error or f"dbt {layer}: it did not end; see the log of its task."
    return found


@contextmanager
def connection(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection in autocommit mode. Raises `PipelineError`s, never driver errors."""
    try:
        with psycopg.connect(
            dsn, autocommit=True, connect_timeout=10, application_name="wandle transform"
        ) as opened:
            yield opened
    except psycopg.Error as error:
        raise failure("transform: PostgreSQL", str(error)) from error


@contextmanager
def building(dsn: str) -> Iterator[History]:
    """The history, while no other process builds in this database.

    Waits for another build to end; raises `ServiceUnavailable`, naming it, if
    it takes longer than five minutes, or if the database does not respond.
    """
    with connection(dsn) as holder, holder.transaction():
        holder.execute("set local idle_in_transaction_session_timeout = 0")
        _lock(holder)
        with connection(dsn) as opened:
            yield History(opened)
        holder.execute("select")  # raises if the lock was lost with its connection


def _lock(holder: psycopg.Connection) -> None:
    try:
        with holder.transaction():
            holder.execute(f"{_LOCK} nowait")
            return
    except psycopg.errors.LockNotAvailable:
        log.info("transform: waiting for %s to finish", _value(holder, _HOLDER) or "another build")
    try:
        with holder.transaction():
            holder.execute("select set_config('lock_timeout', %s, true)", [f"{LOCK_WAIT_SECONDS}s"])
            holder.execute(_LOCK)
    except psycopg.errors.LockNotAvailable as error:
        raise ServiceUnavailable(
            f"transform: another build has been running for {LOCK_WAIT_SECONDS} s: "
            f"{_value(holder, _HOLDER) or 'it has just ended'}. Try again later. If it "
            "hangs, end it with `select pg_terminate_backend(<process>)`."
        ) from error


def _value(opened: psycopg.Connection, query: str) -> str | None:
    row = opened.execute(query).fetchone()
    return row[0] if row else None
