"""The parameters of environment.data.gov.uk, and which items of a network they choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar
from urllib.parse import parse_qs

import numpy as np
from starlette.exceptions import HTTPException

from sandbox.rivers.measures import Item, Network
from sandbox.rivers.readings import seconds_of
from sandbox.world.area import distance_metres

_PARAMETERS = """
    parameter qualifier status riverName catchmentName town label stationReference station RLOIid
    search lat long dist latest today date startdate enddate since county min-severity
    _view _sorted _limit _offset
"""
PARAMETERS = frozenset(_PARAMETERS.split())
T = TypeVar("T")


@dataclass(frozen=True)
class Query:
    """The parameters of a request, each with all the values that it was given."""

    text: str
    fields: dict[str, list[str]]

    def one(self, name: str, read: Callable[[str], T]) -> T | None:
        """The parsed last value of a parameter; None if missing. Rejects invalid values."""
        if name not in self.fields:
            return None
        try:
            return read(self.fields[name][-1])
        except ValueError as error:
            raise HTTPException(400, f"{name}: {error}") from error

    def allows(self, name: str, value: Any, read: Callable[[Any], Any] = str) -> bool:
        """Whether a field's value, or one of several, is among the requested ones."""
        if name not in self.fields:
            return True
        return any(read(one) in self.fields[name] for one in _several(value))

    @property
    def full(self) -> bool:
        """Whether the full view is requested."""
        return self.fields.get("_view") == ["full"]

    @property
    def limit(self) -> int | None:
        """The maximum number of items."""
        return self.one("_limit", _count)

    @property
    def offset(self) -> int:
        """How many items to skip."""
        return self.one("_offset", _count) or 0

    @property
    def latest(self) -> bool:
        """Whether each measure's latest reading is requested."""
        return "latest" in self.fields

    @property
    def newest_first(self) -> bool:
        """Whether readings are to be sorted."""
        return "_sorted" in self.fields


def query_of(text: str) -> Query:
    """The parameters of a query string. Rejects unknown ones."""
    fields = parse_qs(text, keep_blank_values=True)
    unknown = sorted(fields.keys() - PARAMETERS)
    if unknown:
        raise HTTPException(400, f"{', '.join(unknown)}: no such parameter")
    return Query(text, fields)


def chosen_stations(network: Network, query: Query) -> list[Item]:
    """The stations that pass every filter, in the full view."""
    near = _nearness(query)
    search = query.one("search", str.casefold) or ""
    return [
        station
        for station in network.stations
        if all(
            query.allows(field, station.get(field))
            for field in ("riverName", "catchmentName", "town", "label", "RLOIid")
        )
        and query.allows("stationReference", station["stationReference"])
        and query.allows("status", station.get("status"), _status)
        and any(search in str(label).casefold() for label in _several(station.get("label")))
        and _measures(station, query)
        and near(_several(station.get("lat")), _several(station.get("long")))
    ]


def chosen_measures(network: Network, query: Query, which: list[int] | None = None) -> list[int]:
    """Where the measures that every filter lets through stand; only those of `which`, if given."""
    stations = [name.rsplit("/", 1)[-1] for name in query.fields.get("station", [])]
    return [
        at
        for at in (range(len(network.measures)) if which is None else which)
        if _is_asked_for(network.measures[at], query)
        and query.allows("stationReference", network.measures[at]["stationReference"])
        and (not stations or network.measures[at]["stationReference"] in stations)
    ]


def chosen_warnings(warnings: list[Item], query: Query) -> list[Item]:
    """The flood warnings that every filter lets through, without the place to filter by."""
    near = _nearness(query)
    worst = query.one("min-severity", int) or 4
    return [
        {key: warning[key] for key in warning if key not in ("lat", "long")}
        for warning in warnings
        if query.allows("county", warning["floodArea"]["county"].split(", "))
        and warning["severityLevel"] <= worst
        and near(_several(warning.get("lat")), _several(warning.get("long")))
    ]


def default_view(station: Item) -> Item:
    """A station in the default view of lists: scales are URLs."""
    scales = {
        key: station[key]["@id"]
        for key in ("stageScale", "downstageScale")
        if isinstance(station.get(key), dict)
    }
    return station | scales


def span_of(query: Query, oldest: date, today: date) -> tuple[date, date, int | None]:
    """First day, last day, and the second after which readings are requested."""
    first, last = query.one("startdate", _day), query.one("enddate", _day)
    if day := query.one("date", _day):
        return day, day, None
    if "today" in query.fields:
        return today, today, None
    if after := query.one("since", _moment):
        return after.date(), today, seconds_of(after)
    return first or oldest, last or today, None


def _measures(station: Item, query: Query) -> bool:
    if "parameter" not in query.fields and "qualifier" not in query.fields:
        return True
    return any(_is_asked_for(measure, query) for measure in _several(station.get("measures", [])))


def _is_asked_for(measure: Item, query: Query) -> bool:
    return query.allows("parameter", measure.get("parameter")) and query.allows(
        "qualifier", measure.get("qualifier")
    )


def _nearness(query: Query) -> Callable[[list[Any], list[Any]], bool]:
    lat, long, dist = (query.one(name, float) for name in ("lat", "long", "dist"))
    if lat is None and long is None and dist is None:
        return lambda latitudes, longitudes: True
    if lat is None or long is None or dist is None:
        raise HTTPException(400, "lat, long, dist: all three are required")
    centre, metres = (long, lat), dist * 1_000

    def near(latitudes: list[Any], longitudes: list[Any]) -> bool:
        pairs = [pair for pair in zip(longitudes, latitudes, strict=True) if None not in pair]
        x, y = (np.array([pair[axis] for pair in pairs], np.float64) for axis in (0, 1))
        return bool((distance_metres(centre, x, y) <= metres).any())

    return near


def _several(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _status(uri: Any) -> str:
    return str(uri).rpartition("/status")[2]


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(f"expected a number from 0, found {number}")
    return number


def _day(text: str) -> date:
    return date.fromisoformat(text)


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
