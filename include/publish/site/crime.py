"""Crime: by month, by kind and by ward."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import polars as pl

from include.publish.site import findings, words
from include.publish.site.draw import charts, maps
from include.publish.site.draw.base import Point
from include.publish.site.figures import Cell, Figure, Table, figure_cell, gap, text
from include.publish.site.findings import Year
from include.publish.site.tables import Marts

MONTHLY, SUMMARY, WARDS = "ward_crime_monthly", "ward_crime_summary", "dim_ward"
_SHOWN_MONTHS = 36
_SHOWN_KINDS = 4
# Where the police's own name is not the slug with spaces.
_KINDS = {
    "anti-social-behaviour": "Anti-social behaviour",
    "criminal-damage-arson": "Criminal damage and arson",
    "violent-crime": "Violence and sexual offences",
}
_COUNTS = "Counts, not rates: wards differ in how many people live in and visit them."


def section(marts: Marts, council: str, title: str) -> list[Figure]:
    """The figures of a council."""
    rows = marts.rows(MONTHLY, council)
    if rows.is_empty():
        why = marts.gap(MONTHLY, title)
        first = gap("crime", f"No crime figures for {title}", why, MONTHLY)
        return [first, wards(marts, council, title)]
    by_month = totals(rows)
    return [
        total("crime", title, by_month),
        kinds("crime-kinds", title, rows, sorted(by_month)),
        wards(marts, council, title),
    ]


def totals(rows: pl.DataFrame) -> dict[date, int]:
    """Crimes by month."""
    sums = rows.group_by("month").agg(pl.col("crimes").sum())
    return dict(sums.sort("month").iter_rows())


def total(key: str, place: str, by_month: Mapping[date, int]) -> Figure:
    """Crimes by month, with the months that are missing."""
    shown = _months(by_month)
    points = [
        Point(m, by_month.get(m), f"{words.month(m)}: {words.number(by_month.get(m, 0))}")
        for m in shown
    ]
    finding = findings.crime_total(place, by_month)
    rows = [
        (
            text(words.month(m)),
            figure_cell(words.number(by_month[m]) if m in by_month else words.NONE),
        )
        for m in reversed(shown)
    ]
    return Figure(
        key,
        finding,
        f"Crimes recorded in each month, {words.month(shown[0])} to {words.month(shown[-1])}",
        MONTHLY,
        charts.lines(finding, {"Crimes": points}),
        table=Table(("Month", "Crimes"), rows),
        notes=month_notes(by_month, shown),
    )


def month_notes(by_month: Mapping[date, int], shown: Sequence[date]) -> list[str]:
    """What a reader of a monthly series must know: gaps, and no year to compare with."""
    notes = []
    missing = [m for m in shown if m not in by_month]
    if missing:
        notes.append(f"No data for {words.ranges(missing)}: the line breaks there.")
    if Year.of(by_month).before is None:
        notes.append("No change on the year before: that needs 24 months without a gap.")
    return notes


def kinds(key: str, place: str, rows: pl.DataFrame, loaded: Sequence[date]) -> Figure:
    """The most common kinds of the newest year by month, all others in the table."""
    counts: dict[str, dict[date, int]] = defaultdict(dict)
    sums = rows.group_by("category", "month").agg(pl.col("crimes").sum())
    for category, month, crimes in sums.sort("category", "month").iter_rows():
        counts[category][month] = crimes
    year = Year.of(dict.fromkeys(loaded, 0))
    newest = {c: sum(found.get(m, 0) for m in year.months) for c, found in counts.items()}
    order = sorted(newest, key=lambda c: (-newest[c], c))
    drawn = [c for c in order[:_SHOWN_KINDS] if newest[c]]
    shown, known = _months(dict.fromkeys(loaded, 0)), set(loaded)
    series = {
        _kind(c): [
            Point(
                m,
                counts[c].get(m, 0) if m in known else None,
                f"{_kind(c)}, {words.month(m)}: {words.number(counts[c].get(m, 0))}",
            )
            for m in shown
        ]
        for c in drawn
    }
    finding = findings.most_common({_kind(c): n for c, n in newest.items()}, "crimes", year.span)
    return Figure(
        key,
        finding,
        f"The most common kinds of crime in {place} by month",
        MONTHLY,
        charts.lines(finding, series) if series else "",
        table=_kinds_table(order, newest, counts, (year.span, [m for m in shown if m in known])),
        notes=[f"{words.counted(len(order) - len(drawn), 'other kind')} in the table."]
        if len(order) > len(drawn)
        else [],
    )


def _kinds_table(
    order: Sequence[str],
    newest: Mapping[str, int],
    counts: Mapping[str, Mapping[date, int]],
    shown: tuple[str, Sequence[date]],
) -> Table:
    """A column for each kind: the newest year, its shares, then every month that is loaded."""
    span, months = shown
    total = sum(newest.values())
    shares = [words.percent(newest[c] / total) if total else words.NONE for c in order]
    rows = [
        [text(span), *(figure_cell(words.number(newest[c])) for c in order)],
        [text("Share"), *map(figure_cell, shares)],
        *(
            [
                text(words.month(m)),
                *(figure_cell(words.number(counts[c].get(m, 0))) for c in order),
            ]
            for m in reversed(months)
        ),
    ]
    return Table(("Month", *map(_kind, order)), rows)


def wards(marts: Marts, council: str, title: str) -> Figure:
    """The map of the newest year, or why there is none."""
    rows = marts.rows(SUMMARY, council)
    if rows.is_empty():
        return gap("wards", "No comparison of wards", marts.gap(SUMMARY, title), SUMMARY)
    found = rows.sort("rank_in_council", "ward_name", "ward_code").to_dicts()
    values = {row["ward_code"]: row["crimes"] for row in found}
    finding = findings.ward_with_most(
        {words.told_apart(r, "ward_name", "ward_code", found): r["crimes"] for r in found}
    )
    span = f"{words.month(found[0]['first_month'])} to {words.month(found[0]['last_month'])}"
    areas, unmapped = _areas(marts, council, values)
    shades, scale = maps.shading(values)
    notes = [_COUNTS]
    if found[0]["months"] < 12:
        notes.append(f"Only {found[0]['months']} of these 12 months are loaded.")
    if areas and unmapped:
        notes.append(f"Without a boundary, so not on the map: {words.joined(unmapped)}.")
    drawn = ""
    if areas:
        drawn = maps.ward_map(
            finding, areas, {area.key: shades[area.key] for area in areas if area.key in shades}
        )
    return Figure(
        "wards",
        finding,
        f"Crimes in each ward of {title}, {span}",
        SUMMARY,
        drawn,
        text="" if areas else "No map: no boundaries of these wards are published.",
        table=Table(
            ("Ward", "Crimes", "Change on the year before", "Rank"),
            [_ward_row(row) for row in found],
        ),
        notes=notes,
        legend=scale if areas else (),
        is_open=True,
    )


def ward_href(code: str) -> str:
    """The page of a ward, from the site's root."""
    return f"ward/{words.file_name(code)}.html"


