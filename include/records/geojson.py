"""GeoJSON: features, and their geometry as well-known text.

A record is the feature as it is sent: `id`, `properties`, `geometry`. If a
column reads `geometry#wkt`, it has this field too.
https://datatracker.ietf.org/doc/html/rfc7946
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from include.records.json.values import as_text
from include.sources.formats import Format

GEOMETRY, WKT = "geometry", "geometry#wkt"


def features(records: list[Any], layout: Format) -> list[Any]:
    """The records; as text, those that are not a feature, or whose geometry is not one."""
    with_wkt = WKT in layout.evidence.fields
    return [_feature(record, with_wkt) for record in records]


def _feature(record: Any, with_wkt: bool) -> Any:
    if not isinstance(record, dict):
        return record
    if record.get("type") != "Feature" or not isinstance(
        record.get("properties"), dict | type(None)
    ):
        return as_text(record)
    if not with_wkt:
        return record
    try:
        return {**record, WKT: well_known_text(record.get(GEOMETRY))}
    except (ValueError, RecursionError):
        return as_text(record)


def seen_fields(records: Sequence[Any]) -> list[Any]:
    """The features' properties among their own fields, by which they are recognised."""
    return [
        {**properties, **record}
        if isinstance(record, dict) and isinstance(properties := record.get("properties"), dict)
        else record
        for record in records
    ]


def well_known_text(geometry: Any) -> str | None:
    """A geometry as well-known text, with the digits as sent; None for null.

    Raises `ValueError` for what is not a geometry of RFC 7946.
    """
    if geometry is None:
        return None
    kind = str(geometry.get("type")) if isinstance(geometry, dict) else ""
    if kind == "GeometryCollection":
        inner = geometry.get("geometries")
        if not isinstance(inner, list):
            raise ValueError("a collection without geometries")
        texts = [well_known_text(item) for item in inner]
        if None in texts:
            raise ValueError("a collection with null")
        return f"GEOMETRYCOLLECTION ({', '.join(map(str, texts))})" if texts else f"{_EMPTY}"
    if kind not in _DEPTHS:
        raise ValueError("no geometry")
    coordinates = geometry.get("coordinates")
    if coordinates == []:
        return f"{kind.upper()} EMPTY"
    sizes: set[int] = set()
    if kind == "MultiPoint" and isinstance(coordinates, list):
        coordinates = [[position] for position in coordinates]
    text = _text(coordinates, _DEPTHS[kind], sizes)
    if len(sizes) != 1:
        raise ValueError("positions of several lengths")
    mark = " Z" if sizes == {3} else ""
    return f"{kind.upper()}{mark} {text if _DEPTHS[kind] else f'({text})'}"


_EMPTY = "GEOMETRYCOLLECTION EMPTY"
# How many lists are around the positions.
_DEPTHS: Mapping[str, int] = {
    "Point": 0,
    # In well-known text, each of its points is in brackets.
    "MultiPoint": 2,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}


def _text(found: Any, depth: int, sizes: set[int]) -> str:
    if not isinstance(found, list) or not found:
        raise ValueError("no coordinates")
    if depth:
        return f"({', '.join(_text(item, depth - 1, sizes) for item in found)})"
    if len(found) not in (2, 3) or not all(map(_is_number, found)):
        raise ValueError("no position")
    sizes.add(len(found))
    return " ".join(map(str, found))


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return value == value and abs(value) != float("inf")
    return isinstance(value, int | Decimal) and not isinstance(value, bool)
