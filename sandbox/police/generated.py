"""Generated police data: a pure function of the seed, the day and the request."""

from __future__ import annotations

from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
import shapely
from include.councils.model import Council

from sandbox.police.api import Answer, NotHeld
from sandbox.police.crimes import (
    LONGEST_LAG,
    Crime,
    crimes_of,
    crimes_without_place,
    degrees,
    minified,
    render,
    render_outcome,
)
from sandbox.police.months import month_number, month_text, published_months
from sandbox.police.vocabulary import ALL_CRIME, CATEGORIES, FORCES
from sandbox.world.area import Area, Bools, Floats
from sandbox.world.clock import Clock
from sandbox.world.neighbours import NEIGHBOURS
from sandbox.world.places import MICRO, CouncilPlace, WardPlace, map_of

_ORDER = {category: position for position, category in enumerate(CATEGORIES)}


class CouncilMonth(NamedTuple):
    """The crimes of a council and month, with their coordinates in columns."""

    crimes: list[Crime]
    x: Floats
    y: Floats

    def of(self, area: Area, category: str = ALL_CRIME) -> list[int]:
        """Where in the columns an area's crimes of a category stand."""
        found: Bools = area.covers(self.x, self.y)
        return [
            int(index)
            for index in np.flatnonzero(found)
            if category in (ALL_CRIME, self.crimes[index].category)
        ]


class GeneratedPolice:
    """Police data for the wards of councils and their neighbours, on a synthetic map."""

    def __init__(self, clock: Clock, councils: dict[str, Council]) -> None:
        self._clock = clock
        self._councils = councils
        known = {council.gss_code for council in councils.values()}
        others = [council for council in NEIGHBOURS if council.gss_code not in known]
        self._map = lru_cache(2)(lambda seed: map_of([*councils.values(), *others], seed))
        self._council_month = lru_cache(256)(_council_month)
        self._rows = lru_cache(256)(self._render_all)

    def months(self) -> list[str]:
        """The 36 months published on the clock's day, newest first."""
        return published_months(self._clock.now().as_of)

    def forces(self) -> list[str]:
        """The forces of the council files."""
        return sorted({council.police_force for council in self._councils.values()})

    def crimes(self, area: Area, month: str, category: str) -> Answer:
        """The crimes whose map point lies in the area or on its edge."""
        self._check(month)
        seed, seen_in = self._clock.now().seed, self._seen_in()
        found: list[tuple[int, bytes]] = []
        for place in self._places(area):
            held = self._council_month(place, month, seed)
            rows = self._rows(place, month, seed, seen_in)
            found += [
                (_ORDER[held.crimes[at].category], rows[at]) for at in held.of(area, category)
            ]
        found.sort(key=itemgetter(0))
        return Answer(b"[" + b",".join(row for _, row in found) + b"]", len(found))

    def crimes_without_place(self, force: str, month: str, category: str) -> Answer:
        """A few crimes for each force of the council files."""
        self._check(month)
        if force not in self.forces():
            return Answer(b"[]", 0)
        number = sorted(FORCES).index(force)
        found = [
            render(crime, self._seen_in())
            for crime in crimes_without_place(force, number, month, self._clock.now().seed)
            if category in (ALL_CRIME, crime.category)
        ]
        return Answer(minified(found), len(found))

    def outcomes(self, area: Area | int, month: str) -> Answer:
        """The outcomes dated `month`, of crimes of that month and of earlier ones."""
        self._check(month)
        seed, last = self._clock.now().seed, month_number(month)
        found = []
        for place in self._map(seed) if isinstance(area, int) else self._places(area):
            for lag in range(LONGEST_LAG + 1):
                held = self._council_month(place, month_text(last - lag), seed)
                crimes = (
                    [crime for crime in held.crimes if crime.street and crime.street.number == area]
                    if isinstance(area, int)
                    else [held.crimes[at] for at in held.of(area)]
                )
                found += [
                    render_outcome(crime, outcome, month)
                    for crime in crimes
                    for after, outcome in crime.history
                    if after == lag
                ]
        return Answer(minified(found), len(found))

    def neighbourhoods(self, force: str) -> list[dict[str, str]]:
        """The wards of the force's councils, as the last set names them."""
        return [
            {"id": place.ward.police_neighbourhood, "name": place.ward.name}
            for council in self._map(self._clock.now().seed)
            if council.force == force
            for place in council.ward_sets[-1].wards
        ]

    def boundary(self, force: str, neighbourhood: str) -> list[dict[str, str]]:
        """The ring of a ward of any set, the last one first. Raises `NotHeld`."""
        for council in self._map(self._clock.now().seed):
            if council.force != force:
                continue
            for ward_set in reversed(council.ward_sets):
                for place in ward_set.wards:
                    if place.ward.police_neighbourhood == neighbourhood:
                        return [
                            {"latitude": degrees(y), "longitude": degrees(x)} for x, y in place.ring
                        ]
        raise NotHeld(f"{force} {neighbourhood}")

    def locate(self, area: Area) -> dict[str, str]:
        """The ward that the area's centre lies in. Raises `NotHeld`."""
        point = shapely.Point(area.centre)
        for council in self._places(area):
            for place in council.ward_sets[-1].wards:
                if _shape(place).intersects(point):
                    return {
                        "force": council.force,
                        "neighbourhood": place.ward.police_neighbourhood,
                    }
        raise NotHeld(f"no neighbourhood at {area.centre}")

    def _check(self, month: str) -> None:
        if month not in self.months():
            raise NotHeld(month)

    def _seen_in(self) -> str:
        """Outcomes are known up to the month after the newest published one."""
        return month_text(month_number(self.months()[0]) + 1)

    def _places(self, area: Area) -> list[CouncilPlace]:
        west, south, east, north = (edge * MICRO for edge in area.shape.bounds)
        return [
            place
            for place in self._map(self._clock.now().seed)
            if west <= place.bounds[2]
            and east >= place.bounds[0]
            and south <= place.bounds[3]
            and north >= place.bounds[1]
        ]

    def _render_all(self, place: CouncilPlace, month: str, seed: int, seen_in: str) -> list[bytes]:
        crimes = self._council_month(place, month, seed).crimes
        return [minified(render(crime, seen_in)) for crime in crimes]


def _council_month(place: CouncilPlace, month: str, seed: int) -> CouncilMonth:
    crimes = crimes_of(place, month, seed)
    # Through text, as a client reads them: the same float for a point and for an edge.
    x = np.array([float(degrees(crime.street.x)) for crime in crimes if crime.street])
    y = np.array([float(degrees(crime.street.y)) for crime in crimes if crime.street])
    return CouncilMonth(crimes, x, y)


def _shape(place: WardPlace) -> Any:
    return shapely.Polygon([(float(degrees(x)), float(degrees(y))) for x, y in place.ring])
