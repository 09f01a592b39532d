"""The page of one ward: its rank, its crimes by month and kind, its place on the map."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from include.publish.site import crime, words
from include.publish.site.draw import maps
from include.publish.site.figures import Figure, gap
from include.publish.site.tables import Marts


@dataclass(frozen=True)
class Tile:
    """A figure at the top of a page."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Ward:
    """A ward and what its page shows."""

    council: str
    code: str
    name: str
    tiles: Sequence[Tile]
    figures: Sequence[Figure]
    notes: Sequence[str]
    locator: str

    @property
    def href(self) -> str:
        """Its page, from the site's root."""
        return crime.ward_href(self.code)


def wards(marts: Marts, council: str) -> list[Ward]:
    """Every ward of a council that any mart names, by name."""
    monthly = marts.rows(crime.MONTHLY, council)
    summaries = {r["ward_code"]: r for r in marts.rows(crime.SUMMARY, council).to_dicts()}
    described = {r["ward_code"]: r for r in marts.rows(crime.WARDS, council).to_dicts()}
    loaded = sorted(monthly["month"].unique())
    names = {code: row["ward_name"] for code, row in summaries.items()}
    newest = monthly.sort("month", "ward_name").select("ward_code", "ward_name")
    names |= {code: name for code, name in newest.iter_rows() if code not in names}
    names |= {code: row["ward_name"] for code, row in described.items()}
    counts = dict(monthly.partition_by("ward_code", as_dict=True).items())
    drawable = {
        code: row["geometry"]
        for code, row in described.items()
        if maps.is_drawable(row["geometry"])
    }
    empty = monthly.clear()
    return [
        Ward(
            council,
            code,
            name,
            _tiles(summaries.get(code)),
            _figures(marts, name, counts.get((code,), empty), loaded),
            _notes(described.get(code), marts),
            _locator(code, name, names, drawable, described),
        )
        for code, name in sorted(names.items(), key=lambda item: (item[1], item[0]))
    ]


def _figures(marts: Marts, name: str, rows: pl.DataFrame, loaded: Sequence[date]) -> list[Figure]:
    if rows.is_empty():
        why = f"The dataset {crime.MONTHLY} has no crime in {name}."
        return [gap("crime", f"No crime figures for {name}", why, crime.MONTHLY)]
    # A month that is loaded for the council and has no crime here is a zero, not a gap.
    by_month = dict.fromkeys(loaded, 0) | crime.totals(rows)
    by_month = {m: by_month[m] for m in sorted(by_month)}
    return [
        crime.total("crime", name, by_month),
        crime.kinds("crime-kinds", name, rows, loaded),
    ]


def _tiles(row: Mapping[str, Any] | None) -> list[Tile]:
    if row is None:
        return []
    span = f"{words.short_month(row['first_month'])} to {words.short_month(row['last_month'])}"
    partial = "" if row["months"] == 12 else f", {row['months']} of 12 months loaded"
    change = crime.change_text(row)
    rank = f"{row['rank_in_council']} of {row['wards_in_council']}"
    share = words.percent(row["with_outcome"] / row["crimes"]) if row["crimes"] else words.NONE
    return [
        Tile("Crimes in 12 months", words.number(row["crimes"]), span + partial),
        Tile(
            "Change on the year before",
            change,
            "Needs 24 months without a gap" if change == words.NONE else "",
        ),
        Tile("Rank in the council", rank, "1 has the most crimes"),
        Tile("With an outcome so far", share, "Still growing for young months"),
    ]


def _notes(row: Mapping[str, Any] | None, marts: Marts) -> list[str]:
    if crime.WARDS not in marts.frames:
        return [f"No map: the dataset {crime.WARDS} is not published."]
    if row is None or not maps.is_drawable(row["geometry"]):
        return ["No map: no boundary of this ward is published."]
    if row["is_current"] is False:
        return ["This ward is not among the council's current wards."]
    return []


def _locator(
    code: str,
    name: str,
    names: Mapping[str, str],
    drawable: Mapping[str, str],
    described: Mapping[str, Mapping[str, Any]],
) -> str:
    if code not in drawable:
        return ""
    areas = [
        maps.Area(other, names[other], geometry, crime.ward_href(other), is_marked=other == code)
        for other, geometry in sorted(drawable.items())
        if other == code or described[other]["is_current"]
    ]
    return maps.ward_map(f"Where {name} is", areas)
