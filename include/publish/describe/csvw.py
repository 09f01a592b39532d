"""Metadata of one CSV file by CSV on the Web (W3C): `<name>.csv-metadata.json` beside it."""

from __future__ import annotations

from typing import Any

from include.publish.about import Column, Dataset
from include.publish.describe.licences import licences_of
from include.publish.types import kind_of


def csvw(dataset: Dataset) -> dict[str, Any]:
    """The metadata of the dataset's CSV file."""
    licences = [{"@id": one.url} for one in licences_of(s.licence for s in dataset.sources)]
    named = [one for one in licences if one["@id"]]
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": f"{dataset.name}.csv",
        "dc:title": dataset.title,
        "dc:description": dataset.description,
        **({"dc:license": named} if named else {}),
        "dc:rights": dataset.attribution,
        "dc:modified": {"@value": dataset.updated.date().isoformat(), "@type": "xsd:date"},
        "tableSchema": {
            "columns": [_column(dataset, column) for column in dataset.columns],
            **({"primaryKey": list(dataset.key)} if dataset.key else {}),
        },
    }


def _column(dataset: Dataset, column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "titles": column.name,
        "datatype": kind_of(dataset.name, column.name, column.type).csvw,
        "dc:description": column.description,
        **({"required": True} if column.name in dataset.key else {}),
    }
