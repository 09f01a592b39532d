"""Faults that rewrite an answer, and faults of pages, at any API of the sandbox."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from sandbox.middleware.rewriting import extended, page_number, retyped
from tests.sandbox_client import Client, make

RIVERS = "/environment.data.gov.uk/flood-monitoring"
WEATHER = (
    "/archive-api.open-meteo.com/v1/archive?latitude=51.39&longitude=-0.28"
    "&start_date=2026-10-01&end_date=2026-10-01&hourly=temperature_2m"
)
HOLIDAYS = "/www.gov.uk/bank-holidays.json"
EVERYWHERE = [f"{RIVERS}/id/stations", WEATHER, HOLIDAYS, "/data.police.uk/api/crimes-street-dates"]


@pytest.fixture(scope="module")
def client() -> Client:
    return make()


def faulty(client: Client, path: str, fault: str) -> Any:
    return client.get(path, headers={"X-Wandle-Fault": fault})


@pytest.mark.parametrize("path", EVERYWHERE)
@pytest.mark.parametrize(
    ("fault", "status", "start"),
    [
        ("429", 429, "Too many"), ("500", 500, "<html>"), ("502", 502, "<html>"),
        ("503", 503, "Service"), ("503-html", 503, "<html>"), ("empty", 200, ""),
    ],
)  # fmt: skip
def test_every_api_fails_on_demand(client, path, fault, status, start):
    found = faulty(client, path, fault)

    assert found.status_code == status
    assert found.text.startswith(start)
    assert bool(found.text) == bool(start)


def test_a_named_field_has_a_wrong_type_wherever_it_is(client):
    path = f"{RIVERS}/data/readings?date=2026-11-15&_limit=3&_view=full"
    right = client.get(path).json()["items"]

    wrong = faulty(client, path, "wrong-type=value").json()["items"]
    nested = faulty(client, path, "wrong-type=label").json()["items"]

    assert [item["value"] for item in wrong] == [{"was": item["value"]} for item in right]
    label = right[0]["measure"]["station"]["label"]
    assert nested[0]["measure"]["station"]["label"] == {"was": label}


def test_without_a_name_the_first_field_of_the_records_has_a_wrong_type(client):
    wrong = faulty(client, "/data.police.uk/api/crimes-street-dates", "wrong-type").json()

    assert wrong[0]["date"] == {"was": "2026-09"}


def test_columns_have_a_wrong_type_too(client):
    wrong = faulty(client, WEATHER, "wrong-type=temperature_2m").json()

    assert len(wrong["hourly"]["temperature_2m"]["was"]) == 24


def test_each_record_has_one_field_more(client):
    path = f"{RIVERS}/data/readings?date=2026-11-15&_limit=3"

    usual = faulty(client, path, "extra-field").json()
    named = faulty(client, path, "extra-field=quality").json()

    assert [item["added_by_fault"] for item in usual["items"]] == ["unexpected"] * 3
    assert {item["quality"] for item in named["items"]} == {"unexpected"}
    assert "quality" not in named
    assert faulty(client, WEATHER, "extra-field=quality").json()["quality"] == "unexpected"


@pytest.mark.parametrize("body", [b"", b"a,b\n1,2\n", b"[]", b"3", b'{"a"'])
def test_what_has_no_records_stays_as_it_is(body):
    assert retyped(body, None) == body
    assert extended(body, "a") == body


@pytest.mark.parametrize(
    ("query", "page"),
    [
        (b"_limit=10", 1), (b"_limit=10&_offset=0", 1), (b"_offset=20&_limit=10", 3),
        (b"offset=25&limit=10", 3), (b"page=4", 4), (b"_limit=0&_offset=9", None),
        (b"date=2026-11-15", None), (b"_offset=20", None), (b"_limit=ten", None),
    ],
)  # fmt: skip
def test_a_page_is_known_by_its_parameters(query, page):
    assert page_number(query) == page


def pages(client: Client, count: int = 4) -> list[list[str]]:
    path = f"{RIVERS}/id/stations?_limit=5"
    answers = [client.get(f"{path}&_offset={5 * n}") for n in range(count)]
    return [[item["notation"] for item in answer.json()["items"]] for answer in answers]


@pytest.fixture
def controlled(tmp_path):
    state = tmp_path / "sandbox.json"
    state.write_text(json.dumps({"seed": 7, "as_of": "2026-11-21"}))

    def control(**rule: Any) -> Client:
        (tmp_path / "faults.json").write_text(json.dumps([rule]))
        return make(state=state)

    return control


def test_a_missing_page_is_left_out_of_the_query(client, controlled):
    first, second, third, fourth, fifth = pages(client, 5)

    assert pages(controlled(fault="missing-page")) == [first, third, fourth, fifth]
    assert pages(controlled(fault="missing-page", page=3)) == [first, second, fourth, fifth]


def test_a_duplicate_page_comes_twice_and_none_is_lost(client, controlled):
    first, second, third, _ = pages(client)

    assert pages(controlled(fault="duplicate-page")) == [first, first, second, third]
    assert pages(controlled(fault="duplicate-page", page=3)) == [first, second, second, third]


def test_a_page_that_is_wrong_once_is_right_when_read_again(client, controlled):
    first, _, third, fourth = pages(client)
    faulty = controlled(fault="missing-page", times=1)

    once, again = pages(faulty), pages(faulty)

    assert once == [first, third, third, fourth]
    assert again == pages(client)
    assert Counter(map(len, again)) == {5: 4}


def test_a_fault_of_pages_leaves_an_unpaged_query_alone(client):
    path = f"{RIVERS}/id/stations?parameter=rainfall"

    assert faulty(client, path, "missing-page").content == client.get(path).content


@pytest.mark.parametrize("fault", ["missing-page=1", "missing-page=two", "slow=soon"])
def test_a_fault_with_a_wrong_value_is_refused(client, fault):
    assert faulty(client, HOLIDAYS, fault).status_code == 400
