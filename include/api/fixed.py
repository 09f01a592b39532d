"""The answers that are made once for a version: lists, descriptions, and the page to try it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson

from include.api.answers import CACHE, Answer, hash_of
from include.api.data.dataset import Dataset
from include.api.openapi import document
from include.publish.versions import Entry

JSON = "application/json"
_PAGE = Path(__file__).parent / "page"
_PAGE_FILES = {
    "/v1/": ("index.html", "text/html; charset=utf-8"),
    "/v1/try.css": ("try.css", "text/css; charset=utf-8"),
    "/v1/try.js": ("try.js", "text/javascript; charset=utf-8"),
}
# The page takes nothing from other hosts, and no other page frames it.
_POLICY = (
    ("content-security-policy", "default-src 'none'; script-src 'self'; style-src 'self'; "
     "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
)  # fmt: skip
FORMATS = ("csv", "json", "parquet", "geojson")


def fixed_answers(
    version: str,
    published_at: str,
    datasets: Mapping[str, Dataset],
    history: Iterable[Entry],
) -> dict[str, Answer]:
    """The answers by path."""
    listed = [
        {"name": name, "title": one.about["title"], **_short(one)} for name, one in datasets.items()
    ]
    found = {
        "/v1/datasets": _json({"version": version, "datasets": listed}),
        "/v1/versions": _json({"current": version, "versions": list(map(_entry, history))}),
        "/v1/openapi.json": _json(document(version, datasets)),
    }
    for name, one in datasets.items():
        found[f"/v1/datasets/{name}"] = _json(_described(version, published_at, one))
    for path, (file, media_type) in _PAGE_FILES.items():
        body = (_PAGE / file).read_bytes()
        found[path] = Answer(
            200, media_type, body, hash_of(body), cache=CACHE, more=_POLICY, is_hot=True
        )
    return found


def _json(content: Mapping[str, Any]) -> Answer:
    body = orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
    return Answer(200, JSON, body, hash_of(body), cache=CACHE, is_hot=True)


def _short(one: Dataset) -> dict[str, Any]:
    return {
        "rows": one.rows,
        "updated": one.about["updated"],
        "period": one.about["period"],
        "licence": one.about["licence"],
        "href": f"/v1/datasets/{one.name}",
    }


def _described(version: str, published_at: str, one: Dataset) -> dict[str, Any]:
    about = one.about
    address = f"/v1/datasets/{one.name}"
    return {
        "name": one.name,
        "title": about["title"],
        "description": about["description"],
        **_short(one),
        "version": version,
        "published_at": published_at,
        "key": about["key"],
        "attribution": about["attribution"],
        "sources": [
            {key: source[key] for key in ("title", "publisher", "licence", "attribution")}
            for source in about["sources"]
        ],
        "columns": [
            {
                "name": column.name,
                "type": column.type.name,
                "description": column.description,
                "can_be_compared": column.type.parse is not None,
            }
            for column in one.columns.values()
        ],
        "links": {
            "rows": f"{address}/rows",
            "aggregate": f"{address}/aggregate",
            **{kind: f"{address}.{kind}" for kind in FORMATS if kind in about["files"]},
        },
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        "version": entry.version,
        "published_at": entry.published_at,
        "since": entry.since,
        "datasets": {name: {"rows": one["rows"]} for name, one in entry.datasets.items()},
        "changes": entry.changes,
    }
