"""Decide what a build does with each node: keep it, rebuild some partitions, or all of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from include.transform.changes.loads import TABLE, Inputs, Loads, merged, unknown
from include.transform.graph import Node
from include.transform.project import NAME

# Rebuilding more partitions than this share of them costs as much as rebuilding all.
MOST_PARTITIONS = 1 / 3

_RAW = f"source.{NAME}.raw."

# Council and period; the council alone for a node that has no column for the period.
Place = tuple[str, ...]


@dataclass(frozen=True)
class State:
    """What a node was last built from, or tested with; `exists` says whether it is still there."""

    fingerprint: str | None
    inputs: Inputs
    exists: bool
    warning: str | None = None


@dataclass(frozen=True)
class Step:
    """What to do with a node; `inputs` is what it holds afterwards."""

    how: Literal["keep", "partitions", "whole"]
    inputs: Inputs
    partitions: tuple[Place, ...] = ()


def plan(
    nodes: Mapping[str, Node],
    layer: Iterable[str],
    states: Mapping[str, State],
    raw: Inputs,
) -> dict[str, Step]:
    """A step for each node of a layer, given what was built and what the raw tables hold.

    `nodes` are those of all layers by unique ID, `states` are by `Node.key`.
    A view holds what its parents hold now. A table holds what it was built
    from, so a mart never counts a load that its intermediate model lacks.
    """
    return _Plan(nodes, {*layer}, states, raw).steps()


class _Plan:
    def __init__(
        self,
        nodes: Mapping[str, Node],
        layer: set[str],
        states: Mapping[str, State],
        raw: Inputs,
    ) -> None:
        self._nodes = nodes
        self._layer = layer
        self._states = states
        self._raw = raw
        self._steps: dict[str, Step] = {}

    def steps(self) -> dict[str, Step]:
        # Models first: a test is run if what it tests is built.
        for name in sorted(self._layer, key=lambda name: self._nodes[name].is_test):
            self._step(name)
        return self._steps

    def _step(self, name: str) -> Step:
        if name not in self._steps:
            node = self._nodes[name]
            # What does not parse may depend on itself.
            parents = () if node.error else node.depends_on
            inputs = merged(self._held_by(parent) for parent in parents)
            self._steps[name] = self._decide(node, inputs)
        return self._steps[name]

    def _held_by(self, name: str) -> Inputs:
        if name.startswith("source."):
            source = name.rpartition(".")[2]
            if not name.startswith(_RAW) or source not in self._raw:
                return {name: Loads({TABLE: unknown()})}  # no load tells of a change
            return {source: self._raw[source]}
        node = self._nodes.get(name)
        if node is None or node.error:  # a node that is not built, such as an ephemeral model
            return {name: Loads({TABLE: unknown()})}
        if node.materialized == "view":
            return merged(self._held_by(parent) for parent in node.depends_on)
        if name in self._layer:
            return self._step(name).inputs
        state = self._states.get(node.key)
        return state.inputs if state else {name: Loads({TABLE: unknown()})}

    def _decide(self, node: Node, inputs: Inputs) -> Step:
        state = self._states.get(node.key)
        if node.error or not node.fingerprint or state is None or not state.exists:
            return Step("whole", inputs)
        if state.fingerprint != node.fingerprint:
            return Step("whole", inputs)
        if node.materialized == "view":  # it has no rows of its own
            return Step("keep", inputs)
        changed = {
            source: places
            for source in inputs.keys() | state.inputs.keys()
            if (places := _changed(source, inputs, state.inputs))
        }
        if not changed:
            again = node.is_test and any(
                parent in self._layer and self._step(parent).how == "whole"
                for parent in node.depends_on
            )
            return Step("whole" if again else "keep", inputs)
        # A test that warned says again what it warned of.
        if state.warning or not changed.keys() <= {*node.driven_by} or not node.partition_by:
            return Step("whole", inputs)
        if any(TABLE in places for places in changed.values()):
            return Step("whole", inputs)
        partitions = {*_partitions(node, changed.values())}
        known = (inputs[source].by_place for source in node.driven_by if source in inputs)
        if len(partitions) > MOST_PARTITIONS * len({*_partitions(node, known)} | partitions):
            return Step("whole", inputs)
        return Step("partitions", inputs, tuple(sorted(partitions)))


def _changed(source: str, now: Inputs, before: Inputs) -> set[str]:
    return now.get(source, Loads({})).changed_from(before.get(source))


def _partitions(node: Node, places: Iterable[Iterable[str]]) -> Iterator[Place]:
    """The values of the partition columns of these places."""
    for some in places:
        for place in some:
            council, _, period = place.rpartition(" ")
            if place == TABLE:
                continue
            if len(node.partition_by) == 1:
                yield (council,)
            else:
                yield council, _begin(period, node.partition_by[1])


def _begin(period: str, column: str) -> str:
    """When the month or year begins that a period is in, for a column with that name."""
    at = datetime.fromisoformat(period)
    if column in ("month", "year"):
        at = at.replace(day=1, hour=0)
    return (at.replace(month=1) if column == "year" else at).isoformat()
