"""Build of the dbt project what comes of one source, and nothing else."""

from __future__ import annotations

from include.transform.graph import Node
from include.transform.process import Dbt


def build_models_of(dbt: Dbt, source: str) -> list[str]:
    """Build every model that the raw table of a source goes into, without tests; their names.

    With what else these are made of.
    """
    changed, models = {f"source.wandle.raw.{source}"}, []
    waiting = [node for node in dbt.nodes() if node.resource_type == "model"]
    while found := [node for node in waiting if changed.intersection(node.depends_on)]:
        models += found
        changed = {node.unique_id for node in found}
        waiting = [node for node in waiting if node not in models]
    results = dbt.build([*models, *_parents_of(models, waiting)])
    assert models, f"no model selects from raw.{source}"
    assert len(results) >= len(models), results
    assert all(result.good for result in results), results
    return [node.unique_id.rpartition(".")[2] for node in models]


def _parents_of(models: list[Node], others: list[Node]) -> list[Node]:
    needed = {parent for node in models for parent in node.depends_on}
    found = [node for node in others if node.unique_id in needed]
    left = [node for node in others if node not in found]
    return [*found, *_parents_of(found, left)] if found else []
