"""All datasets as one Data Package (Frictionless, version 2): `datapackage.json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.publish.about import About, Column, Dataset, Source
from include.publish.describe.licences import licences_of
from include.publish.files import File
from include.publish.types import kind_of

PROFILES = "https://datapackage.org/profiles/2.0"


def datapackage(about: About, version: str, csv_files: Mapping[str, File]) -> dict[str, Any]:
    """The package, whose resources are the CSV files, given by dataset."""
    return {
        "$schema": f"{PROFILES}/datapackage.json",
        "name": "wandle",
        "id": version,
        "title": "Open data of London boroughs",
        "created": about.as_of.isoformat(timespec="seconds"),
        "resources": [
            _resource(dataset, csv_files[name]) for name, dataset in about.datasets.items()
        ],
    }


def _resource(dataset: Dataset, file: File) -> dict[str, Any]:
    return {
        "$schema": f"{PROFILES}/dataresource.json",
        "name": dataset.name,
        "type": "table",
        "path": f"{dataset.name}/{dataset.name}.csv",
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "title": dataset.title,
        "description": f"{dataset.description} {dataset.attribution}".strip(),
        "bytes": file.bytes,
        "hash": f"sha256:{file.sha256}",
        "licenses": [
            {"name": one.identifier, "title": one.title, **({"path": one.url} if one.url else {})}
            for one in licences_of(source.licence for source in dataset.sources)
        ],
        "sources": [_source(source) for source in dataset.sources],
        "schema": {
            "$schema": f"{PROFILES}/tableschema.json",
            "fields": [_field(dataset, column) for column in dataset.columns],
            **({"primaryKey": list(dataset.key)} if dataset.key else {}),
        },
    }


def _source(source: Source) -> dict[str, Any]:
    return {"title": f"{source.publisher}: {source.title}"}


def _field(dataset: Dataset, column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "type": kind_of(dataset.name, column.name, column.type).frictionless,
        "description": column.description,
        **({"constraints": {"required": True}} if column.name in dataset.key else {}),
    }
