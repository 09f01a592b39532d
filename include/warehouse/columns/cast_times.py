"""Cast texts to dates and times. Nothing is guessed: times without a valid zone are reported."""

from __future__ import annotations

import dataclasses
import re
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from include.warehouse.columns.hashing import Mask
from include.warehouse.columns.typed_column import (
    Typed,
    none_wrong,
    nulls_of,
    of_words,
    parsed,
    queried,
    texts_of,
)

# Year 0 does not exist, and a leap second would be moved to the next minute.
_YEAR = "([1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_DATE = rf"^{_YEAR}-[0-9]{{2}}-[0-9]{{2}}$"
_LOCAL = rf"{_YEAR}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-5][0-9](\.[0-9]+)?)?"
_ZONE = r"(Z|[+-][0-9]{2}(:?[0-9]{2})?)"
_TIMESTAMP = f"^{_LOCAL}{_ZONE}$"
_TIMESTAMP_WITHOUT_ZONE = f"^{_LOCAL}$"
_WITHOUT_SECONDS = rf"^(.{{10}}T[0-9]{{2}}:[0-9]{{2}})({_ZONE}?)$"
# PostgreSQL and Arrow count microseconds: six digits of a second.
_SIX_DIGITS_LONG = len("2017-05-01T00:00:00.123456")
_MORE_DIGITS = r"(\.[0-9]{6})[0-9]+"
_LOST_DIGITS = r"\.[0-9]{6}0*[1-9]"
_ROUNDED_UP = r"\.[0-9]{6}[5-9]"
# Later clock changes are not known; the library's tables end there.
_LAST_KNOWN_YEAR = 2099
# Python, like other clients of PostgreSQL, supports the years 1 to 9999 only.
_FIRST_MOMENT, _AFTER_LAST_MOMENT = (
    int(np.datetime64(day, "us").astype(np.int64)) for day in ("0001-01-01", "10000-01-01")
)
# What surely is a whole number of 64 bits; and an epoch of any length that may be a time.
_WHOLE = "^[+-]?[0-9]{1,18}$"
_EPOCH = re.compile(r"[+-]?[0-9]{1,100}(\.[0-9]{0,100})?")
# As .NET writes one in JSON: the offset is for display, the number counts from 1970 in UTC.
_NET_EPOCH = re.compile(r"^/Date\((-?[0-9]{1,100})(?:[+-][0-9]{4})?\)/$")
_MILLISECONDS = 3
_MICROSECONDS = 6


def read_dates(values: list[Any], kinds: set[type]) -> Typed:
    """Days as YYYY-MM-DD."""
    texts, wrong = texts_of(values, kinds & {str}, only_text=values)
    return parsed(texts, wrong, _DATE, lambda text: text.str.to_date("%Y-%m-%d", strict=False))


def read_moments(values: list[Any], kinds: set[type], zone: str, fraction: str) -> Typed:
    """Times in microseconds of UTC.

    A time that is valid but ambiguous breaks another rule: `zone` if the
    clocks of the zone never show it or show it twice, `year` if it is beyond
    the supported years, `fraction` if digits would be lost.
    """
    texts, wrong = texts_of(values, kinds & {str}, only_text=values)
    longest = max(map(len, filter(None, texts)), default=0)
    found = queried(texts, **_read_as(zone, fraction if longest > _SIX_DIGITS_LONG else ""))
    moments, beyond = _within_years(found["moment"])
    column = of_words(moments, wrong)
    refused = {
        rule: np.asarray(found[rule].to_numpy(zero_copy_only=False))
        for rule in ("fraction", "zone", "year")
        if rule in found
    }
    refused["year"] = refused.get("year", False) | beyond
    failed = column.nulls & ~nulls_of(found["text"])
    for mask in refused.values():
        failed &= ~mask
    refused = {rule: mask for rule, mask in refused.items() if mask.any()}
    return dataclasses.replace(column, wrong=wrong | failed, refused=refused)


