"""Numbers, dates and lists as people write them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

# In a table, where there is no value.
NONE = "\N{EN DASH}"
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def number(value: float) -> str:
    """`1234` as `1,234`."""
    return f"{value:,.0f}"


def counted(value: int, one: str, many: str = "") -> str:
    """`1 crime`, `1,234 crimes`."""
    return f"{number(value)} {one if value == 1 else many or one + 's'}"


def percent(share: float) -> str:
    """A share of 1 as a percentage: whole, or with a decimal below ten."""
    value = 100 * share
    if 0 < value < 0.1:
        return "under 0.1%"
    if 99.9 < value < 100:
        return "over 99.9%"
    text = f"{value:.1f}" if value < 9.95 else f"{value:.0f}"
    return text.removesuffix(".0") + "%"


def pounds(amount: float) -> str:
    """An amount in pounds, rounded to what a title can hold: `£1.2 million`, `-£12,300`."""
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if size >= 999_500:
        return f"{sign}£{size / 1e6:.1f} million"
    return f"{sign}£{size:,.0f}"


def decimals(value: float, places: int = 1) -> str:
    """`12.345` as `12.3`; never `-0.0`."""
    text = f"{value:,.{places}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text


def month(first: date) -> str:
    """`September 2026`."""
    return f"{first:%B %Y}"


def short_month(first: date) -> str:
    """`Sep 2026`."""
    return f"{first:%b %Y}"


def day(value: date) -> str:
    """`5 November 2026`."""
    return f"{value.day} {value:%B %Y}"


def period(interval: str) -> str:
    """The ISO interval `2025-09/2026-08` as `September 2025 to August 2026`."""
    if not interval:
        return NONE
    shown = [
        month(date.fromisoformat(f"{one}-01")) if len(one) == 7 else day(date.fromisoformat(one))
        for one in interval.split("/")
    ]
    return " to ".join(dict.fromkeys(shown))


def change(counts: Mapping[str, Any]) -> str:
    """What changed in a dataset: `12 rows added, 3 changed`."""
    if counts.get("new"):
        return f"new, with {counted(counts['added'], 'row')}"
    if counts.get("gone"):
        return "no longer published"
    parts = [
        f"{number(counts[how])} {how}" for how in ("added", "removed", "changed") if counts[how]
    ]
    found = [f"rows: {', '.join(parts)}"] if parts else []
    for how in ("added", "removed"):
        if columns := counts.get(f"columns_{how}"):
            found.append(f"columns {how}: {', '.join(columns)}")
    return "; ".join(found) or "its description"


def joined(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def label(slug: str) -> str:
    """The police's slug `vehicle-crime` as `Vehicle crime`."""
    text = slug.replace("-", " ").strip()
    return text[:1].upper() + text[1:]


def told_apart(row: Mapping[str, Any], name: str, code: str, rows: Sequence[Any]) -> str:
    """The row's name, with its code if another row has the same name."""
    is_shared = sum(other[name] == row[name] for other in rows) > 1
    return f"{row[name]} ({row[code]})" if is_shared else str(row[name])


def file_name(text: str) -> str:
    """A name for a file: the text if it is plain ASCII, else its hash."""
    if _SAFE.fullmatch(text):
        return text
    return "x" + hashlib.sha256(text.encode()).hexdigest()[:16]


def next_month(first: date) -> date:
    """The first day of the month after."""
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def months_before(first: date, count: int) -> date:
    """The first day of the month `count` months earlier."""
    index = first.year * 12 + first.month - 1 - count
    return date(index // 12, index % 12 + 1, 1)


def months_between(first: date, last: date) -> list[date]:
    """The first days of all months from one to the other, both inclusive."""
    found = []
    while first <= last:
        found.append(first)
        first = next_month(first)
    return found


def ranges(months: Sequence[date]) -> str:
    """Months, ascending, with runs of them joined: `May 2026, August to October 2026`."""
    runs: list[list[date]] = []
    for one in months:
        if runs and next_month(runs[-1][-1]) == one:
            runs[-1].append(one)
        else:
            runs.append([one])
    return joined([_run(run[0], run[-1]) for run in runs])


def _run(first: date, last: date) -> str:
    if first == last:
        return month(first)
    begin = f"{first:%B}" if first.year == last.year else month(first)
    return f"{begin} to {month(last)}"
