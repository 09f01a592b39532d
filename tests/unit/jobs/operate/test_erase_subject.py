"""Whom an erasure is about: which records are theirs, and that no value of theirs is shown."""

from __future__ import annotations

from typing import Any

import pytest

from include.errors import PermanentError, UnknownName
from include.jobs.operate.erase_subject import Subject
from tests.samples import column, contract

PEOPLE = contract(
    column("id", "integer"),
    column("email", path="who.email", personal="pseudonymise"),
    column("phone", path="who.phone", personal="drop"),
    column("tags", list_separator="|", list_value="first"),
    column("ward", request="council.name"),
    retention_days=30,
)
JO: dict[str, Any] = {"id": 7, "who": {"email": "jo@example.org", "phone": "1"}, "tags": "a|b"}


def is_theirs(record: Any, **key: str) -> bool:
    return Subject(PEOPLE, key).is_of("api")(record)


@pytest.mark.parametrize(
    "key",
    [
        {"id": "7"},
        {"id": " 7 "},
        {"email": "jo@example.org"},
        {"phone": "1"},
        {"tags": "b"},
        {"tags": "a|b"},
        {"id": "7", "phone": "1"},
    ],
)
def test_a_record_is_theirs_by_any_column_as_the_source_has_it(key):
    assert is_theirs(JO, **key)


@pytest.mark.parametrize(
    "key", [{"id": "70"}, {"email": "JO@example.org"}, {"tags": "|"}, {"id": "7", "phone": "2"}]
)
def test_a_record_that_does_not_match_completely_is_not_theirs(key):
    assert not is_theirs(JO, **key)


@pytest.mark.parametrize(
    ("value", "text"),
    [(7.0, "7"), (7.5, "7.5"), ("7", "7"), (True, "true"), ([3, 7], "7"), (10**20, str(10**20))],
)
def test_a_value_is_compared_as_people_write_it(value, text):
    assert is_theirs({"id": value}, id=text)


@pytest.mark.parametrize("record", [{}, {"id": None}, {"who": [1]}, {"id": {"a": 7}}, 7, None, [7]])
def test_what_has_no_such_value_is_not_theirs(record):
    assert not is_theirs(record, email="7")
    assert not is_theirs(record, id="7")


def test_a_line_that_could_not_be_read_is_theirs_if_it_names_them():
    assert is_theirs('{"id": 7, "email": "jo@', email="jo@")
    assert not is_theirs('{"id": 7, "email": "jo@', email="jo@", phone="020")


@pytest.mark.parametrize(
    ("key", "error", "said"),
    [
        ({}, PermanentError, "no key given"),
        ({"mail": "jo"}, UnknownName, "has no column 'mail'. It has id, email"),
        ({"ward": "jo"}, PermanentError, "'ward' is not part of the records"),
        ({"email": " "}, PermanentError, "the value of 'email' is empty"),
    ],
)
def test_an_impossible_key_is_refused(key, error, said):
    with pytest.raises(error, match=said):
        Subject(PEOPLE, key)


def test_no_value_is_shown():
    subject = Subject(PEOPLE, {"email": "jo@example.org"})

    assert "jo@" not in f"{subject} {subject!r}"


def test_a_subject_is_known_again_whatever_the_order_of_its_keys():
    one = Subject(PEOPLE, {"id": "7", "phone": "1"}).canonical

    assert one == Subject(PEOPLE, {"phone": "1", "id": "7"}).canonical
    assert one != Subject(PEOPLE, {"id": "71", "phone": "1"}).canonical


CLEANED = contract(
    column("email", clean=["trim", "lower", "nfc"], personal="pseudonymise"),
    column("born_on", "date", format="%d/%m/%Y", personal="keep"),
    retention_days=30,
)


@pytest.mark.parametrize("key", ["jo\u00e9@example.org", "Joe\u0301@Example.org"])
@pytest.mark.parametrize(
    "record",
    [
        {"email": " JO\u00c9@example.org ", "born_on": "1/11/1980"},
        {"email": "joe\u0301@example.ORG", "born_on": "01/11/1980"},
        'x,Joe\u0301@example.org,01/11/1980,"',
    ],
)
def test_what_the_contract_makes_equal_is_of_one_person(key, record):
    assert Subject(CLEANED, {"email": key}).is_of("api")(record)
    assert Subject(CLEANED, {"email": key, "born_on": "01/11/1980"}).is_of("api")(record)
    assert not Subject(CLEANED, {"email": "x"}).is_of("api")({"email": key})


def test_one_person_is_one_subject_however_the_value_is_written():
    one, other = (Subject(CLEANED, {"email": text}) for text in ("A@x", " a@X "))
    assert one.canonical == other.canonical
    assert {"A@x", "a@x"} <= set(one.values)
