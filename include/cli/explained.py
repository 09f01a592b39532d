"""Print where rows come from, as text or JSON."""

from __future__ import annotations

import base64
import json
from typing import Any

from include.jobs.operate.explain import Explained, Origin
from include.printable import printable
from include.sources.page import SentRequest
from include.terminal import say, say_lines

# A polygon can have thousands of points; the JSON output has them all.
LONGEST_VALUE = 100


def show(found: Explained) -> None:
    """Print the origin of each row, and its original record."""
    if found.mart_row is not None and found.landings is not None:
        say(f"mart       {_fields(found.mart_row)}")
        for landing_id, records in found.landings.items():
            say(f"           {records} raw rows of landing {landing_id}")
    for number, origin in enumerate([*found.origins, *found.dimensions], start=1):
        say("")
        which = (
            f"joined with {origin.dimension},"
            if origin.dimension
            else f"{number} of {found.found} "
        )
        say(f"{which} raw.{origin.partition}")
        for label, text in _facts(origin):
            say(f"{label:<11}{text}")
        say_lines(printable(origin.record.decode("utf-8", "backslashreplace")))


def as_objects(found: Explained) -> dict[str, Any]:
    """The same as JSON objects; `record_base64` has the bytes, `record` their text."""
    return {
        "found": found.found,
        "mart_row": found.mart_row,
        "landings": found.landings,
        "rows": [_as_object(origin) for origin in found.origins],
        "dimensions": [
            {"model": origin.dimension, **_as_object(origin)} for origin in found.dimensions
        ],
    }


def _as_object(origin: Origin) -> dict[str, Any]:
    manifest, page = origin.manifest, origin.page
    return {
        "source": origin.partition.source,
        "council": origin.partition.council,
        "period": str(origin.partition.period),
        "row": origin.row,
        "landing": manifest.landing_id,
        "run_id": manifest.run_id,
        "code_version": manifest.code_version,
        "parents": {name: parent.model_dump() for name, parent in manifest.parents.items()},
        "object": origin.address,
        "sha256": page.sha256,
        "page": origin.page_no,
        "page_record_no": origin.page_record_no,
        "context": page.context,
        "request": page.request.model_dump(),
        "redirects": page.redirects,
        "status": page.status,
        "fetched_at": page.fetched_at,
        "record": origin.record.decode("utf-8", "backslashreplace"),
        "record_base64": base64.b64encode(origin.record).decode(),
        "record_is_whole": origin.whole,
    }


def _facts(origin: Origin) -> list[tuple[str, str]]:
    manifest, page = origin.manifest, origin.page
    facts = [
        ("row", _fields(origin.row)),
        ("landing", f"{manifest.landing_id}, by {manifest.run_id}, code {manifest.code_version}"),
        ("object", origin.address),
        ("", f"page {origin.page_no} of {len(manifest.pages)}, sha256 {page.sha256}, verified"),
        ("request", _request(page.request)),
        *(("", f"redirected to {address}") for address in page.redirects),
        ("", f"HTTP {page.status} at {page.fetched_at:%Y-%m-%d %H:%M:%S} UTC"),
    ]
    facts += [("context", _fields(page.context))] if page.context else []
    for name, parent in manifest.parents.items():
        where = f"{parent.source} {parent.council} {parent.period}"
        facts.append((f"{name}", f"from {where}, landing {parent.landing_id}"))
    how = "" if origin.whole else ", not byte for byte"
    facts.append(("record", f"{origin.page_record_no} of {page.records} on the page{how}:"))
    return facts


def _request(request: SentRequest) -> str:
    repeated = {
        name: found if isinstance(found, str) else ",".join(found)
        for name, found in request.query.items()
    }
    sent = [_fields(part) for part in (repeated, request.headers, request.form) if part]
    sent += [] if request.body is None else [_short(json.dumps(request.body, ensure_ascii=False))]
    sent += [_short(request.text)] if request.text else []
    return "  ".join([f"{request.method} {request.url}", *sent])


def _fields(values: dict[str, Any]) -> str:
    return " ".join(f"{name}={_short(str(value))}" for name, value in values.items())


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}..."
