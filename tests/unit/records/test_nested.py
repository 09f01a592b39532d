"""Records below every branch of a body: `records: "*.events"`, and what they inherit."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from pydantic import ValidationError

from include.errors import UnexpectedPayload
from include.records.read import read_records, record_texts
from include.sources.formats import Format

BODY = {
    "north": {"area": "n", "events": [{"day": 1}, {"day": 2, "area": "own"}]},
    "south": {"area": "s", "events": [{"day": 1}]},
}


def read(body: Any, **layout: Any) -> list[Any]:
    text = json.dumps(body).encode()
    return [
        record
        for chunk in read_records(io.BytesIO(text), len(text), Format(**layout))
        for record in chunk
    ]


def test_records_of_every_branch_come_in_order():
    assert read(BODY, records="*.events") == [{"day": 1}, {"day": 2, "area": "own"}, {"day": 1}]


def test_a_record_inherits_what_is_above_it_but_keeps_its_own():
    found = read(BODY, records="*.events", inherit=["area"])

    assert [record["area"] for record in found] == ["n", "own", "s"]


def test_branches_may_be_items_of_a_list_below_a_field():
    body = {"data": [{"site": 1, "rows": [{"v": 1}]}, {"site": 2, "rows": []}]}

    assert read(body, records="data.*.rows", inherit=["site"]) == [{"site": 1, "v": 1}]


def test_one_child_may_be_an_object_and_none_nothing():
    body = [{"id": 1, "child": {"v": 1}}, {"id": 2}, {"id": 3, "child": [{"v": 2}, {"v": 3}]}]

    found = read(body, records="*.child", inherit=["id"], one_or_many=True)

    assert [(record["id"], record["v"]) for record in found] == [(1, 1), (3, 2), (3, 3)]


@pytest.mark.parametrize("body", [{"north": {"area": "n"}}, {"north": 1}, 7, {"a": {"events": 1}}])
def test_a_branch_without_the_list_is_refused(body):
    with pytest.raises(UnexpectedPayload, match="expected a list of records"):
        read(body, records="*.events")


def test_the_bytes_of_a_record_say_what_it_inherits():
    text = json.dumps(BODY).encode()
    layout = Format(records="*.events", inherit=("area",))

    found = record_texts(text, layout, {1, 3})

    assert {number: json.loads(record) for number, record in found.items()} == {
        1: {"area": "n", "day": 1},
        3: {"area": "s", "day": 1},
    }


@pytest.mark.parametrize(
    "layout", [{"inherit": ["a"]}, {"records": "*.x", "kind": "columnar"}], ids=str
)
def test_a_format_that_makes_no_sense_is_refused(layout):
    with pytest.raises(ValidationError):
        Format(**layout)
