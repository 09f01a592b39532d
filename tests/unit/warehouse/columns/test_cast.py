"""Typed columns: the fast paths, held against a slow reference made of decimal and datetime."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from include.warehouse.columns.cast import full_match, typed
from tests.double_texts import is_written_for

WRONG = object()
UNICODE = st.text(st.characters() | st.sampled_from("\0\ud800\udfff"), max_size=6)
DIGITS = st.from_regex(r"[+-]?[0-9]{1,22}", fullmatch=True)
DECIMALS = st.from_regex(r"[+-]?[0-9]{0,12}(\.[0-9]{0,12})?([eE][+-]?[0-9]{1,3})?", fullmatch=True)
DATES = st.one_of(
    st.dates().map(date.isoformat),
    st.from_regex(r"[0-9]{4}-[0-3][0-9]-[0-4][0-9]", fullmatch=True),
)
OFFSETS = st.from_regex(r"Z|[+-][01][0-9]:?[0-5][0-9]", fullmatch=True)
TIMES = st.builds(
    lambda moment, cut, sep, offset: moment.isoformat(sep, "microseconds")[: 19 + cut] + offset,
    st.datetimes(datetime(1000, 1, 1), datetime(9998, 1, 1)),
    st.sampled_from([-3, 0, 2, 4, 7]),
    st.sampled_from(" T"),
    OFFSETS,
)
SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**63), 2**63 - 1),
    st.floats(), st.floats(-1e7, 1e7).map(lambda number: round(number, 6)),
    UNICODE, DIGITS, DECIMALS, DATES, TIMES, st.just([1]), st.just({"a": 1}),
)  # fmt: skip
COLUMNS = st.one_of(
    st.lists(SCALARS, max_size=8),
    *(
        st.lists(st.none() | kind, max_size=8)
        for kind in (
            st.integers(), st.integers(-99, 99), st.floats(), st.booleans(), UNICODE, DIGITS,
            DECIMALS, DATES, TIMES, st.floats(-1e7, 1e7).map(lambda number: round(number, 6)),
        )
    ),
)  # fmt: skip


def as_text(value: Any) -> Any:
    """A number as decimal text; what is neither number nor text is wrong."""
    if isinstance(value, bool | list | dict):
        return WRONG
    if isinstance(value, float):
        return format(Decimal(repr(value)), "f") if math.isfinite(value) else WRONG
    return str(value)


def integer(value: Any) -> Any:
    text = as_text(value)
    if text is WRONG or not re.fullmatch(r"[+-]?[0-9]+(\.0+)?", text):
        return WRONG
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        return WRONG
    found = int(Decimal(text))
    return found if -(2**63) <= found < 2**63 else WRONG


def double(value: Any) -> Any:
    if isinstance(value, str):
        pattern = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
        found = float(value) if re.fullmatch(pattern, value, re.ASCII) else math.nan
    elif isinstance(value, int | float) and not isinstance(value, bool):
        found = float(value) if abs(value) < 2**1023 else math.inf
    else:
        return WRONG
    if not math.isfinite(found) or isinstance(value, float):
        return found if math.isfinite(found) else WRONG
    return found if is_written_for(found, Decimal(value)) else WRONG


def numeric(precision: int, scale: int) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        text = as_text(value)
        if text is WRONG or not re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", text):
            return WRONG
        with localcontext(prec=1000):
            unscaled = Decimal(text).scaleb(scale)
            if unscaled % 1 or abs(unscaled) >= 10**precision:
                return WRONG
            return Decimal(int(unscaled)).scaleb(-scale)

    return read


def boolean(value: Any) -> Any:
    known = {"true": True, "false": False}
    return value if isinstance(value, bool) else known.get(value, WRONG) if isinstance(
        value, str
    ) else WRONG  # fmt: skip


def day(value: Any) -> Any:
    try:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    return WRONG


def instant(value: Any) -> Any:
    pattern = r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)"
    try:
        if isinstance(value, str) and re.fullmatch(pattern, value, re.ASCII):
            return datetime.fromisoformat(value.replace(" ", "T")).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    return WRONG


def text(value: Any) -> Any:
    return value if isinstance(value, str) and not re.search("[\0\ud800-\udfff]", value) else WRONG


REFERENCE: dict[str, Callable[[Any], Any]] = {
    "integer": integer,
    "double": double,
    "numeric(9,6)": numeric(9, 6),
    "numeric(5,0)": numeric(5, 0),
    "numeric(3,3)": numeric(3, 3),
    "numeric(38,10)": numeric(38, 10),
    "boolean": boolean,
    "date": day,
    "timestamptz": instant,
    "text": text,
}


def read_slowly(values: list[Any], type_name: str) -> list[Any]:
    return [None if value is None else REFERENCE[type_name](value) for value in values]


@pytest.mark.parametrize("type_name", REFERENCE)
@given(values=COLUMNS)
def test_a_column_is_read_as_the_slow_reference_reads_it(type_name, values):
    expected = read_slowly(values, type_name)

    column = typed(values, type_name)

    found = [WRONG if bad else item for bad, item in zip(
        column.wrong, column.array.to_pylist(), strict=True
    )]  # fmt: skip
    assert found == expected
    assert column.nulls.tolist() == [item is None or item is WRONG for item in expected]


@pytest.mark.parametrize("type_name", [*REFERENCE, "jsonb"])
@given(values=st.lists(SCALARS.filter(lambda item: item == item), min_size=1, max_size=6))
@example(values=[1.5, None, 2.25])
@example(values=["1.5", 1.5, 1])
def test_a_values_hash_does_not_depend_on_its_neighbours(type_name, values):
    if type_name == "jsonb":
        values = [
            value for value in values if not isinstance(value, int) or abs(value) < 2**63
        ] or [1]

    together = typed(values, type_name)
    alone = [typed([value], type_name) for value in values]

    for number, one in enumerate(alone):
        assert together.wrong[number] == one.wrong[0]
        assert together.hashes[number] == one.hashes[0] or one.nulls[0]
        assert together.array[number] == one.array[0]


@pytest.mark.parametrize(
    ("type_name", "ways"),
    [
        ("numeric(9,6)", [1.5, "1.5", "1.500000", "+01.50", "1.50000000"]),
        ("numeric(9,6)", [-0.25, "-.25", "-0.250"]),
        ("numeric(9,6)", [2, 2.0, "2", "2."]),
        ("integer", [5, 5.0, "5", "+5", "005"]),
        ("double", [0.0, -0.0, 0, "0", "-0.0", "0e5"]),
        ("double", [1e21, "1e21", 10**21]),
        ("boolean", [True, "true"]),
        ("timestamptz", ["2017-05-01T00:00:00Z", "2017-05-01 01:00:00.000+0100"]),
    ],
)
def test_one_value_written_in_many_ways_has_one_hash(type_name, ways):
    columns = [typed([way], type_name) for way in ways]

    assert not any(column.wrong[0] for column in columns)
    assert len({int(column.hashes[0]) for column in columns}) == 1


@pytest.mark.parametrize(
    ("type_name", "value"),
    [
        ("integer", 1.5),
        ("integer", "1.0"),
        ("integer", 2**63),
        ("integer", 1e19),
        ("integer", True),
        ("integer", " 1"),
        ("integer", "1\n"),
        ("integer", "\u0661"),
        ("numeric(9,6)", "51.1234567"),
        ("numeric(9,6)", 51.1234567),
        ("numeric(9,6)", 0.1 + 0.2),
        ("numeric(9,6)", "1000"),
        ("numeric(9,6)", 1000.0),
        ("numeric(9,6)", "1e2"),
        ("numeric(9,6)", "."),
        ("numeric(9,6)", ""),
        ("double", "1e999"),
        ("double", math.nan),
        ("double", math.inf),
        ("double", "nan"),
        ("double", "0x1"),
        ("date", "2017-02-29"),
        ("date", "0000-01-01"),
        ("date", "2017-5-1"),
        ("date", "2017-05-01T00:00:00Z"),
        ("date", 20170501),
        ("timestamptz", "2017-05-01T00:00:00"),
        ("timestamptz", "2017-05-01T25:00:00Z"),
        ("timestamptz", "2016-12-31T23:59:60Z"),
        ("timestamptz", "0000-01-01T00:00:00Z"),
        ("boolean", 1),
        ("boolean", "True"),
        ("text", 1),
        ("text", "a\0b"),
        ("text", ["a"]),
        ("text", "a\ud800"),
        ("jsonb", "a\udcff"),
        ("jsonb", {"a\ud800": 1}),
        ("jsonb", {"a": [math.nan]}),
        ("jsonb", math.inf),
        ("jsonb", {"a": "b\0c"}),
        ("jsonb", {"a\0": 1}),
    ],
)
def test_what_the_type_cannot_hold_exactly_is_wrong_and_its_neighbours_are_not(type_name, value):
    good = {"text": "a", "date": "2017-05-01", "timestamptz": "2017-05-01T00:00:00Z"}

    column = typed([good.get(type_name, 1 if type_name != "boolean" else True), value], type_name)

    assert column.wrong.tolist() == [False, True]
    assert column.nulls.tolist() == [False, True]


@pytest.mark.parametrize("value", [{"a": r"C:\u0000"}, {"a": "\\u0000"}, "\\\\u0000"])
def test_a_backslash_before_u0000_is_not_a_nul(value):
    assert typed([value], "jsonb").wrong.tolist() == [False]


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | UNICODE,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(UNICODE, inner, max_size=3),
        max_leaves=5,
    )
)
def test_jsonb_is_kept_as_it_is(value):
    column = typed([value], "jsonb")

    if value is not None and not column.wrong[0]:
        assert json.loads(column.array.to_pylist()[0], parse_int=float) == value


def test_json_that_means_the_same_hashes_the_same():
    one, other = typed([{"a": 1, "b": [2.0]}, {"b": [2], "a": 1.0}], "jsonb").hashes

    assert one == other


@pytest.mark.parametrize("type_name", [*REFERENCE, "jsonb"])
@pytest.mark.parametrize("values", [[], [None], [None, None]])
def test_a_column_without_a_value_is_read(type_name, values):
    column = typed(values, type_name)

    assert column.array.null_count == len(column.array) == len(values)
    assert not column.wrong.any()


@pytest.mark.parametrize("deep", [200, 300, 900])
def test_json_nested_deeply_is_kept_or_wrong_but_never_a_crash(deep):
    nested: Any = "x"
    for _ in range(deep):
        nested = [nested]

    column = typed([nested, "a"], "jsonb")

    assert not column.wrong[1]
    assert bool(column.wrong[0]) == (column.array[0].as_py() is None)


def test_a_pattern_holds_for_the_whole_text_and_null_passes():
    array = typed(["abc", "abcd", "xabc", None, "abc\n", "ABC"], "text").array

    assert full_match(array, "abc|x").tolist() == [True, False, False, True, False, False]


LONDON = "Europe/London"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-01-10T00:00", "2025-01-10T00:00Z"),
        ("2025-07-10 13:30:15.5", "2025-07-10T12:30:15.5Z"),
        ("2025-07-10T13:30:00Z", "2025-07-10T13:30Z"),
        ("2025-07-10T13:30+02:00", "2025-07-10T11:30Z"),
        ("2026-03-29T00:59:59", "2026-03-29T00:59:59Z"),
        ("2026-03-29T02:00", "2026-03-29T01:00Z"),
        ("2026-10-25T00:59", "2026-10-24T23:59Z"),
        ("2026-10-25T02:00", "2026-10-25T02:00Z"),
    ],
)
def test_a_time_without_a_zone_is_one_of_the_columns_zone(text, moment):
    column = typed([text, None], "timestamptz", LONDON)

    assert column.array.to_pylist() == [datetime.fromisoformat(moment), None]
    assert not column.wrong.any()


@pytest.mark.parametrize("text", ["2026-03-29T01:30", "2026-10-25T01:30:00"])
def test_no_moment_is_guessed_for_a_local_time_that_clocks_never_show_or_show_twice(text):
    column = typed([text, "2026-01-01T00:00", text], "timestamptz", LONDON)

    assert {rule: mask.tolist() for rule, mask in column.refused.items()} == {
        "zone": [True, False, True]
    }
    assert column.wrong.tolist() == [False] * 3
    assert column.nulls.tolist() == [True, False, True]


@pytest.mark.parametrize("text", ["2026-01-01", "2026-01-01T25:00", "2026-13-01T00:00", "", "now"])
def test_what_is_not_a_time_stays_wrong_in_a_column_with_a_zone(text):
    column = typed([text], "timestamptz", LONDON)

    assert (column.wrong.tolist(), column.nulls.tolist()) == ([True], [True])


@given(
    st.lists(st.none() | st.datetimes(datetime(1902, 1, 1), datetime(2100, 1, 1)), max_size=6),
    st.sampled_from([LONDON, "UTC", "Australia/Lord_Howe", "America/New_York"]),
)
def test_a_local_time_is_read_as_the_slow_reference_reads_it(moments, zone):
    column = typed([m and m.isoformat() for m in moments], "timestamptz", zone)

    for number, moment in enumerate(moments):
        found = column.array[number].as_py()
        if moment is None or any(mask[number] for mask in column.refused.values()):
            assert found is None
            continue
        here = [moment.replace(tzinfo=ZoneInfo(zone), fold=fold) for fold in (0, 1)]
        assert [item.astimezone(UTC) for item in here] == [found, found]
    assert not column.wrong.any()


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)), st.sampled_from([LONDON]))
@example(datetime(2026, 3, 29, 1, 0), LONDON)
@example(datetime(2026, 10, 25, 1, 59, 59), LONDON)
def test_a_time_is_unplaced_exactly_if_its_zone_has_not_one_moment_for_it(moment, zone):
    column = typed([moment.isoformat()], "timestamptz", zone)

    offsets = {moment.replace(tzinfo=ZoneInfo(zone), fold=fold).utcoffset() for fold in (0, 1)}
    assert bool(column.refused) == (len(offsets) > 1)


@pytest.mark.parametrize("type_name", [*REFERENCE, "jsonb"])
@given(values=st.lists(st.none() | UNICODE | DECIMALS | DATES | TIMES, min_size=1, max_size=4))
def test_values_that_come_often_are_read_as_if_they_came_once(type_name, values):
    often = typed(values * 8, type_name, "Europe/London")
    once = typed(values, type_name, "Europe/London")

    assert often.array.to_pylist() == once.array.to_pylist() * 8
    assert often.array.type == once.array.type
    assert often.wrong.tolist() == once.wrong.tolist() * 8
    assert often.nulls.tolist() == once.nulls.tolist() * 8
    hashes = [0 if null else int(item) for item, null in zip(once.hashes, once.nulls, strict=True)]
    assert [
        0 if null else int(item) for item, null in zip(often.hashes, often.nulls, strict=True)
    ] == hashes * 8
