"""The nodes of the dbt project: which layer builds each, what must wait, what a retry rebuilds."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from include.transform.project import FOLDERS, Layer

GOOD = ("success", "pass", "warn")
FAILED = ("fail", "error", "runtime error")


@dataclass(frozen=True)
class Node:
    """A model or a data test of the project.

    `error` says why dbt cannot build it, for example because its file does not
    parse; empty if it can. `key` is its schema and name, `fingerprint` a hash
    of all that decides what it makes of its rows. `partition_by` are the
    columns that hold the partition of its rows, of the sources `driven_by`;
    none if it can only be built whole. `columns` are names and types.
    """

    unique_id: str
    resource_type: str
    path: str
    selector: str
    depends_on: tuple[str, ...]
    error: str = ""
    key: str = ""
    materialized: str = ""
    fingerprint: str = ""
    partition_by: tuple[str, ...] = ()
    driven_by: tuple[str, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Node:
        """Parse what the child process reports."""
        lists = ("depends_on", "partition_by", "driven_by")
        found = dict(described) | {name: tuple(described.get(name, ())) for name in lists}
        found["columns"] = tuple((name, kind) for name, kind in described.get("columns", ()))
        return cls(**found)

    @property
    def is_test(self) -> bool:
        """Whether it is a test."""
        return self.resource_type == "test"

    @property
    def name(self) -> str:
        """Readable name, e.g. `model ward_crime_monthly`."""
        return f"{self.resource_type} {self.short_name}"

    @property
    def short_name(self) -> str:
        """The name alone."""
        return self.selector.rpartition(".")[2]


@dataclass(frozen=True)
class Result:
    """The result of a node in one dbt invocation."""

    unique_id: str
    resource_type: str
    status: str
    execution_seconds: float | None
    rows_affected: int | None
    failures: int | None
    message: str | None

    @property
    def good(self) -> bool:
        """Whether it was built, or passed its test."""
        return self.status in GOOD


def by_layer(nodes: Iterable[Node]) -> dict[Layer, dict[str, Node]]:
    """Every node by layer and unique ID.

    A model belongs to the layer of its folder, a test to the last layer that
    it depends on. A model outside these folders would never be built: it gets
    an `error`.
    """
    known = {node.unique_id: node for node in nodes}
    order = list(FOLDERS)
    layers: dict[Layer, dict[str, Node]] = {layer: {} for layer in order}
    for node in known.values():
        if node.is_test:
            parents = {_layer_of(known[name]) for name in node.depends_on if name in known}
            found: Layer | None = next((each for each in reversed(order) if each in parents), None)
        else:
            found = _layer_of(node)
            node = node if found else replace(node, error=_misplaced(node))
        layers[found or order[0]][node.unique_id] = node
    return layers


def _layer_of(node: Node) -> Layer | None:
    folder = PurePosixPath(node.path).parts[1:2]
    for layer, folders in FOLDERS.items():
        if node.path.startswith("models/") and folder and folder[0] in folders:
            return layer
    return None


def _misplaced(node: Node) -> str:
    wanted = ", ".join(f"models/{name}" for names in FOLDERS.values() for name in names)
    return f"{node.path} is in no layer, so it would never be built. Move it to {wanted}"


def downstream(nodes: Mapping[str, Node], bad: Iterable[str]) -> dict[str, str]:
    """Each node that depends on one of the `bad` nodes, and on which; `bad` itself included.

    What depends on a model also depends on the tests of that model.
    """
    children = defaultdict(list)
    for name, node in nodes.items():
        for parent in node.depends_on:
            children[parent].append(name)
    cause: dict[str, str] = {}
    for name in bad:
        waiting = [name]
        if nodes[name].is_test:
            tested = nodes[name].depends_on
            waiting += [
                child
                for parent in tested
                for child in children[parent]
                if child not in tested and not nodes[child].is_test
            ]
        while waiting:
            found = waiting.pop()
            if found not in cause:
                cause[found] = name
                waiting += children[found]
    return cause
