"""Compare the problems found with the open alerts: what to send, and what is over."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from include.jobs.alerts.problems import Problem
from include.warehouse.books.alerts import OpenAlert

# A cause is told again after this time if it still meets new partitions.
AGAIN_AFTER = timedelta(days=1)

# A partition has one of these at a time.
OF_PARTITIONS = ("failed", "refused", "late")

Group = tuple[str, str, str]


@dataclass
class Changes:
    """What a check changes in the books, and what its message says.

    `opened` are new; `close` are no longer open. `tell` and `all_clear` go
    into the message; a cause that was in a recent message does not.
    """

    opened: list[tuple[Problem, datetime]] = field(default_factory=list)
    tell: list[Problem] = field(default_factory=list)
    told_again: list[OpenAlert] = field(default_factory=list)
    close: list[OpenAlert] = field(default_factory=list)
    all_clear: list[OpenAlert] = field(default_factory=list)


def compare_with_open(
    known: Sequence[OpenAlert],
    found: Iterable[Problem],
    is_over: Callable[[OpenAlert], bool],
    now: datetime,
) -> Changes:
    """Compare the open alerts with what a check found.

    One message is about a cause, however many partitions meet it, and one
    all-clear when the last of them is over.
    """
    changes = Changes()
    by_key = {(alert.source, alert.kind, alert.subject): alert for alert in known}
    problems = list({(p.source, p.kind, p.subject): p for p in found}.values())
    wrong = {_place(problem) for problem in problems}
    new = [p for p in problems if (p.source, p.kind, p.subject) not in by_key]
    replaced = {_place(problem) for problem in new}
    last_told = {_group(alert): alert.told_at for alert in known}
    for problem in new:
        before = last_told.get(_group(problem))
        if before is not None and now - before < AGAIN_AFTER:
            changes.opened.append((problem, before))
            continue
        changes.opened.append((problem, now))
        changes.tell.append(problem)
    again = {_group(problem) for problem in changes.tell}
    for alert in known:
        if _place(alert) in replaced or is_over(alert):
            changes.close.append(alert)
        elif _group(alert) in again:
            changes.told_again.append(alert)
    closed = {alert.alert_id for alert in changes.close}
    still_open = {_group(alert) for alert in known if alert.alert_id not in closed}
    still_open |= {_group(problem) for problem in new}
    changes.all_clear = [
        alert
        for alert in changes.close
        if _group(alert) not in still_open and _place(alert) not in wrong
    ]
    return changes


def _group(item: Problem | OpenAlert) -> Group:
    return (item.source, item.kind, item.cause)


def _place(item: Problem | OpenAlert) -> tuple[str, ...]:
    """A partition that failed and is refused now has one problem; a council may have several."""
    if item.kind in OF_PARTITIONS:
        return (item.source, item.subject)
    return (item.source, item.subject, item.kind)
