"""What is wrong with a source by the books, and what is over."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from croniter import croniter  # type: ignore[import-untyped]

from include.jobs.alerts import problems
from include.jobs.alerts.problems import MOST_LOADS, Problem
from include.jobs.operate.drift import is_named
from include.jobs.pipeline.causes import Failure
from include.jobs.pipeline.extract import OVERDUE
from include.sources.model import Contract
from include.sources.partition import Partition, Period
from include.transform.freshness import GRACE
from include.warehouse.books import alerts, drift, ledger
from include.warehouse.books.alerts import OpenAlert
from include.warehouse.connection import Cursor

# By then, the run of a failed attempt has retried it and sent an alert, or was killed.
RUN_ENDED = timedelta(hours=3)

DONE = (*ledger.GOOD, "expired")
# A name that cannot be anything but a name; others are not repeated.
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,99}")

Attempts = Mapping[str, Mapping[str, Any]]


def attempts(cursor: Cursor, contract: Contract) -> dict[str, dict[str, Any]]:
    """The newest attempt of each partition, by council and period as text."""
    found = alerts.newest_of_source(cursor, contract.name)
    shown = {}
    for (council, begin), entry in found.items():
        period = str(Period.starting(begin, contract.period))
        shown[f"{council} {period}"] = entry | {"period": period}
    return shown


def in_books(
    cursor: Cursor,
    contract: Contract,
    newest: Attempts,
    measured: Sequence[Mapping[str, Any]],
    now: datetime,
) -> list[Problem]:
    """Everything that the books know: what failed a while ago, is late, drifted or is unusual.

    `measured` is the freshness of each of the source's councils.
    """
    found = [
        problems.of_failure(contract, Failure.of(entry), entry["run_id"])
        for entry in newest.values()
        if entry["status"] in ledger.BAD and now - entry["finished_at"] > RUN_ENDED
    ]
    for item in measured:
        found += _late(contract, item, newest, now)
    loads: dict[str, list[Mapping[str, Any]]] = {}
    for load in alerts.latest_loads(cursor, contract.name, MOST_LOADS):
        loads.setdefault(load["council"], []).append(load)
    for of_council in loads.values():
        found += problems.of_loads(contract, of_council)
    return found + _new_fields(cursor, contract)


def is_over(alert: OpenAlert, found: set[tuple[str, str]], newest: Attempts, *, run: bool) -> bool:
    """Whether an alert is over, which a check found no longer; `run`: it saw a run's tasks.

    A partition is over when it has been loaded since, and not when a check
    cannot see it.
    """
    if (alert.kind, alert.subject) in found:
        return False
    council, _, period = alert.subject.partition(" ")
    if alert.kind in ("failed", "refused") and not period:
        return run
    if alert.kind in ("failed", "refused", "late") and period:
        entry = newest.get(f"{council} {period}")
        return bool(entry and entry["status"] in DONE and entry["finished_at"] > alert.raised_at)
    return True


def _late(
    contract: Contract, measured: Mapping[str, Any], newest: Attempts, now: datetime
) -> list[Problem]:
    if measured["late"]:
        return [problems.of_lateness(contract, measured)]
    period = newest_due(contract, now - GRACE)
    if period is None:
        return []
    partition = Partition(contract.name, measured["council"], period)
    due = _due(contract, period)
    entry = newest.get(f"{partition.council} {period}")
    asked = entry is not None and (entry["status"] != "not_published" or entry["finished_at"] > due)
    if not asked and contract.extract.kind != "files":
        return [problems.of_missing_period(contract, partition, f"{due:%Y-%m-%d}")]
    if not asked or (entry and entry["status"] == "not_published"):
        # Nobody but the publisher puts files, or could answer.
        return [problems.of_publisher(contract, partition, f"{due:%Y-%m-%d}")]
    if entry and OVERDUE in (entry["error"] or ""):
        return [problems.of_failure(contract, Failure.of(entry), entry["run_id"])]
    return []


def _due(contract: Contract, period: Period) -> datetime:
    """When a period must be there: so many days after its end."""
    return period.end + timedelta(days=contract.publication_lag_days)


def newest_due(contract: Contract, now: datetime) -> Period | None:
    """The newest period that a scheduled run has asked for after it was due; None if there is none.

    A source without periods or without a schedule has none.
    """
    if contract.snapshot or contract.period == "all" or not contract.schedule:
        return None
    last_run = croniter(contract.schedule, now).get_prev(datetime).astimezone(UTC)
    period = Period.of(last_run - timedelta(days=contract.publication_lag_days), contract.period)
    while _due(contract, period) > last_run:
        period = period.previous
    return period if period.end.date() > contract.start else None


def _new_fields(cursor: Cursor, contract: Contract) -> list[Problem]:
    found = []
    for row in drift.listed(cursor, contract.name):
        if is_named(contract, row):
            continue
        name = row["field"]
        if contract.personal or not _PLAIN_NAME.fullmatch(name):
            # A name may be a value: people as keys of an object.
            name = f"(name not shown, #{hashlib.sha256(name.encode()).hexdigest()[:8]})"
        found.append(
            Problem(
                source=contract.name,
                kind="drifted",
                subject=f"field {name}",
                cause="new",
                text="new fields, which are not in the contract and are kept in `_extra`",
                next_step=problems.next_step(contract, "drifted"),
            )
        )
    return found
