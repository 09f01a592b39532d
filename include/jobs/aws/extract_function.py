"""The AWS Lambda function that extracts a source; its DAG then only loads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from include.errors import PermanentError, PipelineError
from include.jobs.lake import lake_of
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.plan import plan
from include.settings import Settings
from include.sources.model import Contract, contract
from include.sources.partition import Period


def handler(event: dict[str, Any], context: Any) -> dict[str, list[str]]:
    """Land the partitions that `event` names; returns the landing IDs.

    `{"source": ..., "scheduled_time": "2026-11-21T06:00:00Z"}` means the
    period before that time and the contract's lookback, as in a scheduled run
    of its DAG; `councils`, `from` and `to` override that. Called again with
    the same `scheduled_time`, it resumes. A failed partition does not stop the
    others; the first failure is raised at the end, and one of `plan` at once.
    """
    source = contract(_needed(event, "source"))
    at = event.get("scheduled_time")
    partitions = plan(
        source,
        today=datetime.now(UTC).date(),
        councils=event.get("councils"),
        first=event.get("from"),
        last=event.get("to"),
        interval=_interval(source, at),
        lookback=True,
    )
    lake = lake_of(Settings.read())
    run_id = f"function {at or context.aws_request_id}"
    landings, failures = [], []
    for partition in partitions:
        try:
            landings.append(extract(source, partition, lake=lake, run_id=run_id))
        except PipelineError as error:
            failures.append(error)
    if failures:
        raise failures[0]
    return {"landings": landings}


def _needed(event: dict[str, Any], name: str) -> str:
    if not event.get(name):
        raise PermanentError(
            f"extract function: the event has no {name!r}. Fix the schedule's input."
        )
    return str(event[name])


def _interval(source: Contract, at: str | None) -> tuple[datetime, datetime] | None:
    """The last complete period before a time; None for a snapshot."""
    if at is None or source.snapshot:
        return None
    now = datetime.fromisoformat(at).astimezone(UTC)
    if source.period == "all":
        return now, now
    period = Period.of(now, source.period)
    return period.previous.start, period.start
