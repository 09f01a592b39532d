"""Which columns of which marts are open data: as the marts declare, and the contracts allow.

A mart is published if its YAML file says `publish: true` in `config.meta`, and every source that
it is made of has `access: public`. Its columns are public, except those with `publish: false`.
Where a source has columns that are personal or internal, none of its values is known to be public
by its name alone: then only columns with `publish: true` are, and none with the name of such a
column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from include.sources.model import Contract

_SOURCE = "source.wandle.raw."
# The column with the shape of each row, as a GeoJSON geometry.
GEOMETRY = "geometry"


@dataclass(frozen=True)
class PublicMart:
    """A mart that declares `publish: true`.

    `columns` maps the names of its public columns to their descriptions,
    `withheld` are its other columns; `refused` says why it must not be
    published, or is empty. `geometry` is the column with GeoJSON geometries, if
    there is one.
    """

    unique_id: str
    name: str
    title: str
    description: str
    columns: Mapping[str, str]
    sources: tuple[str, ...]
    geometry: str = ""
    refused: str = ""
    withheld: frozenset[str] = frozenset()


def public_marts(
    described: Iterable[Mapping[str, Any]], contracts: Mapping[str, Contract]
) -> list[PublicMart]:
    """The marts to publish, given what dbt knows of each model that declares `publish`."""
    return [_public(model, contracts) for model in described]


def _public(model: Mapping[str, Any], contracts: Mapping[str, Contract]) -> PublicMart:
    sources = tuple(
        sorted(name.removeprefix(_SOURCE) for name in model["made_of"] if name.startswith(_SOURCE))
    )
    columns = {column["name"]: column for column in model["columns"]}
    kept_back = guarded(sources, contracts)
    declared = {name: column["meta"].get("publish") for name, column in columns.items()}
    public = {
        name: " ".join(column["description"].split())
        for name, column in columns.items()
        if declared[name] is not False and (declared[name] is True or not kept_back)
    }
    return PublicMart(
        unique_id=model["unique_id"],
        name=model["name"],
        title=model["meta"].get("title") or _title(model["name"]),
        description=" ".join(model["description"].split()),
        columns=public,
        sources=sources,
        geometry=GEOMETRY if GEOMETRY in public else "",
        refused=_refused(model["name"], sources, public, kept_back, contracts),
        withheld=frozenset(columns.keys() - public.keys()),
    )


def exposed(
    dataset: Mapping[str, Any], mart: PublicMart | None, contracts: Mapping[str, Contract]
) -> str:
    """What a dataset of an earlier version shows that is no longer public; empty if nothing.

    `dataset` is as in `version.json`, `mart` what it is today, if it still
    declares to be published.
    """
    name = dataset["name"]
    sources = [source["name"] for source in dataset["sources"]]
    if internal := [one for one in sources if one in contracts and _is_internal(contracts[one])]:
        return f"{name}, of {', '.join(internal)}, which is internal"
    # A mart that is refused has columns that are public but not declared so yet.
    withheld = mart.withheld if mart and not mart.refused else ()
    hidden = {*guarded(sources, contracts), *withheld}
    if shown := sorted(hidden & {column["name"] for column in dataset["columns"]}):
        return (
            f"{', '.join(shown)} of {name}, which {'is' if len(shown) == 1 else 'are'} not public"
        )
    return ""


def _is_internal(contract: Contract) -> bool:
    return contract.access == "internal"


def guarded(sources: Iterable[str], contracts: Mapping[str, Contract]) -> set[str]:
    """The personal and internal columns that these sources load."""
    return {
        column.name
        for source in sources
        if source in contracts
        for column in contracts[source].columns
        if column.personal in ("keep", "pseudonymise") or column.access == "internal"
    }


def _refused(
    name: str,
    sources: tuple[str, ...],
    public: Mapping[str, str],
    kept_back: set[str],
    contracts: Mapping[str, Contract],
) -> str:
    internal = [one for one in sources if one in contracts and _is_internal(contracts[one])]
    unknown = [one for one in sources if one not in contracts]
    if internal:
        return (
            f"marts.{name} declares `publish: true`, but is made of {', '.join(internal)}, whose "
            "contract says `access: internal`. Remove the declaration, or change the contract."
        )
    if unknown:
        return (
            f"marts.{name} is made of {', '.join(unknown)}, whose contract cannot be read: whether "
            "it is public is not known. Fix the contract."
        )
    if named := sorted(kept_back & public.keys()):
        return (
            f"marts.{name} would publish {', '.join(named)}, which the contract of a source calls "
            "personal or internal. Set `publish: false` in the column's `config.meta`."
        )
    if not public:
        return (
            f"marts.{name} has no public column: a source has personal or internal columns, so "
            "each column to publish needs `publish: true` in its `config.meta`."
        )
    return ""


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
