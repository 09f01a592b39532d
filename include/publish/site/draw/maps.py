"""Maps of wards as inline SVG: each ward a link, shaded by its value, with the value on it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree import ElementTree

from shapely.errors import ShapelyError
from shapely.geometry import MultiPolygon, Polygon, shape
from shapely.geometry.base import BaseGeometry

# Light to dark; the text on the first three is dark, on the others white.
SHADES = ("#DCE8F2", "#A9C6DE", "#6F9CC2", "#3A6A9A", "#12436D")
_DARK_FROM = 3
_SIZE, _MARGIN = 460, 8
# Of the map's width: what a screen cannot show.
_TOLERANCE = 0.0015


@dataclass(frozen=True)
class Area:
    """A ward on a map. `geometry` is a GeoJSON Polygon or MultiPolygon; `value` None is unknown."""

    key: str
    name: str
    geometry: str
    href: str
    value: int | None = None
    is_marked: bool = False


@dataclass(frozen=True)
class _Frame:
    """From degrees to the picture's units."""

    west: float
    north: float
    scale: float
    squeeze: float

    def at(self, longitude: float, latitude: float) -> tuple[float, float]:
        """The place in the picture."""
        x = (longitude - self.west) * self.squeeze * self.scale + _MARGIN
        return x, (self.north - latitude) * self.scale + _MARGIN


def is_drawable(geometry: str | None) -> bool:
    """Whether a map can show it."""
    try:
        return bool(geometry) and _polygons(str(geometry)) != []
    except (ValueError, KeyError, TypeError, AttributeError, ShapelyError):
        return False


def ward_map(title: str, areas: Sequence[Area], shades: Mapping[str, int] | None = None) -> str:
    """The map; `shades` gives for an area's key the number of its shade.

    Raises ValueError if there is nothing to draw.
    """
    shapes = {area.key: _polygons(area.geometry) for area in areas}
    if not shapes:
        raise ValueError("no area to draw")
    frame, width, height = _frame([p for found in shapes.values() for p in found])
    root = ElementTree.Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {width:.0f} {height:.0f}",
            "class": "map",
            "role": "group",
            "aria-label": title,
        },
    )
    # Marked areas last, so that their outline is not covered.
    for area in sorted(areas, key=lambda a: a.is_marked):
        _draw(root, area, shapes[area.key], frame, (shades or {}).get(area.key))
    return ElementTree.tostring(root, encoding="unicode")


def shading(values: Mapping[str, int]) -> tuple[dict[str, int], list[str]]:
    """The shade of each name, and what each shade means, in equal steps of a round size."""
    top = max(values.values(), default=0)
    if top <= 0:
        return dict.fromkeys(values, 0), ["0"]
    rough = top / len(SHADES)
    size = 10 ** max(0, math.floor(math.log10(rough)))
    step = next(
        s for f in (1, 2, 3, 4, 5, 6, 8, 10) if (s := math.ceil(f * size)) * len(SHADES) > top
    )
    used = top // step + 1
    words = [f"{n * step:,} to {(n + 1) * step - 1:,}" if step > 1 else f"{n}" for n in range(used)]
    return {name: min(v // step, len(SHADES) - 1) for name, v in values.items()}, words


def _draw(
    root: ElementTree.Element, area: Area, polygons: Sequence[Polygon], frame: _Frame,
    shade: int | None,
) -> None:  # fmt: skip
    known = "" if area.value is None else f": {area.value:,}"
    link = ElementTree.SubElement(
        root, "a", {"href": area.href, "aria-label": f"{area.name}{known}"}
    )
    kind = "marked" if area.is_marked else "unknown" if shade is None else f"shade{shade}"
    ElementTree.SubElement(
        link,
        "path",
        {
            "d": "".join(_path(polygon, frame) for polygon in polygons),
            "class": kind,
            "data-tip": f"{area.name}{known}",
        },
    )
    if area.value is not None:
        middle = max(polygons, key=lambda p: p.area).representative_point()
        x, y = frame.at(middle.x, middle.y)
        dark = shade is not None and shade >= _DARK_FROM
        text = ElementTree.SubElement(
            link,
            "text",
            {"x": f"{x:.0f}", "y": f"{y + 4:.0f}", "class": "on-dark" if dark else "on-light"},
        )
        text.text = f"{area.value:,}"


def _path(polygon: Polygon, frame: _Frame) -> str:
    rings = [polygon.exterior, *polygon.interiors]
    return "".join(
        "M"
        + "L".join("{:.1f},{:.1f}".format(*frame.at(x, y)) for x, y in list(ring.coords)[:-1])
        + "Z"
        for ring in rings
    )


def _frame(polygons: Sequence[Polygon]) -> tuple[_Frame, float, float]:
    west = min(p.bounds[0] for p in polygons)
    south = min(p.bounds[1] for p in polygons)
    east = max(p.bounds[2] for p in polygons)
    north = max(p.bounds[3] for p in polygons)
    squeeze = math.cos(math.radians((south + north) / 2))
    wide, high = (east - west) * squeeze, north - south
    scale = (_SIZE - 2 * _MARGIN) / max(wide, high)
    frame = _Frame(west, north, scale, squeeze)
    return frame, wide * scale + 2 * _MARGIN, high * scale + 2 * _MARGIN


def _polygons(geometry: str) -> list[Polygon]:
    found: BaseGeometry = shape(json.loads(geometry))
    parts = list(found.geoms) if isinstance(found, MultiPolygon) else [found]
    extent = max(found.bounds[2] - found.bounds[0], found.bounds[3] - found.bounds[1], 1e-9)
    return [
        simple
        for part in parts
        if isinstance(part, Polygon) and not part.is_empty
        for simple in [part.simplify(extent * _TOLERANCE * 4)]
        if isinstance(simple, Polygon) and not simple.is_empty
    ]
