"""The nodes of the dbt project: which layer builds each, and which a retry has to build again."""

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
        """From what the child process says."""
        return cls(**{**described, "depends_on": tuple(described["depends_on"])})

    @property
    def is_test(self) -> bool:
        """Whether it checks rather than makes."""
        return self.resource_type == "test"

    @property
    def name(self) -> str:
        """As people call it: `model ward_crime_monthly`."""
        return f"{self.resource_type} {self.selector.rpartition('.')[2]}"


@dataclass(frozen=True)
class Result:
    """How a node ended in one invocation of dbt."""

    unique_id: str
    resource_type: str
    status: str
    execution_seconds: float | None
    rows_affected: int | None
    failures: int | None
    message: str | None

    @property
    def good(self) -> bool:
        """Built, or checked without an error."""
        return self.status in GOOD


def by_layer(nodes: Iterable[Node]) -> dict[Layer, dict[str, Node]]:
    """Every node under the one layer that builds it, by unique id.

    A model belongs where its folder says, a test to the last layer that it
    looks at. Raises `PermanentError` for a model outside the layers' folders:
    it would never be built.
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
        f"dbt: {node.path} belongs to no layer, so nothing would build it. Move it below {wanted}."
    )


def still_to_build(expected: Mapping[str, Node], so_far: Mapping[str, str]) -> dict[str, Node]:
    """What a retry builds, given the newest status of each node so far: all that is not good yet.

    For a test that failed, the models that it looks at are built again too:
    the data or the code may have been mended since. Whatever depends on a
    model that is built again is built and tested again.
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
