"""The sandbox's recorded police data: whose polygon it is decides which body is served."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from include.errors import PermanentError
from sandbox.police.api import NotHeld
from sandbox.police.recorded import RecordedPolice, recorded_months
from sandbox.world.area import Area, mile_around, polygon
from sandbox.world.payloads import WrongPayloads
from tests.recorded import PAYLOADS, needs_payloads

Square = list[tuple[float, float]]


def square(west: float, south: float, side: float = 1.0) -> Square:
    east, north = west + side, south + side
    return [(west, south), (east, south), (east, north), (west, north), (west, south)]


def area(ring: Square) -> Area:
    return polygon(":".join(f"{lat!r},{lng!r}" for lng, lat in ring))


def feature(code: str, *rings: Square, kind: str = "Polygon") -> dict:
    coordinates = [rings[0]] if kind == "Polygon" else [[ring] for ring in rings]
    return {
        "type": "Feature",
        "properties": {"WD13CD": code, "WD13NM": f"Ward {code[-1]}"},
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def crime(number: int, category: str = "burglary", lng: float = 0.5, lat: float = 0.5) -> dict:
    return {
        "category": category,
        "location_type": "Force",
        "location": {
            "latitude": f"{lat:.6f}",
            "street": {"id": 900 + number, "name": "On or near Park/open Space"},
            "longitude": f"{lng:.6f}",
        },
        "context": "",
        "outcome_status": {"category": "Local resolution", "date": "2017-02"},
        "persistent_id": "",
        "id": number,
        "location_subtype": "",
        "month": "2017-01",
    }


ONE, TWO = "E05000001", "E05000002"
ISLANDS = "E05000003"
LONELY = "E05000009"
BODY_ONE = json.dumps([crime(1), crime(2, "drugs")], indent=1).encode()
BODY_TWO = json.dumps([crime(3, lng=1.5), crime(2, "drugs")]).encode()


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def payloads(tmp_path: Path) -> Path:
    crimes = tmp_path / "police" / "crimes"
    write(crimes / "west" / "2017-01" / f"{ONE}.json", BODY_ONE)
    write(crimes / "west" / "2017-01" / f"{TWO}.json", BODY_TWO)
    write(crimes / "west" / "2017-02" / f"{ONE}.json", b"")
    write(crimes / "east" / "2017-03" / f"{ISLANDS}_0.json", b'["small"]')
    write(crimes / "east" / "2017-03" / f"{ISLANDS}_1.json", b'["large"]')
    write(crimes / "east" / "2017-03" / f"{LONELY}_4.json", b'["lonely 4"]')
    write(crimes / "east" / "2017-03" / f"{LONELY}_12.json", b'["lonely 12"]')
    boundaries = {
        "E09000001": [feature(ONE, square(0, 0)), feature(TWO, square(1, 0))],
        "E09000002": [feature(ISLANDS, square(5, 5, 0.5), square(7, 7, 2.0), kind="MultiPolygon")],
    }
    for code, features in boundaries.items():
        collection = {"type": "FeatureCollection", "features": features}
        write(tmp_path / "police" / "boundaries" / f"{code}.json", json.dumps(collection).encode())
    return tmp_path


@pytest.fixture
def police(payloads: Path) -> RecordedPolice:
    return RecordedPolice(payloads, lambda ward: "metropolitan")


def body(police: RecordedPolice, ring: Square, month: str = "2017-01", kind="all-crime") -> bytes:
    return police.crimes(area(ring), month, kind).body


def test_a_wards_own_ring_gets_its_body_byte_for_byte(police):
    assert body(police, square(0, 0)) == BODY_ONE
    assert body(police, square(1, 0)) == BODY_TWO


def test_the_boundary_that_is_served_gets_the_wards_body(police):
    ring = police.boundary("metropolitan", ONE)
    posted = polygon(":".join(f"{point['latitude']},{point['longitude']}" for point in ring))

    assert police.crimes(posted, "2017-01", "all-crime").body == BODY_ONE


def test_another_polygon_gets_the_body_of_the_ward_it_overlaps_most(police):
    assert body(police, square(0.3, 0.1)) == BODY_ONE
    assert body(police, square(0.7, 0.1)) == BODY_TWO


def test_a_wards_own_ring_wins_over_a_larger_ward_that_holds_it_whole(payloads):
    inner = square(0.2, 0.2, 0.4)
    content = {"features": [feature(ONE, square(0, 0)), feature(TWO, inner)]}
    write(payloads / "police" / "boundaries" / "E09000001.json", json.dumps(content).encode())
    police = RecordedPolice(payloads, str)

    assert body(police, inner) == BODY_TWO
    assert body(police, square(0.2, 0.2, 0.5)) == BODY_ONE


def test_a_polygon_that_overlaps_no_ward_gets_an_empty_list(police):
    assert body(police, square(50, 50)) == b"[]"
    assert body(police, square(2, 0)) == b"[]", "touching is not overlapping"


def test_a_polygon_that_crosses_itself_still_finds_its_ward(police):
    assert body(police, [(0.1, 0.1), (0.9, 0.9), (0.9, 0.1), (0.1, 0.9)]) == BODY_ONE


def test_the_part_of_a_detached_ward_that_is_requested_decides(police):
    assert body(police, square(5, 5, 0.5), "2017-03") == b'["small"]'
    assert body(police, square(7, 7, 2.0), "2017-03") == b'["large"]'
    assert body(police, square(5.1, 5.1, 0.2), "2017-03") == b'["small"]'


def test_the_boundary_of_a_detached_ward_is_its_largest_part(police):
    ring = police.boundary("metropolitan", ISLANDS)

    assert ring[0] == {"latitude": "7.0", "longitude": "7.0"}
    assert len(ring) == 5


def test_a_plain_file_serves_a_detached_ward_whose_part_has_no_file(payloads, police):
    folder = payloads / "police" / "crimes" / "east" / "2017-03"
    (folder / f"{ISLANDS}_0.json").unlink()
    write(folder / f"{ISLANDS}.json", b'["plain"]')

    assert body(police, square(5, 5, 0.5), "2017-03") == b'["plain"]'
    assert body(police, square(7, 7, 2.0), "2017-03") == b'["large"]'


def test_a_ward_without_a_boundary_gets_a_placeholder_and_its_lowest_numbered_body(police):
    ring = police.boundary("metropolitan", LONELY)
    posted = polygon(":".join(f"{point['latitude']},{point['longitude']}" for point in ring))

    assert police.crimes(posted, "2017-03", "all-crime").body == b'["lonely 4"]'


def test_a_zero_byte_file_is_served_as_zero_bytes(police):
    assert body(police, square(0, 0), "2017-02") == b""


@pytest.mark.parametrize("month", ["2017-03", "2016-12"])
def test_a_month_that_the_wards_council_does_not_have_is_not_held(police, month):
    with pytest.raises(NotHeld):
        body(police, square(0, 0), month)


def test_a_ward_that_was_not_recorded_in_a_held_month_is_not_taken_for_one_without_crimes(police):
    with pytest.raises(NotHeld):
        body(police, square(1, 0), "2017-02")


def test_a_month_that_no_council_has_is_not_held_outside_every_ward_either(police):
    with pytest.raises(NotHeld):
        body(police, square(50, 50), "2018-01")


def test_the_months_of_all_councils_are_published(police):
    assert police.months() == ["2017-03", "2017-02", "2017-01"]


def test_a_body_that_is_added_later_is_served(payloads, police):
    write(payloads / "police" / "crimes" / "west" / "2018-01" / f"{ONE}.json", b"[1]")

    assert police.months()[0] == "2018-01"
    assert body(police, square(0, 0), "2018-01") == b"[1]"


def test_a_category_is_filtered_from_the_body(police):
    found = json.loads(body(police, square(0, 0), kind="drugs"))

    assert [crime["id"] for crime in found] == [2]


def test_a_point_finds_the_crimes_within_a_mile_once(police):
    near = police.crimes(mile_around("0.5", "0.505"), "2017-01", "all-crime").body
    far = police.crimes(mile_around("0.5", "0.9"), "2017-01", "all-crime").body

    assert [crime["id"] for crime in json.loads(near)] == [1, 2]
    assert b"Park\\/open" in near
    assert far == b"[]"


def test_outcomes_are_found_by_their_month_and_by_street(police):
    in_ward = json.loads(police.outcomes(area(square(0, 0)), "2017-02").body)
    at_street = json.loads(police.outcomes(903, "2017-02").body)

    assert [outcome["crime"]["id"] for outcome in in_ward] == [1, 2]
    assert [outcome["crime"]["id"] for outcome in at_street] == [3]
    assert in_ward[0]["category"] == {"code": "local-resolution", "name": "Local resolution"}


def test_every_ward_is_a_neighbourhood_known_by_its_code(police):
    listed = police.neighbourhoods("metropolitan")

    assert [place["id"] for place in listed] == [ONE, TWO, ISLANDS, LONELY]
    assert listed[0]["name"] == "Ward 1"


def test_a_point_is_located_in_its_ward(police):
    assert police.locate(mile_around("0.5", "0.5"))["neighbourhood"] == ONE
    with pytest.raises(NotHeld):
        police.locate(mile_around("20", "20"))


def test_coordinates_keep_the_digits_of_the_geojson_and_never_have_exponents(payloads):
    ring = [(5e-05, 51.388451204370448), (1.0, 51.0), (1.0, 52.0), (5e-05, 51.388451204370448)]
    content = {"features": [feature(ONE, ring)]}
    write(payloads / "police" / "boundaries" / "E09000001.json", json.dumps(content).encode())

    served = RecordedPolice(payloads, str).boundary("metropolitan", ONE)

    assert served[0] == {"latitude": "51.38845120437045", "longitude": "0.00005"}


def test_months_of_each_council_are_listed(payloads):
    expected = {"east": ["2017-03"], "west": ["2017-01", "2017-02"]}

    assert recorded_months(payloads) == expected
    assert recorded_months(payloads / "police") == expected


def test_a_directory_without_bodies_is_refused_with_the_layout(tmp_path):
    (tmp_path / "police" / "crimes" / "west" / "2017-01").mkdir(parents=True)

    with pytest.raises(WrongPayloads, match=r"police/crimes/<council>/<YYYY-MM>/<ward code>.json"):
        recorded_months(tmp_path)
    assert issubclass(WrongPayloads, PermanentError)


def test_a_boundary_file_of_another_kind_is_named(payloads):
    write(payloads / "police" / "boundaries" / "E09000009.json", b'{"features": [{}]}')

    with pytest.raises(WrongPayloads, match=r"E09000009\.json"):
        RecordedPolice(payloads, str)


@needs_payloads
def test_every_shared_body_is_served_for_the_boundary_of_its_ward():
    police = RecordedPolice(PAYLOADS, lambda ward: "metropolitan")
    files = sorted((PAYLOADS / "police" / "crimes").glob("*/*/E*.json"))
    expected = json.loads((PAYLOADS / "police" / "EXPECTED.json").read_text())
    records: dict[tuple[str, str], int] = {}

    for path in files:
        month, council = path.parent.name, path.parent.parent.name
        ring = police.boundary("metropolitan", path.stem)
        posted = polygon(":".join(f"{point['latitude']},{point['longitude']}" for point in ring))
        served = police.crimes(posted, month, "all-crime").body
        assert served == path.read_bytes(), path
        records[council, month] = records.get((council, month), 0) + len(json.loads(served))

    assert records == {
        (council, month): numbers["records"]
        for council, months in expected.items()
        for month, numbers in months.items()
    }
