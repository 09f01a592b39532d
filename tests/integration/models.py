"""Build of the dbt project what comes of one source, and nothing else."""

from __future__ import annotations

from include.transform.process import Dbt


def build_models_of(dbt: Dbt, source: str) -> list[str]:
    """Build every model that the raw table of a source goes into, without tests; their names."""
    changed, models = {f"source.wandle.raw.{source}"}, []
    waiting = [node for node in dbt.nodes() if node.resource_type == "model"]
    while found := [node for node in waiting if changed.intersection(node.depends_on)]:
        models += found
        changed = {node.unique_id for node in found}
        waiting = [node for node in waiting if node not in models]
    results = dbt.build(models)
    assert models, f"no model selects from raw.{source}"
    assert len(results) == len(models), results
    assert all(result.good for result in results), results
    return [node.unique_id.rpartition(".")[2] for node in models]
