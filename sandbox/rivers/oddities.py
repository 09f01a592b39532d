"""What is odd about generated gauges, as it was seen in real station and measure lists."""

from __future__ import annotations

from datetime import date
from typing import Any

from sandbox.rivers.measures import NEVER, URI, Item
from sandbox.world.places import share

KM_PER_DEGREE = 111.2
SENTINELS = (32768.47, -32.767, -27.649)
HOUR = 3_600


def cluster_trait(number: int, index: int, kind: str) -> dict[str, Any]:
    """What differs from the usual `Trait` at a council's station; both count from 0."""
    odd: dict[tuple[int, str], dict[str, Any]] = {
        (1, "flow"): {"lag": 50 * HOUR},
        (2, "stage"): {"sentinel": SENTINELS[number % len(SENTINELS)]},
        (3, "stage"): {"list_every": NEVER if number else 6 * HOUR},
        (4, "stage"): {"offset": 1},
        (5, "downstream"): {"without_period": True},
        (6, "stage"): {"lag": 8 * HOUR},
        (7, "stage"): {"sentinel": SENTINELS[(number + 1) % len(SENTINELS)]},
        (7, "flow"): {"silent_phase": 7 + 13 * number},
        (9, "rainfall"): {"offset": 420},
        (10, "tide"): {"twice": True},
        (11, "groundwater"): {"dead": True},
    }
    return {"lag": 300 * (index % 4)} | odd.get((index, kind), {})


def country_trait(seed: int, index: int, kind: str) -> dict[str, Any]:
    """The same anywhere in the country, as often as it is so with real gauges."""
    late, odd, draw = (share(seed, index, kind, trait) for trait in ("late", "odd", "draw"))
    trait: dict[str, Any] = {"lag": int(draw * HOUR)}
    if late < 0.05:
        trait["lag"] = int((6 + 6 * draw) * HOUR)
    elif late < 0.07:
        trait["lag"] = int((12 + 60 * draw) * HOUR)
    elif late < 0.10:
        trait["silent_phase"] = int(draw * 60)
    elif late < 0.13:
        trait["dead"] = True
    if odd < 0.012:
        trait["offset"] = 1 + int(draw * 600)
    elif odd < 0.014:
        trait["period"] = 300
    elif odd < 0.016:
        trait["period"] = HOUR
    elif odd < 0.017:
        trait["sentinel"] = SENTINELS[int(draw * len(SENTINELS))]
    elif odd < 0.018:
        trait["twice"] = True
    return trait


def oddities(station: Item, number: int, index: int, as_of: date) -> None:
    """Make a council's station odd, each in its own way."""
    match index:
        case 5 if number == 0:
            _doubled(station)
        case 6:
            station["stageScale"] = station["stageScale"]["@id"]
        case 7:
            station["easting"] += 0.5
            # Moved, and moved back: a fortnight of every eight weeks.
            if as_of.toordinal() // 14 % 4 == 3:
                place_at(station, station["lat"] + 0.001, station["long"])
        case 8:
            del station["riverName"], station["town"], station["stageScale"]
        case 9:
            del station["riverName"], station["stageScale"]
        case 11:
            station["status"] = f"{URI}/def/core/statusSuspended"
            del station["town"]


def _doubled(station: Item) -> None:
    """Two stations that the API took for one."""
    station["label"] = [station["label"], f"{station['label']} Upstream"]
    station["RLOIid"] = [station["RLOIid"], str(int(station["RLOIid"]) + 1)]
    for field, step in (("lat", 0.0008), ("long", -0.0002), ("easting", 10), ("northing", 94)):
        station[field] = [station[field], round(station[field] + step, 6)]
    station["status"] = [station["status"], f"{URI}/def/core/statusSuspended"]


def place_at(station: Item, latitude: float, longitude: float) -> None:
    """Give a station its coordinates, in degrees and, roughly, on the national grid, in metres."""
    station["lat"], station["long"] = round(latitude, 6), round(longitude, 6)
    station["easting"] = round(400_000 + (longitude + 2) * KM_PER_DEGREE * 1_000 * 0.62)
    station["northing"] = round((latitude - 49.8) * KM_PER_DEGREE * 1_000)


def stage_scale(uri: str, high: float, index: int, as_of: date) -> Item:
    """Int or float at random; the highest recent value changes each quarter of a year."""

    def event(name: str, day: date, value: float) -> Item:
        at = f"{day.isoformat()}T{index % 24:02}:00:00"
        return {"@id": f"{uri}/stageScale/{name}", "dateTime": at, "value": value}

    quarter = date(as_of.year, (as_of.month - 1) // 3 * 3 + 1, 1)
    recent = round(high * (0.8 + 0.4 * share(uri, quarter)), 3)
    return {
        "@id": f"{uri}/stageScale",
        "highestRecent": event("highestRecent", quarter, recent),
        "maxOnRecord": event("maxOnRecord", date(2007, 7, 20), round(high * 2.1, 3)),
        "minOnRecord": event("minOnRecord", date(2003, 9, 17), 0 if index % 5 == 0 else 0.05),
        "scaleMax": 3.5 if index % 7 == 4 else 3,
        "typicalRangeHigh": high,
        "typicalRangeLow": round(high / 6, 3),
    }
