"""The pages of a version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from html import escape

import pyarrow as pa

from include.publish.about import About, Dataset

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Open data</title>
</head>
<body>
<main>
<h1>Open data: {councils}</h1>
<p>As of {as_of}. <a href="{catalogue}">Catalogue of all files</a>.</p>
{datasets}
</main>
</body>
</html>
"""


def pages(tables: Mapping[str, pa.Table], about: About) -> Iterator[tuple[str, bytes]]:
    """Each page and file of the site: its path relative to the site's root, and its body."""
    page = _PAGE.format(
        councils=escape(", ".join(about.councils.values())),
        as_of=f"{about.as_of:%d %B %Y, %H:%M} UTC",
        catalogue=escape(about.catalogue),
        datasets="\n".join(map(_section, about.datasets.values())),
    )
    yield "index.html", page.encode()


def _section(dataset: Dataset) -> str:
    formats = {
        "CSV": dataset.csv,
        "Parquet": dataset.parquet,
        "JSON": dataset.json,
        "GeoJSON": dataset.geojson,
    }
    links = ", ".join(
        f'<a href="{escape(path)}">{title}</a>' for title, path in formats.items() if path
    )
    return (
        f'<section id="{escape(dataset.name)}"><h2>{escape(dataset.title)}</h2>\n'
        f"<p>{escape(dataset.description)}</p>\n<p>{dataset.rows:,} rows: {links}. "
        f"{escape(dataset.attribution)}</p></section>"
    )
