"""The models and exposures of a dbt project, as dbt's own process describes them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def described_lineage(manifest: Any, results: Iterable[Any]) -> dict[str, Any]:
    """What `include.lineage.models` needs of a manifest, as JSON.

    `results` are those of compiling it. A model that does not compile has no SQL.
    """
    compiled = {result.node.unique_id: result.node.compiled_code for result in results}
    return {
        "models": [
            {
                "unique_id": node.unique_id,
                "table": f"{node.schema}.{node.alias}",
                "columns": [column.name for column in node.columns.values()],
                "depends_on": list(node.depends_on.nodes),
                "sql": compiled.get(node.unique_id),
            }
            for node in manifest.nodes.values()
            if str(node.resource_type) == "model" and node.config.enabled
        ],
        "exposures": [
            {
                "name": exposure.name,
                "label": exposure.label or exposure.name,
                "owner": exposure.owner.name or exposure.owner.email or "",
                "depends_on": list(exposure.depends_on.nodes),
            }
            for exposure in manifest.exposures.values()
        ],
    }


def made_of(nodes: Any, model: str) -> set[str]:
    """The unique IDs of everything that a model depends on, directly or not."""
    found: set[str] = set()
    waiting = [model]
    while waiting:
        name = waiting.pop()
        parents = nodes[name].depends_on.nodes if name in nodes else ()
        waiting += [parent for parent in parents if parent not in found]
        found.update(parents)
    return found
