"""Records to columns: values, rules, what the contract does not name; held against slow reading."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.sources.model import every_contract
from include.sources.raw_table import EXTRA
from include.warehouse.columns.batch import Batch, Reader
from tests.samples import column, contract

CRIME = contract(
    column("ward", request="council.name"),
    column("point_no", "integer", position=True),
    column("id", "integer", required=True, minimum=0, maximum=9),
    column("kind", pattern="[a-z-]+"),
    column("latitude", "numeric(9,6)", path="place.latitude", minimum=-90),
    column("street", path="place.street.name"),
    column("street_id", "integer", path="place.street.id"),
    column("outcome", "jsonb"),
    column("secret", "integer", personal="keep", maximum=5),
    retention_days=30,
)
NAMES = ["id", "kind", "place", "outcome", "secret", "latitude", "street", "name", "new"]
# The same, and nothing of it personal.
PUBLIC = CRIME.model_copy(
    update={"columns": tuple(c.model_copy(update={"personal": "no"}) for c in CRIME.columns)}
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 12) | st.sampled_from(["a", "B", "51.5", "9", ""]),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=3)
    ),
    max_leaves=6,
)
PLACES = st.dictionaries(st.sampled_from(["latitude", "street", "new"]), VALUES, max_size=3)
RECORDS = VALUES | st.fixed_dictionaries(
    {"id": st.integers(0, 9)},
    optional={"kind": st.just("a-b"), "place": PLACES | VALUES, "new": VALUES, "outcome": VALUES},
)


def read(*records: Any, source: Any = CRIME) -> Batch:
    context = {"council.name": "Kingston"}
    return Reader(source).read(records, range(1, len(records) + 1), [(context, len(records))])


def left_over(record: Any, known: dict[str, Any]) -> dict[str, Any]:
    """What of a record no column names, found slowly."""
    found = {}
    for name, value in record.items():
        below = known.get(name, ...)
        if below is ...:
            found[name] = value
        elif isinstance(below, dict):
            if isinstance(value, dict):
                if inner := left_over(value, below):
                    found[name] = inner
            elif value is not None:
                found[name] = value
    return found


KNOWN: dict[str, Any] = {
    "id": None,
    "kind": None,
    "outcome": None,
    "secret": None,
    "place": {"latitude": None, "street": {"name": None, "id": None}},
}


@given(st.lists(RECORDS, max_size=6))
def test_what_no_column_names_is_kept_where_it_was(records):
    batch = read(*records, source=PUBLIC)

    found = [None if text is None else json.loads(text) for text in batch.arrays[EXTRA].to_pylist()]
    assert found == [
        (left_over(record, KNOWN) or None) if isinstance(record, dict) else None
        for record in records
    ]


@given(st.lists(RECORDS, max_size=6))
def test_unknown_fields_of_personal_data_are_known_and_not_kept(records):
    batch, public = read(*records), read(*records, source=PUBLIC)

    assert batch.arrays[EXTRA].null_count == len(records)
    assert batch.unknown == public.unknown


@given(st.lists(RECORDS, min_size=1, max_size=6))
def test_a_record_is_read_the_same_alone_and_among_others(records):
    together = read(*records)
    alone = [read(record) for record in records]

    rules = {item.index: (item.column, item.rule, item.value) for item in together.broken}
    for number, one in enumerate(alone):
        expected = [(item.column, item.rule, item.value) for item in one.broken]
        assert [rules[number]] == expected if expected else number not in rules
        if not expected:
            values = {name: array[number].as_py() for name, array in together.arrays.items()}
            values["point_no"] = 1
            assert values == {name: array[0].as_py() for name, array in one.arrays.items()}


GOOD = {"id": 1, "kind": "bike-theft", "place": {"latitude": "51.5"}, "secret": 1}
BREAKS = {
    "object": ([3], (None, "object", "[3]")),
    "null": (None, (None, "object", None)),
    "type": (GOOD | {"id": "one"}, ("id", "type", '"one"')),
    "required": ({"kind": "a"}, ("id", "required", None)),
    "required, null": ({"id": None}, ("id", "required", None)),
    "minimum": (GOOD | {"id": -1}, ("id", "minimum", "-1")),
    "maximum": (GOOD | {"id": 10}, ("id", "maximum", "10")),
    "pattern": (GOOD | {"kind": "Bike"}, ("kind", "pattern", '"Bike"')),
    "nested": (GOOD | {"place": {"latitude": [1]}}, ("latitude", "type", None)),
    "below": (GOOD | {"place": {"latitude": -91}}, ("latitude", "minimum", "-91")),
    "personal": (GOOD | {"secret": 77}, ("secret", "maximum", None)),
    "personal, type": (GOOD | {"secret": "x"}, ("secret", "type", None)),
    "long": (GOOD | {"kind": "A" * 500}, ("kind", "pattern", '"' + "A" * 199 + "...")),
    "the first": (GOOD | {"id": 10, "kind": "Bike"}, ("id", "maximum", "10")),
}


@pytest.mark.parametrize(("record", "expected"), BREAKS.values(), ids=BREAKS)
def test_the_first_rule_that_a_record_breaks_is_named(record, expected):
    broken = read(GOOD, record, GOOD).broken

    assert [(item.index, item.column, item.rule, item.value) for item in broken] == [(1, *expected)]


def test_an_unknown_field_that_no_jsonb_can_hold_breaks_a_rule_where_it_would_be_kept():
    bad = GOOD | {"new": "a\0b"}

    broken = read(GOOD, bad, source=PUBLIC).broken

    assert [(item.index, item.column, item.rule) for item in broken] == [(1, EXTRA, "type")]
    assert read(GOOD, bad).broken == []


@pytest.mark.parametrize(
    "record",
    [GOOD, {"id": 0}, {"id": 9}, GOOD | {"kind": None}, GOOD | {"place": None}, GOOD | {"new": 1}],
)
def test_a_record_that_keeps_the_rules_is_not_broken(record):
    assert read(record).broken == []


ALLOWED = [
    ("text", ["a", "b"], ["a", None], ["c", "A", ""]),
    ("integer", [1, 2], [1, "2", 1.0, None], [3]),
    ("boolean", [True], [True, "true"], [False]),
    ("double", [1.5, 2], [1.5, 2, 2.0, "1.5e0"], [1]),
    ("numeric(5,2)", [1.5, 2], ["1.50", 2, 1.5], ["1.51"]),
    ("date", ["2017-05-01"], ["2017-05-01"], ["2017-05-02"]),
    ("timestamptz", ["2017-05-01T00:00:00Z"], ["2017-05-01 01:00:00+01:00"], []),
]


@pytest.mark.parametrize(("kind", "allowed", "inside", "outside"), ALLOWED, ids=lambda item: item)
def test_allowed_values_are_compared_as_values_of_the_type(kind, allowed, inside, outside):
    source = contract(column("a", kind, allowed=allowed))

    broken = read(*({"a": value} for value in [*inside, *outside]), source=source).broken

    assert [(item.index, item.rule) for item in broken] == [
        (number, "allowed") for number in range(len(inside), len(inside) + len(outside))
    ]


def test_values_of_the_request_and_positions_become_columns():
    batch = read({"id": 1}, {"id": 2})

    assert batch.arrays["ward"].to_pylist() == ["Kingston", "Kingston"]
    assert batch.arrays["point_no"].to_pylist() == [1, 2]


def test_a_landing_older_than_a_column_of_the_request_reads_as_null():
    batch = Reader(CRIME).read([{"id": 1}], [1], [({}, 1)])

    assert batch.arrays["ward"].to_pylist() == [None]


def test_a_null_in_between_reads_as_null():
    batch = read({"id": 1, "place": None}, {"id": 2, "place": {"street": None}})

    assert batch.arrays["street"].to_pylist() == [None, None]
    assert batch.arrays[EXTRA].to_pylist() == [None, None]


def test_a_column_may_hold_the_object_that_another_looks_into():
    source = contract(column("place", "jsonb"), column("name", path="place.name"))

    batch = read({"place": {"name": "Surbiton", "x": 1}}, source=source)

    assert json.loads(batch.arrays["place"][0].as_py()) == {"name": "Surbiton", "x": 1}
    assert batch.arrays["name"].to_pylist() == ["Surbiton"]


def test_no_records_are_an_empty_batch():
    batch = read()

    assert batch.records == 0
    assert all(len(array) == 0 for array in batch.arrays.values())


def test_every_contracts_patterns_are_known_to_it():
    found = every_contract()

    assert any(column.pattern for item in found.values() for column in item.columns)
    for item in found.values():
        Reader(item)


MENDED = contract(
    column("n", "numeric(9,3)", list_value="last", list_separator="|", null_values=[5, "n/a"]),
    column("whole", "integer", list_value="first", null_values=["-9"]),
    column("at", "timestamptz", zone="Europe/London", null_values=["1900-01-01T00:00"]),
    column("day", "date", list_value="quarantine", list_separator="-"),
)
ODD = (
    st.none()
    | st.sampled_from([5, 5.0, "5", "5.000", "n/a", "1|5", "1|n/a", 1.5, "1.5", -9, "-9", 2**70])
    | st.sampled_from(["1900-01-01T00:00", "2026-03-29T01:30", "2026-11-22T10:00", "2026-11-22"])
    | st.sampled_from([True, [], [1, 5], {"a": 1}])
)


@given(st.lists(st.fixed_dictionaries({name: ODD for name in ("n", "whole", "at", "day")})))
def test_what_a_value_becomes_does_not_depend_on_its_neighbours(records):
    together = read(*records, source=MENDED)
    alone = [read(record, source=MENDED) for record in records]

    for name, array in together.arrays.items():
        assert array.to_pylist() == [one.arrays[name][0].as_py() for one in alone]
    broken = {item.index: (item.column, item.rule, item.value) for item in together.broken}
    assert broken == {
        index: (item.column, item.rule, item.value)
        for index, one in enumerate(alone) for item in one.broken
    }  # fmt: skip
    assert together.rows.tolist() == [row for one in alone for row in one.rows.tolist()]
