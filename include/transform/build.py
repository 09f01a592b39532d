"""Build a layer with one `dbt build`, and account for every node."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from include.errors import PipelineError, ServiceUnavailable
from include.sources.model import Contract
from include.transform.failures import (
    BuildFailed,
    next_step,
    passes_by_itself,
    without_values,
)
from include.transform.graph import (
    FAILED,
    GOOD,
    Node,
    Result,
    by_layer,
    downstream,
    still_to_build,
)
from include.transform.history import Attempt, History
from include.transform.process import Dbt
from include.transform.project import FOLDERS, Layer, project_hash
from include.transform.unfilled import refuse_dropped, refuse_unfilled

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


def build_layer(
    layer: Layer,
    *,
    dbt: Dbt,
    history: History,
    run_id: str,
    contracts: Mapping[str, Contract] | None = None,
) -> Built:
    """Build and test every node of a layer that depends on nothing that failed.

    A node is not built if its file does not parse, if a node of the layer
    below that it depends on has not succeeded in this run, or if it reads a
    column that loaded partitions have never filled, according to the ledger
    and the `contracts`, or one that left its contract. A retry of a run builds
    only what has not succeeded.

    Stores the result of every node. Raises `BuildFailed` naming the nodes and
    what is stale because of them (permanent), `ServiceUnavailable` if every
    failure is temporary, and `DbtStopped` if dbt exited early.
    """
    attempt = Attempt(run_id, str(uuid.uuid4()), layer, project_hash())
    so_far = history.so_far(attempt, _below(layer))
    history.start(attempt)
    results: list[Result] = []
    try:
        unfilled = history.unfilled(contracts) if contracts else {}
        filled = refuse_unfilled(dbt.nodes(), unfilled, dbt.project)
        layers = by_layer(refuse_dropped(filled, contracts or {}, dbt.project))
        expected = layers[layer]
        wanted = still_to_build(expected, so_far)
        log.info(
            "dbt %s: %d nodes to build, %d already built",
            layer,
            len(wanted),
            len(expected) - len(wanted),
        )
        nodes = {name: node for some in layers.values() for name, node in some.items()}
        results = held_back(nodes, wanted, _failed_below(layer, layers, history, run_id))
        held = {result.unique_id for result in results}
        ready = {name: node for name, node in wanted.items() if name not in held}
        results += accounted_for(ready, dbt.build(ready.values()) if ready else [])
        refuse_failures(layer, nodes, results)
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


def _failed_below(
    layer: Layer, layers: Mapping[Layer, Mapping[str, Node]], history: History, run_id: str
) -> list[str]:
    """The nodes of the layer below that have not succeeded in this run, failures first."""
    below = _below(layer)
    if below is None:
        return []
    statuses = history.of_run(run_id, below)
    bad = [name for name in layers[below] if statuses.get(name) not in GOOD]
    return sorted(bad, key=lambda name: statuses.get(name) not in FAILED)


def held_back(
    nodes: Mapping[str, Node], wanted: Mapping[str, Node], failed: Sequence[str]
) -> list[Result]:
    """A result for each wanted node that must not be built, with the reason."""
    broken = [name for name, node in wanted.items() if node.error and not node.is_test]
    cause = downstream(nodes, [*failed, *broken])
    found = []
    for name, node in wanted.items():
        status, reason = "error", node.error
        if not reason and name in cause:
            status, reason = "skipped", f"not built, because {nodes[cause[name]].name} failed"
        if reason:
            found.append(Result(name, node.resource_type, status, None, None, None, reason))
    return found


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


def refuse_failures(layer: Layer, nodes: Mapping[str, Node], results: Sequence[Result]) -> None:
    """Raise unless every node succeeded; skipped and missing nodes count as failures."""
    bad = [result for result in results if not result.good]
    if not bad:
        return
    failed = [result for result in bad if result.status not in ("skipped", NOT_BUILT)]
    shown = " | ".join(_sentence(nodes, result) for result in (failed or bad)[:_SHOWN_FAILURES])
    summary = f"dbt {layer}: {len(failed)} of {len(results)} nodes failed"
    if len(bad) > len(failed):
        summary += f", {len(bad) - len(failed)} were not built because of a failure"
    if len(failed) > _SHOWN_FAILURES:
        shown += f" | and {len(failed) - _SHOWN_FAILURES} more, in ops.dbt_node"
    if failed and all(passes_by_itself(result.message) for result in failed):
        raise ServiceUnavailable(f"{summary}. {shown}. Try again later.")
    stale = _stale(nodes, [result.unique_id for result in failed or bad])
    because = f" Stale because of it: {', '.join(stale)}." if stale else ""
    raise BuildFailed(f"{summary}. {shown}.{because} {next_step(shown)}")


def _stale(nodes: Mapping[str, Node], bad: Sequence[str]) -> list[str]:
    """The models downstream of what failed; they are as they were before."""
    known = [name for name in bad if name in nodes]
    return sorted(
        nodes[name].short_name
        for name in downstream(nodes, known)
        if nodes[name].resource_type == "model"
    )


def _sentence(nodes: Mapping[str, Node], result: Result) -> str:
    node = nodes.get(result.unique_id)
    who = f"{node.name} ({node.path})" if node else result.unique_id
    message = (without_values(result.message) or result.status).rstrip(".")
    return f"{who}: {message}"
