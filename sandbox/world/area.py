"""The area of a request: a polygon, or a mile around a point."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, isfinite, radians

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity
from shapely.geometry.base import BaseGeometry

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

MILE_METRES = 1609.344
EARTH_RADIUS_METRES = 6_371_008.8
METRES_PER_DEGREE = radians(1) * EARTH_RADIUS_METRES

# Seven decimals of a degree are a centimetre: rings that agree to that precision are equal.
RING_DECIMALS = 7

Ring = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Area:
    """A part of the map. `shape` and every x, y are in degrees, x east, y north."""

    shape: BaseGeometry
    ring: Ring = ()
    centre: tuple[float, float] | None = None

    def covers(self, x: Floats, y: Floats) -> Bools:
        """Which points lie in the area or on its edge."""
        if self.centre is None:
            return np.asarray(shapely.intersects_xy(self.shape, x, y))
        return distance_metres(self.centre, x, y) <= MILE_METRES


def polygon(text: str) -> Area:
    """The area of `lat,lng:lat,lng:...`; it closes itself.

    Raises `ValueError` for fewer than three points or an invalid one.
    """
    points = [_point(pair) for pair in text.split(":")]
    if len(set(points)) < 3:
        raise ValueError(f"a polygon needs three points or more, found {len(set(points))}")
    shape = shapely.Polygon(points)
    shapely.prepare(shape)
    return Area(shape, normal_ring(points))


def mile_around(latitude: str, longitude: str) -> Area:
    """The area within a mile of a point. Raises `ValueError` if it is invalid."""
    x, y = _point(f"{latitude},{longitude}")
    height = MILE_METRES / METRES_PER_DEGREE
    circle = affinity.scale(
        shapely.Point(x, y).buffer(height), xfact=1 / max(cos(radians(y)), 0.01)
    )
    return Area(circle, centre=(x, y))


def normal_ring(points: list[tuple[float, float]]) -> Ring:
    """The ring without its closing point, rounded, to compare two rings by."""
    rounded = [(round(x, RING_DECIMALS), round(y, RING_DECIMALS)) for x, y in points]
    if len(rounded) > 1 and rounded[0] == rounded[-1]:
        rounded.pop()
    return tuple(rounded)


def distance_metres(centre: tuple[float, float], x: Floats, y: Floats) -> Floats:
    """Great-circle distance of each point from the centre."""
    lng, lat = np.radians(x), np.radians(y)
    lng0, lat0 = radians(centre[0]), radians(centre[1])
    half = np.sin((lat - lat0) / 2) ** 2 + cos(lat0) * np.cos(lat) * np.sin((lng - lng0) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_METRES * np.arcsin(np.sqrt(half)))


def _point(pair: str) -> tuple[float, float]:
    latitude, comma, longitude = pair.partition(",")
    y, x = float(latitude), float(longitude)
    if not comma or not (isfinite(x) and isfinite(y)) or abs(y) > 90 or abs(x) > 180:
        raise ValueError(f"{pair!r} is not a latitude,longitude pair")
    return x, y
