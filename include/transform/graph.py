"""The nodes of the dbt project: which layer builds each, and which a retry must rebuild."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from include.errors import PermanentError
from include.transform.project import FOLDERS, Layer

GOOD = ("success", "pass", "warn")
FAILED = ("fail", "error", "runtime error")


@dataclass(frozen=True)
class Node:
    """A model or a data test of the project."""

    unique_id: str
    resource_type: str
    path: str
    selector: str
    depends_on: tuple[str, ...]

    @classmethod
    def of(cls, described: Mapping[str, Any]) -> Node:
        """Parse what the child process reports."""
        return cls(**{**described, "depends_on": tuple(described["depends_on"])})

    @property
    def is_test(self) -> bool:
        """Whether it is a test."""
        return self.resource_type == "test"

    @property
    def name(self) -> str:
        """Readable name, e.g. `model ward_crime_monthly`."""
        return f"{self.resource_type} {self.selector.rpartition('.')[2]}"


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
    it depends on. Raises `PermanentError` for a model outside these folders,
    which would never be built.
    """
    known = {node.unique_id: node for node in nodes}
    order = list(FOLDERS)
    layers: dict[Layer, dict[str, Node]] = {layer: {} for layer in order}
    for node in known.values():
        if node.is_test:
            parents = [_layer_of(known[name]) for name in node.depends_on if name in known]
            layer = max(parents, key=order.index, default=order[0])
        else:
            layer = _layer_of(node)
        layers[layer][node.unique_id] = node
    return layers


def _layer_of(node: Node) -> Layer:
    folder = PurePosixPath(node.path).parts[1:2]
    for layer, folders in FOLDERS.items():
        if node.path.startswith("models/") and folder and folder[0] in folders:
            return layer
    wanted = ", ".join(f"models/{name}" for names in FOLDERS.values() for name in names)
    raise PermanentError(
        f"dbt: {node.path} is in no layer, so it would never be built. Move it to {wanted}."
    )


def still_to_build(expected: Mapping[str, Node], so_far: Mapping[str, str]) -> dict[str, Node]:
    """What a retry builds, given the latest status of each node: all that has not succeeded.

    For a failed test, its models are rebuilt too, because data or code may
    have been fixed since. Everything downstream of a rebuilt model is rebuilt
    and tested again.
    """
    again = {name for name in expected if so_far.get(name) not in GOOD}
    for name in tuple(again):
        if expected[name].is_test and so_far.get(name) in FAILED:
            again.update(parent for parent in expected[name].depends_on if parent in expected)
    grown = True
    while grown:
        children = {
            name
            for name, node in expected.items()
            if name not in again and any(parent in again for parent in node.depends_on)
        }
        again |= children
        grown = bool(children)
    return {name: node for name, node in expected.items() if name in again}
