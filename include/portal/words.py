"""Numbers, sizes, times and links as the pages write them."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import urlencode

from include.sources.partition import Grain, Period

MINUTE, HOUR, DAY = 60, 3600, 86_400
_SIZES = ("bytes", "kB", "MB", "GB", "TB")
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def number(value: float) -> str:
    """`1234` as `1,234`."""
    return f"{value:,.0f}"


def counted(value: int, one: str, many: str = "") -> str:
    """`1 record`, `1,234 records`."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def size(value: float) -> str:
    """Bytes in the unit that suits: `1.2 MB`."""
    place = 0
    while abs(value) >= 1000 and place < len(_SIZES) - 1:
        value /= 1000
        place += 1
    return f"{value:,.0f} {_SIZES[place]}" if not place else f"{value:,.1f} {_SIZES[place]}"


def duration(seconds: float) -> str:
    """`4.2 s`, `12 min`, `5 h`, `3 days`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 2 * MINUTE:
        return f"{seconds:.0f} s"
    if seconds < 2 * HOUR:
        return f"{seconds / MINUTE:.0f} min"
    if seconds < 2 * DAY:
        return f"{seconds / HOUR:.0f} h"
    return f"{seconds / DAY:.0f} days"


def moment(value: datetime) -> str:
    """`21 Nov 2026, 04:00 UTC`; a value without a zone is in UTC."""
    utc = value.astimezone(UTC) if value.tzinfo else value
    return f"{utc.day} {_MONTHS[utc.month - 1]} {utc.year}, {utc:%H:%M} UTC"


def short_moment(value: datetime) -> str:
    """`21 Nov, 04:00`."""
    utc = value.astimezone(UTC) if value.tzinfo else value
    return f"{utc.day} {_MONTHS[utc.month - 1]}, {utc:%H:%M}"


def ago(value: datetime, now: datetime) -> str:
    """`3 h ago`."""
    seconds = (now - value).total_seconds()
    return "just now" if seconds < MINUTE else f"{duration(seconds)} ago"


def period_at(begin: datetime, grain: Grain) -> str:
    """The period that begins then, as people write it."""
    return str(Period.starting(begin, grain))


def link(page: str, **values: str | None) -> str:
    """The address of a page of the portal, relative to the others."""
    given = {name: value for name, value in values.items() if value}
    return f"{page or './'}{'?' if given else ''}{urlencode(given)}"


def run_link(run_id: str) -> str:
    """The path in Airflow that finds a run, of whichever DAG; empty for one by `wandle`."""
    return (
        "" if run_id.startswith("wandle ") else f"/dag_runs?{urlencode({'run_id_pattern': run_id})}"
    )
