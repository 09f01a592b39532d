"""The variables of open-meteo.com: units, decimals, names and formulas."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np

from sandbox.weather.air import DAY_HOURS, UNKNOWN_DAYS, Air, Asked, Floats, elevation


class Variable(NamedTuple):
    """Unit, decimals and formula of an hourly variable; without decimals it is whole."""

    unit: str
    decimals: int
    of: Callable[[Air], Floats]


def _dew(air: Air) -> Floats:
    return np.asarray(air.warmth - (100 - air.damp) / 5)


def _code(air: Air) -> Floats:
    dry = np.digitize(air.cloud, [12.5, 37.5, 87.5])
    return np.asarray(np.where(air.rain >= 1, 63, np.where(air.rain >= 0.05, 61, dry)))


HOURLY = {
    "temperature_2m": Variable("°C", 1, lambda air: air.warmth),
    "relative_humidity_2m": Variable("%", 0, lambda air: air.damp),
    "dew_point_2m": Variable("°C", 1, _dew),
    "apparent_temperature": Variable("°C", 1, lambda air: air.warmth - air.wind / 12),
    "precipitation": Variable("mm", 1, lambda air: air.rain),
    "rain": Variable("mm", 1, lambda air: np.where(air.warmth > 1, air.rain, 0)),
    "snowfall": Variable("cm", 2, lambda air: np.where(air.warmth > 1, 0, air.rain * 0.7)),
    "weather_code": Variable("wmo code", 0, _code),
    "pressure_msl": Variable("hPa", 1, lambda air: air.pressure),
    "surface_pressure": Variable("hPa", 1, lambda air: air.pressure - elevation(air.asked) / 8.3),
    "cloud_cover": Variable("%", 0, lambda air: air.cloud),
    "wind_speed_10m": Variable("km/h", 1, lambda air: air.wind),
    "wind_direction_10m": Variable("°", 0, lambda air: 720 * air.smooth("side", 72) % 360),
    "wind_gusts_10m": Variable("km/h", 1, lambda air: air.wind * 1.9 + 2),
    "shortwave_radiation": Variable("W/m²", 1, lambda air: 980 * air.sun * (1 - air.cloud / 160)),
    "sunshine_duration": Variable(
        "s", 2, lambda air: np.where(air.sun > 0.1, 3_600 * (1 - air.cloud / 100), 0)
    ),
    "et0_fao_evapotranspiration": Variable("mm", 2, lambda air: 0.6 * air.sun),
    "vapour_pressure_deficit": Variable("kPa", 2, lambda air: (100 - air.damp) / 60),
    "wet_bulb_temperature_2m": Variable("°C", 1, lambda air: (air.warmth * 2 + _dew(air)) / 3),
    "soil_temperature_0_to_7cm": Variable("°C", 1, lambda air: air.warmth * 0.8 + 2),
    "soil_moisture_0_to_7cm": Variable("m³/m³", 3, lambda air: 0.2 + 0.2 * air.smooth("soil", 90)),
}

# Names used by the API in 2022 and 2023, which it still accepts.
RENAMED = {
    "windspeed_10m": "wind_speed_10m", "winddirection_10m": "wind_direction_10m",
    "windgusts_10m": "wind_gusts_10m", "weathercode": "weather_code",
    "relativehumidity_2m": "relative_humidity_2m", "dewpoint_2m": "dew_point_2m",
    "cloudcover": "cloud_cover", "windspeed_10m_max": "wind_speed_10m_max",
    "windgusts_10m_max": "wind_gusts_10m_max",
}  # fmt: skip


class Daily(NamedTuple):
    """Which hourly variable a day's value sums up, how, and in which unit and decimals."""

    hourly: str
    of: Callable[..., Any]
    unit: str | None = None
    decimals: int | None = None
    factor: float = 1


def _wet_hours(rain: Floats, axis: int) -> Floats:
    return np.asarray((rain >= 0.05).sum(axis=axis), np.float64)


