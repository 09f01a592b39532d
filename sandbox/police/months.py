"""Months as the police API writes them, and which of them it has on a given day."""

from __future__ import annotations

from datetime import date

WINDOW_MONTHS = 36
PUBLICATION_LAG_MONTHS = 2


def month_number(month: str) -> int:
    """Months since the year 0, so that two can be subtracted."""
    year, number = month.split("-")
    return int(year) * 12 + int(number) - 1


def month_text(number: int) -> str:
    """`2017-05` from the number of a month."""
    return f"{number // 12:04}-{number % 12 + 1:02}"


def published_months(as_of: date) -> list[str]:
    """The 36 months that are out on `as_of`, newest first; the newest is two months back."""
    newest = as_of.year * 12 + as_of.month - 1 - PUBLICATION_LAG_MONTHS
    return [month_text(newest - back) for back in range(WINDOW_MONTHS)]
