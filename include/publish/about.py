"""What is known about the published datasets, for the files that describe them and the pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

# Of each format of a dataset; GeoJSON if it has geometry.
MEDIA_TYPES = {
    "csv": "text/csv; charset=utf-8; header=present",
    "parquet": "application/vnd.apache.parquet",
    "json": "application/json",
    "geojson": "application/geo+json",
}


@dataclass(frozen=True)
class Column:
    """A published column; `type` is its SQL type, e.g. `date` or `numeric(6,2)`."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Source:
    """Where a dataset comes from, as its contract says."""

    name: str
    title: str
    publisher: str
    licence: str
    attribution: str = ""


@dataclass(frozen=True)
class Dataset:
    """A published mart.

    `key` names the columns of its primary key. `licence` holds the licences of all its sources,
    `attribution` is the sentence that users of the data must repeat. The paths `csv`, `parquet`,
    `json` and `geojson` (empty without geometry) are relative to the site's root, e.g.
    `../data/weather_daily/weather_daily.csv`. `updated` is when its content last changed, `period`
    the months or days that its rows are about, as an ISO 8601 interval, e.g. `2025-09/2026-08`;
    empty without dates.
    """

    name: str
    title: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    licence: str
    attribution: str
    sources: tuple[Source, ...]
    rows: int
    updated: datetime
    csv: str
    parquet: str
    json: str
    geojson: str = ""
    period: str = ""

    @property
    def csvw(self) -> str:
        """The path of the description of its CSV file."""
        return f"{self.csv}-metadata.json"


@dataclass(frozen=True)
class Change:
    """A version, and what changed in which datasets since the one `since`; empty for the first.

    `datasets` has the rows `added`, `removed` and `changed`, and whether the dataset is `new` or
    `gone`.
    """

    version: str
    published_at: datetime
    datasets: Mapping[str, Mapping[str, Any]]
    since: str = ""


@dataclass(frozen=True)
class About:
    """A version: when its content was published, the councils' titles, and its datasets by name.

    `catalogue` and `datapackage` are the paths of the descriptions of all datasets, relative to the
    site's root. No path names the version, so links stay the same from one version to the next.
    `history` has this version and those before it, newest first. `api` is the origin of the read
    API that the pages may ask, e.g. `https://api.example.org`; empty: they ask nobody.
    """

    as_of: datetime
    councils: Mapping[str, str]
    datasets: Mapping[str, Dataset]
    history: Sequence[Change] = ()
    api: str = ""
    catalogue: str = "../data/catalog.jsonld"
    datapackage: str = "../data/datapackage.json"
