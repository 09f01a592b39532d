"""Values of PostgreSQL as cells of Google Sheets, which has text, numbers and booleans. No I/O.

Dates and times are numbers there: days since 1899-12-30, shown by the format of their column.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

from include.errors import PermanentError

# Of Google Sheets: https://support.google.com/drive/answer/37603
MOST_CELLS = 10_000_000
MOST_COLUMNS = 18_278
MOST_CHARACTERS = 50_000
# Google recommends requests of at most 2 MB; a JSON string can be longer than its text.
_MOST_CELLS_SENT = 50_000
_MOST_CHARACTERS_SENT = 500_000

# Up to here, every whole number is exact.
_MOST_EXACT = 2**53
_FIRST_DAY = datetime(1899, 12, 30)
_SECONDS_OF_A_DAY = 86_400

Cell = str | int | float | bool | None

# The patterns of Sheets for columns whose cells are days.
DATE, MOMENT = "yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"


def cell(value: Any) -> Cell:
    """A value as a cell. None stays empty; text stays text, whatever it looks like.

    Whole numbers that a double cannot hold, days before 1899-12-30 and infinity
    are text. Moments are in UTC.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return value if abs(value) <= _MOST_EXACT else str(value)
    if isinstance(value, float | Decimal):
        return _number(value)
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return _moment(datetime.combine(value, time.min), str(value))
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)


def _number(value: float | Decimal) -> Cell:
    if not math.isfinite(value):
        return str(Decimal(value))
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return cell(int(value))
    return float(value)


def _moment(value: datetime, written: str = "") -> Cell:
    utc = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
    if utc < _FIRST_DAY:
        return written or value.isoformat()
    days = (utc - _FIRST_DAY).total_seconds() / _SECONDS_OF_A_DAY
    return int(days) if days == int(days) else days


def format_of(sql_type: str) -> str:
    """The pattern that shows a column of this type; empty for the default."""
    if sql_type == "date":
        return DATE
    return MOMENT if sql_type.startswith("timestamp") else ""


def refuse_long(who: str, longest: Mapping[str, int]) -> None:
    """Raise `PermanentError` naming the columns with a value that no cell holds."""
    long = {name: most for name, most in longest.items() if most > MOST_CHARACTERS}
    if long:
        found = ", ".join(f"{name} ({most:,})" for name, most in long.items())
        raise PermanentError(
            f"{who}: a cell of Google Sheets holds {MOST_CHARACTERS:,} characters; the longest "
            f"values of these columns have more: {found}. Nothing was written. Use the mart in "
            "PostgreSQL, or leave the column out of it."
        )


def chunks(
    who: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]
) -> Iterator[list[list[Cell]]]:
    """The rows as lists of cells, in chunks that one request can send; the names come first."""
    chunk: list[list[Cell]] = [list(columns)]
    size = sum(map(len, columns))
    for row in rows:
        cells = [cell(value) for value in row]
        lengths = {
            name: len(found.encode("utf-16-le")) // 2
            for name, found in zip(columns, cells, strict=True)
            if isinstance(found, str)
        }
        refuse_long(who, lengths)
        too_large = size + sum(lengths.values()) > _MOST_CHARACTERS_SENT
        if too_large or (len(chunk) + 1) * len(columns) > _MOST_CELLS_SENT:
            yield chunk
            chunk, size = [], 0
        chunk.append(cells)
        size += sum(lengths.values())
    yield chunk
