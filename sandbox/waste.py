"""The API of a waste contractor, generated: no real one; a token is needed, and bodies are JSON.

Written as contractors' APIs are: OAuth2 client credentials at another host,
searches by POST with the page in the body, a total.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from json import JSONDecodeError
from pathlib import Path
from typing import Any

from include.councils.model import Council
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from sandbox.middleware.faults import Faults
from sandbox.middleware.logins import BearerToken, Tokens
from sandbox.world.clock import Moment
from sandbox.world.places import digest, share

HOST = "api.waste-contractor.example"
LOGIN_HOST = "login.waste-contractor.example"
SECRET = "waste_contractor"  # noqa: S105, a name
SCOPE = "collections.read"
MOST_ITEMS = 100
ROUNDS = 4
STREAMS = ("refuse", "recycling", "food", "garden")


def waste_mounts(
    councils: Iterable[Council], *, moment: Callable[[], Moment], faults: Path | None
) -> list[Mount]:
    """The API and its token endpoint, each under its host's name."""
    tokens = Tokens(SECRET, SCOPE)
    known = {council.gss_code for council in councils}

    async def search(request: Request) -> Response:
        """The collections of a council and some days."""
        try:
            asked = await request.json()
            first, last = date.fromisoformat(asked["from"]), date.fromisoformat(asked["to"])
            start, size = int(asked["page"]["start"]), int(asked["page"]["size"])
        except (JSONDecodeError, KeyError, TypeError, ValueError):
            return JSONResponse({"error": "expected authority, from, to and page"}, 400)
        if asked.get("authority") not in known:
            return JSONResponse({"error": "unknown authority"}, 404)
        every = list(collections(asked["authority"], first, last, moment()))
        page = every[start : start + min(size, MOST_ITEMS)]
        return JSONResponse({"total": len(every), "collections": page})

    return [
        Mount(
            f"/{HOST}",
            routes=[Route("/v1/collections/search", search, methods=["POST"])],
            middleware=[Middleware(Faults, control=faults), Middleware(BearerToken, tokens=tokens)],
        ),
        Mount(
            f"/{LOGIN_HOST}",
            routes=[Route("/oauth2/token", tokens.endpoint, methods=["POST"])],
            middleware=[Middleware(Faults, control=faults)],
        ),
    ]


def collections(
    authority: str, first: date, last: date, moment: Moment
) -> Iterable[dict[str, Any]]:
    """Every round of each working day that is over, in order."""
    day = first
    # A search of more than a year would only be slow.
    last = min(last, moment.as_of, first + timedelta(days=366))
    while day <= last:
        for number in range(ROUNDS) if day.weekday() < 5 else ():
            yield _collection(authority, day, number, moment.seed)
        day += timedelta(days=1)


def _collection(authority: str, day: date, number: int, seed: int) -> dict[str, Any]:
    key = (seed, authority, day, number)
    households = 400 + digest(seed, authority, number) % 500
    missed = int(share(*key, "missed") ** 3 * 12)
    return {
        "collectionId": f"{authority[-3:]}-{day:%Y%m%d}-{number + 1}",
        "date": day.isoformat(),
        "round": f"R{number + 1}",
        "stream": STREAMS[(number + day.isocalendar().week) % len(STREAMS)],
        "households": households,
        "missed": missed,
        "tonnes": f"{households * (6 + share(*key, 'weight') * 4) / 1000:.3f}",
        "completedAt": None
        if share(*key, "open") < 0.02
        else f"{day.isoformat()}T{13 + number % 3}:{digest(*key, 'minute') % 60:02}:00Z",
        "vehicle": {
            "registration": f"SB{digest(*key, 'van') % 90 + 10} WST",
            "electric": number == 0,
        },
    }
