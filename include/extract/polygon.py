"""Polygons as the police API writes them, `lat,lng:lat,lng`, and their halves."""

from __future__ import annotations

from shapely import Polygon, box, make_valid
from shapely.geometry.base import BaseGeometry

from include.errors import SourceRejected


def halves(text: str) -> list[str]:
    """The area, split through the middle of its longer side.

    The pieces cover the area exactly and overlap only on the split line; a
    concave area can have more than two. Raises `SourceRejected` if it is too
    small to be split.
    """
    area = parse(text)
    west, south, east, north = area.bounds
    if max(east - west, north - south) < 1e-6:
        raise SourceRejected(
            f"the area around {south:.6f},{west:.6f} has too many records for one answer and is "
            "too small to split. Retrying will not help."
        )
    if east - west >= north - south:
        middle = (west + east) / 2
        sides = [box(west, south, middle, north), box(middle, south, east, north)]
    else:
        middle = (south + north) / 2
        sides = [box(west, south, east, middle), box(west, middle, east, north)]
    pieces = [piece for side in sides for piece in _polygons(area.intersection(side))]
    return [write(piece) for piece in pieces]


def parse(text: str) -> BaseGeometry:
    """Parse `lat,lng:lat,lng:...`; a self-intersecting ring is repaired."""
    points = [tuple(float(part) for part in point.split(",")) for point in text.split(":")]
    return make_valid(Polygon([(longitude, latitude) for latitude, longitude in points]))


def write(polygon: Polygon) -> str:
    """Write the outer ring as `lat,lng:lat,lng:...`."""
    return ":".join(
        f"{latitude!r},{longitude!r}" for longitude, latitude in polygon.exterior.coords
    )


def _polygons(geometry: BaseGeometry) -> list[Polygon]:
    if isinstance(geometry, Polygon):
        return [geometry] if geometry.area else []
    return [piece for part in getattr(geometry, "geoms", ()) for piece in _polygons(part)]
