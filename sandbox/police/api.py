"""data.police.uk: its paths, parameters and refusals, over generated or recorded data.

Status codes, limits and types are those of https://data.police.uk/docs/ and of
recorded responses. The live bodies of 400, 404, 429 and 503 are unknown: here
they are plain text, and clients should not parse them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from sandbox.middleware.faults import Faults
from sandbox.middleware.limits import RateLimit
from sandbox.police.crimes import minified
from sandbox.police.vocabulary import ALL_CRIME, CATEGORIES, FORCES
from sandbox.world.area import Area, mile_around, polygon

HOST = "data.police.uk"
LONGEST_GET = 4_094
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


class NotHeld(Exception):
    """The month, force or place does not exist: 404."""


class Answer(NamedTuple):
    """A body and how many records it counts against the cap."""

    body: bytes
    records: int


class PoliceData(Protocol):
    """What the API needs to know. Months are `2017-05`; a thing it lacks raises `NotHeld`."""

    def months(self) -> list[str]:
        """Every published month, newest first."""
        ...

    def forces(self) -> list[str]:
        """The forces that publish stop and search."""
        ...

    def crimes(self, area: Area, month: str, category: str) -> Answer:
        """The crimes of an area."""
        ...

    def crimes_without_place(self, force: str, month: str, category: str) -> Answer:
        """The crimes of a force that could not be mapped."""
        ...

    def outcomes(self, area: Area | int, month: str) -> Answer:
        """The outcomes given in `month` to crimes of an area, or at a street's number."""
        ...

    def neighbourhoods(self, force: str) -> list[dict[str, str]]:
        """The neighbourhoods of a known force."""
        ...

    def boundary(self, force: str, neighbourhood: str) -> list[dict[str, str]]:
        """The ring of a neighbourhood."""
        ...

    def locate(self, area: Area) -> dict[str, str]:
        """The force and neighbourhood that a point lies in."""
        ...


def police_mount(
    data: PoliceData, *, cap: int, rate_per_second: float, burst: int, faults: Path | None
) -> Mount:
    """The API under its host's name. `cap` is the most crimes that one answer may hold."""
    api = PoliceApi(data, cap)
    get, both = ["GET"], ["GET", "POST"]
    return Mount(
        f"/{HOST}/api",
        routes=[
            Route("/crimes-street/{category}", api.crimes_street, methods=both),
            Route("/crimes-no-location", api.crimes_no_location, methods=both),
            Route("/outcomes-at-location", api.outcomes_at_location, methods=both),
            Route("/crimes-street-dates", api.dates, methods=get),
            Route("/crime-last-updated", api.last_updated, methods=get),
            Route("/crime-categories", api.categories, methods=get),
            Route("/locate-neighbourhood", api.locate, methods=get),
            Route("/{force}/neighbourhoods", api.neighbourhoods, methods=get),
            Route("/{force}/{neighbourhood}/boundary", api.boundary, methods=get),
        ],
        middleware=[
            Middleware(RateLimit, per_second=rate_per_second, burst=burst),
            Middleware(Faults, control=faults),
        ],
    )


class PoliceApi:
    """One method for each path."""

    def __init__(self, data: PoliceData, cap: int) -> None:
        self.data = data
        self.cap = cap

    async def crimes_street(self, request: Request) -> Response:
        """Crimes of a category in a polygon, or within a mile of a point."""
        fields = await _fields(request)
        category = _category(request.path_params["category"])
        return self._capped(self.data.crimes, _area(fields), self._month(fields), category)

    async def crimes_no_location(self, request: Request) -> Response:
        """Crimes of a force that could not be mapped."""
        fields = await _fields(request)
        category = _category(_need(fields, "category"))
        force = _known_force(_need(fields, "force"))
        return self._capped(self.data.crimes_without_place, force, self._month(fields), category)

    async def outcomes_at_location(self, request: Request) -> Response:
        """Outcomes given in a month, at a street or in an area."""
        fields = await _fields(request)
        if "location_id" not in fields:
            return self._capped(self.data.outcomes, _area(fields), self._month(fields))
        if not fields["location_id"].isdecimal():
            raise HTTPException(400, "location_id: expected a number")
        return self._capped(self.data.outcomes, int(fields["location_id"]), self._month(fields))

    async def dates(self, request: Request) -> Response:
        """The published months."""
        forces = self.data.forces()
        return _json([{"date": month, "stop-and-search": forces} for month in self.data.months()])

    async def last_updated(self, request: Request) -> Response:
        """The newest month."""
        return _json({"date": f"{self.data.months()[0]}-01"})

    async def categories(self, request: Request) -> Response:
        """All crime and the 14 kinds of it."""
        fields = await _fields(request)
        if "date" in fields:
            self._month(fields)
        names = {ALL_CRIME: "All crime"} | {slug: name for slug, (name, _) in CATEGORIES.items()}
        return _json([{"url": slug, "name": name} for slug, name in names.items()])

    async def neighbourhoods(self, request: Request) -> Response:
        """The neighbourhoods of a force."""
        force = _known_force(request.path_params["force"])
        return _json(self._held(self.data.neighbourhoods, force))

    async def boundary(self, request: Request) -> Response:
        """The ring of a neighbourhood."""
        force = _known_force(request.path_params["force"])
        return _json(self._held(self.data.boundary, force, request.path_params["neighbourhood"]))

    async def locate(self, request: Request) -> Response:
        """The neighbourhood that a point lies in."""
        latitude, _, longitude = _need(await _fields(request), "q").partition(",")
        return _json(self._held(self.data.locate, _area({"lat": latitude, "lng": longitude})))

    def _month(self, fields: dict[str, str]) -> str:
        month = fields.get("date")
        if month is None:
            return self.data.months()[0]
        if not MONTH.fullmatch(month):
            raise HTTPException(400, "date: expected YYYY-MM")
        return month

    def _capped(self, ask: Any, *arguments: Any) -> Response:
        answer = self._held(ask, *arguments)
        if answer.records > self.cap:
            raise HTTPException(503, "Too many crimes in this area")
        return Response(answer.body, media_type="application/json")

    def _held(self, ask: Any, *arguments: Any) -> Any:
        try:
            return ask(*arguments)
        except NotHeld as error:
            raise HTTPException(404, "Not found") from error


async def _fields(request: Request) -> dict[str, str]:
    """Query parameters, and for a POST its form. Refuses a GET that is too long."""
    query = request.scope["query_string"]
    if request.method == "POST":
        query += b"&" + await request.body()
    elif len(request.scope["raw_path"]) + len(query) + 1 - len(f"/{HOST}") > LONGEST_GET:
        raise HTTPException(400, "The request is too long: use POST")
    return dict(parse_qsl(query.decode("latin-1")))


def _need(fields: dict[str, str], name: str) -> str:
    if name not in fields:
        raise HTTPException(400, f"{name}: it is required")
    return fields[name]


def _area(fields: dict[str, str]) -> Area:
    try:
        if "poly" in fields:
            return polygon(fields["poly"])
        return mile_around(_need(fields, "lat"), _need(fields, "lng"))
    except ValueError as error:
        raise HTTPException(400, f"area: {error}") from error


def _category(slug: str) -> str:
    if slug != ALL_CRIME and slug not in CATEGORIES:
        raise HTTPException(404, "Not found")
    return slug


def _known_force(force: str) -> str:
    if force not in FORCES:
        raise HTTPException(404, "Not found")
    return force


def _json(content: Any) -> Response:
    return Response(minified(content), media_type="application/json")
