"""What is requested of an API: windows, points, and values in paths."""

from __future__ import annotations

from include.councils.model import Council
from include.extract.client import Client
from include.extract.pages import fetch_pages
from include.sources.model import Rate
from tests.samples import BASE_URL, column, contract, council_fields, extracting, partition
from tests.unit.extract.paged_api import NoParents


def test_a_period_is_cut_into_windows_that_meet(paged_api):
    paged_api.answers(lambda query: [{"id": query["from"]}])
    source = contract(
        column("id"),
        period="day",
        extract=extracting(
            window_minutes=500,
            request={
                "path": "/gauges",
                "query": {
                    "from": "{window.start:%Y-%m-%dT%H:%M:%SZ}",
                    "to": "{window.end:%Y-%m-%dT%H:%M:%SZ}",
                },
            },
        ),
    )
    client = Client(source.extract, Rate(per_second=1000, burst=1000))
    day = source.partition("kingston", "2017-05-31")

    pages = list(
        fetch_pages(source, day, None, client=client, base_url=BASE_URL, parents=NoParents())
    )

    windows = [(query["from"][8:16], query["to"][8:16]) for query in paged_api.queries]
    assert windows == [
        ("31T00:00", "31T08:20"),
        ("31T08:20", "31T16:40"),
        ("31T16:40", "01T00:00"),
    ]
    assert pages[1].facts.label == "2017-05-31 2017-05-31T08:20"


def test_the_council_its_points_and_the_end_of_the_period_go_into_requests(paged_api):
    paged_api.answers(lambda query: [1], f"{BASE_URL}/North%20End/2017-06-01")
    paged_api.answers(lambda query: [1], f"{BASE_URL}/A%2FB/2017-06-01")
    points = [
        {"name": "North End", "latitude": 51.25, "longitude": -0.5},
        {"name": "A/B", "latitude": 51, "longitude": 0},
    ]
    place = Council.model_validate(council_fields(points=points))
    source = contract(
        column("point", request="point.name"),
        extract=extracting(
            for_each="point",
            request={
                "path": "/{point.name}/{period.next}",
                "query": {
                    "at": "{point.latitude},{point.longitude}",
                    "last": "{period.last}",
                    "km": "{council.radius_km}",
                },
            },
        ),
    )
    client = Client(source.extract, Rate(per_second=1000, burst=1000))

    pages = list(
        fetch_pages(
            source, partition(), place, client=client, base_url=BASE_URL, parents=NoParents()
        )
    )

    assert paged_api.queries[0] == {
        "at": "51.25,-0.5",
        "last": "2017-05-31",
        "km": f"{place.radius_km}",
    }
    assert [page.facts.label for page in pages] == ["North End", "A/B"]
    assert pages[1].facts.context == {"point.name": "A/B"}
