"""Write a landing that replaces another, without some of its records."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from include.landing.manifest import LandedPage, Manifest
from include.landing.read import read_pages
from include.landing.store import Landings, began_at, new_landing_id
from include.landing.write import Draft
from include.sources.page import PageFacts
from include.sources.partition import Partition

# From a page and its body: the body to write, its number of records, and its Content-Type.
Shortened = Callable[[LandedPage, bytes], tuple[bytes, int, str]]


def replacement_id(landing_id: str) -> str:
    """The ID of a landing's replacement: sorts right after it, before every later one."""
    return new_landing_id(landing_id, began_at(landing_id) + timedelta(microseconds=1))


def replace_landing(
    landings: Landings,
    partition: Partition,
    manifest: Manifest,
    shortened: Shortened,
    *,
    run_id: str,
    code_version: str,
) -> Manifest:
    """Write the replacement of a finished landing, page by page, the manifest last.

    Requests, responses, times and parents are unchanged, except the
    Content-Type of a page that is written in another format. The ID is derived
    from the landing's, so an interrupted attempt is overwritten. Raises
    `LandingDamaged` if the landing does not match its manifest.
    """
    new_id = replacement_id(manifest.landing_id)
    draft = Draft(landings, partition, new_id, manifest.contract_hash)
    for page, body in read_pages(landings, partition, manifest):
        content, records, content_type = shortened(page, body.read())
        facts = PageFacts.model_validate(page.model_dump(include=set(PageFacts.model_fields)))
        changes: dict[str, Any] = {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "records": records,
        }
        if content_type != page.content_type:
            changes["headers"] = {**page.headers, "content-type": content_type}
        draft.add(facts.model_copy(update=changes), page.request, io.BytesIO(content))
    return draft.finish(
        run_id=run_id,
        code_version=code_version,
        started_at=manifest.started_at,
        parents=manifest.parents,
        outcome=manifest.outcome,
        answered=manifest.answered,
        empty=manifest.empty,
        replaces=manifest.landing_id,
        erased=manifest.totals.records - draft.records,
    )
