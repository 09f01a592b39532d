"""Quarantine and drift: the rules that records break, and the patch for new fields."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from markupsafe import Markup

from include.jobs.operate.drift import is_named, patch
from include.portal import books
from include.portal.books import Row
from include.portal.sparkline import sparkline
from include.portal.states import window
from include.portal.words import link, period_at
from include.sources.model import Contract
from include.warehouse.connection import Cursor

MOST_SAMPLES = 30
# A name that cannot be anything but a name: people can be the keys of an object.
_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,99}")


@dataclass(frozen=True)
class Broken:
    """A rule of a column and the records that break it, now."""

    column: str
    rule: str
    responsible: str
    records: int
    councils: int
    periods: str
    last: datetime


@dataclass(frozen=True)
class OfSource:
    """The quarantine and the unknown fields of a source."""

    source: str
    title: str
    href: str
    records: int
    line: Markup
    broken: Sequence[Broken]
    fields: Sequence[Row]
    hidden_fields: int
    patch: str


@dataclass(frozen=True)
class QuarantineView:
    """All that the page shows; samples only for one source."""

    sources: Sequence[OfSource]
    samples: Sequence[Mapping[str, Any]]
    source: str | None
    records: int
    publisher: int

    @property
    def heading(self) -> str:
        """What there is to know, in one sentence."""
        if not self.records:
            return "No record is in quarantine"
        verb = "record is" if self.records == 1 else "records are"
        return f"{self.records:,} {verb} in quarantine"


def quarantine_view(
    cursor: Cursor, contracts: Mapping[str, Contract], now: datetime, source: str | None = None
) -> QuarantineView:
    """Read the quarantine and the drift of all sources, or of one with sample records."""
    by_source: dict[str, list[Row]] = defaultdict(list)
    for row in books.quarantined(cursor, source):
        by_source[row["source"]].append(row)
    fields: dict[str, list[Row]] = defaultdict(list)
    for row in books.drifted(cursor):
        if source in (None, row["source"]):
            fields[row["source"]].append(row)
    found = [
        _of_source(contracts[name], by_source[name], fields[name], now)
        for name in sorted({*by_source, *fields} & contracts.keys())
    ]
    samples: list[Mapping[str, Any]] = []
    if chosen := contracts.get(source or ""):
        samples = [
            {**row, "shown_period": period_at(row["period"], chosen.period)}
            for row in books.samples(cursor, chosen.name, None, None, MOST_SAMPLES)
        ]
    rows = [row for some in by_source.values() for row in some]
    return QuarantineView(
        [one for one in found if one.records or one.fields or one.hidden_fields],
        samples,
        source,
        sum(row["records"] for row in rows),
        sum(row["records"] for row in rows if row["responsible"] == "publisher"),
    )


def _of_source(
    contract: Contract, rows: Sequence[Row], drifted: Sequence[Row], now: datetime
) -> OfSource:
    unknown = [
        dict(row) | {"samples": [], "first_seen": row["first_seen"].isoformat()} for row in drifted
    ]
    unknown = [row for row in unknown if not is_named(contract, row)]
    shown = [
        row for row in unknown if not contract.personal and _PLAIN_NAME.fullmatch(row["field"])
    ]
    return OfSource(
        contract.name,
        contract.title,
        link("quarantine", source=contract.name),
        sum(row["records"] for row in rows),
        _line(contract, rows, now),
        _broken(contract, rows),
        shown,
        len(unknown) - len(shown),
        patch(contract, shown) if shown else "",
    )


def _broken(contract: Contract, rows: Iterable[Row]) -> list[Broken]:
    found: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        column = row["column_name"] or "(whole record)"
        found[column, row["rule"], row["responsible"]].append(row)
    return sorted(
        (
            Broken(
                *name,
                records=sum(row["records"] for row in some),
                councils=len({council for row in some for council in row["councils"]}),
                periods=_span(contract, [row["period"] for row in some]),
                last=max(row["last"] for row in some),
            )
            for name, some in found.items()
        ),
        key=lambda one: -one.records,
    )


def _span(contract: Contract, periods: Sequence[datetime]) -> str:
    first = period_at(min(periods), contract.period)
    last = period_at(max(periods), contract.period)
    return first if first == last else f"{first} to {last}"


def _line(contract: Contract, rows: Iterable[Row], now: datetime) -> Markup:
    """The records in quarantine by period."""
    numbers: dict[datetime, int] = defaultdict(int)
    for row in rows:
        numbers[row["period"]] += row["records"]
    shown = window(contract, now).periods
    if len(shown) < 2 or not numbers:
        return Markup("")
    values = [numbers.get(period.starts_at, 0) for period in shown]
    label = f"Quarantined by period, {shown[0]} to {shown[-1]}: at most {max(values):,}"
    return sparkline(values, label)
