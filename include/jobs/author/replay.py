"""Keep the response of a draft for the sandbox, which replays it (sandbox/samples.py)."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from include.errors import PermanentError
from include.jobs.author.samples.answer import Sample
from include.records.remove import cut_records
from include.settings import Settings
from include.sources.extract.http import Extract
from include.sources.extract.paging import Paging
from include.sources.formats import Format
from include.sources.model import Contract


def keep_sample(contract: Contract, sample: Sample, settings: Settings) -> tuple[Path | None, str]:
    """Write the file that the sandbox replays, where there is a sandbox.

    Returns its path, if it was written, and a remark about it.
    """
    if settings.live or settings.environment or not isinstance(contract.extract, Extract):
        return None, ""
    extract = contract.extract
    if sample.has_more(extract.paging):
        return None, (
            "The response is one page of several, so the sandbox does not replay it: the source "
            f"is requested at {extract.host}."
        )
    paging = _paging(extract.paging, sample)
    if paging and paging["last"] is None:
        return None, (
            "The sandbox does not replay the response: it cannot make an empty page of it. The "
            f"source is requested at {extract.host}."
        )
    path = settings.sample(contract.name, extract.base_url)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = {
        "path": extract.request.path,
        "query": extract.request.query,
        "paging": paging,
        "body": base64.b64encode(sample.content).decode(),
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    return path, (
        "On this machine, the sandbox replays the response for every council and period. To "
        f"request {extract.host} instead, delete the file."
    )


def _paging(paging: Paging | None, sample: Sample) -> dict[str, Any] | None:
    """The parameter of the page, its first value, and what follows the last page."""
    if paging is None or not paging.parameter:
        return None
    last = _without_records(sample)
    encoded = None if last is None else base64.b64encode(last).decode()
    return {"parameter": paging.parameter, "first": str(paging.first), "last": encoded}


def _without_records(sample: Sample) -> bytes | None:
    """The same body without its records; None where they are not contiguous parts of it."""
    layout = Format.model_validate(sample.format)
    if not layout.in_place:
        return None
    try:
        return cut_records(sample.content, layout, lambda record: True).body
    except PermanentError:
        return None
