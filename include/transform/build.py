"""Build a layer with one `dbt build`, and account for every node."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from include.errors import PipelineError, ServiceUnavailable
from include.sources.model import Contract
from include.transform.changes.plan import Step, plan
from include.transform.failures import (
    BuildFailed,
    next_step,
    passes_by_itself,
    without_values,
)
from include.transform.graph import (
    Node,
    Result,
    by_layer,
    downstream,
)
from include.transform.history import Attempt, History
from include.transform.process import Dbt
from include.transform.project import FOLDERS, Layer, inputs_hash
from include.transform.unfilled import refuse_dropped, refuse_unfilled

log = logging.getLogger(__name__)

NOT_BUILT = "not built"
_SHOWN_FAILURES = 5


@dataclass(frozen=True)
class Built:
    """A layer that was built successfully; `kept` of its nodes were up to date.

    `partitions` is the number of partitions rebuilt of each model that was not
    built whole. `unchanged_since` is set if nothing at all was to be built.
    """

    layer: Layer
    invocation_id: str
    nodes: int
    kept: int
    results: Sequence[Result]
    warnings: Sequence[str]
    partitions: Mapping[str, int] = field(default_factory=dict)
    unchanged_since: datetime | None = None


def build_layer(
    layer: Layer,
    *,
    dbt: Dbt,
    history: History,
    run_id: str,
    contracts: Mapping[str, Contract] | None = None,
) -> Built:
    """Bring every node of a layer up to date that depends on nothing that failed.

    A node is up to date if it was built, or passed its test, with the same code
    and from the same loads. Of an incremental model, only the partitions whose
    load has changed are rebuilt. dbt is not started if all nodes are up to
    date. A node is not built if its file does not parse, if a node of the layer
    below that it depends on has not succeeded in this run, or if it reads a
    column that loaded partitions have never filled, according to the ledger
    and the `contracts`, or one that left its contract.

    Stores the result of every node that was built. Raises `BuildFailed` naming
    the nodes and what is stale because of them (permanent), `ServiceUnavailable`
    if every failure is temporary, and `DbtStopped` if dbt exited early.
    """
    hashed = inputs_hash(dbt.project, contracts or {})
    attempt = Attempt(run_id, str(uuid.uuid4()), layer, hashed)
    history.start(attempt)
    if same := history.nothing_to_do(attempt):
        history.finish(attempt, [], None, same.nodes)
        log.info("dbt %s: nothing changed since %s", layer, f"{same.since:%Y-%m-%d %H:%M} UTC")
        return Built(
            *(layer, attempt.invocation_id, same.nodes, same.nodes, [], same.warnings),
            unchanged_since=same.since,
        )
    build = _Build(attempt, dbt, history, contracts or {})
    try:
        build.run()
    except PipelineError as error:
        build.finish(str(error))
        raise
    build.finish(None)
    for warning in build.warnings:
        log.warning("dbt %s: %s", layer, warning)
    return build.built


class _Build:
    """One attempt to build a layer."""

    def __init__(
        self, attempt: Attempt, dbt: Dbt, history: History, contracts: Mapping[str, Contract]
    ) -> None:
        self._attempt = attempt
        self._layer = attempt.layer
        self._dbt = dbt
        self._history = history
        self._contracts = contracts
        self._nodes: dict[str, Node] = {}
        self._steps: Mapping[str, Step] = {}
        self._results: list[Result] = []
        self._kept_warnings: list[str] = []

    def run(self) -> None:
        """Plan, build and test; raise unless all of it succeeded."""
        history, states = self._history, self._history.states.read()
        unfilled = history.unfilled(self._contracts) if self._contracts else {}
        filled = refuse_unfilled(self._dbt.nodes(), unfilled, self._dbt.project)
        layers = by_layer(refuse_dropped(filled, self._contracts, self._dbt.project))
        self._nodes = {name: node for some in layers.values() for name, node in some.items()}
        expected = layers[self._layer]
        self._steps = plan(self._nodes, expected, states, history.raw())
        self._history.states.keep_only(self._layer, [node.key for node in expected.values()])
        whole = [name for name, step in self._steps.items() if step.how == "whole"]
        self._nodes = history.refuse_replaced(self._nodes, whole, states)
        wanted = {
            name: self._nodes[name] for name, step in self._steps.items() if step.how != "keep"
        }
        self._history.states.hold(
            (self._nodes[name], step)
            for name, step in self._steps.items()
            if step.how == "keep" and self._nodes[name].materialized == "view"
        )
        self._kept_warnings = [
            str(states[node.key].warning)
            for name, node in expected.items()
            if name not in wanted and states[node.key].warning
        ]
        log.info("dbt %s: %d of %d nodes to build", self._layer, len(wanted), len(expected))
        self._build(wanted, self._failed_below(layers))
        refuse_failures(self._layer, self._nodes, self._results)

    def _build(self, wanted: Mapping[str, Node], failed: Sequence[str]) -> None:
        self._results = held_back(self._nodes, wanted, failed)
        held = {result.unique_id for result in self._results}
        ready = {name: node for name, node in wanted.items() if name not in held}
        if not ready:
            return
        attempt = self._attempt.invocation_id
        steps = [(node, self._steps[name]) for name, node in ready.items()]
        self._history.states.plan(self._layer, attempt, steps)
        self._results += accounted_for(ready, self._dbt.build(ready.values(), attempt))

    def _failed_below(self, layers: Mapping[Layer, Mapping[str, Node]]) -> list[str]:
        """The nodes of the layer below that are not good in this run, failures first."""
        below = _below(self._layer)
        if below is None:
            return []
        return self._history.failed(self._attempt.run_id, below, layers[below])

    def finish(self, error: str | None) -> None:
        """Record how it ended."""
        attempt, said = self._attempt.invocation_id, self._said()
        self._history.states.finish(attempt, self._nodes, self._results, said)
        self._history.finish(self._attempt, self._results, error, len(self._steps))

    def _said(self) -> dict[str, str]:
        """The warnings of this attempt by node."""
        warned = [result for result in self._results if result.status == "warn"]
        return {result.unique_id: _sentence(self._nodes, result) for result in warned}

    @property
    def warnings(self) -> list[str]:
        """Those of this attempt, and those of tests that needed no run."""
        return [*self._said().values(), *self._kept_warnings]

    @property
    def built(self) -> Built:
        """What was built."""
        return Built(
            layer=self._layer,
            invocation_id=self._attempt.invocation_id,
            nodes=len(self._steps),
            kept=sum(step.how == "keep" for step in self._steps.values()),
            results=self._results,
            warnings=self.warnings,
            partitions={
                self._nodes[name].short_name: len(step.partitions)
                for name, step in self._steps.items()
                if step.how == "partitions" and not self._nodes[name].is_test
            },
        )


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