def change_text(row: Mapping[str, Any]) -> str:
    """The change on the year before: `+12 (+3.4%)`, or a dash."""
    change, percent = row["change"], row["change_percent"]
    if change is None:
        return words.NONE
    if percent is None:
        return f"{change:+,}"
    return f"{change:+,} ({percent:+.1f}%)"


def _ward_row(row: Mapping[str, Any]) -> tuple[Cell, ...]:
    return (
        text(str(row["ward_name"]), ward_href(str(row["ward_code"]))),
        figure_cell(f"{row['crimes']:,}"),
        figure_cell(change_text(row)),
        figure_cell(f"{row['rank_in_council']}"),
    )


def _areas(
    marts: Marts, council: str, values: Mapping[str, int]
) -> tuple[list[maps.Area], list[str]]:
    """The wards that can be drawn, and the names of those with crimes that cannot."""
    areas, names = [], {}
    for row in marts.rows(WARDS, council).sort("ward_code").to_dicts():
        code = row["ward_code"]
        names[code] = row["ward_name"]
        if (row["is_current"] or code in values) and maps.is_drawable(row["geometry"]):
            areas.append(
                maps.Area(
                    code, row["ward_name"], row["geometry"], ward_href(code), values.get(code)
                )
            )
    drawn = {area.key for area in areas}
    return areas, [names.get(code, code) for code in sorted(values) if code not in drawn]


def _months(by_month: Mapping[date, int]) -> list[date]:
    """The newest months, those that are missing between them included."""
    last = max(by_month)
    first = max(min(by_month), words.months_before(last, _SHOWN_MONTHS - 1))
    return words.months_between(first, last)


def _kind(slug: str) -> str:
    return _KINDS.get(slug, words.label(slug))
