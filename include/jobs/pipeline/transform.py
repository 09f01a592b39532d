"""Build the dbt models layer by layer, publish them with their docs, measure freshness."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.councils.model import UK, council_titles
from include.errors import PermanentError, PipelineError, ServiceUnavailable
from include.jobs.lake import Lake
from include.jobs.lineage.columns import whole_graph
from include.jobs.lineage.runs import tell_models
from include.jobs.publish.propose import Proposal, propose
from include.jobs.publish.publish import publish_marts
from include.jobs.publish.state import state_of
from include.lineage import stored
from include.settings import Settings
from include.sources.model import broken_contracts, contracts
from include.transform import docs
from include.transform import freshness as measured
from include.transform.build import Built, build_layer
from include.transform.failures import BuildFailed
from include.transform.history import History, building, failures, unfinished
from include.transform.process import Dbt
from include.transform.project import FOLDERS, Layer, inputs_hash, layer_named

log = logging.getLogger(__name__)

Report = Callable[[str], None]


def build(
    layer: str, *, dsn: str, run_id: str, home: Path | None = None, full_refresh: bool = False
) -> dict[str, Any]:
    """Bring one layer up to date and test it: `staging` (with intermediate) or `marts`.

    Only what changed is built: see `build_layer`. What depends on a failure is
    not built; everything else is. With `full_refresh`, everything counts as
    changed, in this layer and in those above it. `home` is where dbt may
    write; by default, a folder of the platform. Returns the counts by status.

    Raises `BuildFailed` naming each node that failed, `ServiceUnavailable` or
    `DbtStopped` where a retry may succeed, `UnknownName` for another layer, and
    `PermanentError` if WANDLE_SCHEMA_PREFIX is set.
    """
    _refuse_prefix()
    chosen = layer_named(layer)
    began = time.monotonic()
    with _dbt(dsn, home, log.info) as (dbt, history):
        if full_refresh:
            history.states.forget()
        built = _build(chosen, dbt, history, run_id, dsn)
    return _summary(built, time.monotonic() - began)


def refuse_unfinished(*, dsn: str, run_id: str) -> None:
    """Raise `BuildFailed`, naming what failed and what is stale, unless all of a run was built."""
    if why := unfinished(dsn, run_id):
        raise BuildFailed("\n".join(why.values()))


def failed_in(*, dsn: str, run_id: str) -> dict[str, str]:
    """What a run did not build, and why: see `include.transform.history.failures`."""
    return failures(dsn, run_id)


def propose_publication(
    *, dsn: str, publisher_dsn: str, lake: Lake, run_id: str, home: Path | None = None
) -> Proposal | None:
    """What `publish_all` would publish and change, for a person to approve; else None."""
    with _dbt(dsn, home, log.info) as (dbt, history):
        return propose(
            dbt,
            history,
            publisher_dsn=publisher_dsn,
            lake=lake,
            built_nothing=history.built_nothing(run_id),
        )


def publish_all(
    *,
    dsn: str,
    publisher_dsn: str,
    lake: Lake,
    run_id: str = "",
    home: Path | None = None,
    approved: str | None = None,
) -> dict[str, Any]:
    """Publish a version of the open data, and dbt's documentation; see `transform`.

    If the run `run_id` built nothing, both stay, unless they are of another state.
    `approved` as for `publish_marts`.
    """
    with _dbt(dsn, home, log.info) as (dbt, history):
        return _publish(dbt, history, publisher_dsn, lake, log.info, run_id, approved)


def transform(
    *,
    dsn: str,
    publisher_dsn: str,
    lake: Lake,
    run_id: str,
    home: Path | None = None,
    report: Report = log.info,
    full_refresh: bool = False,
) -> dict[str, Any]:
    """Bring both layers up to date, publish the open data and the documentation, as the DAG does.

    What does not depend on a failure is built and published; then the failures
    are raised. If nothing changed since the last run, nothing is built, and no
    new version is published.
    """
    summaries: dict[str, Any] = {}
    failures: list[PipelineError] = []
    with _dbt(dsn, home, report) as (dbt, history):
        if full_refresh:
            history.states.forget()
        for layer in FOLDERS:
            began = time.monotonic()
            try:
                built = _build(layer, dbt, history, run_id, dsn)
            except (BuildFailed, ServiceUnavailable) as error:
                failures.append(error)
            else:
                summaries[layer] = _summary(built, time.monotonic() - began)
                report(_done(built))
        try:
            published = _publish(dbt, history, publisher_dsn, lake, report, run_id)
        except PipelineError as error:
            failures.append(error)
    if failures:
        raise type(failures[0])("\n".join(map(str, failures)))
    return {**summaries, **published}


def _build(layer: Layer, dbt: Dbt, history: History, run_id: str, dsn: str) -> Built:
    try:
        return build_layer(layer, dbt=dbt, history=history, run_id=run_id, contracts=contracts())
    finally:
        tell_models(dbt.nodes, dbt.results, dbt.compiled, dsn=dsn, run_id=run_id)
        dbt.results.clear()


def freshness(*, dsn: str) -> list[dict[str, Any]]:
    """When each source was last checked, by council, and whether it is late. Only a report."""
    expected = [
        (contract, council)
        for contract in contracts().values()
        for council in ((UK,) if contract.councils == UK else council_titles())
    ]
    for name, error in broken_contracts().items():
        log.error("%s is not measured: %s", name, error)
    found = measured.freshness(dsn, expected, datetime.now(UTC))
    for item in found:
        if item["late"]:
            log.warning(
                "%s of %s is late: last checked %s, due since %s",
                item["source"],
                item["council"],
                item["last_check"] or "never",
                item["due_since"],
            )
    return found


def _refuse_prefix() -> None:
    """A run that is green has built everyone's schemas."""
    if prefix := Settings.read().schema_prefix:
        raise PermanentError(
            f"transform: WANDLE_SCHEMA_PREFIX is {prefix!r} where Airflow runs, but its DAG builds "
            "only everyone's schemas. Unset it there; `wandle transform` builds into your own."
        )


