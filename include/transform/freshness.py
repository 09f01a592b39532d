"""How long ago each source was last looked at, from the ledger: reported, never blocking."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from croniter import croniter  # type: ignore[import-untyped]

from include.sources.model import Contract
from include.transform.history import connection

# For a run that is due to have happened and to have had its retries.
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
    """One object per source and council that is expected to be there.

    `last_check` is when an attempt last ended well (loaded, unchanged or not
    published yet; null if never), with its `status` and `period`; `age_hours`
    the time since. `late` says that the schedule has come round since then,
    and a day more has passed. Times are ISO 8601 in UTC.
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
    due = croniter(contract.schedule, now - GRACE).get_prev(datetime)
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
            "period": period.isoformat(),
            "age_hours": round((now - finished).total_seconds() / 3600, 1),
            "late": finished < due,
        }
    return measured
