"""Build the dbt models layer by layer, publish their documentation, measure freshness."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from include.councils.model import UK, council_titles
from include.errors import PermanentError, PipelineError, ServiceUnavailable
from include.jobs.lake import Lake
from include.settings import Settings
from include.sources.model import broken_contracts, contracts
from include.transform import docs
from include.transform import freshness as measured
from include.transform.build import Built, build_layer
from include.transform.failures import BuildFailed
from include.transform.history import History, building, unfinished
from include.transform.process import Dbt
from include.transform.project import FOLDERS, Layer, layer_named

log = logging.getLogger(__name__)

Report = Callable[[str], None]


def build(layer: str, *, dsn: str, run_id: str, home: Path | None = None) -> dict[str, Any]:
    """Build and test one layer: `staging` (with intermediate) or `marts`.

    What depends on a failure is not built; everything else is. After a
    failure, another call with the same `run_id` builds only what has not
    succeeded yet. `home` is where dbt may write; by default, a folder of
    the platform. Returns the counts by status.

    Raises `BuildFailed` naming each node that failed, `ServiceUnavailable` or
    `DbtStopped` where a retry may succeed, `UnknownName` for another layer, and
    `PermanentError` if WANDLE_SCHEMA_PREFIX is set.
    """
    _refuse_prefix()
    chosen = layer_named(layer)
    began = time.monotonic()
    with _dbt(dsn, home, log.info) as (dbt, history):
        built = _build(chosen, dbt, history, run_id)
    return _summary(built, time.monotonic() - began)


def refuse_unfinished(*, dsn: str, run_id: str) -> None:
    """Raise `BuildFailed`, naming what failed and what is stale, unless all of a run was built."""
    if why := unfinished(dsn, run_id):
        raise BuildFailed("\n".join(why.values()))


def generate_docs(*, dsn: str, lake: Lake, home: Path | None = None) -> str:
    """Generate dbt's documentation, publish it to S3 and return its address."""
    with _dbt(dsn, home, log.info) as (dbt, _):
        return _publish(dbt, lake)


def transform(
    *, dsn: str, lake: Lake, run_id: str, home: Path | None = None, report: Report = log.info
) -> dict[str, Any]:
    """Build both layers and publish the documentation, as a run of the DAG does.

    What does not depend on a failure is built and published; then the failures
    are raised.
    """
    summaries: dict[str, Any] = {}
    failures: list[PipelineError] = []
    with _dbt(dsn, home, report) as (dbt, history):
        for layer in FOLDERS:
            began = time.monotonic()
            try:
                built = _build(layer, dbt, history, run_id)
            except (BuildFailed, ServiceUnavailable) as error:
                failures.append(error)
            else:
                summaries[layer] = _summary(built, time.monotonic() - began)
        report("Publishing the documentation")
        address = _publish(dbt, lake)
    if failures:
        raise type(failures[0])("\n".join(map(str, failures)))
    return {**summaries, "docs": address}


def _build(layer: Layer, dbt: Dbt, history: History, run_id: str) -> Built:
    return build_layer(layer, dbt=dbt, history=history, run_id=run_id, contracts=contracts())


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
            f"transform: WANDLE_SCHEMA_PREFIX is {prefix!r} where Airflow runs, and its DAG builds "
            "everyone's schemas alone. Unset it there; `wandle transform` builds into your own."
        )


@contextmanager
def _dbt(dsn: str, home: Path | None, progress: Report) -> Iterator[tuple[Dbt, History]]:
    # dbt starts while the lock is requested.
    with (
        Dbt(dsn=dsn, home=home or Settings.read().home / "dbt", progress=progress) as dbt,
        building(dsn) as history,
    ):
        yield dbt, history


def _publish(dbt: Dbt, lake: Lake) -> str:
    lake = lake.as_job("transform")
    return docs.publish(lake.s3, lake.bucket, dbt.docs(), datetime.now(UTC))


def _summary(built: Built, seconds: float) -> dict[str, Any]:
    return {
        "layer": built.layer,
        "invocation_id": built.invocation_id,
        "nodes": built.nodes,
        "kept": built.kept,
        **{status: count for status, count in Counter(r.status for r in built.results).items()},
        "warnings": list(built.warnings),
        "seconds": round(seconds, 1),
    }
