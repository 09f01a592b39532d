"""Small contracts, councils and answers that tests are made of. Nothing here is real data."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from include.councils.model import Council
from include.sources.model import Contract
from include.sources.page import PageFacts, SentRequest
from include.sources.partition import Partition, Period
from include.warehouse.books.counts import Counts
from include.warehouse.prepare import PageBody, PreparedBatch

BASE_URL = "https://api.test/v1"
AT = datetime(2017, 6, 1, 12, tzinfo=UTC)


def column(name: str, type_name: str = "text", **rules: Any) -> dict[str, Any]:
    """A column of a contract, with a description."""
    return {"name": name, "type": type_name, "description": f"The {name}.", **rules}


def contract_fields(*columns: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The content of a small but complete contract file."""
    fields: dict[str, Any] = {
        "name": "gauges",
        "title": "Gauges",
        "description": "Readings of gauges.",
        "publisher": "api.test",
        "licence": "none",
        "owner": "nobody",
        "period": "month",
        "start": "2010-01-01",
        "schedule": "0 4 1 * *",
        "extract": {
            "base_url": BASE_URL,
            "rate": {"per_second": 1000, "burst": 1000},
            "parallel": 1,
            "request": {"path": "/gauges", "query": {"month": "{period:%Y-%m}"}},
        },
        "columns": list(columns) or [column("id", "integer", required=True), column("note")],
        "key": [] if columns else ["id"],
        "checks": {"max_quarantined_share": 1},
    }
    return fields | changes


def contract(*columns: dict[str, Any], **changes: Any) -> Contract:
    """A small contract."""
    return Contract.model_validate(contract_fields(*columns, **changes))


def extracting(**changes: Any) -> dict[str, Any]:
    """The `extract` of a small contract with some fields changed."""
    extract: dict[str, Any] = contract_fields()["extract"]
    return extract | changes


def council_fields(*wards: str, **changes: Any) -> dict[str, Any]:
    """The content of a council file."""
    named = [{"code": code, "name": f"Ward {code[-1]}"} for code in wards or ("E05000001",)]
    return {
        "name": "smallville",
        "title": "Smallville",
        "gss_code": "E09000001",
        "police_force": "metropolitan",
        "latitude": 51.4,
        "longitude": -0.3,
        "radius_km": 5,
        "ward_sets": [{"from": "2013-01-01", "wards": named}],
    } | changes


def council(*wards: str) -> Council:
    """A council with these wards."""
    return Council.model_validate(council_fields(*wards))


def partition(source: str = "gauges", council: str = "kingston", month: str = "2017-05") -> Any:
    """A partition of a month."""
    return Partition(source, council, Period.parse(month, "month"))


def body_of(records: Any) -> bytes:
    """Records as an API would send them."""
    return json.dumps(records).encode()


def page_body(body: bytes, records: int, *, name: str = "0001.json.gz", **context: str) -> PageBody:
    """A landed page as the warehouse is given it."""
    return PageBody(name, context, records, len(body), io.BytesIO(body))


def pages_of(bodies: Sequence[list[Any]]) -> list[PageBody]:
    """Each list of records as one page."""
    return [
        page_body(body_of(records), len(records), name=f"{number:04}.json.gz")
        for number, records in enumerate(bodies, start=1)
    ]


def counted(batches: Iterable[PreparedBatch]) -> tuple[Counts, list[pa.RecordBatch]]:
    """The books of these batches added up, and their rows."""
    counts, rows = Counts(), []
    for batch in batches:
        counts.add(batch.counts)
        rows.append(batch.rows)
    return counts, rows


def facts(body: bytes, records: int, label: str = "2017-05", **context: str) -> PageFacts:
    """What is known of a body."""
    return PageFacts(
        label=label,
        context=context,
        status=200,
        fetched_at=AT,
        sha256=hashlib.sha256(body).hexdigest(),
        bytes=len(body),
        records=records,
    )


REQUEST = SentRequest(method="GET", url=f"{BASE_URL}/gauges", query={"month": "2017-05"})
