"""Landings made of given bodies, as an extract would have left them."""

from __future__ import annotations

import hashlib
import io
import itertools
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from include.jobs.lake import Lake
from include.landing.write import Draft
from include.sources.model import Contract
from include.sources.page import PageFacts, SentRequest

REQUEST = SentRequest(method="GET", url="https://bench.test/pages")

_numbers = itertools.count()


def land(
    lake: Lake,
    contract: Contract,
    council: str,
    period: str,
    pages: Iterable[tuple[bytes, int]],
    contexts: Iterable[dict[str, str]] = itertools.repeat({}),
) -> str:
    """Write bodies, each with its number of records, as a finished landing; returns its id."""
    number = next(_numbers)
    now = datetime.now(UTC) + timedelta(milliseconds=number)
    draft = Draft.open(
        lake.landings,
        contract.partition(council, period),
        run_id=f"bench {number}",
        contract_hash=contract.contract_hash,
        now=now,
    )
    for page, ((body, records), context) in enumerate(zip(pages, contexts, strict=False)):
        facts = PageFacts(
            label=f"page {page + 1}",
            context=context,
            status=200,
            fetched_at=now,
            sha256=hashlib.sha256(body).hexdigest(),
            bytes=len(body),
            records=records,
        )
        draft.add(facts, REQUEST, io.BytesIO(body))
    draft.finish(run_id=f"bench {number}", code_version="bench", started_at=now, parents={})
    return draft.landing_id
