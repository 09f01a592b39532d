"""What is known about the published datasets, for the files that describe them and the pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


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
    `../data/weather_daily/weather_daily.csv`. `updated` is when its content last changed.
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


@dataclass(frozen=True)
class About:
    """A version: when its content was published, the councils' titles, and its datasets by name.

    `catalogue` is the path of the DCAT catalogue, relative to the site's root. Nothing here names
    the version, so links stay the same from one version to the next.
    """

    as_of: datetime
    councils: Mapping[str, str]
    datasets: Mapping[str, Dataset]
    catalogue: str = "../data/catalog.jsonld"
