"""What a node of the parsed project is made by: a hash that changes whenever its rows may.

Runs in dbt's process, on its manifest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Part of every fingerprint: another number rebuilds everything.
VERSION = 2

# Rows that depend on the time are out of date the next day.
_CLOCK = re.compile(
    r"\b(?:current_(?:date|time(?:stamp)?)|localtime(?:stamp)?|modules\.datetime|run_started_at"
    r"|(?:now|timeofday|(?:clock|statement|transaction)_timestamp)\s*\(\s*\))(?!\w)"
    # the time since a moment, and words that are read as a date
    r"|\bage\s*\([^,()]+\)|'(?:now|today|yesterday|tomorrow)'",
    re.IGNORECASE,
)
# What every node may use; macros override each other, so all of them count.
_SHARED = ("dbt_project.yml", "macros/**/*.sql", "tests/generic/**/*.sql")
# They store rows and say when; no row depends on that.
_STORING = ("macros/record_build.sql", "macros/rename_relation.sql")
# The columns of a staging model that hold the partition of a raw row.
_COUNCIL = re.compile(r'\b_council as "?(\w+)"?')
_PERIOD = re.compile(r'\b_period as "?(\w+)"?')
# A staging model of which a row may depend on rows of other partitions: it combines rows, or has a
# query in an expression.
_ACROSS = re.compile(
    r"\b(?:(?<!is )(?<!not )distinct|join|union|intersect|except|limit|fetch|exists|having|over"
    r"|window|group\s+by|tablesample)\b|\b(?:count|sum|min|max|avg)\s*\("
    r"|(?:[=<>,(]|\b(?:in|any|some|all|array))\s*\(\s*select\b",
    re.IGNORECASE,
)
# Tests whose failing rows of a partition depend on no other partition of the tested model.
_BY_ROW = {"not_null", "accepted_values", "relationships", "at_most"}
# What decides by the number of all failing rows; with other values, a part of them says nothing.
_VERDICT = {"warn_if": "!= 0", "error_if": "!= 0", "fail_calc": "count(*)", "limit": None}
# The grains of periods, shorter ones first; a month or a year can have several partitions.
_GRAINS = ("hour", "day", "month", "quarter", "year")


def daily(folder: Path, paths: Iterable[Path]) -> str:
    """The date (UTC) if one of these files of a project depends on the time, else an empty text."""
    read = (path for path in paths if path.relative_to(folder).as_posix() not in _STORING)
    return today(path.read_text("utf-8", "replace") for path in read)


def today(texts: Iterable[str]) -> str:
    """The date (UTC) if one of the texts depends on the time, else an empty text."""
    return f"{datetime.now(UTC):%Y-%m-%d}" if any(map(_CLOCK.search, texts)) else ""


def shared_hash(folder: Path) -> str:
    """Hash of the files of a project that every node may use, and of dbt's version."""
    from dbt.version import get_installed_version

    paths = sorted({path for pattern in _SHARED for path in folder.glob(pattern)})
    texts = {f"{path.relative_to(folder)}": path.read_text("utf-8", "replace") for path in paths}
    version = get_installed_version().to_version_string()
    return _hash([VERSION, version, texts, daily(folder, paths)])


