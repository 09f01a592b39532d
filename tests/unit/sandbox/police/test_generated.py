"""The sandbox's generated police data: deterministic, geometric, and revised as months go by."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from datetime import date
from functools import cache

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely.ops import split

from include.councils.model import Council, councils
from sandbox.police.crimes import crimes_of
from sandbox.police.generated import GeneratedPolice
from sandbox.police.months import month_number, published_months
from sandbox.police.vocabulary import CATEGORIES
from sandbox.world.area import Area, mile_around, polygon
from sandbox.world.clock import Clock
from sandbox.world.neighbours import NEIGHBOURS
from sandbox.world.places import MICRO, map_of

AS_OF = date(2026, 11, 21)
MONTH = "2026-05"
# A council with a file replaces the sandbox's own.
MAPPED = {**{council.name: council for council in NEIGHBOURS}, **councils()}
WARDS = sorted(ward.code for c in MAPPED.values() for s in c.ward_sets for ward in s.wards)
KEYS = [
    "category", "location_type", "location", "context", "outcome_status",
    "persistent_id", "id", "location_subtype", "month",
]  # fmt: skip


@cache
def police(seed: int = 7, as_of: date = AS_OF) -> GeneratedPolice:
    return GeneratedPolice(Clock(seed, as_of), councils())


def ring_text(code: str) -> str:
    ring = police().boundary("metropolitan", code)
    return ":".join(f"{point['latitude']},{point['longitude']}" for point in ring)


def crimes(area: Area, month: str = MONTH, data: GeneratedPolice | None = None) -> list[dict]:
    return json.loads((data or police()).crimes(area, month, "all-crime").body)


def somewhere(wards: int) -> Council:
    named = [{"code": f"E05{number:06}", "name": f"Ward {number}"} for number in range(wards)]
    return Council.model_validate(
        {
            "name": "somewhere",
            "title": "Somewhere",
            "gss_code": "E09000001",
            "police_force": "kent",
            "latitude": 51.4,
            "longitude": -0.3,
            "radius_km": 5,
            "ward_sets": [{"from": "2013-01-01", "wards": named}],
        }
    )


def box(south: float, west: float, north: float, east: float) -> Area:
    return polygon(f"{south},{west}:{south},{east}:{north},{east}:{north},{west}")


def everything() -> Area:
    return box(50, -2, 53, 2)


def test_every_ward_of_every_council_file_and_neighbour_is_on_the_map():
    listed = {place["id"] for place in police().neighbourhoods("metropolitan")}

    assert listed == set(WARDS)
    assert len(WARDS) >= 34


def test_the_same_question_gets_the_same_bytes_from_another_process_or_day_of_asking():
    first = GeneratedPolice(Clock(7, AS_OF), councils())
    second = GeneratedPolice(Clock(7, AS_OF), councils())
    first.crimes(everything(), "2026-04", "all-crime")  # other questions before change nothing

    for code in WARDS:
        area = polygon(ring_text(code))
        assert first.crimes(area, MONTH, "all-crime") == second.crimes(area, MONTH, "all-crime")


def test_a_different_seed_gives_different_data():
    assert police(8).crimes(everything(), MONTH, "all-crime") != police().crimes(
        everything(), MONTH, "all-crime"
    )


def test_generated_data_are_the_same_on_every_machine_and_version_of_python():
    """The digest is pinned: were it to change, every checkout's sandbox data would."""
    council = somewhere(wards=5)
    data = GeneratedPolice(Clock(7, AS_OF), {"somewhere": council})
    west, south, east, north = (edge / MICRO for edge in map_of([council], 7)[0].bounds)

    body = data.crimes(box(south, west, north, east), MONTH, "all-crime").body

    assert (
        hashlib.sha256(body).hexdigest()
        == "bd15603d20a815d10cb59fb6a16c863d46a98364a184e7dffee2d25e4199a862"
    )


@pytest.mark.parametrize("code", WARDS)
def test_a_ward_has_between_25_and_about_120_crimes(code):
    found = crimes(polygon(ring_text(code)))

    assert 25 <= len(found) <= 135


