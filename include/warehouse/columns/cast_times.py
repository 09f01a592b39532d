"""Texts to dates and moments. Nothing is guessed: what has no zone, or no place in one, is told."""

from __future__ import annotations

import dataclasses
from functools import cache
from typing import Any

import numpy as np
import polars as pl

from include.warehouse.columns.typed_column import (
    Typed,
    nulls_of,
    of_words,
    parsed,
    queried,
    texts_of,
)

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
    found = queried(texts, **_read_as(zone))
    column = of_words(found["moment"], wrong)
    unplaced = np.asarray(found["unplaced"].to_numpy(zero_copy_only=False)) if zone else None
    failed = column.nulls & ~nulls_of(found["text"])
    if unplaced is not None:
        failed &= ~unplaced
    return dataclasses.replace(column, wrong=wrong | failed, unplaced=unplaced)


@cache
def _read_as(zone: str) -> dict[str, pl.Expr]:
    text = pl.col("text").str.replace(" ", "T", literal=True)
    columns = {"moment": _moments(text, _TIMESTAMP, "%#z", "UTC")}
    if zone:
        local = _moments(text, _TIMESTAMP_WITHOUT_ZONE, "", None)
        known = local
        if zone != "UTC":
            known = pl.when(local.dt.year() <= _LAST_KNOWN_YEAR).then(local)
        placed = known.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
        columns["moment"] = columns["moment"].fill_null(placed.dt.convert_time_zone("UTC"))
        columns["unplaced"] = placed.is_null() & local.is_not_null()
    return columns


def _moments(text: pl.Expr, like: str, offset: str, zone: str | None) -> pl.Expr:
    some = pl.when(text.str.contains(like)).then(text)
    whole = some.str.replace(_WITHOUT_SECONDS, "$1:00$2")
    pattern = f"%Y-%m-%dT%H:%M:%S%.f{offset}"
    return whole.str.to_datetime(pattern, time_unit="us", time_zone=zone, strict=False)
