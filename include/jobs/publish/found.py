"""Which marts are published, keep their last files or are refused, and what they may not show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from include.jobs.publish.green import not_green
from include.publish.public import PublicMart, exposed, public_marts
from include.publish.read import built_columns
from include.publish.site.tables import SCHEMAS
from include.publish.versions import Entry, NotPublished, Published
from include.sources.model import Contract
from include.transform.history import History
from include.transform.process import Dbt


@dataclass
class Found:
    """The marts that declare to be published: those to read, those to keep, those refused.

    `kept` and `refused` say why. `declared` are all of them by name.
    """

    declared: dict[str, PublicMart] = field(default_factory=dict)
    ready: list[PublicMart] = field(default_factory=list)
    kept: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


def find(dbt: Dbt, history: History, contracts: Mapping[str, Contract]) -> Found:
    """What dbt's description, the contracts and the latest results say of each mart."""
    nodes = {node.unique_id: node for node in dbt.nodes()}
    latest = history.latest()
    found = Found()
    for mart in public_marts(dbt.published(), contracts):
        found.declared[mart.name] = mart
        if mart.refused:
            found.refused[mart.name] = mart.refused
        elif why := _behind(history, mart) or not_green(mart.unique_id, nodes, latest):
            found.kept[mart.name] = why
        else:
            found.ready.append(mart)
    # A model that does not parse declares nothing that is known.
    for node in nodes.values():
        if node.error and node.path.startswith("models/marts/"):
            found.kept.setdefault(node.short_name, "its file does not parse")
    return found


def _behind(history: History, mart: PublicMart) -> str:
    built = built_columns(history.connection, mart.name)
    if not built:
        return "it is not built yet"
    missing = sorted(mart.columns.keys() - built.keys())
    return f"it was built without {', '.join(missing)}" if missing else ""


def carry(found: Found, latest: Mapping[str, Any], contracts: Mapping[str, Contract]) -> list[str]:
    """The datasets to keep; one that shows what is no longer public is refused instead."""
    keep = []
    for name, why in [*found.kept.items()]:
        if (dataset := latest.get("datasets", {}).get(name)) is None:
            continue
        if shown := exposed(dataset, found.declared.get(name), contracts):
            del found.kept[name]
            found.refused[name] = (
                f"The last files of marts.{name} show {shown}, so they are published no longer; "
                f"there are no others, because {why}. Fix the model, then run `wandle transform`."
            )
        else:
            keep.append(name)
    return keep


def exposing(
    store: Published, newest: Entry, found: Found, contracts: Mapping[str, Contract]
) -> list[str]:
    """The earlier versions that show what is no longer public, and how to delete them."""
    versions: dict[str, list[str]] = {}
    for entry in store.index().versions:
        if entry.version == newest.version:
            continue
        try:
            datasets = store.version(entry.version)["datasets"]
        except NotPublished:  # somebody deleted its files
            continue
        for name, dataset in datasets.items():
            if shown := exposed(dataset, found.declared.get(name), contracts):
                versions.setdefault(shown, []).append(entry.version)
    return [
        f"Earlier versions still show {shown}. Delete each of them with `wandle publish --withdraw "
        f"VERSION`: {', '.join(names)}."
        for shown, names in versions.items()
    ]


def not_shown(found: Found) -> dict[str, list[str]]:
    """The marts that the pages leave out, and their columns that pages need and nobody may see."""
    needed = {
        name: sorted(SCHEMAS.get(name, {}).keys() & mart.withheld)
        for name, mart in found.declared.items()
    }
    return {name: columns for name, columns in needed.items() if columns}
