"""Let the tasks of scheduled and triggered runs start before those of backfills.

By default the scheduler starts tasks of equal weight in order of their logical dates, so that a
backfill, whose dates are the oldest, would hold up everything else.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.task.priority_strategy import PriorityWeightStrategy

# More than the tasks of any DAG have together.
OWN = 1_000
# A run that was due earlier is done again: a backfill reprocesses runs under their old names.
RECENT = timedelta(days=2)


class ScheduleFirst(PriorityWeightStrategy):
    """The weight of the rule `downstream`, and `OWN` more outside of backfills."""

    def get_weight(self, ti: Any) -> int:
        """The weight of a task in its run, which its ID tells."""
        dag = ti.task.get_dag()
        following = ti.task.get_flat_relative_ids(upstream=False) if dag else ()
        weights = (dag.task_dict[name].priority_weight for name in following)
        own = 0 if is_of_backfill(ti.run_id or "", datetime.now(UTC)) else OWN
        return int(ti.task.priority_weight + sum(weights) + own)


def is_of_backfill(run_id: str, now: datetime) -> bool:
    """Whether a run with this ID is one of a backfill, or was due long ago."""
    kind, _, when = run_id.partition("__")
    if kind == "backfill":
        return True
    try:
        due = datetime.fromisoformat(when)
    except ValueError:
        return False
    return kind == "scheduled" and due.tzinfo is not None and now - due > RECENT