def test_a_crime_has_exactly_the_nine_keys_and_types_of_the_api():
    body = police().crimes(everything(), MONTH, "all-crime").body
    found = json.loads(body)

    for crime in found:
        assert list(crime) == KEYS
        assert type(crime["id"]) is int
        assert type(crime["location"]["street"]["id"]) is int
        assert re.fullmatch(r"-?\d+\.\d{6}", crime["location"]["latitude"])
        assert re.fullmatch(r"-?\d+\.\d{6}", crime["location"]["longitude"])
        assert crime["context"] == ""
        assert crime["month"] == MONTH
        assert "Sandbox" in crime["location"]["street"]["name"]
        assert (crime["location_type"], crime["location_subtype"]) in (
            ("Force", ""),
            ("BTP", "STATION"),
        )
    assert body.isascii()
    assert b": " not in body.replace(b"On or near", b"")
    assert {crime["location_type"] for crime in found} == {"Force", "BTP"}
    assert {crime["category"] for crime in found} == set(CATEGORIES)


def test_rows_are_grouped_by_category_also_across_councils():
    found = [crime["category"] for crime in crimes(everything())]

    runs = [slug for at, slug in enumerate(found) if at == 0 or found[at - 1] != slug]
    assert runs == [slug for slug in CATEGORIES if slug in runs]


def test_ids_are_unique_in_a_month_and_never_used_again():
    ids = [crime["id"] for month in ("2026-04", MONTH) for crime in crimes(everything(), month)]

    assert len(ids) == len(set(ids)) > 2_000


def test_only_anti_social_behaviour_has_no_outcome():
    for crime in crimes(everything()):
        assert (crime["outcome_status"] is None) == (crime["category"] == "anti-social-behaviour")


def test_the_persistent_id_is_empty_for_anti_social_behaviour_and_stations_and_is_not_unique():
    persistent = Counter()
    for crime in crimes(everything()):
        nameless = crime["category"] == "anti-social-behaviour" or crime["location_type"] == "BTP"
        assert re.fullmatch("" if nameless else "[0-9a-f]{64}", crime["persistent_id"])
        persistent[crime["persistent_id"]] += 1

    assert any(count > 1 for value, count in persistent.items() if value)


def test_a_crime_on_a_shared_edge_is_returned_for_both_wards():
    by_ward = {code: crimes(polygon(ring_text(code))) for code in WARDS}
    times = Counter(crime["id"] for found in by_ward.values() for crime in found)

    assert set(times) == {crime["id"] for crime in crimes(everything())}
    assert max(times.values()) == 2
    twice = sum(count == 2 for count in times.values()) / len(times)
    assert 0.02 < twice < 0.09


def test_a_single_category_is_the_same_rows_without_the_others():
    area = polygon(ring_text("E05000408"))

    burglaries = json.loads(police().crimes(area, MONTH, "burglary").body)

    assert burglaries == [crime for crime in crimes(area) if crime["category"] == "burglary"]
    assert burglaries


def test_a_point_finds_the_crimes_within_a_mile():
    some = crimes(polygon(ring_text("E05000400")))[0]["location"]

    near = crimes(mile_around(some["latitude"], some["longitude"]))
    far = crimes(mile_around(str(float(some["latitude"]) + 1), some["longitude"]))

    assert some in [crime["location"] for crime in near]
    assert len(near) < len(crimes(everything()))
    assert far == []


def test_an_area_outside_every_ward_has_no_crimes():
    assert police().crimes(box(1, 1, 2, 2), MONTH, "all-crime").body == b"[]"


@settings(max_examples=60, deadline=None)
@given(
    code=st.sampled_from(WARDS),
    at=st.floats(0.05, 0.95),
    lengthwise=st.booleans(),
    month=st.sampled_from(published_months(AS_OF)),
)
def test_the_halves_of_a_split_box_hold_together_exactly_its_crimes(code, at, lengthwise, month):
    points = [tuple(map(float, pair.split(","))) for pair in ring_text(code).split(":")]
    (south, west), (north, east) = (
        map(min, zip(*points, strict=True)),
        map(max, zip(*points, strict=True)),
    )
    cut_lat, cut_lng = south + (north - south) * at, west + (east - west) * at
    halves = (
        [box(south, west, cut_lat, east), box(cut_lat, west, north, east)]
        if lengthwise
        else [box(south, west, north, cut_lng), box(south, cut_lng, north, east)]
    )

    of_halves = {crime["id"]: crime for half in halves for crime in crimes(half, month)}

    whole = crimes(box(south, west, north, east), month)
    assert of_halves == {crime["id"]: crime for crime in whole}
    assert whole


