"""Responses given to `wandle new-source`, replayed for the source that was made of each.

    samples/<source>@<host>.json    written by include/jobs/author/replay.py

The same response is the answer for every council and period: a sample shows
that a source works, not what its other partitions hold.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from pathlib import Path
from string import Formatter
from typing import Any
from urllib.parse import unquote

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

FOLDER = "samples"


def samples_route(folder: Path | None) -> Route:
    """Whatever no other route answers: `/<host>/<path>`."""

    async def answer(request: Request) -> Response:
        host, path = request.path_params["host"], f"/{request.path_params['path']}"
        found = _answer(folder, host, path, request.query_params) if folder else None
        if found is None:
            return PlainTextResponse(f"The sandbox does not simulate {host}{path}\n", 404)
        return Response(found, media_type="application/octet-stream")

    return Route("/{host}/{path:path}", answer, methods=["GET"])


def _answer(folder: Path, host: str, path: str, query: Mapping[str, str]) -> bytes | None:
    """The body of the newest sample whose request this is; None if there is none."""
    files = [file for file in folder.glob("*.json") if file.stem.rpartition("@")[2] == host]
    for file in sorted(files, key=lambda file: file.stat().st_mtime_ns, reverse=True):
        sample = json.loads(file.read_bytes())
        if _fits(sample["path"], path) and all(
            _fits(template, query.get(name, "")) for name, template in sample["query"].items()
        ):
            return _page(sample, query)
    return None


def _page(sample: dict[str, Any], query: Mapping[str, str]) -> bytes | None:
    """The sample as the first page; any other page is the one after the last."""
    paging = sample["paging"]
    if paging and query.get(paging["parameter"], paging["first"]) != paging["first"]:
        return None if paging["last"] is None else base64.b64decode(paging["last"])
    return base64.b64decode(sample["body"])


def _fits(template: str, text: str) -> bool:
    """Whether a text is a template with something in place of each placeholder."""
    pattern = "".join(
        re.escape(unquote(literal)) + ("" if name is None else ".+")
        for literal, name, _, _ in Formatter().parse(template)
    )
    return re.fullmatch(pattern, text) is not None
