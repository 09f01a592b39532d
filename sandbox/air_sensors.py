"""Breathe London's list of air quality sensors, generated; the API wants a key in a header.

Source: https://www.breathelondon.org/developers. `/ListSensors` gives every
sensor of London, as a list of objects; what it does without a key is not
known beyond its status.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from include.councils.model import Council
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from sandbox.middleware.faults import Faults
from sandbox.middleware.logins import KeyInHeader
from sandbox.world.clock import Moment
from sandbox.world.places import CouncilPlace, digest, map_of, share

HOST = "breathe-london-7x54d7qf.ew.gateway.dev"
SECRET = "breathe_london"  # noqa: S105, a name
KEY_HEADER = "X-API-KEY"
SENSORS_OF_A_COUNCIL = 9
CLASSES = ("Urban Background", "Roadside", "Kerbside")
PLACES = ("School", "Hospital", "Library", "Town Centre", "Park")


def sensors_mount(
    councils: Iterable[Council], *, moment: Callable[[], Moment], faults: Path | None
) -> Mount:
    """The API under its host's name."""
    known = {council.gss_code: council for council in councils}

    async def answer(request: Request) -> Response:
        """Every sensor, also those that were taken down."""
        now = moment()
        places = map_of(known.values(), now.seed)
        found = [
            sensor(place, known[place.gss_code].title, number, now)
            for place in places
            for number in range(SENSORS_OF_A_COUNCIL)
        ]
        return JSONResponse(found)

    return Mount(
        f"/{HOST}",
        routes=[Route("/ListSensors", answer, methods=["GET"])],
        middleware=[
            Middleware(Faults, control=faults),
            Middleware(KeyInHeader, header=KEY_HEADER, secret=SECRET),
        ],
    )


def sensor(place: CouncilPlace, borough: str, number: int, moment: Moment) -> dict[str, Any]:
    """One sensor in the API's shape."""
    key = (moment.seed, place.gss_code, "sensor", number)
    west, south, east, north = place.bounds
    began = date(2021, 1, 1) + timedelta(days=digest(*key, "start") % 1200)
    ended = began + timedelta(days=400) if share(*key, "end") < 0.2 else None
    kind = PLACES[digest(*key, "place") % len(PLACES)]
    return {
        "SiteCode": f"BL{digest(*key) % 10_000:04}{number}",
        "SiteName": f"{borough} Sandbox {kind} {number + 1}",
        "Latitude": round((south + share(*key, "y") * (north - south)) / 1e6, 6),
        "Longitude": round((west + share(*key, "x") * (east - west)) / 1e6, 6),
        "Borough": borough,
        "SiteClassification": CLASSES[digest(*key, "class") % len(CLASSES)],
        "SensorHeightAboveGround": round(2 + share(*key, "height"), 1),
        "DistanceToKerb": round(share(*key, "kerb") * 30, 1) if number else None,
        "StartDate": f"{began}T00:00:00Z",
        "EndDate": f"{ended}T00:00:00Z" if ended else None,
        "SponsorName": "Sandbox",
    }
