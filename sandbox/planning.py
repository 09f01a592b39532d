"""Planning applications in the shape of www.planning.data.gov.uk, generated.

Source: https://www.planning.data.gov.uk/docs and what its clients do:
`/entity.geojson` gives GeoJSON features, at most 500 a page by `limit` and
`offset`; fields without a value are empty texts, `organisation-entity` is a
text, and a filter that it does not know is ignored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from include.councils.model import Council
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from sandbox.middleware.faults import Faults
from sandbox.world.clock import Moment
from sandbox.world.places import CouncilPlace, digest, map_of, share

HOST = "www.planning.data.gov.uk"
DATASET = "planning-application"
AREA = "statistical-geography:"
USUAL_ITEMS, MOST_ITEMS = 10, 500
APPLICATIONS_OF_A_COUNCIL = 130
FIRST_ENTITY = 7_000_000
KINDS = ("full-planning", "householder", "outline", "listed-building-consent")
WORKS = ("Single storey rear extension", "Loft conversion", "Change of use", "Two dwellings")


def planning_mount(
    councils: Iterable[Council], *, moment: Callable[[], Moment], faults: Path | None
) -> Mount:
    """The API under its host's name."""
    known = tuple(councils)

    async def answer(request: Request) -> Response:
        """A page of the features of an area; of all areas, if none is named."""
        asked = request.query_params
        if asked.get("dataset", DATASET) != DATASET:
            return _page(request, [])
        now = moment()
        area = asked.get("geometry_curie", "").removeprefix(AREA)
        found = [
            feature(place, number, now)
            for place in map_of(known, now.seed)
            if not area or place.gss_code == area
            for number in range(APPLICATIONS_OF_A_COUNCIL)
        ]
        return _page(request, found)

    return Mount(
        f"/{HOST}",
        routes=[Route("/entity.geojson", answer, methods=["GET"])],
        middleware=[Middleware(Faults, control=faults)],
    )


def _page(request: Request, found: list[dict[str, Any]]) -> Response:
    try:
        limit = int(request.query_params.get("limit", USUAL_ITEMS))
        offset = int(request.query_params.get("offset", 0))
    except ValueError:
        limit = offset = -1
    if not 1 <= limit <= MOST_ITEMS or offset < 0:
        return JSONResponse({"detail": "limit and offset must be whole numbers"}, 422)
    features = found[offset : offset + limit]
    return JSONResponse({"type": "FeatureCollection", "features": features})


def feature(place: CouncilPlace, number: int, moment: Moment) -> dict[str, Any]:
    """One application as a GeoJSON feature; some are decided, some have no geometry."""
    key = (moment.seed, place.gss_code, "planning", number)
    made = moment.as_of - timedelta(days=3 + digest(*key, "made") % 700)
    decided = made + timedelta(days=40 + digest(*key, "decided") % 60)
    is_decided = decided <= moment.as_of
    kind = digest(*key, "kind") % len(KINDS)
    return {
        "type": "Feature",
        "geometry": None if share(*key, "none") < 0.05 else _geometry(place, key),
        "properties": {
            "entity": FIRST_ENTITY + place.number * 1_000 + number,
            "name": "",
            "dataset": DATASET,
            "typology": "geography",
            "reference": f"{made:%y}/{number:05}/{KINDS[kind][:4].upper()}",
            "prefix": DATASET,
            "organisation-entity": str(100 + place.number % 300),
            "entry-date": (made + timedelta(days=2)).isoformat(),
            "start-date": made.isoformat(),
            "end-date": "",
            "description": f"{WORKS[digest(*key, 'works') % len(WORKS)]}.",
            "address-text": f"{1 + digest(*key, 'house') % 180} Sandbox Road",
            "planning-application-type": KINDS[kind],
            "decision-date": decided.isoformat() if is_decided else "",
            "planning-decision": _decision(key) if is_decided else "",
        },
    }


def _decision(key: tuple[Any, ...]) -> str:
    return "refused" if share(*key, "refused") < 0.15 else "granted"


def _geometry(place: CouncilPlace, key: tuple[Any, ...]) -> dict[str, Any]:
    """A small square, as a MultiPolygon; now and then a point."""
    west, south, east, north = place.bounds
    x = (west + share(*key, "x") * (east - west)) / 1e6
    y = (south + share(*key, "y") * (north - south)) / 1e6
    if share(*key, "point") < 0.1:
        return {"type": "Point", "coordinates": [round(x, 6), round(y, 6)]}
    side = 0.0002
    ring = [(x, y), (x + side, y), (x + side, y + side), (x, y + side), (x, y)]
    return {
        "type": "MultiPolygon",
        "coordinates": [[[[round(a, 6), round(b, 6)] for a, b in ring]]],
    }