@settings(max_examples=60, deadline=None)
@given(code=st.sampled_from(WARDS), data=st.data())
def test_the_parts_of_a_ward_cut_anywhere_hold_together_exactly_its_crimes(code, data):
    text = ring_text(code)
    points = [tuple(map(float, pair.split(",")))[::-1] for pair in text.split(":")]
    ward = shapely.Polygon(points)
    west, south, east, north = ward.bounds
    lng = west + (east - west) * data.draw(st.floats(0.1, 0.9))
    parts = split(ward, shapely.LineString([(lng, south - 1), (lng, north + 1)])).geoms

    found = {}
    for part in parts:
        ring = ":".join(f"{y!r},{x!r}" for x, y in part.exterior.coords)
        found |= {crime["id"]: crime for crime in crimes(polygon(ring))}

    assert len(parts) >= 2
    assert found == {crime["id"]: crime for crime in crimes(polygon(text))}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**9), wards=st.integers(1, 30))
def test_wards_of_any_map_fill_it_without_overlap(seed, wards):
    (place,) = map_of([somewhere(wards)], seed)

    shapes = [shapely.Polygon(ward.ring) for ward in place.ward_sets[0].wards]
    assert all(shape.is_valid for shape in shapes)
    assert sum(shape.area for shape in shapes) == shapely.unary_union(shapes).area
    for ward, shape in zip(place.ward_sets[0].wards, shapes, strict=True):
        assert all(shape.contains(shapely.Point(street.x, street.y)) for street in ward.inside)
        assert all(shape.touches(shapely.Point(street.x, street.y)) for street in ward.on_edges)
        assert bool(ward.on_edges) == (wards > 1)


def test_the_36_months_two_months_back_are_published():
    months = published_months(date(2026, 1, 31))

    assert (months[0], months[-1], len(months)) == ("2025-11", "2022-12", 36)


def test_outcomes_of_a_month_are_revised_when_the_day_moves_and_nothing_else_is():
    early = crimes(everything(), MONTH, police(as_of=date(2026, 7, 1)))
    late = crimes(everything(), MONTH, police(as_of=date(2027, 7, 1)))

    changed = sum(a != b for a, b in zip(early, late, strict=True))
    without = [{**crime, "outcome_status": None} for crime in early]
    assert without == [{**crime, "outcome_status": None} for crime in late]
    assert changed / len(early) > 0.4


def test_no_outcome_is_known_before_it_is_given():
    for month in published_months(AS_OF)[:6]:
        for crime in crimes(everything(), month):
            if crime["outcome_status"]:
                assert month <= crime["outcome_status"]["date"] <= "2026-10"


def test_old_outcomes_follow_the_measured_lag_curve():
    lags, silent_at_four = Counter(), 0
    for month in published_months(AS_OF)[-4:]:
        for crime in crimes(everything(), month):
            if outcome := crime["outcome_status"]:
                lag = month_number(outcome["date"]) - month_number(month)
                lags[lag] += 1
                silent = outcome["category"] == "Status update unavailable"
                assert not silent or lag == 4
                silent_at_four += silent

    def later_than(months: int) -> float:
        return sum(count for lag, count in lags.items() if lag > months) / lags.total()

    assert later_than(0) == pytest.approx(0.79, abs=0.03)
    assert later_than(3) == pytest.approx(0.47, abs=0.03)
    assert later_than(6) == pytest.approx(0.064, abs=0.015)
    assert later_than(12) == pytest.approx(0.019, abs=0.01)
    assert silent_at_four / lags.total() == pytest.approx(1 / 3, abs=0.03)


def test_a_redrawn_council_generates_each_month_from_the_wards_of_its_time():
    before = somewhere(wards=2)
    (old,), (new,) = before.ward_sets, somewhere(wards=6).ward_sets
    redrawn = before.model_copy(
        update={
            "ward_sets": (
                old.model_copy(update={"last_day": date(2026, 4, 30)}),
                new.model_copy(update={"first_day": date(2026, 5, 1), "wards": new.wards[2:]}),
            )
        }
    )

    (place,) = map_of([redrawn], 7)

    assert [ward.ward.code for ward in place.wards_in("2026-04")] == ["E05000000", "E05000001"]
    assert len(place.wards_in("2026-05")) == 4
    assert len(crimes_of(place, "2026-05", 7)) > len(crimes_of(place, "2026-04", 7))
    assert GeneratedPolice(Clock(7, AS_OF), {"somewhere": redrawn}).boundary("kent", "E05000000")
