"""Tell what jobs read and wrote, as OpenLineage events, if `WANDLE_LINEAGE_URL` says where to.

Nothing here can fail a run: what goes wrong is logged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from psycopg import conninfo

from include.lineage.contracts import contract_graph, place_of
from include.lineage.graph import ROWS, Column, How
from include.settings import Settings
from include.sources.extract.http import Extract
from include.sources.extract.landing import LandingExtract
from include.sources.model import Contract, contracts
from include.sources.partition import Partition
from include.sources.raw_table import expected_columns

if TYPE_CHECKING:
    from include.jobs.lake import Lake
    from include.lineage.events import JobRun, Places
    from include.publish.about import Dataset
    from include.publish.versions import Entry
    from include.transform.graph import Node, Result

log = logging.getLogger(__name__)

# The libraries are imported only where events are sent: they take half a second.


@dataclass
class Facts:
    """What a job found out while it ran."""

    rows: int | None = None
    tags: dict[str, str] = field(default_factory=dict)


@contextmanager
def landing_run(
    contract: Contract, partition: Partition, *, lake: Lake, run_id: str
) -> Iterator[Facts]:
    """Tell that a partition of a source is landed, when it begins and when it ends."""

    def begin() -> JobRun:
        from include.lineage.events import Output

        return _of_partition(
            partition,
            *(f"extract_{contract.name}", run_id, _places(lake.bucket)),
            inputs=[_read_by(contract)],
            outputs=[Output(f"landing.{contract.name}")],
        )

    with _told(begin) as facts:
        yield facts


@contextmanager
def load_run(
    contract: Contract, partition: Partition, *, lake: Lake, dsn: str, run_id: str
) -> Iterator[Facts]:
    """Tell that a landing is loaded into its raw table, with the field that fills each column."""

    def begin() -> JobRun:
        from include.lineage.events import Output

        return _of_partition(
            partition,
            *(f"load_{contract.name}", run_id, _places(lake.bucket, dsn)),
            inputs=[f"landing.{contract.name}"],
            outputs=[
                Output(f"raw.{contract.name}", expected_columns(contract), _fields_of(contract))
            ],
        )

    with _told(begin) as facts:
        yield facts


def tell_models(
    nodes: Callable[[], Sequence[Node]],
    results: Sequence[Result],
    compiled: Mapping[str, str],
    *,
    dsn: str,
    run_id: str,
) -> None:
    """Tell of each model that dbt has built, or failed to build, and of its columns.

    `nodes` returns what the project consists of; it is called only if events are sent.
    """
    sender = _sender()
    built = [result for result in results if result.resource_type == "model"]
    if not sender or not built:
        return
    with _harmless():
        from openlineage.client.event_v2 import RunState

        by_id = {node.unique_id: node for node in nodes()}
        places, now = _places("", dsn), datetime.now(UTC)
        for result in built:
            if result.unique_id not in by_id or result.status == "skipped":
                continue
            run = _model_run(by_id, result, compiled.get(result.unique_id), places, run_id)
            begin = now - timedelta(seconds=result.execution_seconds or 0)
            end = RunState.COMPLETE if result.good else RunState.FAIL
            error = "" if result.good else f"dbt: {result.status}"
            sender.send(run.event(RunState.START, begin), run.event(end, now, error))


def _model_run(
    nodes: Mapping[str, Node], result: Result, sql: str | None, places: Places, run_id: str
) -> JobRun:
    from include.lineage.events import Output
    from include.lineage.sql import NotTraced, trace

    node = nodes[result.unique_id]
    parents = {_table_of(nodes, name): _columns_of(nodes, name) for name in node.depends_on}
    made_of: dict[str, Mapping[Column, How]] = {}
    if sql:
        try:
            traced = trace(sql, parents)
        except NotTraced as error:
            log.warning("lineage: %s: %s", node.key, error)
        else:
            made_of = {name: made.sources for name, made in traced.columns.items()}
            made_of[ROWS] = traced.rows
    rows = result.rows_affected if node.materialized != "view" else None
    output = Output(node.key, dict(node.columns), made_of, rows)
    return _job_run(f"dbt.{node.key}", ("transform", run_id), places, [*parents], [output])


def _table_of(nodes: Mapping[str, Node], unique_id: str) -> str:
    return nodes[unique_id].key if unique_id in nodes else f"raw.{unique_id.rpartition('.')[2]}"


def _columns_of(nodes: Mapping[str, Node], unique_id: str) -> list[str]:
    if unique_id in nodes:
        return [name for name, _ in nodes[unique_id].columns]
    contract = contracts().get(unique_id.rpartition(".")[2])
    return [*expected_columns(contract)] if contract else []


def tell_published(entry: Entry, datasets: Sequence[Dataset], *, lake: Lake, dsn: str) -> None:
    """Tell that a version was published, with the marts that its files are made of."""
    sender = _sender()
    if not sender:
        return
    with _harmless():
        from openlineage.client.event_v2 import RunState

        from include.lineage.events import Output

        outputs = [
            Output(
                f"published.{one.name}",
                {column.name: column.type for column in one.columns},
                {
                    column.name: {Column(f"marts.{one.name}", column.name): "copied"}
                    for column in one.columns
                },
                one.rows,
                entry.version,
            )
            for one in datasets
        ]
        inputs = [f"marts.{one.name}" for one in datasets]
        run = _job_run("publish", None, _places(lake.bucket, dsn), inputs, outputs)
        sender.send(run.event(RunState.START, entry.when), run.event(RunState.COMPLETE))


@contextmanager
def _told(begin: Callable[[], JobRun]) -> Iterator[Facts]:
    """Send the first event of a run, then the last one, with what was found out meanwhile."""
    facts = Facts()
    sender = _sender()
    if not sender:
        yield facts
        return
    run: JobRun | None = None
    with _harmless():
        from openlineage.client.event_v2 import RunState

        run = begin()
        sender.send(run.event(RunState.START))
    failed = ""
    try:
        yield facts
    except BaseException as error:
        failed = type(error).__name__
        raise
    finally:
        with _harmless():
            if run:
                run.tags |= facts.tags
                run.outputs = [replace(output, rows=facts.rows) for output in run.outputs]
                sender.send(run.event(RunState.FAIL if failed else RunState.COMPLETE, error=failed))


def _of_partition(
    partition: Partition,
    job: str,
    run_id: str,
    places: Places,
    *,
    inputs: list[str],
    outputs: list[Any],
) -> JobRun:
    run = _job_run(job, (f"ingest_{partition.source}", run_id), places, inputs, outputs)
    run.tags = {"council": partition.council, "period": str(partition.period)}
    if partition.period.grain != "all":
        run.period = (partition.period.start, partition.period.next.start)
    return run


def _job_run(
    job: str,
    within: tuple[str, str] | None,
    places: Places,
    inputs: list[str],
    outputs: list[Any],
) -> JobRun:
    from include.lineage.events import JobRun

    settings = Settings.read()
    namespace = f"wandle-{settings.environment}" if settings.environment else "wandle"
    producer = f"urn:wandle:{settings.code_version}"
    return JobRun(job, namespace, producer, places, inputs, outputs, within=within)


def _read_by(contract: Contract) -> str:
    """What a source is landed from: its API or database, or the landings of another source."""
    if isinstance(contract.extract, LandingExtract):
        return f"landing.{contract.extract.source}"
    return f"source.{contract.name}"


def _places(bucket: str, dsn: str = "") -> Places:
    from include.lineage.events import Places

    warehouse = database = ""
    if dsn:
        given = conninfo.conninfo_to_dict(dsn)
        host = str(given.get("host") or "localhost")
        host = "localhost" if host.startswith("/") else host
        warehouse = f"postgres://{host}:{given.get('port') or 5432}"
        database = str(given.get("dbname") or "")
    sources = {name: _namespace_of(contract) for name, contract in contracts().items()}
    return Places(bucket, warehouse, database, sources)


def _namespace_of(contract: Contract) -> str:
    """The host of an API; of databases and files, whose addresses are secret, their kind."""
    if isinstance(contract.extract, Extract):
        parts = urlsplit(contract.extract.base_url)
        return f"{parts.scheme}://{parts.hostname}"
    return f"wandle-{contract.extract.kind}"


def _fields_of(contract: Contract) -> dict[str, Mapping[Column, How]]:
    """The field in the landing of each column of the raw table, as its path in a record."""
    fields = {column.name: place_of(column) for column in contract.columns}
    raw = f"raw.{contract.name}"
    found: dict[str, Mapping[Column, How]] = {}
    for column, sources in contract_graph(contract).made_of.items():
        if column.table == raw and column.name != ROWS:
            found[column.name] = {
                Column(f"landing.{contract.name}", fields[source.name].removeprefix("field ")): how
                for source, how in sources.items()
            }
    return found


def _sender() -> Any:
    """The sender of this process; None without `WANDLE_LINEAGE_URL`."""
    settings = Settings.read()
    if not settings.lineage_url:
        return None
    with _harmless():
        from include.lineage.send import sender

        return sender(settings.lineage_url, settings.lineage_api_key)
    return None


@contextmanager
def _harmless() -> Iterator[None]:
    """Log what goes wrong instead of failing the job that is told of."""
    try:
        yield
    except Exception:
        log.warning("lineage: an event could not be created; the job continues", exc_info=True)
