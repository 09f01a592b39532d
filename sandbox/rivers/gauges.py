"""Generated gauges: a cluster around each council, or all over the country, with their oddities.

What is odd about them was seen in real station and measure lists of 2017 and
2026: fields that are lists, objects that are URLs, numbers that are int or
float by luck, missing keys, broken gauges, late and silent ones. Every cluster
has each kind of lateness; what is a list stands once in a network.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import cos, radians, sin, tau
from typing import Any, NamedTuple

from include.councils.model import Council

from sandbox.rivers.kinds import KINDS, measure_of, trait_of
from sandbox.rivers.measures import URI, Item, Network, Trait, network
from sandbox.rivers.oddities import (
    KM_PER_DEGREE,
    cluster_trait,
    country_trait,
    oddities,
    place_at,
    stage_scale,
)
from sandbox.world.clock import Moment
from sandbox.world.places import digest, share

STATIONS_OF_THE_COUNTRY = 1_950
RADIUS_KM = 5.0
NUMBERS = 900


class Surroundings(NamedTuple):
    """Where a council's gauges are, and on which rivers."""

    latitude: float
    longitude: float
    rivers: tuple[str, ...]


# By GSS code: near the middle of the council.
KNOWN = {
    "E09000021": Surroundings(51.393, -0.285, ("River Thames", "Hogsmill River")),
    "E09000029": Surroundings(51.362, -0.178, ("River Wandle", "Beverley Brook")),
}
COUNTRY = ((50.4, 54.9), (-3.9, 0.9))
CATCHMENTS = ("Thames", "Trent", "Severn", "Great Ouse", "Tyne", "Exe", "Ribble", "Medway")

# What each station of a cluster measures, in turn.
PLANS = (
    ("stage", "downstream"), ("stage", "flow"), ("stage",), ("stage", "temperature"),
    ("stage",), ("stage", "downstream"), ("stage",), ("stage", "flow"),
    ("rainfall",), ("rainfall", "temperature"), ("tide", "tide_mm"), ("groundwater",),
)  # fmt: skip
COUNTRY_PLANS = (
    ("stage", "downstream", "flow"), ("stage", "flow", "rainfall"), ("stage", "temperature"),
    ("stage", "rainfall", "groundwater"),
)  # fmt: skip


def surroundings(council: Council) -> Surroundings:
    """Where the gauges of a council are; of one that is not known here, anywhere in the south."""
    if council.gss_code in KNOWN:
        return KNOWN[council.gss_code]
    across, up = share(council.gss_code, "x"), share(council.gss_code, "y")
    return Surroundings(51.0 + 2 * up, -2.0 + 2 * across, (f"{council.title} Brook",))


def numbered(councils: Iterable[Council]) -> list[tuple[int, Council]]:
    """Each council with a number that it keeps when others come or go."""
    found: dict[int, Council] = {}
    for council in sorted(councils, key=lambda council: council.gss_code):
        known = list(KNOWN)
        number = len(known) + digest(council.gss_code) % NUMBERS
        if council.gss_code in KNOWN:
            number = known.index(council.gss_code)
        while number in found:
            number += 1
        found[number] = council
    return sorted(found.items())


def generated_network(councils: Iterable[Council], moment: Moment) -> Network:
    """The gauges around the councils; with `moment.national` also those of the whole country."""
    builder = Builder(moment)
    for number, council in numbered(councils):
        builder.cluster(number, surroundings(council))
    if moment.national:
        builder.country()
    return network(builder.stations, builder.measures, builder.traits)


class Builder:
    """Collects stations with their measures."""

    def __init__(self, moment: Moment) -> None:
        self.seed, self.as_of = moment.seed, moment.as_of
        self.stations: list[Item] = []
        self.measures: list[Item] = []
        self.traits: list[Trait] = []

    def cluster(self, number: int, place: Surroundings) -> None:
        """The gauges around a council, which has that number among all."""
        for index, plan in enumerate(PLANS):
            way = share(self.seed, place, index, "way") * tau
            km = RADIUS_KM * (0.1 + 0.8 * share(self.seed, place, index, "distance"))
            latitude = place.latitude + km * sin(way) / KM_PER_DEGREE
            longitude = place.longitude + km * cos(way) / KM_PER_DEGREE / cos(
                radians(place.latitude)
            )
            river = place.rivers[index % len(place.rivers)]
            station = self._station(f"SB{number + 1:03}{index + 1:02}TH", river, index)
            place_at(station, latitude, longitude)
            for kind in plan:
                self._measure(station, kind, **cluster_trait(number, index, kind))
            oddities(station, number, index, self.as_of)

    def country(self) -> None:
        """Gauges everywhere, odd as often as real ones are."""
        (south, north), (west, east) = COUNTRY
        for index in range(STATIONS_OF_THE_COUNTRY):
            draws = [share(self.seed, "country", index, trait) for trait in range(6)]
            river = f"River Sandbox {index % 400 + 1}"
            station = self._station(f"SBX{index + 1:05}", river, index)
            place_at(station, south + (north - south) * draws[0], west + (east - west) * draws[1])
            for kind in COUNTRY_PLANS[index % len(COUNTRY_PLANS)]:
                self._measure(station, kind, **country_trait(self.seed, index, kind))
            if draws[2] < 0.05:
                del station["town"]
            if draws[3] < 0.03:
                del station["riverName"]
            if draws[4] < 0.001:
                station["stageScale"] = station["stageScale"]["@id"]

    def _station(self, reference: str, river: str, index: int) -> Item:
        # Drawn for each station, so that one more council changes none of the others.
        high = round(0.4 + share(self.seed, reference, "high") * 2, 3)
        uri = f"{URI}/id/stations/{reference}"
        name = river.removeprefix("River ")
        station: Item = {
            "@id": uri,
            "RLOIid": str(9_000_000 + digest(reference) % 900_000),
            "catchmentName": CATCHMENTS[index % len(CATCHMENTS)],
            "dateOpened": f"{1960 + digest(reference, 'year') % 60}-01-01",
            "label": f"Sandbox {name} {index + 1}",
            "measures": [],
            "notation": reference,
            "riverName": river,
            "stageScale": stage_scale(uri, high, index, self.as_of),
            "stationReference": reference,
            "status": f"{URI}/def/core/statusActive",
            "town": f"Sandbox Town {index + 1}",
            "wiskiID": reference,
        }
        self.stations.append(station)
        return station

    def _measure(self, station: Item, kind: str, **trait: Any) -> None:
        measure = measure_of(station, KINDS[kind], trait.get("period", 900))
        self.measures.append(measure)
        self.traits.append(trait_of(KINDS[kind], digest(self.seed, measure["notation"]), trait))
        embedded = ("@id", "parameter", "parameterName", "period", "qualifier", "unitName")
        station["measures"].append({key: measure[key] for key in embedded})
        if trait.pop("without_period", False):
            del measure["period"]
