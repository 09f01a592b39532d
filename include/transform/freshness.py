"""How long ago each source was last checked, from the ledger. Reports only, never blocks."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from croniter import croniter  # type: ignore[import-untyped]

from include.sources.followers import schedule_of
from include.sources.model import Contract
from include.sources.partition import Period
from include.transform.history import connection

# Time for a scheduled run and its retries.
GRACE = timedelta(days=1)

_LAST_CHECKS = """
select distinct on (source, council) source, council, finished_at, status, period
from ops.load
where status in ('loaded', 'unchanged', 'not_published')
order by source, council, load_id desc
"""


def freshness(
    dsn: str, expected: Iterable[tuple[Contract, str]], now: datetime
) -> list[dict[str, Any]]:
    """One object per expected source and council.

    `last_check` is the time of the last successful attempt (loaded, unchanged
    or not published yet; null if none), with its `status` and `period`;
    `age_hours` is the time since. `late` means that another run was due since
    then, more than a day ago. Times are ISO 8601 in UTC.
    """
    with connection(dsn) as opened:
        checks = {(row[0], row[1]): row[2:] for row in opened.execute(_LAST_CHECKS)}
    return [
        _measure(contract, council, checks.get((contract.name, council)), now)
        for contract, council in expected
    ]


def _measure(
    contract: Contract, council: str, check: tuple[Any, ...] | None, now: datetime
) -> dict[str, Any]:
    due = croniter(schedule_of(contract), now - GRACE).get_prev(datetime)
    measured: dict[str, Any] = {
        "source": contract.name,
        "council": council,
        "last_check": None,
        "status": None,
        "period": None,
        "age_hours": None,
        "due_since": due.astimezone(UTC).isoformat(timespec="seconds"),
        "late": True,
    }
    if check is not None:
        finished, status, period = check
        measured |= {
            "last_check": finished.astimezone(UTC).isoformat(timespec="seconds"),
            "status": status,
            "period": str(Period.starting(period, contract.period)),
            "age_hours": round((now - finished).total_seconds() / 3600, 1),
            "late": finished < due,
        }
    return measured