@contextmanager
def _dbt(dsn: str, home: Path | None, progress: Report) -> Iterator[tuple[Dbt, History]]:
    with (
        Dbt(dsn=dsn, home=home or Settings.read().home / "dbt", progress=progress) as dbt,
        building(dsn) as history,
    ):
        yield dbt, history


def _publish(
    dbt: Dbt,
    history: History,
    publisher_dsn: str,
    lake: Lake,
    report: Report,
    run_id: str,
    approved: str | None = None,
) -> dict[str, Any]:
    """Publish both, the second even if the first fails; dbt writes it while the first is made."""
    published: dict[str, Any] = {}
    failures: list[PipelineError] = []
    keeper, state = lake.as_job("transform"), state_of(history, dbt.project)
    address = docs.up_to_date(keeper.s3, keeper.bucket, state)
    with ThreadPoolExecutor(1, thread_name_prefix="docs") as beside:
        written: list[Future[Path]] = []

        def write_docs() -> None:
            if not address:
                written.append(beside.submit(dbt.docs))

        try:
            published = publish_marts(
                dbt,
                history,
                publisher_dsn=publisher_dsn,
                lake=lake,
                report=report,
                built_nothing=history.built_nothing(run_id),
                approved=approved,
                dbt_is_free=write_docs,
            )
        except PipelineError as error:
            failures.append(error)
        if not address:
            report("Publishing the documentation")
            page = written[0].result() if written else dbt.docs()
            now = datetime.now(UTC)
            _publish_lineage(dbt, keeper)
            address = docs.publish(keeper.s3, keeper.bucket, page, now, made_from=state)
    if failures:
        raise failures[0]
    return {"published": published, "docs": address}


def _publish_lineage(dbt: Dbt, keeper: Lake) -> None:
    """Publish what each column is made of, unless that was done for the same definitions."""
    state = f"{inputs_hash(dbt.project, contracts())} {Settings.read().code_version}"
    with suppress(docs.NotPublished):
        if stored.made_from(docs.lineage(keeper.s3, keeper.bucket)) == state:
            return
    graph = whole_graph(contracts(), dbt.lineage(), dbt.published())
    docs.publish_lineage(keeper.s3, keeper.bucket, stored.dumped(graph, state))


def _done(built: Built) -> str:
    if built.unchanged_since:
        since = f"{built.unchanged_since.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
        return f"{built.layer}: nothing changed since {since}; nothing was built"
    said = f"{built.layer}: {built.nodes - built.kept} of {built.nodes} nodes built"
    parts = ", ".join(f"{name} ({count})" for name, count in built.partitions.items())
    return f"{said}; only changed partitions of {parts}" if parts else said


def _summary(built: Built, seconds: float) -> dict[str, Any]:
    return {
        "layer": built.layer,
        "invocation_id": built.invocation_id,
        "nodes": built.nodes,
        "kept": built.kept,
        **{status: count for status, count in Counter(r.status for r in built.results).items()},
        "partitions": dict(built.partitions),
        "unchanged": built.unchanged_since is not None,
        "warnings": list(built.warnings),
        "seconds": round(seconds, 1),
    }
