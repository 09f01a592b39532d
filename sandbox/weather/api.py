"""archive-api.open-meteo.com: its parameters, refusals and limits, over generated weather.

Status codes, reasons and key order are those of recorded responses and of the
API's source. A recorded response is served byte for byte to the exact query that
it was recorded for; other weather is generated.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Container
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qs
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import Scope

from sandbox.middleware.faults import Faults
from sandbox.middleware.limits import OneAtATime, Windows
from sandbox.weather.air import Asked, elevation
from sandbox.weather.grid import cell_of
from sandbox.weather.recorded import RecordedWeather
from sandbox.weather.variables import DAILY, HOURLY, columns, current_name, units
from sandbox.world.clock import Moment

HOST = "archive-api.open-meteo.com"
FIRST_DAY = date(1940, 1, 1)
WEIGHED_VARIABLES, WEIGHED_DAYS = 10, 14
ZONE_OF_AUTO = "Europe/London"


class Refused(Exception):
    """400, with the reason."""


class Place(NamedTuple):
    """One location of a query, in degrees."""

    latitude: float
    longitude: float


class Ask(NamedTuple):
    """A query, understood."""

    places: list[Place]
    first: date
    last: date
    hourly: list[str]
    daily: list[str]
    zone: str
    units: dict[str, str]


def weather_mount(
    recorded: RecordedWeather,
    *,
    moment: Callable[[], Moment],
    windows: tuple[int, int, int],
    clock: Callable[[], datetime],
    faults: Path | None,
) -> Mount:
    """The API under its host's name. `windows`: weighted calls a minute, an hour, a day."""
    api = WeatherApi(recorded, moment)
    return Mount(
        f"/{HOST}/v1",
        routes=[Route("/archive", api.archive, methods=["GET"])],
        middleware=[
            Middleware(OneAtATime),
            Middleware(Windows, limits=windows, weigh=weight, clock=clock),
            Middleware(Faults, control=faults),
        ],
    )


class WeatherApi:
    """Historical weather of one place or several."""

    def __init__(self, recorded: RecordedWeather, moment: Callable[[], Moment]) -> None:
        self.recorded = recorded
        self.moment = moment

    def archive(self, request: Request) -> Response:
        """Hourly and daily values in columns, for every place of the query."""
        begun, moment = time.perf_counter(), self.moment()
        try:
            ask = understood(request.url.query, moment.as_of)
        except Refused as error:
            return Response(_json({"error": True, "reason": str(error)}), 400, media_type=JSON)
        body = self.recorded.answer(
            ask.places, ask.first, ask.last, ask.hourly, ask.daily, ask.zone, ask.units
        )
        if body is not None:
            return Response(body, media_type=JSON)
        answers = []
        for number, place in enumerate(ask.places):
            spent = (time.perf_counter() - begun) * 1_000
            answers.append(_answer(ask, place, number, moment, spent))
        return Response(_json(answers if len(answers) > 1 else answers[0]), media_type=JSON)


JSON = "application/json; charset=utf-8"


def understood(text: str, as_of: date) -> Ask:
    """The query of a query string. Raises `Refused`."""
    fields = {
        name: ",".join(values).split(",")
        for name, values in parse_qs(text, keep_blank_values=False).items()
    }
    latitudes, longitudes = _degrees(fields, "latitude", 90), _degrees(fields, "longitude", 180)
    if len(latitudes) != len(longitudes):
        raise Refused("Parameter 'latitude' and 'longitude' must have the same number of elements")
    first, last = (_day(fields, name, as_of) for name in ("start_date", "end_date"))
    if last < first:
        raise Refused("End-date must be larger or equals than start-date")
    zone = fields.get("timezone", ["GMT"])[0]
    zone = ZONE_OF_AUTO if zone == "auto" else zone
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise Refused("Invalid timezone") from error
    wanted: tuple[tuple[str, Container[str]], ...] = (("hourly", HOURLY), ("daily", DAILY))
    for kind, known in wanted:
        for name in fields.get(kind, []):
            if current_name(name) not in known:
                raise Refused(
                    f"Data corrupted at path ''. Cannot initialize {kind} variable from invalid "
                    f"String value {name}."
                )
    return Ask(
        places=[Place(*pair) for pair in zip(latitudes, longitudes, strict=True)],
        first=first,
        last=last,
        hourly=fields.get("hourly", []),
        daily=fields.get("daily", []),
        zone=zone,
        units={name: fields[name][0] for name in fields if name.endswith("_unit")},
    )


def weight(scope: Scope) -> float:
    """The weight of a request in calls: by variables, days and locations."""
    fields = parse_qs(scope["query_string"].decode("latin-1"))

    def count(name: str) -> int:
        return len([one for one in ",".join(fields.get(name, [])).split(",") if one])

    try:
        first, last = (date.fromisoformat(fields[n][0]) for n in ("start_date", "end_date"))
        days = (last - first).days + 1
    except (KeyError, ValueError):
        days = 1
    variables = (count("hourly") + count("daily")) / WEIGHED_VARIABLES
    return max(1.0, variables) * max(1.0, days / WEIGHED_DAYS) * max(1, count("latitude"))


def _answer(ask: Ask, place: Place, number: int, moment: Moment, spent: float) -> dict[str, Any]:
    offset = _offset(ask.zone, moment)
    latitude, longitude = cell_of(place.latitude, place.longitude)
    asked = Asked((latitude, longitude), ask.first, ask.last, offset, moment)
    answer: dict[str, Any] = {
        "latitude": latitude,
        "longitude": longitude,
        "generationtime_ms": spent,
        "utc_offset_seconds": offset,
        "timezone": ask.zone,
        "timezone_abbreviation": _abbreviation(offset),
        "elevation": elevation(asked),
    }
    if number:
        answer["location_id"] = number
    for kind, names in (("hourly", ask.hourly), ("daily", ask.daily)):
        if names:
            answer[f"{kind}_units"] = units(kind, names, ask.units)
            answer[kind] = columns(kind, names, asked, ask.units)
    return answer


def _offset(zone: str, moment: Moment) -> int:
    """The zone's offset at the time of the request, whatever dates are requested."""
    offset = moment.now.astimezone(ZoneInfo(zone)).utcoffset()
    return int(offset.total_seconds()) if offset else 0


def _abbreviation(offset: int) -> str:
    hours, minutes = divmod(abs(offset) // 60, 60)
    sign = "-" if offset < 0 else "+"
    return f"GMT{sign}{hours}{f':{minutes:02}' if minutes else ''}" if offset else "GMT"


def _degrees(fields: dict[str, list[str]], name: str, most: float) -> list[float]:
    if name not in fields:
        raise Refused(f"Parameter '{name}' is required")
    try:
        found = [float(text) for text in fields[name]]
    except ValueError as error:
        raise Refused(f"Value of type 'Float' required for key '{name}'.") from error
    for value in found:
        if not abs(value) <= most:
            raise Refused(
                f"{name.title()} must be in range of -{most:g} to {most:g}°. Given: {value}."
            )
    return found


def _day(fields: dict[str, list[str]], name: str, as_of: date) -> date:
    if name not in fields:
        raise Refused(f"Parameter '{name}' is required")
    try:
        day = date.fromisoformat(fields[name][0])
    except ValueError as error:
        raise Refused("Invalid date format. Make sure to use 'YYYY-MM-DD'") from error
    last = as_of - timedelta(days=1)
    if not FIRST_DAY <= day <= last:
        raise Refused(f"Parameter '{name}' is out of allowed range from {FIRST_DAY} to {last}")
    return day


def _json(content: Any) -> bytes:
    return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
