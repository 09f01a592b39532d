"""Charts and maps: what is drawn, what is not, and what a screen reader reads out."""

from __future__ import annotations

import json
from datetime import date
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from include.publish.site.draw import base, charts, maps, rivers
from include.publish.site.draw.base import Point
from include.publish.site.draw.charts import Bar
from include.publish.site.draw.rivers import Level, Typical
from tests.dashboard_tables import month, square

SVG = "{http://www.w3.org/2000/svg}"


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)  # noqa: S314 - our own drawing


def tips(svg: str) -> list[str]:
    return [e.get("data-tip", "") for e in parsed(svg).iter() if e.get("data-tip")]


def points(*values: float | None) -> list[Point]:
    return [
        Point(month(len(values) - n), value, f"month {n}: {value}")
        for n, value in enumerate(values)
    ]


def gauge(*highest: float | None) -> list[Level]:
    return [
        Level(p.at, None if p.value is None else p.value - 0.1, p.value, p.tip)
        for p in points(*highest)
    ]


def positive(value: float | None) -> float | None:
    return None if value is None else abs(value)


def marks(svg: str, colour: str) -> int:
    return sum(e.get("fill") == colour and "data-tip" in e.attrib for e in parsed(svg).iter())


def moves(svg: str) -> int:
    """In how many pieces the line is drawn."""
    (line,) = [
        e.get("d", "") for e in parsed(svg).iter(f"{SVG}path") if e.get("stroke-width") == "2.5"
    ]
    return line.count("M")


def test_a_line_breaks_at_a_missing_month():
    assert moves(charts.lines("Crimes", {"All": points(1, 2, 3, 4)})) == 1
    assert moves(charts.lines("Crimes", {"All": points(1, 2, None, 3, 4)})) == 2


def test_every_value_has_a_tip_and_a_gap_has_none():
    svg = charts.lines("Crimes", {"All": points(1, None, 3)})

    assert tips(svg) == ["month 0: 1", "month 2: 3"]


def test_a_chart_is_one_image_named_by_its_finding_and_has_no_style_or_id():
    svg = charts.columns('A "finding" & <more>', points(1, 2))

    root = parsed(svg)
    assert root.get("role") == "img"
    assert root.get("aria-label") == 'A "finding" & <more>'
    for element in root.iter():
        assert not {"style", "id", "onclick"} & element.attrib.keys()


def test_lines_are_labelled_at_their_ends_without_covering_each_other():
    svg = charts.lines("Kinds", {name: points(5, 10 + n / 100) for n, name in enumerate("ABCD")})

    heights = []
    for element in parsed(svg).iter(f"{SVG}text"):
        if element.text in set("ABCD"):
            place = element.get("transform", "").removeprefix("translate(").removesuffix(")")
            heights.append(float(place.split(",")[1]))
    assert len(heights) == 4
    heights.sort()
    assert all(b - a >= 15 for a, b in pairwise(heights))


def test_a_chart_of_more_than_four_lines_is_refused():
    with pytest.raises(ValueError, match="5 lines"):
        charts.lines("Kinds", {name: points(1, 2) for name in "ABCDE"})


def test_the_same_rows_give_the_same_bytes():
    def draw() -> str:
        return rivers.levels("River", gauge(0.4, 0.9, None, 0.5), Typical(0.1, 0.7), "m")

    assert draw() == draw()


@pytest.mark.parametrize("values", [(0,), (0, 0), (5,), (None, 3), (-2.5, 3), (1e9,)])
def test_any_values_can_be_drawn(values):
    assert tips(charts.lines("Line", {"All": points(*values)}))
    for typical in (Typical(), Typical(high=0.7), Typical(0.2, 0.7)):
        assert tips(rivers.levels("River", gauge(*values), typical, "m"))
    assert tips(rivers.rain_and_rivers("Both", points(*map(positive, values)), points(*values)))
    assert tips(charts.columns("Columns", points(*values)))


def test_days_that_left_the_typical_range_on_either_side_are_marked():
    svg = rivers.levels("River", gauge(0.9, 0.5, 0.25), Typical(0.2, 0.7), "m")

    assert marks(svg, base.ORANGE) == 2
    assert marks(rivers.levels("River", gauge(0.9, 0.25), Typical(), "m"), base.ORANGE) == 0


