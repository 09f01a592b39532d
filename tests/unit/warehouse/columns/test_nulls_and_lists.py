"""Values before they get their type: null for those that mean it, one of a list, or each."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import BeyondLimit
from include.warehouse.columns.batch import Batch, Reader
from tests.samples import column, contract


def read(source: Any, *values: Any, way: str = "api") -> Batch:
    records = [value if isinstance(value, dict) else {"a": value} for value in values]
    return Reader(source, way).read(records, range(1, len(records) + 1), [({}, len(records))])


def values_of(batch: Batch, name: str = "a") -> list[Any]:
    return batch.arrays[name].to_pylist()


def broken(batch: Batch) -> list[tuple[int, str]]:
    return [(item.index, item.rule) for item in batch.broken]


@pytest.mark.parametrize(
    ("kind", "null", "values"),
    [
        ("numeric(16,6)", 32768.47, [32768.47, "32768.47", "32768.470", "+32768.47"]),
        ("numeric(16,6)", "32768.47", [32768.47, "32768.47", "32768.4700"]),
        ("numeric(5,1)", 32768.47, [32768.47, "32768.47"]),
        ("integer", -32.767, [-32.767, "-32.767"]),
        ("integer", -999, [-999, "-999", -999.0]),
        ("double", -9999.0, [-9999, "-9999", "-9999.0", "-9.999e3", -9999.0]),
        ("double", "n/a", ["n/a"]),
        ("integer", "", [""]),
        ("integer", 0, [0, "0", 0.0, "00"]),
        ("boolean", "---", ["---"]),
        ("boolean", True, [True, "true"]),
        ("date", "1900-01-01", ["1900-01-01"]),
        ("timestamptz", "1900-01-01T00:00:00Z", ["1900-01-01 01:00:00+01:00"]),
        ("text", "n/a", ["n/a"]),
        ("text", 32768.47, ["32768.47", 32768.47]),
        ("jsonb", "n/a", ["n/a"]),
    ],
)
def test_a_value_that_means_null_is_null_however_it_is_written(kind, null, values):
    source = contract(column("a", kind, null_values=[null]), column("b"))

    batch = read(source, *values, None)

    assert values_of(batch) == [None] * (len(values) + 1)
    assert broken(batch) == []


@pytest.mark.parametrize(
    ("kind", "null", "value", "expected"),
    [
        ("integer", 1, True, None),
        ("boolean", "x", True, True),
        ("jsonb", 1, True, "true"),
        ("jsonb", 0, [0], "[0]"),
        ("jsonb", "a", {"a": "a"}, '{"a":"a"}'),
        ("text", "n/a", "N/A", "N/A"),
        ("text", "", " ", " "),
        ("double", 1.5, 1.25, 1.25),
    ],
)
def test_another_value_is_not_null(kind, null, value, expected):
    source = contract(column("a", kind, null_values=[null]))

    batch = read(source, {"a": value})

    assert values_of(batch) == [expected]
    assert broken(batch) == ([(0, "type")] if expected is None else [])


def test_null_values_of_the_format_hold_for_every_column_of_the_record_and_no_other():
    source = contract(
        column("a", "integer"),
        column("b"),
        column("c", request="council.name"),
        format={"null_values": ["", "-"]},
    )
    batch = Reader(source).read([{"a": "", "b": "-"}, {"a": "1", "b": "x"}], [1, 2],
                                [({"council.name": ""}, 2)])  # fmt: skip

    assert values_of(batch) == [None, 1]
    assert values_of(batch, "b") == [None, "x"]
    assert values_of(batch, "c") == ["", ""]


def test_a_required_value_that_means_null_breaks_the_rule():
    source = contract(column("a", "integer", required=True, null_values=[-1]))

    assert broken(read(source, -1, 2)) == [(0, "required")]


def test_a_value_that_means_null_hashes_as_null():
    source = contract(column("a", "numeric(9,2)", null_values=[-1, "n/a"]), column("b"))

    rows = read(source, *({"a": a, "b": "x"} for a in (None, -1, "-1.00", "n/a"))).rows

    assert len({tuple(row) for row in rows.tolist()}) == 1


LISTS = [
    ("quarantine", [1, 2], "type", None),
    ("quarantine", "1|2", "type", None),
    ("quarantine", [1], "type", None),
    ("first", [1, 2], None, 1),
    ("first", "1|2", None, 1),
    ("last", [1, 2], None, 2),
    ("last", "1|2", None, 2),
    ("first", [], None, None),
    ("last", [], None, None),
    ("first", 7, None, 7),
    ("first", [[1]], "type", None),
    ("first", ["x", 1], "type", None),
    ("last", "1|", None, None),
    ("first", ["-9", 1], None, None),
]


@pytest.mark.parametrize(("rule", "value", "expected_rule", "expected"), LISTS)
def test_a_value_that_is_a_list(rule, value, expected_rule, expected):
    source = contract(
        column("a", "integer", list_value=rule, list_separator="|", null_values=["", -9])
    )

    batch = read(source, 5, value, 6)

    assert values_of(batch) == [5, expected, 6]
    assert broken(batch) == ([(1, expected_rule)] if expected_rule else [])


def test_a_joined_text_is_not_a_single_text():
    assert broken(read(contract(column("a", list_separator="|")), "a", "a|b")) == [(1, "type")]
    assert broken(read(contract(column("a")), "a", "a|b")) == []


def test_json_keeps_its_lists_unless_the_contract_says_otherwise():
    assert values_of(read(contract(column("a", "jsonb")), [1, 2])) == ["[1,2]"]
    first = contract(column("a", "jsonb", list_value="first"))
    assert values_of(read(first, [{"b": 1}, 2])) == ['{"b":1}']


STATION = contract(
    column("id", required=True),
    column("label", list_value="explode"),
    column("lat", "numeric(9,6)", list_value="explode", list_separator="|", maximum=90),
)


def station(**fields: Any) -> Batch:
    return read(STATION, {"id": "0"}, {"id": "1"} | fields, {"id": "2"})


def rows_of(batch: Batch) -> list[tuple[Any, ...]]:
    columns = (values_of(batch, name) for name in ("id", "label", "lat"))
    return [
        tuple(str(item) if item is not None else None for item in row)
        for row in zip(*columns, strict=True)
    ]


def test_lists_are_combined_by_position():
    batch = station(label=["a", "b"], lat=[51, 52])

    assert rows_of(batch)[1:3] == [("1", "a", "51.000000"), ("1", "b", "52.000000")]
    assert batch.source is not None
    assert batch.source.tolist() == [0, 1, 1, 2]
    assert batch.records == 3


def test_a_single_value_is_repeated_next_to_each_of_a_list():
    assert rows_of(station(label="a", lat="51|52"))[1:3] == [
        ("1", "a", "51.000000"),
        ("1", "a", "52.000000"),
    ]
    assert rows_of(station(label=["a"], lat=[51, 52]))[1:3] == [
        ("1", "a", "51.000000"),
        ("1", "a", "52.000000"),
    ]


def test_an_empty_list_is_one_row_without_a_value():
    assert rows_of(station(label=[], lat=[51]))[1] == ("1", None, "51.000000")


def test_lists_of_different_lengths_break_a_rule():
    batch = station(label=["a", "b"], lat=[51, 52, 53])

    assert broken(batch) == [(1, "list")]


def test_a_record_of_which_one_value_breaks_a_rule_is_broken_once():
    batch = station(lat=[51, 91, 92])

    assert [(item.index, item.rule, item.value) for item in batch.broken] == [(1, "maximum", "91")]


def test_what_no_column_names_is_in_each_row():
    batch = station(label=["a", "b"], new=1)

    assert values_of(batch, "_extra") == [None, '{"new":1}', '{"new":1}', None]


@pytest.mark.parametrize(
    "beside",
    [
        {"id": "x" * 300_000},
        {"new": "x" * 300_000},
        {"lat": ["x" * 300_000]},
        {"new": [[0] * 9] * 10**5},
    ],
)
def test_values_that_would_be_repeated_without_limit_are_refused(beside):
    with pytest.raises(BeyondLimit, match=r"`list_value: explode` repeats.*`limits\.record_bytes"):
        station(label=[""] * 1_000, **beside)


def test_a_text_of_more_values_than_a_record_holds_is_refused():
    with pytest.raises(BeyondLimit, match=r"found 1000001 values, .*`limits\.record_bytes"):
        station(lat="|" * 10**6)


def test_a_list_of_many_values_may_have_long_ones_beside_it():
    batch = station(label=[*map(str, range(100_000))], lat=["1"] * 100_000, new="x" * 1_000)

    assert batch.source is not None
    assert len(batch.source) == 100_002


SCALARS = st.none() | st.integers(-3, 3) | st.sampled_from(["", "1", "1|2", "|", "x", "0.5"])
ANY = SCALARS | st.lists(SCALARS, max_size=3) | st.just({"b": 1}) | st.booleans()


@pytest.mark.parametrize("kind", ["integer", "text", "numeric(4,1)", "jsonb", "boolean"])
@pytest.mark.parametrize("rule", ["quarantine", "first", "last", "explode"])
@given(values=st.lists(ANY, max_size=6), nulls=st.lists(SCALARS.filter(bool), max_size=2))
def test_a_record_is_read_the_same_alone_and_among_others(kind, rule, values, nulls):
    source = contract(
        column("a", kind, list_value=rule, list_separator="|", null_values=nulls), column("b")
    )
    together = read(source, *({"a": value} for value in values))
    origin = range(len(values)) if together.source is None else together.source.tolist()
    rules = dict(broken(together))

    for index, value in enumerate(values):
        alone = read(source, {"a": value})
        assert broken(alone) == ([(0, rules[index])] if index in rules else [])
        mine = [row for row, record in enumerate(origin) if record == index]
        assert [values_of(together)[row] for row in mine] == values_of(alone)
        assert together.rows[mine].tolist() == alone.rows.tolist()
