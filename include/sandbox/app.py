"""The sandbox as one ASGI app: each public API mounted under its host's name."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from include.councils.model import councils
from include.sandbox.clock import Clock
from include.sandbox.generated import GeneratedPolice
from include.sandbox.police import HOST, PoliceData, police_mount
from include.sandbox.recorded import RecordedPolice

FAULTS_FILE = "faults.json"
FORCE_OF_LONDON = "metropolitan"


def create_app(
    *,
    seed: int,
    as_of: date,
    payloads: Path | None = None,
    cap: int = 10_000,
    rate_per_second: float = 15,
    burst: int = 30,
    state: Path | None = None,
) -> Starlette:
    """The app, over generated data, or over the recorded bodies below `payloads`.

    `cap` is the most crimes of one answer; `rate_per_second` and `burst` are
    what one client address may ask. A `state` file, where there is one,
    overrules `seed` and `as_of`, also while the app runs; `faults.json`
    beside it switches faults on (`include/sandbox/faults.py`). Raises
    `WrongPayloads` for a directory without recorded bodies.
    """
    clock = Clock(seed, as_of, state)
    police: PoliceData = (
        GeneratedPolice(clock, councils())
        if payloads is None
        else RecordedPolice(payloads, _force_of)
    )
    mounts = [
        police_mount(
            police,
            cap=cap,
            rate_per_second=rate_per_second,
            burst=burst,
            faults=state.parent / FAULTS_FILE if state else None,
        )
    ]

    async def health(request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "mode": "generated" if payloads is None else "recorded",
                "as_of": clock.now().as_of.isoformat(),
                "apis": [HOST],
            }
        )

    return Starlette(routes=[Route("/health", health), *mounts])


def _force_of(ward: str) -> str:
    """The force of a ward that a council file knows; London's for any other."""
    for council in councils().values():
        for ward_set in council.ward_sets:
            if any(known.code == ward for known in ward_set.wards):
                return council.police_force
    return FORCE_OF_LONDON
