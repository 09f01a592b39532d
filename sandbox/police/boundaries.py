"""Recorded ward boundaries: reads GeoJSON, returns rings, and finds the ward of a polygon."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import shapely
from shapely.geometry.base import BaseGeometry

from sandbox.world.area import Area, normal_ring

CODE_PROPERTY = re.compile(r"WD\d\dCD")
NAME_PROPERTY = re.compile(r"WD\d\dNM")

PLACEHOLDER_ORIGIN = (2.0, 55.0)
PLACEHOLDER_STEP = 0.001
PLACEHOLDER_COLUMNS = 1_000

Points = list[tuple[float, float]]


@dataclass(frozen=True)
class WardBoundary:
    """A ward and the exterior ring of each of its parts, as (longitude, latitude).

    `detached` says that the source has it as a MultiPolygon.
    """

    code: str
    name: str
    rings: tuple[Points, ...]
    detached: bool = False


def read_boundaries(folder: Path) -> list[WardBoundary]:
    """The wards of every GeoJSON file of a folder; empty if there is no such folder.

    Raises `ValueError`, `TypeError` or `KeyError` for any other file.
    """
    found: dict[str, WardBoundary] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            for feature in json.loads(path.read_bytes())["features"]:
                ward = _ward(feature)
                found[ward.code] = ward
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError(f"{path.name} is not readable: {error!r}") from error
    return list(found.values())


def placeholder(code: str) -> WardBoundary:
    """A small square in the North Sea of its own for a ward whose boundary is not known."""
    row, column = divmod(int(code[1:]), PLACEHOLDER_COLUMNS)
    west = PLACEHOLDER_ORIGIN[0] + column * PLACEHOLDER_STEP
    south = PLACEHOLDER_ORIGIN[1] + row % PLACEHOLDER_COLUMNS * PLACEHOLDER_STEP
    side = PLACEHOLDER_STEP / 2
    corners = [(0.0, 0.0), (side, 0.0), (side, side), (0.0, side), (0.0, 0.0)]
    return WardBoundary(
        code, code, ([(round(west + x, 6), round(south + y, 6)) for x, y in corners],)
    )


class Boundaries:
    """Finds wards by code and by place."""

    def __init__(self, wards: Iterable[WardBoundary]) -> None:
        self._wards = {ward.code: ward for ward in sorted(wards, key=lambda ward: ward.code)}
        self._parts = list(self._all_parts())
        self._shapes = [_valid(shapely.Polygon(ring)) for _, _, ring in self._parts]
        self._tree = shapely.STRtree(self._shapes)
        self._by_ring = {normal_ring(ring): (code, part) for code, part, ring in self._parts}

    def names(self) -> list[dict[str, str]]:
        """Every ward in the API's shape."""
        return [{"id": ward.code, "name": ward.name} for ward in self._wards.values()]

    def ring(self, code: str) -> list[dict[str, str]] | None:
        """The ring of a ward's largest part in the API's shape; None for no such ward."""
        if code not in self._wards:
            return None
        largest = max(self._wards[code].rings, key=lambda ring: shapely.Polygon(ring).area)
        return [{"latitude": _digits(y), "longitude": _digits(x)} for x, y in largest]

    def belonging(self, area: Area) -> tuple[str, int | None] | None:
        """The ward with this very ring, else the one overlapped most; None if none is.

        With the number of its part, if the ward has several.
        """
        if area.ring in self._by_ring:
            return self._by_ring[area.ring]
        shape = _valid(area.shape)
        best: tuple[float, int] = (0.0, -1)
        for index in sorted(self._tree.query(shape)):
            best = max(best, (shape.intersection(self._shapes[index]).area, -int(index) - 1))
        return self._parts[-best[1] - 1][:2] if best[0] > 0 else None

    def touching(self, shape: BaseGeometry) -> list[tuple[str, int | None]]:
        """The wards, or parts of them, that share a point with the shape."""
        found = self._tree.query(shape, predicate="intersects")
        return [self._parts[index][:2] for index in sorted(found)]

    def _all_parts(self) -> Iterator[tuple[str, int | None, Points]]:
        for ward in self._wards.values():
            for number, ring in enumerate(ward.rings):
                yield ward.code, number if ward.detached else None, ring


def _ward(feature: dict[str, Any]) -> WardBoundary:
    properties, geometry = feature["properties"], feature["geometry"]
    code = _property(properties, CODE_PROPERTY)
    name = _property(properties, NAME_PROPERTY, code)
    match geometry["type"]:
        case "Polygon":
            return WardBoundary(code, name, (_points(geometry["coordinates"]),))
        case "MultiPolygon":
            parts = tuple(_points(part) for part in geometry["coordinates"])
            return WardBoundary(code, name, parts, detached=True)
        case other:
            raise ValueError(f"{code}: expected a Polygon or MultiPolygon, found {other!r}")


def _property(properties: dict[str, Any], pattern: re.Pattern[str], default: str = "") -> str:
    for key, value in properties.items():
        if pattern.fullmatch(key):
            return str(value)
    if not default:
        raise ValueError(f"expected a property like WD13CD, found {', '.join(properties)}")
    return default


def _points(rings: list[Any]) -> Points:
    return [(float(point[0]), float(point[1])) for point in rings[0]]


def _digits(value: float) -> str:
    """The shortest decimal that is this float, never in exponents."""
    text = repr(value)
    return format(Decimal(text), "f") if "e" in text else text


def _valid(shape: BaseGeometry) -> BaseGeometry:
    return shape if shape.is_valid else shapely.make_valid(shape)