DAILY = {
    "weather_code": Daily("weather_code", np.max),
    "temperature_2m_max": Daily("temperature_2m", np.max),
    "temperature_2m_min": Daily("temperature_2m", np.min),
    "temperature_2m_mean": Daily("temperature_2m", np.mean),
    "apparent_temperature_max": Daily("apparent_temperature", np.max),
    "apparent_temperature_min": Daily("apparent_temperature", np.min),
    "precipitation_sum": Daily("precipitation", np.sum),
    "rain_sum": Daily("rain", np.sum),
    "snowfall_sum": Daily("snowfall", np.sum),
    "precipitation_hours": Daily("precipitation", _wet_hours, "h", 1),
    "sunshine_duration": Daily("sunshine_duration", np.sum),
    "wind_speed_10m_max": Daily("wind_speed_10m", np.max),
    "wind_gusts_10m_max": Daily("wind_gusts_10m", np.max),
    "shortwave_radiation_sum": Daily("shortwave_radiation", np.sum, "MJ/m²", 2, 0.0036),
    "et0_fao_evapotranspiration": Daily("et0_fao_evapotranspiration", np.sum),
}

CONVERSIONS: dict[tuple[str, str], tuple[str, float, float]] = {
    ("°C", "fahrenheit"): ("°F", 1.8, 32),
    ("km/h", "ms"): ("m/s", 1 / 3.6, 0),
    ("km/h", "mph"): ("mp/h", 1 / 1.609344, 0),
    ("km/h", "kn"): ("kn", 1 / 1.852, 0),
    ("mm", "inch"): ("inch", 1 / 25.4, 0),
}


def current_name(name: str) -> str:
    """What the API calls a variable now."""
    return RENAMED.get(name, name)


def units(kind: str, names: list[str], asked_units: dict[str, str]) -> dict[str, str]:
    """The unit of each column."""
    found = {"time": "iso8601"}
    return found | {name: _converted(_unit(kind, name), asked_units)[0] for name in names}


def columns(
    kind: str, names: list[str], asked: Asked, asked_units: dict[str, str]
) -> dict[str, list[Any]]:
    """Times, and a column for each name, null where nothing is known yet."""
    air = Air(asked)
    days = len(air.local) // DAY_HOURS
    dates = [(asked.first + timedelta(days=day)).isoformat() for day in range(days)]
    found: dict[str, list[Any]] = {"time": dates}
    unknown = air.age <= UNKNOWN_DAYS
    if kind == "hourly":
        found["time"] = [f"{day}T{hour:02}:00" for day in dates for hour in range(DAY_HOURS)]
    else:
        unknown = unknown[::DAY_HOURS]
    for name in names:
        values, decimals = _values(kind, current_name(name), air)
        _, factor, plus = _converted(_unit(kind, name), asked_units)
        rounded = np.round(values * factor + plus, decimals)
        column: list[Any] = (rounded if decimals else rounded.astype(int)).tolist()
        found[name] = [None if gone else value for value, gone in zip(column, unknown, strict=True)]
    return found


def _values(kind: str, name: str, air: Air) -> tuple[Floats, int]:
    if kind == "hourly":
        variable = HOURLY[name]
        return variable.of(air), variable.decimals
    daily = DAILY[name]
    variable = HOURLY[daily.hourly]
    hours = variable.of(air).reshape(-1, DAY_HOURS)
    decimals = variable.decimals if daily.decimals is None else daily.decimals
    return np.asarray(daily.of(hours, axis=1) * daily.factor), decimals


def _unit(kind: str, name: str) -> str:
    if kind == "hourly":
        return HOURLY[current_name(name)].unit
    daily = DAILY[current_name(name)]
    return daily.unit or HOURLY[daily.hourly].unit


def _converted(unit: str, asked_units: dict[str, str]) -> tuple[str, float, float]:
    for wanted in asked_units.values():
        if (unit, wanted) in CONVERSIONS:
            return CONVERSIONS[unit, wanted]
    return unit, 1, 0
