"""What a node of the parsed project is made by: a hash that changes whenever its rows may.

Runs in dbt's process, on its manifest.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

# Part of every fingerprint: another number rebuilds everything.
VERSION = 1

# Rows that depend on the time are out of date the next day.
_CLOCK = re.compile(
    r"\b(?:current_date|current_timestamp|localtimestamp|now\(\)|clock_timestamp\(\)|modules\.datetime"
    r"|run_started_at)(?!\w)",
    re.IGNORECASE,
)
# What every node may use; macros override each other, so all of them count.
_SHARED = ("dbt_project.yml", "macros/**/*.sql", "tests/generic/**/*.sql")
# The columns of a staging model that hold the partition of a raw row.
_COUNCIL = re.compile(r'\b_council as "?(\w+)"?')
_PERIOD = re.compile(r'\b_period as "?(\w+)"?')
# A staging model of which a row may depend on rows of other partitions.
_ACROSS = re.compile(
    r"\b(?:newest|distinct|join|union|limit|exists|group\s+by|over\s*\()", re.IGNORECASE
)
# Tests whose failing rows of a partition depend on no other partition of the tested model.
_BY_ROW = {"not_null", "accepted_values", "relationships", "at_most"}


def today(texts: Iterable[str]) -> str:
    """The date (UTC) if one of the texts depends on the time, else an empty text."""
    return f"{datetime.now(UTC):%Y-%m-%d}" if any(map(_CLOCK.search, texts)) else ""


def shared_hash(folder: Path) -> str:
    """Hash of the files of a project that every node may use, and of dbt's version."""
    from dbt.version import get_installed_version

    paths = sorted({path for pattern in _SHARED for path in folder.glob(pattern)})
    texts = {f"{path.relative_to(folder)}": path.read_text("utf-8", "replace") for path in paths}
    version = get_installed_version().to_version_string()
    return _hash([VERSION, version, texts, today(texts.values())])


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
        return {
            "key": f"{node.schema}.{node.name}",
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
            content = _hash(
                [
                    self._shared,
                    node.raw_code,
                    today([node.raw_code]),
                    node.config.to_dict(),
                    metadata.to_dict() if metadata else None,
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
        parents = list(node.depends_on.nodes)
        sources = sorted(self._sources(node))
        if node.config.materialized == "view":
            if parents == [f"source.{node.package_name}.raw.{source}" for source in sources]:
                found = [_COUNCIL.search(node.raw_code), _PERIOD.search(node.raw_code)]
                if len(sources) == 1 and all(found) and not _ACROSS.search(node.raw_code):
                    return [match[1] for match in found if match], sources
            return [], []
        key = node.config.unique_key
        columns = [key] if isinstance(key, str) else list(key or ())
        if node.config.materialized != "incremental" or not 1 <= len(columns) <= 2:
            return [], []
        made_of = node.config.meta.get("made_of")
        if made_of:
            names = [made_of] if isinstance(made_of, str) else made_of
            named = [self._named(name) for name in names]
            sources = sorted({source for one in named if one for source in self._sources(one)})
        return (columns, sources) if made_of or len(sources) == 1 else ([], [])

    def _of_test(self, node: Any) -> tuple[list[str], list[str]]:
        models = [self._manifest.nodes.get(name) for name in node.depends_on.nodes]
        attached = self._manifest.nodes.get(getattr(node, "attached_node", None) or "")
        tested = [attached] if attached else models
        found = [self._partitions(model) for model in tested if model]
        if not found or any(columns != found[0][0] for columns, _ in found):
            return [], []
        columns, driven_by = found[0][0], sorted({source for _, some in found for source in some})
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


def _hash(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=_text)
    return hashlib.sha256(text.encode()).hexdigest()


def _text(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else str(value)
