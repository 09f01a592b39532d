"""Halving an area: nothing of it is lost, and the halves overlap only on the cut."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import union_all

from include.errors import SourceRejected
from include.extract.polygon import halves, parse

SQUARE = "51.0,-0.2:51.0,-0.1:51.2,-0.1:51.2,-0.2"
# A comb whose teeth fall apart when it is cut across.
COMB = "0,0:0,5:4,5:4,4:1,4:1,3:4,3:4,2:1,2:1,1:4,1:4,0"

RADII = st.lists(st.floats(0.01, 0.1), min_size=3, max_size=24)


def star(radii: list[float]) -> str:
    points = [
        (51.4 + radius * math.sin(turn), -0.2 + radius * math.cos(turn))
        for radius, turn in (
            (radius, 2 * math.pi * number / len(radii)) for number, radius in enumerate(radii)
        )
    ]
    return ":".join(f"{latitude},{longitude}" for latitude, longitude in points)


@settings(max_examples=50)
@given(RADII)
def test_the_pieces_are_the_area_and_overlap_only_on_the_cut(radii):
    area = parse(star(radii))

    pieces = [parse(piece) for piece in halves(star(radii))]

    assert len(pieces) >= 2
    assert sum(piece.area for piece in pieces) == pytest.approx(area.area, rel=1e-9)
    assert union_all(pieces).symmetric_difference(area).area < 1e-12


def test_the_longer_side_is_cut():
    bounds = [parse(piece).bounds for piece in halves(SQUARE)]

    assert bounds == [
        pytest.approx((-0.2, 51.0, -0.1, 51.1)),
        pytest.approx((-0.2, 51.1, -0.1, 51.2)),
    ]


def test_an_area_that_falls_apart_gives_each_part():
    across = COMB.replace("4,", "9,")

    assert len(halves(across)) == 4


def test_a_ring_that_crosses_itself_is_repaired():
    bow_tie = "0,0:2,2:2,0:0,2"

    assert sum(parse(piece).area for piece in halves(bow_tie)) == pytest.approx(2.0)


def test_an_area_too_small_to_cut_is_refused():
    point = "51.0,-0.2:51.0000001,-0.2:51.0,-0.2000001"

    with pytest.raises(SourceRejected, match="too small to split"):
        halves(point)


@given(RADII)
def test_cutting_is_repeatable(radii):
    assert halves(star(radii)) == halves(star(radii))
