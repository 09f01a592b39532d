"""Payments of a council to its suppliers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from include.publish.site import findings, words
from include.publish.site.draw import charts
from include.publish.site.draw.base import Point
from include.publish.site.figures import Figure, Table, figure_cell, gap, text
from include.publish.site.tables import Marts

MONTHLY = "supplier_spend_monthly"
# What councils write for private persons; it is not a supplier to be ranked.
REDACTED = "REDACTED PERSONAL DATA"
_DRAWN, _LISTED = 8, 25
_SHOWN_MONTHS = 36
# Added as whole pence: sums of floats depend on their order, and ties would be missed.
_POUNDS = (pl.col("net_amount") * 100).round(0).cast(pl.Int64).sum() / 100


def section(marts: Marts, council: str, title: str) -> list[Figure]:
    """The figures of a council."""
    rows = marts.rows(MONTHLY, council)
    if rows.is_empty():
        return [gap("spending", f"No payments of {title}", marts.gap(MONTHLY, title), MONTHLY)]
    last = max(rows["month"])
    newest = rows.filter(pl.col("month") > words.months_before(last, 12))
    by_month = dict(rows.group_by("month").agg(_POUNDS).sort("month").iter_rows())
    figures = [_suppliers(title, newest)]
    if len(by_month) > 1:
        figures.append(_monthly(title, by_month))
    return figures


def _suppliers(title: str, rows: pl.DataFrame) -> Figure:
    sums = rows.group_by("supplier_name").agg(_POUNDS, pl.col("payments").sum())
    paid = {name: (amount, count) for name, amount, count in sums.sort("supplier_name").iter_rows()}
    named = {name: amount for name, (amount, _) in paid.items() if name != REDACTED}
    total = round(sum(amount for amount, _ in paid.values()), 2)
    months = words.ranges(sorted(rows["month"].unique()))
    finding = findings.spending(named, total)
    order = sorted(named, key=lambda name: (-named[name], name))
    leaders = findings.leading(named)
    bars = [
        charts.Bar(name, named[name], words.pounds(named[name]), name in leaders)
        for name in order[:_DRAWN]
    ]
    notes = [
        "Payments over £500 only, less credits; smaller ones are not in the council's list.",
    ]
    if REDACTED in paid:
        notes.append(
            f"{words.pounds(paid[REDACTED][0])} to private persons, whose names are redacted."
        )
    if len(order) > _LISTED:
        notes.append(f"{len(order) - _LISTED} more suppliers are in the CSV file.")
    return Figure(
        "spending",
        finding,
        f"What {title} paid its largest suppliers, {months}: {words.pounds(total)} in all",
        MONTHLY,
        charts.bars(finding, bars) if bars else "",
        table=Table(
            ("Supplier", "Net amount", "Payments"),
            [
                (
                    text(name),
                    figure_cell(f"{_exact(named[name])}"),
                    figure_cell(words.number(paid[name][1])),
                )
                for name in order[:_LISTED]
            ],
        ),
        notes=notes,
    )


def _monthly(title: str, by_month: Mapping[date, float]) -> Figure:
    last = max(by_month)
    first = max(min(by_month), words.months_before(last, _SHOWN_MONTHS - 1))
    shown = words.months_between(first, last)
    known = {m: by_month[m] for m in shown if m in by_month}
    missing = [m for m in shown if m not in known]
    finding = _highest_month(title, known)
    points = [
        Point(m, known[m] / 1e6, f"{words.month(m)}: {words.pounds(known[m])}")
        if m in known
        else Point(m, None, "")
        for m in shown
    ]
    return Figure(
        "spending-months",
        finding,
        f"Payments of {title} over £500 in each month, in millions of pounds",
        MONTHLY,
        charts.columns(finding, points, " m"),
        table=Table(
            ("Month", "Net amount"),
            [
                (text(words.month(m)), figure_cell(_exact(known[m]) if m in known else words.NONE))
                for m in reversed(shown)
            ],
        ),
        notes=[f"No list for {words.ranges(missing)}."] if missing else [],
    )


def _highest_month(title: str, known: Mapping[date, float]) -> str:
    top = max(known.values())
    months = [m for m in sorted(known) if known[m] == top]
    if len(months) > 1:
        return f"{title} paid most in {words.ranges(months)}: {words.pounds(top)} each"
    return f"{title} paid most in {words.month(months[0])}: {words.pounds(top)}"


def _exact(amount: float) -> str:
    return f"{'-' if amount < 0 else ''}£{abs(amount):,.2f}"
