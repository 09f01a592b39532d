"""A published version of tables that a test makes: the same files and descriptions as published."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from include.jobs.publish.datasets import Prepared, fingerprint
from include.publish.about import Column, Dataset, Source
from include.publish.files import write
from include.publish.read import Mart
from include.publish.types import kind_of
from include.publish.versions import Entry, Published, with_version

OGL = "Open Government Licence v3.0"


@dataclass(frozen=True)
class Table:
    """A mart: SQL types of its columns, its key, and its rows as Python values."""

    types: Mapping[str, str]
    key: tuple[str, ...]
    rows: list[dict[str, Any]]

    @property
    def arrow(self) -> pa.Table:
        """Its rows as published in Parquet."""
        schema = pa.schema(
            [(name, kind_of("table", name, type_).arrow) for name, type_ in self.types.items()]
        )
        return pa.Table.from_pylist(self.rows, schema=schema)


def publish(store: Published, tables: Mapping[str, Table], folder: Path) -> str:
    """Publish these tables as the current version; returns its name."""
    entry = write_version(store, tables, folder)
    store.write_index(with_version(store.index(), entry))
    return entry.version


def write_version(store: Published, tables: Mapping[str, Table], folder: Path) -> Entry:
    """Write a version that the index does not list yet."""
    prepared = {name: _prepared(name, one, folder / name) for name, one in tables.items()}
    prints = repr({name: fingerprint(one) for name, one in prepared.items()})
    version = hashlib.sha256(prints.encode()).hexdigest()[:16]
    files = [
        (f"data/{name}/{name}.{kind}", one.folder / f"{name}.{kind}", file)
        for name, one in prepared.items()
        for kind, file in one.files.items()
    ]
    now = datetime.now(UTC).isoformat(timespec="seconds")
    described = {
        "version": version,
        "published_at": now,
        "datasets": {
            name: {
                **asdict(one.dataset),
                "updated": one.dataset.updated.isoformat(timespec="seconds"),
                "fingerprint": fingerprint(one),
                "files": {kind: f"data/{name}/{name}.{kind}" for kind in one.files},
            }
            for name, one in prepared.items()
        },
        "files": {path: asdict(file) for path, _, file in files},
    }
    store.write_version(
        version, described, [(path, place, file.media_type) for path, place, file in files]
    )
    counts = {name: {"rows": len(one.rows), "sha256": ""} for name, one in tables.items()}
    return Entry(version, now, counts)


def _prepared(name: str, table: Table, folder: Path) -> Prepared:
    rows = table.arrow
    text = pl.DataFrame(pl.from_arrow(rows)).cast(pl.String).to_arrow()
    mart = Mart(name, table.types, table.key, text, rows)
    geometry = "geometry" if "geometry" in table.types else ""
    files = write(mart, folder, geometry)
    paths = {kind: f"../data/{name}/{name}.{kind}" for kind in files}
    dataset = Dataset(
        name=name,
        title=name.replace("_", " ").capitalize(),
        description=f"The {name} of a test.",
        columns=tuple(Column(one, type_, f"Its {one}.") for one, type_ in table.types.items()),
        key=table.key,
        licence=OGL,
        attribution=f"Contains data from a test, {OGL}.",
        sources=(Source(name, name, "A test", OGL, ""),),
        rows=len(table.rows),
        updated=datetime(2026, 11, 1, tzinfo=UTC),
        csv=paths["csv"],
        parquet=paths["parquet"],
        json=paths["json"],
        geojson=paths.get("geojson", ""),
    )
    return Prepared(dataset, files, rows, folder)