def _within_years(moments: pa.Array) -> tuple[pa.Array, Mask]:
    """The times of supported years, and which ones are not."""
    words = moments.view(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    beyond = (words < _FIRST_MOMENT) | (words >= _AFTER_LAST_MOMENT)
    if not beyond.any():
        return moments, beyond
    return pc.if_else(pa.array(beyond), pa.scalar(None, moments.type), moments), beyond


@cache
def _read_as(zone: str, fraction: str) -> dict[str, pl.Expr]:
    """The time of a text, null if it has none; and the rule that it breaks, if any.

    Without `fraction`, no text has more than six fractional digits.
    """
    text = pl.col("text").str.replace(" ", "T", literal=True)
    cut = text.str.replace(_MORE_DIGITS, "$1") if fraction else text
    moment = _moments(cut, _TIMESTAMP, "%#z", "UTC")
    columns = {}
    if zone:
        local = _moments(cut, _TIMESTAMP_WITHOUT_ZONE, "", None)
        known = local
        if zone != "UTC":
            known = pl.when(local.dt.year() <= _LAST_KNOWN_YEAR).then(local)
            columns["year"] = local.is_not_null() & known.is_null()
        placed = known.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
        moment = moment.fill_null(placed.dt.convert_time_zone("UTC"))
        columns["zone"] = known.is_not_null() & placed.is_null()
    if fraction == "quarantine":
        too_long = text.str.contains(_LOST_DIGITS).fill_null(value=False) & moment.is_not_null()
        columns["fraction"] = too_long
        moment = pl.when(~too_long).then(moment)
    elif fraction == "round":
        up = pl.when(text.str.contains(_ROUNDED_UP)).then(1).otherwise(0)
        moment = moment + pl.duration(microseconds=up)
    return {"moment": moment, **columns}


def _moments(text: pl.Expr, like: str, offset: str, zone: str | None) -> pl.Expr:
    some = pl.when(text.str.contains(like)).then(text)
    whole = some.str.replace(_WITHOUT_SECONDS, "$1:00$2")
    pattern = f"%Y-%m-%dT%H:%M:%S%.f{offset}"
    return whole.str.to_datetime(pattern, time_unit="us", time_zone=zone, strict=False)


def read_epochs(
    values: list[Any], kinds: set[type], digits: int, type_name: str, zone: str, fraction: str
) -> Typed:
    """Times, or midnights of dates, counted from 1970 in UTC in units of `digits` decimals of a
    second; broken rules as in `read_moments`, and `type` for a date that is not a midnight."""
    moments = _counted(values, kinds, _MICROSECONDS - digits, fraction)
    if type_name == "timestamptz":
        return moments
    local = pl.Series(moments.array).dt.convert_time_zone(zone or "UTC")
    days = local.dt.date().to_arrow()
    elsewhere = (local.dt.truncate("1d") != local).fill_null(value=False).to_numpy()
    refused = dict(moments.refused)
    if zone not in ("", "UTC"):
        late = (local.dt.year() > _LAST_KNOWN_YEAR).fill_null(value=False).to_numpy()
        refused["year"] = refused.get("year", False) | late
        elsewhere = elsewhere & ~late
    left_out = elsewhere | refused.get("year", False)
    days = pc.if_else(pa.array(left_out), pa.scalar(None, pa.date32()), days)
    wrong = moments.wrong | elsewhere | refused.pop("fraction", False)
    return dataclasses.replace(of_words(days, wrong), refused=refused)


def _counted(values: list[Any], kinds: set[type], shift: int, fraction: str) -> Typed:
    """Times counted in units of 10^shift microseconds."""
    texts, wrong = values, none_wrong(values)
    whole = _as_words(values) if kinds <= {int} else None
    if whole is None:
        texts, wrong = texts_of(values, kinds)
        text = pl.col("text")
        read = pl.when(text.str.contains(_WHOLE)).then(text).cast(pl.Int64)
        whole = queried(texts, whole=read)["whole"]
    nulls = nulls_of(whole)
    words = whole.fill_null(0).to_numpy(zero_copy_only=False)
    scale = 10**shift
    beyond = (words < _FIRST_MOMENT // scale) | (words >= _AFTER_LAST_MOMENT // scale)
    words = np.where(beyond, 0, words) * scale
    long = none_wrong(values)
    for place in map(int, np.flatnonzero(nulls)):
        if texts[place] is None:
            continue
        written = str(texts[place])
        if shift == _MICROSECONDS - _MILLISECONDS:
            written = _NET_EPOCH.sub(r"\1", written)
        found = _EPOCH.fullmatch(written)
        if found is None:
            wrong[place] = True
            continue
        moment, long[place] = _exact_epoch(found[0], shift, fraction)
        beyond[place] = not _FIRST_MOMENT <= moment < _AFTER_LAST_MOMENT
        nulls[place] = long[place] or beyond[place]
        words[place] = 0 if nulls[place] else moment
    nulls = nulls | beyond
    array = pa.array(words, pa.timestamp("us", "UTC"), mask=nulls)
    refused = {rule: mask for rule, mask in (("fraction", long), ("year", beyond)) if mask.any()}
    return dataclasses.replace(of_words(array, wrong), refused=refused)


def _as_words(values: list[Any]) -> pa.Array | None:
    try:
        return pl.Series(values, dtype=pl.Int64).to_arrow()
    except (OverflowError, TypeError, pl.exceptions.PolarsError):
        return None


def _exact_epoch(text: str, shift: int, fraction: str) -> tuple[int, bool]:
    """Microseconds since 1970, and whether digits would be lost against `fraction`."""
    whole, _, decimals = text.partition(".")
    unit = 10 ** len(decimals)
    moment, rest = divmod(int(whole + decimals) * 10**shift, unit)
    if fraction == "round" and 2 * rest >= unit:
        moment += 1
    return moment, fraction == "quarantine" and rest > 0
