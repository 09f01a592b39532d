"""What is requested of an API: windows, points, and values in paths."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.councils.model import Council
from include.errors import PermanentError
from include.extract.client import Client
from include.extract.pages import fetch_pages
from include.extract.requests import LABEL_CHARACTERS, asks, context_of, require_council
from include.printable import one_line
from include.sources.extract.http import Rate
from include.sources.model import Contract
from tests.samples import (
    BASE_URL,
    column,
    contract,
    council,
    council_fields,
    extracting,
    partition,
)
from tests.unit.extract.paged_api import NoParents


def test_a_period_is_cut_into_windows_without_gaps(paged_api):
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


# --- loops -----------------------------------------------------------------------------------


class Landed:
    """Parents with these records."""

    def __init__(self, **records: list[dict[str, Any]]) -> None:
        self._records = records

    def value(self, name: str, values: Any) -> str:
        return ",".join(str(record["id"]) for record in self._records[name])

    def records(self, name: str, columns: list[str], values: Any) -> list[dict[str, Any]]:
        return [{column: record[column] for column in columns} for record in self._records[name]]


def looping(text: str, *for_each: str, **changes: Any) -> Contract:
    parents = {name: {"source": name, "each": "{id}"} for name in ("site", "species")}
    return contract(
        extract=extracting(
            request={"path": "/gauges", "query": {"q": text}},
            parents=parents,
            constants={"kind": ["rain", "level"]},
            for_each=for_each,
            **changes,
        )
    )


def labels(source: Contract, parents: Any = None, *wards: str) -> list[str]:
    place = council(*wards)
    found = asks(source, "api", partition(), place, parents or Landed())
    return [ask.label for ask in found]


def test_a_constant_makes_one_request_for_each_of_its_values():
    assert labels(looping("{kind}", "kind")) == ["rain", "level"]


def test_constants_that_are_not_looped_over_go_into_one_request():
    source = looping("{kind}")
    (ask,) = asks(source, "api", partition(), council(), Landed())

    assert (ask.label, ask.values["kind"]) == ("2017-05", "rain,level")


def test_wards_and_constants_are_combined_in_their_order():
    source = looping("{ward.code} {kind}", "ward", "kind")

    assert labels(source, None, "E05000001", "E05000002") == [
        "E05000001,rain",
        "E05000001,level",
        "E05000002,rain",
        "E05000002,level",
    ]


def test_two_parents_are_combined_within_windows():
    source = looping("{site.id} {species.id}", "species", "site", window_minutes=44_640)
    landed = Landed(site=[{"id": 1}, {"id": 2}], species=[{"id": "NO2"}])

    assert labels(source, landed) == ["NO2,1 2017-05-01T00:00", "NO2,2 2017-05-01T00:00"]


def test_a_parent_whose_records_lack_values_leaves_nothing_to_request():
    with pytest.raises(PermanentError, match=r"gauges kingston 2017-05: nothing to request"):
        labels(looping("{site.id}", "site"), Landed(site=[]))


def test_the_values_of_a_combination_are_kept_for_its_rows():
    source = contract(
        column("what", request="kind"),
        column("whose", request="council.names.air"),
        extract=looping("{kind}", "kind").model_dump(by_alias=True)["extract"],
    )
    place = Council.model_validate(council_fields(names={"air": "Small, ville"}))
    first, second = asks(source, "api", partition(), place, Landed())

    assert [context_of(source, "api", ask.values) for ask in (first, second)] == [
        {"kind": "rain", "council.names.air": "Small, ville"},
        {"kind": "level", "council.names.air": "Small, ville"},
    ]


def test_a_council_without_the_name_that_a_request_needs_is_reported_with_where_to_add_it():
    source = looping("{council.names.air} {point.name}", "point")

    with pytest.raises(PermanentError) as caught:
        require_council(source, council())

    assert str(caught.value) == (
        "gauges smallville: its requests need points, names.air of the council. "
        "Add them to include/councils/smallville.yaml."
    )


TEXTS = st.text(st.sampled_from("ab,%#/2C1 \n\x1b\u202e\ud800é~"), max_size=12)
IDS = st.one_of(TEXTS, st.integers(0, 12), st.text(min_size=150, max_size=260))


@given(
    st.lists(IDS, min_size=1, max_size=6, unique_by=str),
    st.lists(IDS, min_size=1, max_size=6, unique_by=str),
)
def test_no_two_combinations_have_the_same_label_or_that_of_a_page(sites, species):
    source = looping("{site.id} {species.id} {kind}", "site", "species", "kind")
    landed = Landed(site=[{"id": i} for i in sites], species=[{"id": i} for i in species])

    found = labels(source, landed)

    assert len(set(found)) == len(sites) * len(species) * 2
    assert found == labels(source, landed)
    for label in found:
        assert "#" not in label
        assert len(label) <= LABEL_CHARACTERS
        assert one_line(label) == label
        assert label.count(",") in (0, 2)


def test_the_label_of_a_single_item_is_its_value():
    landed = Landed(site=[{"id": "4063TH-thames"}, {"id": "A, B/1"}, {"id": "1"}, {"id": 1}])

    assert labels(looping("{site.id}", "site"), landed) == ["4063TH-thames", "A, B/1", "1"]