def test_rain_and_rivers_are_two_charts_or_the_one_with_data():
    def panels(svg: str) -> list[str]:
        return [e.text or "" for e in parsed(svg).iter(f"{SVG}text") if "the" in (e.text or "")]

    wet, rises = points(3, None, 0), points(-0.2, 0.1, None)
    assert len(panels(rivers.rain_and_rivers("Both", wet, rises))) == 2
    assert len(panels(rivers.rain_and_rivers("Rain", wet, points(None, None, None)))) == 1
    assert len(panels(rivers.rain_and_rivers("Rivers", points(None, None, None), rises))) == 1
    assert len(tips(rivers.rain_and_rivers("Both", wet, rises))) == 4


def test_a_name_from_the_data_is_text():
    svg = charts.bars("Suppliers", [Bar("<script>alert(1)</script>", 5, "£5"), Bar("B", -1, "-£1")])

    assert "<script" not in svg
    assert "<script>alert(1)</script>: £5" in tips(svg)
    assert "<script>alert(1)</script>" in [e.text for e in parsed(svg).iter(f"{SVG}text")]


def test_a_ward_on_a_map_is_a_link_with_a_name_and_a_value():
    areas = [
        maps.Area("a", "St <Helier>", square(-0.2, 51.4), "ward/a.html", 1234),
        maps.Area("b", "Cheam", square(-0.19, 51.4), "ward/b.html", 0),
    ]
    svg = maps.ward_map("Crimes", areas, {"a": 4, "b": 0})

    links = list(parsed(svg).iter(f"{SVG}a"))
    assert [(a.get("href"), a.get("aria-label")) for a in links] == [
        ("ward/a.html", "St <Helier>: 1,234"),
        ("ward/b.html", "Cheam: 0"),
    ]
    assert [a[0].get("class") for a in links] == ["shade4", "shade0"]


def test_north_is_up_and_east_is_right():
    areas = [
        maps.Area("sw", "SW", square(-0.2, 51.4), "", 1),
        maps.Area("ne", "NE", square(-0.1, 51.5), "", 1),
    ]
    south_west, north_east = parsed(maps.ward_map("Map", areas)).iter(f"{SVG}text")

    assert float(north_east.get("x", "")) > float(south_west.get("x", ""))
    assert float(north_east.get("y", "")) < float(south_west.get("y", ""))


@pytest.mark.parametrize(
    "geometry",
    [None, "", "not JSON", "{}", "[]", "null", json.dumps({"type": "Point", "coordinates": [0, 0]}),
     json.dumps({"type": "Polygon", "coordinates": []}),
     json.dumps({"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]})],
)  # fmt: skip
def test_what_is_not_an_area_is_not_drawn(geometry):
    assert not maps.is_drawable(geometry)


def test_an_area_of_several_parts_is_drawn_whole():
    first, second = (json.loads(square(x, 51.4))["coordinates"] for x in (-0.2, -0.1))
    geometry = json.dumps({"type": "MultiPolygon", "coordinates": [first, second]})

    (path,) = parsed(maps.ward_map("Map", [maps.Area("a", "A", geometry, "")])).iter(f"{SVG}path")
    assert path.get("d", "").count("M") == 2


@pytest.mark.parametrize("top", [1, 4, 5, 9, 10, 24, 25, 99, 1228, 9999])
def test_every_value_has_the_shade_that_the_legend_says(top):
    values = {str(n): n for n in {0, 1, top // 2, top}}
    shades, legend = maps.shading(values)

    assert len(legend) <= len(maps.SHADES)
    for name, value in values.items():
        bounds = [int(w.replace(",", "")) for w in legend[shades[name]].split(" to ")]
        assert bounds[0] <= value <= bounds[-1]


def test_a_map_without_crimes_has_one_shade():
    assert maps.shading({"a": 0, "b": 0}) == ({"a": 0, "b": 0}, ["0"])


def test_months_follow_each_other_on_the_axis_whatever_the_clock_of_the_machine(monkeypatch):
    monkeypatch.setenv("TZ", "America/Los_Angeles")
    svg = charts.columns("Columns", [Point(date(2026, 1, 1), 1, "January")])

    assert "Jan 2026" in [e.text for e in parsed(svg).iter(f"{SVG}text")]
