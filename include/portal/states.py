"""What a partition is: loaded, late, missing. And which periods a page shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from croniter import croniter  # type: ignore[import-untyped]

from include.jobs.alerts.judge import newest_due
from include.sources.followers import schedule_of
from include.sources.model import Contract
from include.sources.partition import Period
from include.transform.freshness import GRACE

# In the order in which one of several matters most.
STATES: Mapping[str, str] = {
    "failed": "failed",
    "refused": "refused",
    "missing": "missing",
    "late": "late",
    "waiting": "not published yet",
    "loaded": "loaded",
    "unchanged": "unchanged",
    "removed": "removed",
    "expired": "deleted after its retention",
    "before": "not asked for",
}
# These need somebody.
WRONG = ("failed", "refused", "missing", "late")
RANK = {name: rank for rank, name in enumerate(STATES)}
PERIODS = 24


@dataclass(frozen=True)
class Window:
    """The periods that a page shows of a source, oldest first, and what is due by now.

    `due` is the newest period that the schedule has asked for; None if nothing
    is ever due. `check` is when the newest check was due, `following` the next.
    """

    periods: tuple[Period, ...]
    due: Period | None
    check: datetime | None
    following: datetime | None

    @property
    def since(self) -> datetime:
        """When the first of them begins."""
        return self.periods[0].starts_at


def window(contract: Contract, now: datetime, most: int = PERIODS) -> Window:
    """The newest `most` periods of a source, none before its start."""
    current = Period.of(now, contract.period)
    if contract.period == "all":
        periods = [current]
    else:
        newest = current if contract.snapshot else current.previous
        periods = [newest]
        while len(periods) < most and periods[0].previous.last_day >= contract.start:
            periods.insert(0, periods[0].previous)
    schedule = schedule_of(contract)
    if not schedule:
        return Window(tuple(periods), None, None, None)
    check = croniter(schedule, now - GRACE).get_prev(datetime).astimezone(UTC)
    due = newest_due(contract, now - GRACE)
    if contract.snapshot or contract.period == "all":
        due = Period.of(check, contract.period)
    following = croniter(schedule, now).get_next(datetime).astimezone(UTC)
    return Window(tuple(periods), due, check, following)


def state_of(
    status: str | None, period: Period, window: Window, first: datetime | None, removed: bool
) -> str:
    """One of `STATES`, of a partition whose newest entry has this status; None without any.

    `first` is the first period that was ever asked for of the council.
    """
    is_due = window.due is not None and period <= window.due
    if status is None:
        if removed:
            return "removed"
        if first is None or period.starts_at < first:
            return "before"
        if not is_due:
            return "waiting"
        return "late" if period == window.due else "missing"
    if status == "not_published":
        return "late" if is_due else "waiting"
    return status


def worst(states: Mapping[str, int]) -> str:
    """The state of several partitions that matters most."""
    return min(states, key=lambda name: RANK[name])
