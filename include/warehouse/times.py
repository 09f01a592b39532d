"""Texts to dates and moments. Nothing is guessed: what has no zone, or no place in one, is told."""

from __future__ import annotations

import dataclasses
from typing import Any

import polars as pl

from include.warehouse.reading import Typed, of_words, only, parsed, texts_of

# There is no year 0, and a leap second would be moved to the next minute.
_YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_DATE = rf"^{_YEAR}-[0-9]{{2}}-[0-9]{{2}}$"
_LOCAL = rf"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-5][0-9](\.[0-9]{{1,6}})?)?"
_ZONE = r"(Z|[+-][0-9]{2}:?[0-9]{2})"
_TIMESTAMP = f"^{_LOCAL}{_ZONE}$"
_TIMESTAMP_WITHOUT_ZONE = f"^{_LOCAL}$"
_WITHOUT_SECONDS = rf"^(.{{10}}T[0-9]{{2}}:[0-9]{{2}})({_ZONE}?)$"
# Nobody knows how clocks will be put after that; the library's tables end there.
_LAST_KNOWN_YEAR = 2099


def read_dates(values: list[Any], kinds: set[type]) -> Typed:
    texts, wrong = texts_of(values, kinds & {str}, only_text=values)
    return parsed(texts, wrong, _DATE, lambda text: text.str.to_date("%Y-%m-%d", strict=False))


def read_moments(values: list[Any], kinds: set[type], zone: str) -> Typed:
    texts, wrong = texts_of(values, kinds & {str}, only_text=values)
    text = pl.Series(texts, dtype=pl.String).str.replace(" ", "T", literal=True)
    placed = text.str.contains(_TIMESTAMP).fill_null(False)
    series = _moments(only(text, placed), "%#z", "UTC")
    unplaced = None
    if zone and not (placed | text.is_null()).all():
        local = _moments(only(text, text.str.contains(_TIMESTAMP_WITHOUT_ZONE)), "", None)
        known = only(local, local.dt.year() <= _LAST_KNOWN_YEAR) if zone != "UTC" else local
        found = known.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
        unplaced = (found.is_null() & local.is_not_null()).to_numpy()
        series = series.zip_with(placed, found.dt.convert_time_zone("UTC"))
    failed = (series.is_null() & text.is_not_null()).to_numpy()
    if unplaced is not None:
        failed &= ~unplaced
    return dataclasses.replace(of_words(series, wrong | failed), unplaced=unplaced)


def _moments(text: pl.Series, offset: str, zone: str | None) -> pl.Series:
    whole = text.str.replace(_WITHOUT_SECONDS, "$1:00$2")
    pattern = f"%Y-%m-%dT%H:%M:%S%.f{offset}"
    return whole.str.to_datetime(pattern, time_unit="us", time_zone=zone, strict=False)
