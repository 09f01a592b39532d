"""Build a layer with one `dbt build`, and account for every node."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from include.errors import PipelineError, ServiceUnavailable
from include.transform.failures import (
    BuildFailed,
    next_step,
    passes_by_itself,
    without_values,
)
from include.transform.graph import Node, Result, by_layer, still_to_build
from include.transform.history import Attempt, History
from include.transform.process import Dbt
from include.transform.project import FOLDERS, Layer, project_hash

log = logging.getLogger(__name__)

NOT_BUILT = "not built"
_SHOWN_FAILURES = 5


@dataclass(frozen=True)
class Built:
    """A layer that was built successfully."""

    layer: Layer
    invocation_id: str
    nodes: int
    kept: int
    results: Sequence[Result]
    warnings: Sequence[str]


def build_layer(layer: Layer, *, dbt: Dbt, history: History, run_id: str) -> Built:
    """Build and test every node of a layer; a retry of a run builds only what has not succeeded.

    Stores the result of every node. Raises `BuildFailed` naming the nodes
    (permanent), `ServiceUnavailable` if every failure is temporary, and
    `DbtStopped` if dbt exited early.
    """
    attempt = Attempt(run_id, str(uuid.uuid4()), layer, project_hash())
    so_far = history.so_far(attempt, _below(layer))
    history.start(attempt)
    results: list[Result] = []
    try:
        expected = by_layer(dbt.nodes())[layer]
        wanted = still_to_build(expected, so_far)
        log.info(
            "dbt %s: %d nodes to build, %d already built",
            layer,
            len(wanted),
            len(expected) - len(wanted),
        )
        results = accounted_for(wanted, dbt.build(wanted.values()) if wanted else [])
        refuse_failures(layer, wanted, results)
    except PipelineError as error:
        history.finish(attempt, results, str(error))
        raise
    history.finish(attempt, results, None)
    warnings = [_sentence(wanted, result) for result in results if result.status == "warn"]
    for warning in warnings:
        log.warning("dbt %s: %s", layer, warning)
    return Built(
        layer,
        attempt.invocation_id,
        len(expected),
        len(expected) - len(wanted),
        results,
        warnings,
    )


def accounted_for(wanted: Mapping[str, Node], results: Sequence[Result]) -> list[Result]:
    """The results, plus one for each selected node that dbt did not report."""
    said = {result.unique_id for result in results}
    return [
        *results,
        *(
            Result(name, node.resource_type, NOT_BUILT, None, None, None, "dbt did not report it")
            for name, node in wanted.items()
            if name not in said
        ),
    ]


def _below(layer: Layer) -> Layer | None:
    order = list(FOLDERS)
    at = order.index(layer)
    return order[at - 1] if at else None


def refuse_failures(layer: Layer, wanted: Mapping[str, Node], results: Sequence[Result]) -> None:
    """Raise unless every node succeeded; skipped and missing nodes count as failures."""
    bad = [result for result in results if not result.good]
    if not bad:
        return
    failed = [result for result in bad if result.status not in ("skipped", NOT_BUILT)]
    shown = " | ".join(_sentence(wanted, result) for result in (failed or bad)[:_SHOWN_FAILURES])
    summary = f"dbt {layer}: {len(failed)} of {len(results)} nodes failed"
    if len(bad) > len(failed):
        summary += f", {len(bad) - len(failed)} were not built because of it"
    if len(failed) > _SHOWN_FAILURES:
        shown += f" | and {len(failed) - _SHOWN_FAILURES} more, in ops.dbt_node"
    if failed and all(passes_by_itself(result.message) for result in failed):
        raise ServiceUnavailable(f"{summary}. {shown}. Try again later.")
    raise BuildFailed(f"{summary}. {shown}. {next_step(shown)}")


def _sentence(wanted: Mapping[str, Node], result: Result) -> str:
    node = wanted.get(result.unique_id)
    who = f"{node.name} ({node.path})" if node else result.unique_id
    message = (without_values(result.message) or result.status).rstrip(".")
    return f"{who}: {message}"
