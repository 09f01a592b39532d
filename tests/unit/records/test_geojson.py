"""GeoJSON: features, their geometry as text, and what is none."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shapely import from_geojson, from_wkt

from include.errors import UnexpectedPayload
from include.records.geojson import well_known_text
from include.records.json import stream
from include.records.remove import cut_records
from tests.unit.records.reading import layout, read, texts

POINT = {"type": "Point", "coordinates": [0.5, 51.4]}


def feature(name: str = "n", geometry: Any = POINT, **more: Any) -> dict[str, Any]:
    return {"type": "Feature", "properties": {"name": name}, "geometry": geometry, **more}


def collection(*features: Any, **more: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features), **more}).encode()


def form(*columns: str, **words: Any) -> Any:
    return layout(*(columns or ("properties.name", "geometry#wkt")), kind="geojson", **words)


def test_a_record_is_the_feature_with_its_geometry_as_text():
    assert read(collection(feature(id=7)), form()) == [
        {**feature(id=7), "geometry#wkt": "POINT (0.5 51.4)"}
    ]
    assert read(collection(feature()), form("properties.name")) == [feature()]


@pytest.mark.parametrize(
    "wrong",
    [
        {"a": 1},
        {"type": "Point", "coordinates": [0, 0]},
        feature(geometry={"type": "Point", "coordinates": [0]}),
        feature(geometry={"type": "Circle", "coordinates": [0, 0]}),
        feature(geometry={"type": "LineString", "coordinates": [[0, 0], [1, "x"]]}),
        feature(geometry={"type": "LineString", "coordinates": [[0, 0], [1, 1, 1]]}),
        feature(geometry="POINT (0 0)"),
        {**feature(), "properties": [1]},
    ],
)
def test_what_is_not_a_feature_is_one_bad_record(wrong):
    first, second = read(collection(feature(), wrong), form())

    assert isinstance(first, dict)
    assert json.loads(second) == wrong


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"type":"FeatureCollection"}', "expected a list of records at 'features'"),
        (
            collection({"attributes": {"name": "n"}, "geometry": {"x": 0, "y": 0}}),
            "found 1 without",
        ),
        (
            collection({**feature(), "properties": {"other": 1}}),
            "found 1 without, found geometry",
        ),
        (json.dumps({"error": {"code": 498, "message": "Invalid token"}}).encode(), "expected a"),
    ],
)
def test_an_answer_that_is_not_these_features_is_refused(body, said):
    with pytest.raises(UnexpectedPayload) as caught:
        read(body, form())
    assert said in str(caught.value)


def test_features_within_another_document():
    body = json.dumps({"data": json.loads(collection(feature()))}).encode()

    assert read(body, form(records="data.features"))[0]["properties"] == {"name": "n"}


def test_no_features():
    assert read(collection(), form()) == []


def test_a_large_collection_is_read_in_pieces_and_records_have_their_own_bytes(monkeypatch):
    monkeypatch.setattr(stream, "PIECE_BYTES", 200)
    monkeypatch.setattr("include.records.read.STREAM_ABOVE_BYTES", 300)
    wrong = feature(geometry={"type": "Point"})
    features = [feature(f"n{number}") for number in range(20)] + [wrong, feature("last")]
    body = collection(*features)

    assert texts(body, form()) == [json.dumps(item).encode() for item in features]
    assert sum(isinstance(record, str) for record in read(body, form())) == 1


def test_one_feature_is_removed_and_the_others_keep_their_bytes():
    body = collection(feature("a"), feature("b"), feature("c", {"type": "Point"}))

    found = cut_records(
        body, form(), lambda record: isinstance(record, dict) and "b" in str(record["properties"])
    )
    assert found.body == collection(feature("a"), feature("c", {"type": "Point"}))
    assert (found.lost, found.left) == (1, 2)


def test_digits_of_coordinates_are_as_sent():
    body = b'{"features":[{"type":"Feature","properties":{"name":"n"},"geometry":{"type":"Point",\
"coordinates":[0.50,51.4000000000000000001]}}]}'

    (record,) = read(body, form().with_numbers_as_sent())
    assert record["geometry#wkt"] == "POINT (0.50 51.4000000000000000001)"


NUMBERS = st.floats(-180, 180).map(lambda number: round(number, 7))


def geometries(size: int) -> st.SearchStrategy[Any]:
    position = st.lists(NUMBERS, min_size=size, max_size=size)
    line = st.lists(position, min_size=2, max_size=4)
    ring = st.lists(position, min_size=3, max_size=4).map(lambda found: [*found, found[0]])
    polygon = st.lists(ring, min_size=1, max_size=2)
    coordinates = {
        "Point": position,
        "MultiPoint": st.lists(position, min_size=1, max_size=3),
        "LineString": line,
        "MultiLineString": st.lists(line, min_size=1, max_size=2),
        "Polygon": polygon,
        "MultiPolygon": st.lists(polygon, min_size=1, max_size=2),
    }
    simple = st.one_of(
        st.fixed_dictionaries({"type": st.just(kind), "coordinates": found})
        for kind, found in coordinates.items()
    )
    several = st.lists(simple, min_size=1, max_size=2)
    return simple | st.fixed_dictionaries(
        {"type": st.just("GeometryCollection"), "geometries": several}
    )


@given(geometries(2) | geometries(3))
def test_well_known_text_is_the_same_geometry(geometry):
    text = well_known_text(geometry)

    assert from_wkt(text).equals_exact(from_geojson(json.dumps(geometry)), 0)


@pytest.mark.parametrize("kind", ["Polygon", "MultiPoint", "LineString"])
def test_an_empty_geometry(kind):
    assert well_known_text({"type": kind, "coordinates": []}) == f"{kind.upper()} EMPTY"
    assert well_known_text({"type": "GeometryCollection", "geometries": []}) == (
        "GEOMETRYCOLLECTION EMPTY"
    )
