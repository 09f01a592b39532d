"""Outcomes of crimes: by the age of the month, and by kind of outcome."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from include.publish.site import findings, words
from include.publish.site.draw import charts
from include.publish.site.draw.base import Point
from include.publish.site.figures import Figure, Table, figure_cell, gap, text
from include.publish.site.tables import Marts

BY_AGE, MONTHLY = "crime_outcomes_by_age", "crime_outcomes_monthly"
_YEAR = 12
_SHOWN_AGE = 24
_SHOWN_MONTHS = 36
_SHOWN_OUTCOMES = 8
_MATURE = (
    "A month is mature when its outcomes are known for 12 months after it. Before that, its share "
    "still grows, so it looks lower than it will be."
)


def section(marts: Marts, council: str, title: str) -> list[Figure]:
    """The figures of a council."""
    rows = marts.rows(BY_AGE, council)
    if rows.is_empty():
        first = gap("outcomes", f"No outcomes by age for {title}", marts.gap(BY_AGE, title), BY_AGE)
        return [first, kinds(marts, council, title)]
    return [_by_age(title, rows), _by_month(title, rows), kinds(marts, council, title)]


def _by_age(title: str, rows: pl.DataFrame) -> Figure:
    """The share with an outcome at each age, over the months mature enough to compare."""
    mature = rows.filter(pl.col("is_mature"))
    months = sorted(mature["month"].unique())
    ages = (
        mature.filter(pl.col("months_elapsed") <= _SHOWN_AGE)
        .group_by("months_elapsed")
        .agg(pl.col("crimes").sum(), pl.col("with_outcome").sum(), pl.len())
        .filter((pl.col("len") == len(months)) & (pl.col("crimes") > 0))
        .sort("months_elapsed")
        .to_dicts()
    )
    year = next((row for row in ages if row["months_elapsed"] == _YEAR), None)
    finding = findings.outcomes(
        title, year["with_outcome"] if year else 0, year["crimes"] if year else 0
    )
    if not ages or year is None:
        newest = max(rows["month"])
        return gap("outcomes", finding, f"{_MATURE} The newest is {words.month(newest)}.", BY_AGE)
    shares = [100 * row["with_outcome"] / row["crimes"] for row in ages]
    points = [
        (row["months_elapsed"], share, f"{_after(row['months_elapsed'])}: {share:.1f}%")
        for row, share in zip(ages, shares, strict=True)
    ]
    table = [
        (
            text(_age(row["months_elapsed"])),
            figure_cell(f"{share:.1f}%"),
            figure_cell(words.number(row["with_outcome"])),
            figure_cell(words.number(row["crimes"])),
        )
        for row, share in zip(ages, shares, strict=True)
    ]
    return Figure(
        "outcomes",
        finding,
        f"Share of crimes with an outcome by months since the crime, {title}",
        BY_AGE,
        charts.ages(finding, points),
        table=Table(("Months after the crime", "Share", "With an outcome", "Crimes"), table),
        notes=[
            f"Mature months only: {words.ranges(months)}.",
            "Anti-social behaviour never has an outcome and is left out.",
        ],
    )


def _by_month(title: str, rows: pl.DataFrame) -> Figure:
    """Each month's share as far as it is known, immature months marked."""
    newest = {
        row["month"]: row
        for row in rows.filter(pl.col("months_elapsed") == pl.col("months_known"))
        .sort("month")
        .to_dicts()
    }
    if not newest:
        return gap("outcomes-months", "No month has outcomes", "None is recorded yet.", BY_AGE)
    last = max(newest)
    first = max(min(newest), words.months_before(last, _SHOWN_MONTHS - 1))
    shown = words.months_between(first, last)
    points = [
        Point(m, _share(newest.get(m)), _tip(m, newest.get(m)), _is_young(newest.get(m)))
        for m in shown
    ]
    young = [m for m in shown if _is_young(newest.get(m))]
    finding = (
        f"The newest {words.counted(len(young), 'month')} of {len(shown)} cannot be compared yet"
        if young
        else "All months are old enough to compare"
    )
    missing = [m for m in shown if m not in newest]
    table = [
        (
            text(words.month(m)),
            figure_cell(
                words.NONE if _share(newest.get(m)) is None else f"{_share(newest[m]):.1f}%"
            ),
            text("No data" if m in missing else "Still changing" if m in young else "Mature"),
        )
        for m in reversed(shown)
    ]
    return Figure(
        "outcomes-months",
        finding,
        f"Share of each month's crimes in {title} that have an outcome by now",
        BY_AGE,
        charts.columns(finding, points, "%", legend="still changing"),
        table=Table(("Month of the crime", "With an outcome", "State"), table),
        notes=[_MATURE, *([f"No data for {words.ranges(missing)}."] if missing else [])],
    )


def kinds(marts: Marts, council: str, title: str) -> Figure:
    """The latest outcomes of the newest year of crimes that is mature, or of all."""
    rows = marts.rows(MONTHLY, council)
    if rows.is_empty():
        return gap("outcome-kinds", "No kinds of outcome", marts.gap(MONTHLY, title), MONTHLY)
    mature = _mature_months(marts, council)
    months = sorted(set(rows["month"]) & mature)[-_YEAR:]
    is_mature = bool(months)
    months = months or sorted(rows["month"].unique())
    counts: dict[str, int] = defaultdict(int)
    used = rows.filter(
        pl.col("month").is_in(months) & (pl.col("category") != "anti-social-behaviour")
    )
    for outcome, crimes in used.select("outcome_category", "crimes").iter_rows():
        counts[outcome] += crimes
    total = sum(counts.values())
    order = sorted(counts, key=lambda name: (-counts[name], name))
    bars = [
        charts.Bar(name, counts[name], f"{words.percent(counts[name] / total)}")
        for name in order[:_SHOWN_OUTCOMES]
    ]
    finding = findings.most_common(dict(counts), "outcomes", words.ranges(months))
    return Figure(
        "outcome-kinds",
        finding,
        f"Latest outcomes of crimes in {title}, {words.ranges(months)}",
        MONTHLY,
        charts.bars(finding, bars) if bars else "",
        table=Table(
            ("Outcome", "Crimes", "Share"),
            [
                (
                    text(name),
                    figure_cell(words.number(counts[name])),
                    figure_cell(words.percent(counts[name] / total)),
                )
                for name in order
            ],
        ),
        notes=[] if is_mature else ["These months are young: many outcomes are still to come."],
        is_open=True,
    )


def _mature_months(marts: Marts, council: str) -> set[date]:
    rows = marts.rows(BY_AGE, council)
    return set(rows.filter(pl.col("is_mature"))["month"])


def _age(months: int) -> str:
    return "Same month" if months == 0 else words.counted(months, "month")


def _after(months: int) -> str:
    return _age(months) if months == 0 else f"After {_age(months)}"


def _share(row: Mapping[str, Any] | None) -> float | None:
    if row is None or not row["crimes"]:
        return None
    return float(100 * row["with_outcome"] / row["crimes"])


def _is_young(row: Mapping[str, Any] | None) -> bool:
    return row is not None and not row["is_mature"]


def _tip(month: date, row: Mapping[str, Any] | None) -> str:
    share = _share(row)
    if row is None or share is None:
        return f"{words.month(month)}: no data"
    known = words.counted(row["months_known"], "month")
    state = "" if row["is_mature"] else f", known for {known}, still changing"
    return f"{words.month(month)}: {share:.1f}%{state}"
