"""Costs: what each source asked, landed and loaded by month, and how S3 and the database grow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from include.portal import books
from include.portal.books import Row
from include.portal.sparkline import sparkline
from include.sources.model import Contract
from include.warehouse.connection import Cursor

MONTHS = 12
# US dollars a month for 1e9 bytes in eu-west-2: S3 Standard, and gp3 storage of RDS in one zone.
# List prices of November 2026, for an estimate; the bill has backups, versions and requests, too.
S3_DOLLARS, RDS_DOLLARS = 0.024, 0.133
GIGABYTE = 1e9
NAMES = ("requests", "bytes", "records", "rows", "extract_seconds", "load_seconds")


@dataclass(frozen=True)
class Cost:
    """A source: its totals in the months shown, and its months by name as `2026-11`."""

    source: str
    title: str
    months: Mapping[str, Mapping[str, float]]
    totals: Mapping[str, float]
    line: Markup
    table_bytes: int
    growth_s3: float
    growth_rds: float


@dataclass(frozen=True)
class CostsView:
    """All that the page shows; growth is in bytes a month."""

    sources: Sequence[Cost]
    months: Sequence[str]
    database_bytes: int
    s3_dollars: float = S3_DOLLARS
    rds_dollars: float = RDS_DOLLARS

    def total(self, name: str) -> float:
        """Of all sources in the months shown."""
        return sum(one.totals[name] for one in self.sources)

    @property
    def growth_s3(self) -> float:
        """Bytes a month."""
        return sum(one.growth_s3 for one in self.sources)

    @property
    def growth_rds(self) -> float:
        """Bytes a month."""
        return sum(one.growth_rds for one in self.sources)

    @property
    def dollars_more(self) -> float:
        """What a month's growth adds to each later month's bill."""
        return (self.growth_s3 * S3_DOLLARS + self.growth_rds * RDS_DOLLARS) / GIGABYTE


def costs_view(cursor: Cursor, contracts: Mapping[str, Contract], now: datetime) -> CostsView:
    """Read the landings and loads of the last twelve months, and the sizes of tables."""
    months = _months(now)
    first = datetime.fromisoformat(f"{months[0]}-01T00:00:00+00:00")
    found: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in books.months(cursor, first):
        found[row["source"]][f"{row['month']:%Y-%m}"] = row
    sizes = books.sizes(cursor, ("raw", "staging", "intermediate", "marts", "ops"))
    tables = {row["name"]: row for row in sizes if row["schema"] == "raw"}
    return CostsView(
        [
            _cost(name, contracts[name].title if name in contracts else name, of, months,
                  tables.get(name))
            for name, of in sorted(found.items())
        ],
        months,
        sum(int(row["bytes"]) for row in sizes),
    )  # fmt: skip


def _cost(
    name: str,
    title: str,
    rows: Mapping[str, Row],
    months: Sequence[str],
    table: Row | None,
) -> Cost:
    of = {month: _numbers(rows.get(month)) for month in months}
    totals = {key: sum(one[key] for one in of.values()) for key in NAMES}
    active = [month for month in months if month in rows]
    # The months since the first one in which the source did anything.
    since = len(months) - months.index(active[0]) if active else 1
    size, known = (int(table["bytes"]), int(table["rows"])) if table else (0, 0)
    # Rows that replace others do not make the table larger than it is.
    new_rows = min(totals["rows"], known) if known else totals["rows"]
    growth = size * new_rows / known / since if known else size / since
    values = [of[month]["bytes"] for month in months]
    most = max(values)
    line = sparkline(values, f"Bytes landed by month; at most {most:,.0f}") if most else Markup("")
    return Cost(
        name,
        title,
        {month: one for month, one in of.items() if month in rows},
        totals,
        line,
        size,
        totals["bytes"] / since,
        growth,
    )


def _numbers(row: Mapping[str, Any] | None) -> dict[str, float]:
    return {name: float(row[name]) if row else 0.0 for name in NAMES}


def _months(now: datetime) -> list[str]:
    """The last twelve months, oldest first."""
    number = now.year * 12 + now.month - 1
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(number - MONTHS + 1, number + 1)]


def largest(sources: Iterable[Cost]) -> list[Cost]:
    """The sources that landed most first."""
    return sorted(sources, key=lambda one: (-one.totals["bytes"], one.source))