class Described:
    """The nodes of a manifest, described for the plan of a build."""

    def __init__(self, manifest: Any, folder: Path) -> None:
        self._manifest = manifest
        self._shared = shared_hash(folder)
        self._fingerprints: dict[str, str] = {}

    def of(self, node: Any) -> dict[str, Any]:
        """The fields of `graph.Node` that say what a node is built from, and how."""
        partition_by, driven_by = self._partitions(node)
        columns = {column.name: column.data_type for column in self._columns(node)}
        is_test = str(node.resource_type) == "test"
        return {
            # of a model, what it is called in the database; the alias of a test is a hash
            "key": f"{node.schema}.{node.name if is_test else node.alias}",
            "materialized": str(getattr(node.config, "materialized", "")),
            "fingerprint": self._fingerprint(node.unique_id),
            "partition_by": partition_by,
            "driven_by": driven_by,
            "columns": [[name, kind or ""] for name, kind in columns.items()],
        }

    def _fingerprint(self, unique_id: str) -> str:
        """Changes with the node and with everything that it selects from."""
        if unique_id not in self._fingerprints:
            node = self._manifest.nodes.get(unique_id)
            if node is None:  # a source
                return unique_id
            metadata = getattr(node, "test_metadata", None)
            config, asked = node.config.to_dict(), metadata.to_dict() if metadata else None
            content = _hash(
                [
                    self._shared,
                    node.raw_code,
                    # of a test, what it is given is in its description
                    today([node.raw_code, *_texts([config, asked])]),
                    config,
                    asked,
                    node.description,
                    [column.to_dict() for column in self._columns(node)],
                    [self._fingerprint(parent) for parent in sorted(node.depends_on.nodes)],
                ]
            )
            self._fingerprints[unique_id] = f"{self._shape(node)}/{content}"
        return self._fingerprints[unique_id]

    def _shape(self, node: Any) -> str:
        """Changes with the columns and constraints of a table."""
        columns = [
            [column.name, column.data_type, [item.to_dict() for item in column.constraints]]
            for column in self._columns(node)
        ]
        constraints = [item.to_dict() for item in getattr(node, "constraints", ())]
        return _hash([columns, constraints])[:16]

    def _columns(self, node: Any) -> list[Any]:
        return list(getattr(node, "columns", {}).values())

    def _partitions(self, node: Any) -> tuple[list[str], list[str]]:
        """The columns that hold a row's partition, and the sources whose partitions these are.

        Both are empty if the node can only be built, or tested, whole.
        """
        if str(node.resource_type) == "test":
            return self._of_test(node)
        if node.config.materialized == "view":
            return self._of_view(node)
        key = node.config.unique_key
        columns = [key] if isinstance(key, str) else list(key or ())
        if node.config.materialized != "incremental" or not 1 <= len(columns) <= 2:
            return [], []
        sources = self._sources(node)
        if made_of := node.config.meta.get("made_of"):
            names = [made_of] if isinstance(made_of, str) else made_of
            named = [self._named(name) for name in names]
            sources = {source for one in named if one for source in self._sources(one)}
        elif len(sources) > 1:
            return [], []
        # Else a row may depend on other partitions of a parent, which is built whole anyway.
        if all(self._is_cut(name, columns, sources) for name in node.depends_on.nodes):
            return columns, sorted(sources)
        return [], []

    def _is_cut(self, parent: str, columns: list[str], sources: set[str]) -> bool:
        """Whether a parent has these partitions, or no row of these sources."""
        node = self._manifest.nodes.get(parent)
        if node is None:  # a raw table, whose columns have other names
            return parent.rpartition(".")[2] not in sources
        return not self._sources(node) & sources or _holds(columns, self._partitions(node)[0])

    def _of_view(self, node: Any) -> tuple[list[str], list[str]]:
        """Of a staging model; none if its rows may depend on rows of other partitions."""
        sources = sorted(self._sources(node))
        parents = [f"source.{node.package_name}.raw.{source}" for source in sources]
        if len(sources) != 1 or list(node.depends_on.nodes) != parents:
            return [], []
        found = [_COUNCIL.search(node.raw_code), _PERIOD.search(node.raw_code)]
        texts = [node.raw_code, *self._macros(node, set())]
        if all(found) and not any(map(_ACROSS.search, texts)):
            return [match[1] for match in found if match], sources
        return [], []

    def _macros(self, node: Any, seen: set[str]) -> Iterator[str]:
        """The text of each macro of a project that a node uses, directly or through others."""
        for name in {*node.depends_on.macros} - seen:
            seen.add(name)
            macro = self._manifest.macros.get(name)
            if macro and macro.package_name not in ("dbt", "dbt_postgres"):
                yield macro.macro_sql
                yield from self._macros(macro, seen)

    def _of_test(self, node: Any) -> tuple[list[str], list[str]]:
        models = [self._manifest.nodes.get(name) for name in node.depends_on.nodes]
        attached = self._manifest.nodes.get(getattr(node, "attached_node", None) or "")
        tested = [attached] if attached else models
        found = [self._partitions(model) for model in tested if model]
        if not found or any(columns != found[0][0] for columns, _ in found):
            return [], []
        columns, driven_by = found[0][0], sorted({source for _, some in found for source in some})
        if any(getattr(node.config, name, usual) != usual for name, usual in _VERDICT.items()):
            return [], []
        if _ACROSS.search(node.config.where or ""):
            return [], []
        others = [model for model in models if model and model not in tested]
        # Rows of every partition may refer to what a change of one has removed.
        if any(self._sources(other) & {*driven_by} for other in others):
            return [], []
        metadata: Any = getattr(node, "test_metadata", None)
        name = metadata.name if metadata else ""
        together = metadata.kwargs.get("columns", []) if name == "unique_together" else []
        by_row = name in _BY_ROW or node.config.meta.get("per_partition") is True
        if by_row or (columns and {*columns} <= {*together}):
            return columns, driven_by
        return [], []

    def _named(self, name: str) -> Any:
        models = self._manifest.nodes.values()
        return next((node for node in models if node.name == name), None)

    def _sources(self, node: Any) -> set[str]:
        """The raw tables that a node selects from, directly or through others."""
        found: set[str] = set()
        for parent in node.depends_on.nodes:
            other = self._manifest.nodes.get(parent)
            found |= self._sources(other) if other else {parent.rpartition(".")[2]}
        return found


def _holds(columns: list[str], of_parent: list[str]) -> bool:
    """Whether rows of a partition are made of rows of its own partitions of a parent."""
    if not of_parent or columns[0] != of_parent[0]:
        return False
    if len(columns) == 1 or columns[1:] == of_parent[1:]:
        return True
    wide, narrow = columns[1], of_parent[-1]
    return (
        wide in ("month", "year")
        and narrow in _GRAINS
        and len(of_parent) > 1
        and _GRAINS.index(narrow) < _GRAINS.index(wide)
    )


def _texts(content: Any) -> Iterator[str]:
    """Every text in nested lists and dictionaries."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, Mapping):
        yield from _texts([*content.values()])
    elif isinstance(content, list | tuple):
        for item in content:
            yield from _texts(item)


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=_text)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
