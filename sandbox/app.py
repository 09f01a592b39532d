"""The sandbox as one ASGI app: each public API mounted under its host's name."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path

from include.councils.model import councils
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from sandbox.air_sensors import HOST as AIR_SENSORS
from sandbox.air_sensors import sensors_mount
from sandbox.holidays import HOST as HOLIDAYS
from sandbox.holidays import holidays_mount, recorded_holidays
from sandbox.planning import HOST as PLANNING
from sandbox.planning import planning_mount
from sandbox.police.api import HOST as POLICE
from sandbox.police.api import PoliceData, police_mount
from sandbox.police.generated import GeneratedPolice
from sandbox.police.recorded import RecordedPolice, holds_police
from sandbox.rivers.api import HOST as RIVERS
from sandbox.rivers.api import river_mount
from sandbox.rivers.data import RecordedRivers, river_data
from sandbox.samples import FOLDER as SAMPLES
from sandbox.samples import samples_route
from sandbox.waste import HOST as WASTE
from sandbox.waste import LOGIN_HOST as WASTE_LOGIN
from sandbox.waste import waste_mounts
from sandbox.weather.api import HOST as WEATHER
from sandbox.weather.api import weather_mount
from sandbox.weather.recorded import RecordedWeather
from sandbox.world.clock import Clock
from sandbox.world.payloads import LAYOUT, WrongPayloads

FAULTS_FILE = "faults.json"
FORCE_OF_LONDON = "metropolitan"

# Weighted calls per minute, hour and day, as allowed by open-meteo.com.
WEATHER_LIMITS = (600, 5_000, 10_000)

RECORDED: dict[str, Callable[[Path], bool]] = {
    POLICE: holds_police,
    RIVERS: RecordedRivers.held,
    WEATHER: RecordedWeather.held,
    HOLIDAYS: recorded_holidays,
    # Generated alone.
    **dict.fromkeys((PLANNING, AIR_SENSORS, WASTE, WASTE_LOGIN), lambda payloads: False),
}


def recorded_apis(payloads: Path) -> list[str]:
    """The hosts with recordings in a payload directory. Raises `WrongPayloads` if none."""
    found = [host for host, is_held in RECORDED.items() if is_held(payloads)]
    if not found:
        raise WrongPayloads(f"sandbox: {payloads} holds no recorded answers. Expected {LAYOUT}")
    return found


def create_app(
    *,
    seed: int,
    as_of: date,
    payloads: Path | None = None,
    cap: int = 10_000,
    rate_per_second: float = 15,
    burst: int = 30,
    state: Path | None = None,
    national: bool = False,
    weather_limits: tuple[int, int, int] = WEATHER_LIMITS,
    wall_clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Starlette:
    """The app, over generated data, or over the recorded bodies below `payloads`.

    APIs without recordings in `payloads` are generated. `cap` is the maximum
    number of crimes per response; `rate_per_second` and `burst` limit the
    police API per client address; `weather_limits` are weighted calls per
    minute, hour and day, by `wall_clock`; `national` generates gauges all over
    the country. A `state` file overrides `seed` and `as_of`, even while the app
    is running; `faults.json` next to it enables faults
    (`sandbox/middleware/faults.py`), and the responses in `samples` beside it
    are replayed (`sandbox/samples.py`). Raises `WrongPayloads` for a directory
    without recorded bodies.
    """
    clock = Clock(seed, as_of, state, national=national)
    recorded = [] if payloads is None else recorded_apis(payloads)
    faults = state.parent / FAULTS_FILE if state else None
    known = councils().values()
    police: PoliceData = (
        RecordedPolice(payloads, _force_of)
        if payloads is not None and POLICE in recorded
        else GeneratedPolice(clock, councils())
    )
    weather = RecordedWeather(payloads if WEATHER in recorded else None)
    rivers = river_data(clock, councils(), payloads)
    mounts = [
        police_mount(police, cap=cap, rate_per_second=rate_per_second, burst=burst, faults=faults),
        river_mount(rivers, faults=faults),
        weather_mount(
            weather, moment=clock.now, windows=weather_limits, clock=wall_clock, faults=faults
        ),
        holidays_mount(payloads, moment=clock.now, faults=faults),
        planning_mount(known, moment=clock.now, faults=faults),
        sensors_mount(known, moment=clock.now, faults=faults),
        *waste_mounts(known, moment=clock.now, faults=faults),
    ]

    async def health(request: Request) -> JSONResponse:
        return JSONResponse(
            {
                "mode": "generated" if payloads is None else "recorded",
                "as_of": clock.now().as_of.isoformat(),
                "apis": list(RECORDED),
                "recorded": recorded,
            }
        )

    samples = samples_route(state.parent / SAMPLES if state else None)
    return Starlette(routes=[Route("/health", health), *mounts, samples])


def _force_of(ward: str) -> str:
    """The force of a ward in a council file; the Metropolitan Police for any other."""
    for council in councils().values():
        for ward_set in council.ward_sets:
            if any(known.code == ward for known in ward_set.wards):
                return council.police_force
    return FORCE_OF_LONDON
