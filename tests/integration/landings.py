"""Landings made by hand, as an extract would have left them."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from include.jobs.lake import Lake
from include.landing.manifest import Manifest, Outcome
from include.landing.store import landing_prefix
from include.landing.write import Draft
from include.sources.model import Contract
from include.sources.page import StatusAnswer
from tests.samples import REQUEST, body_of, facts

_clock = [datetime(2026, 11, 20, tzinfo=UTC)]


def later() -> datetime:
    """A time after every earlier one, so that landings have an order."""
    _clock[0] += timedelta(minutes=1)
    return _clock[0]


def land(
    lake: Lake,
    contract: Contract,
    *pages: Any,
    council: str = "kingston",
    period: str = "2017-05",
    run_id: str = "run",
    outcome: Outcome = "complete",
    context: dict[str, str] | None = None,
    counts: list[int] | None = None,
    labels: list[str] | None = None,
    empty: list[str] | None = None,
    replaces: str | None = None,
    way: str = "api",
) -> Manifest:
    """Land bodies, or lists of records, as pages; `counts` may be wrong about their records."""
    where = contract.partition(council, period)
    now = later()
    draft = Draft.open(
        lake.landings, where, run_id=run_id, contract_hash=contract.contract_hash, now=now
    )
    for number, page in enumerate(pages):
        body = page if isinstance(page, bytes) else body_of(page)
        records = counts[number] if counts else len(page) if isinstance(page, list) else 0
        label = labels[number] if labels else f"page {number + 1}"
        known = facts(body, records, label, **(context or {})).model_copy(update={"way": way})
        draft.add(known, REQUEST, io.BytesIO(body))
    return draft.finish(
        run_id=run_id,
        code_version="test",
        started_at=now,
        parents={},
        outcome=outcome,
        replaces=replaces,
        empty=[
            StatusAnswer(label=label, request=REQUEST, status=204, fetched_at=now)
            for label in empty or ()
        ],
    )


def prefix_of(manifest: Manifest) -> str:
    """Where a landing of a month is stored."""
    return f"landing/{manifest.source}/{manifest.council}/{manifest.period}/{manifest.landing_id}/"


def killed_after(count: int, function: Any) -> Any:
    """The function, until it was called so often: then it is as if the process were killed."""
    calls = []

    def run(*arguments: Any, **named: Any) -> Any:
        if len(calls) == count:
            raise KeyboardInterrupt
        calls.append(1)
        return function(*arguments, **named)

    return run


# A bucket that keeps versions, as on AWS, and one on a folder, as on one machine.
on_both = pytest.mark.parametrize("kept_lake", ["versions", "rclone"], indirect=True)

__all__ = ["killed_after", "land", "landing_prefix", "later", "on_both", "prefix_of"]
