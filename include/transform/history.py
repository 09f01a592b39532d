"""dbt results by node in `ops.dbt_run` and `ops.dbt_node`, and the lock on building."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import psycopg

from include.errors import ServiceUnavailable
from include.sources.model import Contract
from include.transform.changes import dependents, loads
from include.transform.changes.plan import State
from include.transform.changes.state import States
from include.transform.failures import failure, without_values
from include.transform.graph import FAILED, GOOD, Node, Result
from include.transform.project import FOLDERS, Layer
from include.transform.unfilled import LOADED_COLUMNS, Unfilled, unfilled_columns

log = logging.getLogger(__name__)

LOCK_WAIT_SECONDS = 300
# In a transaction that stays open: only roles with rights on this table can take the lock.
_LOCK = "lock table ops.build_lock in exclusive mode"
_HOLDER = "select ops.sessions_using('ops.build_lock'::regclass)"

# After all others, even if the clock was set back: the latest attempt is the one that counts.
_START = """
insert into ops.dbt_run
    (run_id, invocation_id, layer, project_hash, started_at, status, nodes, failed)
select
    %s, %s, %s, %s,
    greatest(clock_timestamp(), max(started_at) + interval '1 microsecond'),
    'running', 0, 0
from ops.dbt_run
"""
# The newest attempt to build a layer but this one, whatever run it was of.
_NEWEST = """
select status, project_hash, expected, started_at
from ops.dbt_run
where layer = %s and invocation_id <> %s
order by started_at desc
limit 1
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
select distinct on (layer) layer, status, error, nodes
from ops.dbt_run
where run_id = %s
order by layer, started_at desc
"""

# The nodes that failed in the latest attempts of a run, with their messages.
_FAILED = """
with latest as (
    select distinct on (layer) invocation_id
    from ops.dbt_run
    where run_id = %s
    order by layer, started_at desc
)
select node.unique_id, coalesce(node.message, node.status)
from ops.dbt_node as node
join latest using (invocation_id)
where node.status = any(%s)
order by node.unique_id
"""


@dataclass(frozen=True)
class Attempt:
    """One dbt invocation for one layer, in one pipeline run."""

    run_id: str
    invocation_id: str
    layer: Layer
    project_hash: str


@dataclass(frozen=True)
class Unchanged:
    """A layer that was built before and needs no build: its nodes, when, and what it warned of."""

    nodes: int
    since: datetime
    warnings: Sequence[str]


class History:
    """The tables `dbt_run`, `dbt_node` and `dbt_state`, while this process alone builds."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection
        self.states = States(connection)

    def nothing_to_do(self, attempt: Attempt) -> Unchanged | None:
        """What was built before, if building the layer again would change nothing."""
        values = (attempt.layer, attempt.invocation_id)
        row = self._connection.execute(_NEWEST, values).fetchone()
        if row is None or row[:2] != ("success", attempt.project_hash):
            return None
        raw = loads.current(self._connection)
        warnings = self.states.unchanged(attempt.layer, row[2], raw)
        return None if warnings is None else Unchanged(row[2], row[3], warnings)

    def built_nothing(self, run_id: str) -> bool:
        """Whether all layers of a run were found up to date."""
        found = self._connection.execute(_LATEST_ATTEMPTS, (run_id,)).fetchall()
        return len(found) == len(FOLDERS) and all(
            (status, nodes) == ("success", 0) for _, status, _, nodes in found
        )

    def raw(self) -> loads.Inputs:
        """What the raw tables hold now."""
        return loads.current(self._connection)

    def refuse_replaced(
        self, nodes: Mapping[str, Node], whole: Iterable[str], states: Mapping[str, State]
    ) -> dict[str, Node]:
        """The nodes; one that would be replaced although others use it has an `error`."""
        return dependents.refuse_replaced(self._connection, nodes, whole, states)

    def failed(self, run_id: str, layer: Layer, nodes: Mapping[str, Node]) -> list[str]:
        """The nodes of a layer that are not good in this run, failures first.

        What an attempt did not build was good before it.
        """
        latest = {row[0]: row[1] for row in self._connection.execute(_LATEST_ATTEMPTS, (run_id,))}
        if latest.get(layer) == "success":
            return []
        statuses = self.of_run(run_id, layer)
        bad = [
            name for name in nodes if statuses.get(name, GOOD[0] if statuses else "") not in GOOD
        ]
        return sorted(bad, key=lambda name: statuses.get(name) not in FAILED)

    def of_run(self, run_id: str, layer: Layer) -> dict[str, str]:
        """The latest status of each node of a layer that this run built or tested."""
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
            _START, (attempt.run_id, attempt.invocation_id, attempt.layer, attempt.project_hash)
        )

    def finish(
        self, attempt: Attempt, results: Iterable[Result], error: str | None, expected: int = 0
    ) -> None:
        """Record the result of an attempt and of each of its nodes; `expected` are all nodes."""
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
                "failed = %s, error = %s, expected = %s where invocation_id = %s",
                (
                    "failed" if error else "success",
                    *(len(rows), failed, error, expected, attempt.invocation_id),
                ),
            )


def unfinished(dsn: str, run_id: str) -> dict[Layer, str]:
    """The layers that the latest attempts of this run did not build completely, and why."""
    with connection(dsn) as opened:
        latest = {
            layer: (status, error)
            for layer, status, error, _ in opened.execute(_LATEST_ATTEMPTS, (run_id,))
        }
    found: dict[Layer, str] = {}
    for layer in FOLDERS:
        status, error = latest.get(layer, ("", None))
        if status != "success":
            found[layer] = error or f"dbt {layer}: it did not end; see the log of its task."
    return found


def failures(dsn: str, run_id: str) -> dict[str, str]:
    """What failed in a run, by the name of a model or test, and why; else layers not finished.

    Without the failing rows: alerts leave the platform.
    """
    with connection(dsn) as opened:
        found = opened.execute(_FAILED, (run_id, list(FAILED))).fetchall()
    named = {
        unique_id.split(".")[2]: (message or "").partition(" Rows: ")[0]
        for unique_id, message in found
    }
    return named or dict(unfinished(dsn, run_id))


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
