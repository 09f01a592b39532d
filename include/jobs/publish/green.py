"""Which marts in the database are known to be good: built, and tested without a failure."""

from __future__ import annotations

from collections.abc import Mapping

from include.transform.graph import GOOD, Node


def not_green(mart: str, nodes: Mapping[str, Node], latest: Mapping[str, str]) -> str:
    """Why the mart in the database is not known to be good; empty if it is.

    It is if the latest result of the model, of each model that it is made of,
    and of each of their tests is a success.
    """
    models = {mart}
    waiting = [mart]
    while waiting:
        for parent in nodes[waiting.pop()].depends_on:
            if parent in nodes and parent not in models:
                models.add(parent)
                waiting.append(parent)
    needed = [
        node
        for name, node in nodes.items()
        if name in models or (node.is_test and models.intersection(node.depends_on))
    ]
    for node in needed:
        if node.error:
            return f"{node.name} does not parse"
    bad = [node for node in needed if latest.get(node.unique_id) not in GOOD]
    # What failed by itself, not what waited for it.
    bad.sort(key=lambda node: latest.get(node.unique_id) in (None, "skipped"))
    if bad:
        status = latest.get(bad[0].unique_id, "not built")
        return f"{bad[0].name}: {status}"
    return ""
