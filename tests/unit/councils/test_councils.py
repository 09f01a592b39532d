"""Councils: their wards in dated sets."""

from __future__ import annotations

from datetime import date

import pytest
from pydantic import ValidationError

from include.councils import model
from include.councils.model import Council
from include.errors import UnknownName, WrongDefinition
from tests.samples import council, council_fields

OLD = {"code": "E05000001", "name": "Old"}
NEW = {"code": "E05000002", "name": "New"}


def dated(*sets: tuple[str, str | None, dict]) -> Council:
    ward_sets = [{"from": first, "until": last, "wards": [ward]} for first, last, ward in sets]
    return Council.model_validate(council_fields(ward_sets=ward_sets))


def test_the_wards_of_a_day_are_those_of_its_set():
    redrawn = dated(("2013-01-01", "2022-05-04", OLD), ("2022-05-05", None, NEW))

    assert [redrawn.wards_on(day)[0].name for day in (date(2022, 5, 4), date(2022, 5, 5))] == [
        "Old",
        "New",
    ]


@pytest.mark.parametrize("day", [date(2012, 12, 31), date(2016, 6, 1), date(2030, 1, 1)])
def test_a_day_that_no_set_covers_is_refused(day):
    gap = dated(("2013-01-01", "2015-12-31", OLD), ("2017-01-01", "2020-12-31", NEW))

    with pytest.raises(WrongDefinition, match=rf"smallville.yaml: no ward set covers {day}"):
        gap.wards_on(day)


@pytest.mark.parametrize(
    ("until", "following"),
    [(None, "2022-05-05"), ("2022-05-05", "2022-05-05"), ("2022-05-04", "2014-01-01")],
)
def test_sets_that_overlap_are_refused(until, following):
    with pytest.raises(ValidationError, match="must end before the next one begins"):
        dated(("2013-01-01", until, OLD), (following, None, NEW))


def test_a_set_that_ends_before_it_begins_is_refused():
    with pytest.raises(ValidationError, match="must not be before"):
        dated(("2013-01-01", "2012-01-01", OLD))


@pytest.mark.parametrize(
    ("second", "field"),
    [
        (OLD | {"name": "Other"}, "code 'E05000001'"),
        (OLD | {"code": "E05000009"}, "name 'Old'"),
        (NEW | {"police_neighbourhood": "E05000001"}, "police_neighbourhood 'E05000001'"),
    ],
)
def test_a_ward_that_is_listed_twice_is_refused(second, field):
    with pytest.raises(ValidationError, match=f"{field} appears twice"):
        Council.model_validate(
            council_fields(ward_sets=[{"from": "2013-01-01", "wards": [OLD, second]}])
        )


def test_the_police_know_a_ward_by_its_code_unless_said_otherwise():
    named = dated(("2013-01-01", None, OLD | {"police_neighbourhood": "E05B"}))

    assert council("E05000001").wards_on(date(2017, 1, 1))[0].police_neighbourhood == "E05000001"
    assert named.wards_on(date(2017, 1, 1))[0].police_neighbourhood == "E05B"


def test_an_unknown_council_is_named_with_the_known_ones():
    known = ", ".join(model.councils())
    with pytest.raises(UnknownName, match=rf"unknown council 'kingstone'\. Known: {known}\. "):
        model.council("kingstone")


@pytest.mark.parametrize(("name", "wards"), [("kingston", 16), ("sutton", 18)])
def test_the_wards_of_2013_hold_for_2017(name, wards):
    assert len(model.council(name).wards_on(date(2017, 5, 1))) == wards
