"""Pages from templates: every value escaped, every link relative."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from include.publish.about import About, Dataset
from include.publish.site import words

_HERE = Path(__file__).parent
_ASSETS = ("icon.svg", "rows.js", "site.js", "style.css", "wave.svg")
# Files of a dataset by the name of their field.
_FORMATS = {
    "csv": "CSV",
    "parquet": "Parquet",
    "json": "JSON",
    "geojson": "GeoJSON",
    "csvw": "Columns (CSVW)",
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
        self._environment.filters.update(
            moment=_moment,
            number=words.number,
            period=words.period,
            change=words.change,
            coded=_coded,
        )
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
    """The published files of a dataset and the description of its columns: format and path."""
    return [
        (label, getattr(dataset, kind))
        for kind, label in _FORMATS.items()
        if getattr(dataset, kind)
    ]


def _coded(text: str) -> Markup:
    """Names between backticks, as descriptions have them, as code; all of it escaped."""
    parts = text.split("`")
    if len(parts) % 2 == 0:
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if n % 2 else escape(part)
        for n, part in enumerate(parts)
    )


def _drawn(svg: str, root: str) -> Markup:
    """Our own SVG, its links relative to the page. In it every `<` of a value is escaped."""
    return Markup(svg.replace('<a href="', f'<a href="{root}'))  # noqa: S704 - drawn by us


def _moment(value: datetime) -> str:
    moment = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return f"{words.day(moment.date())}, {moment:%H:%M} UTC"
