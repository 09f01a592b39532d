"""Pages from templates: every value escaped, every link relative."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from include.publish.about import About, Dataset
from include.publish.site import words

_HERE = Path(__file__).parent
_ASSETS = ("icon.svg", "site.js", "style.css", "wave.svg")
# Files of a dataset by the name of their field, with media types for schema.org.
_FORMATS = {
    "csv": ("CSV", "text/csv"),
    "parquet": ("Parquet", "application/vnd.apache.parquet"),
    "json": ("JSON", "application/json"),
    "geojson": ("GeoJSON", "application/geo+json"),
}


class Renderer:
    """Fills the templates for one version of the site."""

    def __init__(self, about: About, shared: Mapping[str, Any]) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(_HERE / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._environment.filters.update(moment=_moment, number=words.number)
        self._environment.globals.update(
            shared, about=about, files_of=files_of, drawn=_drawn, file_name=words.file_name
        )

    def page(self, path: str, template: str, **values: Any) -> tuple[str, bytes]:
        """The page at that path, relative to the site's root."""
        root = "../" * path.count("/")
        text = self._environment.get_template(template).render(values, path=path, root=root)
        return path, text.encode()


def assets() -> Iterator[tuple[str, bytes]]:
    """The files that all pages use, by their paths."""
    for name in _ASSETS:
        yield f"assets/{name}", (_HERE / "assets" / name).read_bytes()


def files_of(dataset: Dataset) -> list[tuple[str, str]]:
    """The published files of a dataset: format and path."""
    return [
        (label, getattr(dataset, f)) for f, (label, _) in _FORMATS.items() if getattr(dataset, f)
    ]


def linked_data(about: About) -> Markup:
    """The datasets for search engines, by schema.org, as a data block."""
    described = {
        "@context": "https://schema.org",
        "@type": "DataCatalog",
        "name": "Open data",
        "dateModified": _utc(about.as_of).isoformat(),
        "dataset": [_dataset(dataset) for _, dataset in sorted(about.datasets.items())],
    }
    text = json.dumps(described, ensure_ascii=True, indent=1)
    # Nothing in it can end the element.
    safe = text.replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")
    return Markup(safe)  # noqa: S704 - escaped above


def _dataset(dataset: Dataset) -> dict[str, Any]:
    return {
        "@type": "Dataset",
        "identifier": dataset.name,
        "name": dataset.title,
        "description": dataset.description,
        "license": dataset.licence,
        "creditText": dataset.attribution,
        "dateModified": _utc(dataset.updated).isoformat(),
        "variableMeasured": [column.name for column in dataset.columns],
        "isBasedOn": [source.title for source in dataset.sources],
        "distribution": [
            {"@type": "DataDownload", "encodingFormat": media, "contentUrl": getattr(dataset, f)}
            for f, (_, media) in _FORMATS.items()
            if getattr(dataset, f)
        ],
    }


def _drawn(svg: str, root: str) -> Markup:
    """Our own SVG, its links relative to the page. In it every `<` of a value is escaped."""
    return Markup(svg.replace('<a href="', f'<a href="{root}'))  # noqa: S704 - drawn by us


def _moment(value: datetime) -> str:
    moment = _utc(value)
    return f"{words.day(moment.date())}, {moment:%H:%M} UTC"


def _utc(value: datetime) -> datetime:
    return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
