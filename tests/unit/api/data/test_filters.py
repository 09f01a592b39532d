"""Filters, order, pages and groups against the same in plain Python."""

from __future__ import annotations

import json
import math
from decimal import Decimal
from fractions import Fraction
from typing import Any
from urllib.parse import parse_qsl, quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.api.data.aggregate import groups_of
from include.api.data.problems import Problem
from include.api.data.query import parse_aggregate, parse_rows
from include.api.data.rows import MOST_BYTES, page_of
from tests.api_tables import LONG, TYPES, as_json, cleaned, compared, every_type
from tests.published_version import Table
from tests.unit.api.conftest import in_memory

TABLE = every_type()
DATASET = in_memory(TABLE)
COMPARED = [name for name in TYPES if name != "tags"]
OPERATORS = ("eq", "neq", "gt", "gte", "lt", "lte")


def literal(value: Any) -> str:
    """A value as it is written in a query."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def rows_of(query: str, dataset: Any = DATASET) -> list[dict[str, Any]]:
    """The rows of all pages."""
    found: list[dict[str, Any]] = []
    for _ in range(1000):
        asked = parse_rows(query, dataset.columns)
        body, following = page_of(dataset, asked, "/rows", query)
        page = json.loads(body, parse_float=Decimal, parse_int=Decimal)
        assert len(page["rows"]) <= asked.limit
        assert page["next"] == (following or None)
        found += page["rows"]
        if not following:
            return found
        query = following.partition("?")[2]
    raise AssertionError("the pages never end")


def expected(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            name: json.loads(value, parse_int=Decimal)
            if name == "tags" and value is not None
            else as_json(value)
            for name, value in row.items()
        }
        for row in rows
    ]


def groups(query: str, dataset: Any = DATASET) -> list[dict[str, Any]]:
    body = groups_of(dataset, parse_aggregate(query, dataset.columns))
    found: list[dict[str, Any]] = json.loads(body, parse_float=Decimal, parse_int=Decimal)["groups"]
    return found


def test_all_pages_together_are_all_rows():
    for limit in (1, 7, 100, 299, 300, 1000):
        assert rows_of(f"limit={limit}") == expected(TABLE.rows)


@given(
    st.sampled_from(COMPARED),
    st.sampled_from(OPERATORS),
    st.integers(0, len(TABLE.rows) - 1),
    st.sampled_from((1, 13, 1000)),
)
def test_a_comparison_finds_the_rows_that_plain_python_finds(name, operator, place, limit):
    value = cleaned(TABLE.rows[place][name])
    if value is None:
        value = next(v for row in TABLE.rows if (v := cleaned(row[name])) is not None)

    found = rows_of(f"{name}={operator}.{quote(literal(value), safe='')}&limit={limit}")

    wanted = [row for row in TABLE.rows if compared(operator, cleaned(row[name]), value, value)]
    assert found == expected(wanted)


@given(st.lists(st.sampled_from(TABLE.rows), min_size=1, max_size=5), st.sampled_from(COMPARED))
def test_in_finds_any_of_its_values(rows, name):
    values = {value for row in rows if (value := cleaned(row[name])) is not None} or {
        next(v for row in TABLE.rows if (v := cleaned(row[name])) is not None)
    }
    quoted = [f'"{literal(value).replace(chr(34), chr(34) * 2)}"' for value in values]

    found = rows_of(f"{name}=in.{quote(','.join(quoted), safe='')}&limit=1000")

    assert found == expected([row for row in TABLE.rows if cleaned(row[name]) in values])


@pytest.mark.parametrize("name", TYPES)
def test_null_is_found_only_by_is(name):
    nulls = [row for row in TABLE.rows if cleaned(row[name]) is None]

    assert rows_of(f"{name}=is.null&limit=1000") == expected(nulls)
    assert len(rows_of(f"{name}=is.not_null&limit=1000")) == len(TABLE.rows) - len(nulls)


@pytest.mark.parametrize(
    ("query", "low", "high"),
    [("2026-01", "2026-01-01", "2026-01-31"), ("2025", "2025-01-01", "2025-12-31")],
)
@pytest.mark.parametrize("operator", OPERATORS)
@pytest.mark.parametrize("name", ["day", "seen_at", "local_at"])
def test_a_month_or_year_stands_for_all_its_days(query, low, high, operator, name):
    found = rows_of(f"{name}={operator}.{query}&limit=1000")

    wanted = [
        row
        for row in TABLE.rows
        if row[name] is not None and compared(operator, row[name].isoformat()[:10], low, high)
    ]
    assert found == expected(wanted)


def test_all_filters_must_be_true():
    found = rows_of("day=gte.2026-01&day=lt.2026-02&council=sutton&is_open=true")

    wanted = [
        row
        for row in TABLE.rows
        if row["day"].isoformat()[:7] == "2026-01" and row["council"] == "sutton" and row["is_open"]
    ]
    assert wanted
    assert found == expected(wanted)


@given(
    st.lists(
        st.tuples(st.sampled_from(COMPARED), st.booleans()),
        min_size=1,
        max_size=3,
        unique_by=lambda one: one[0],
    ),
    st.sampled_from((1, 50, 1000)),
)
def test_rows_are_sorted_with_nulls_last_and_ties_as_in_the_file(order, limit):
    text = ",".join(f"{name}.desc" if falls else name for name, falls in order)

    found = rows_of(f"order={text}&limit={limit}&small=gte.20")

    wanted = [row for row in TABLE.rows if row["small"] is not None and row["small"] >= 20]
    for name, falls in reversed(order):
        present = [row for row in wanted if cleaned(row[name]) is not None]
        # With `reverse`, too, ties stay as they were.
        present = sorted(present, key=lambda row: row[name], reverse=falls)
        wanted = present + [row for row in wanted if cleaned(row[name]) is None]
    assert found == expected(wanted)


def test_only_selected_columns_are_there_in_the_order_asked():
    (first, *_) = rows_of("select=note,council&limit=1000")

    assert list(first) == ["note", "council"]


def test_a_cursor_belongs_to_its_query_and_its_data():
    asked = parse_rows("limit=2", DATASET.columns)
    _, following = page_of(DATASET, asked, "/rows", "limit=2")
    cursor = dict(parse_qsl(following.partition("?")[2]))["after"]

    other = parse_rows(f"limit=2&council=sutton&after={cursor}", DATASET.columns)
    with pytest.raises(Problem, match="not a cursor of this query"):
        page_of(DATASET, other, "/rows", "")
    changed = type(DATASET)("things", "d" * 64, DATASET.rows, DATASET.columns, DATASET.about)
    same = parse_rows(f"limit=2&after={cursor}", DATASET.columns)
    with pytest.raises(Problem, match="have changed") as caught:
        page_of(changed, same, "/rows", "")
    assert caught.value.status == 410


@given(
    st.lists(st.sampled_from(COMPARED), max_size=3, unique=True),
    st.sampled_from(["number", "small", "price", "long", "level"]),
    st.sampled_from(["", "&council=sutton", "&small=gte.100", "&council=none"]),
)
def test_groups_are_those_of_plain_python(group, name, condition):
    measures = ["count", *(f"{one}.{name}" for one in ("sum", "mean", "min", "max"))]
    by = f"group={','.join(group)}&" if group else ""
    found = groups(f"{by}measure={','.join(measures)}{condition}")

    rows = [
        row
        for row in TABLE.rows
        if ("sutton" not in condition or row["council"] == "sutton")
        and ("none" not in condition)
        and ("small" not in condition or (row["small"] is not None and row["small"] >= 100))
    ]
    wanted: dict[tuple[Any, ...], list[Any]] = {} if group else {(): []}
    for row in rows:
        key = tuple(as_json(row[one]) for one in group)
        wanted.setdefault(key, []).append(cleaned(row[name]))
    assert {tuple(one[key] for key in group) for one in found} == set(wanted)
    assert len(found) == len(wanted)
    for one in found:
        values = wanted[tuple(one[key] for key in group)]
        present = [value for value in values if value is not None]
        assert one["count"] == len(values)
        check(one, name, present)


def check(one: dict[str, Any], name: str, present: list[Any]) -> None:
    """Compare the measures of a group with those of its values."""
    if not present:
        assert [one[f"{m}.{name}"] for m in ("sum", "mean", "min", "max")] == [None] * 4
        return
    assert one[f"min.{name}"] == as_json(min(present))
    assert one[f"max.{name}"] == as_json(max(present))
    if name == "level":
        assert float(one[f"sum.{name}"]) == pytest.approx(math.fsum(present), rel=1e-12)
        return
    total = sum(map(Fraction, present))
    assert Fraction(one[f"sum.{name}"]) == total
    assert float(one[f"mean.{name}"]) == float(total / len(present))


def test_decimals_have_all_their_digits():
    assert str(LONG) in str(rows_of("long=is.not_null&limit=1000"))


def test_groups_are_in_the_order_of_their_columns_with_nulls_last():
    found = [one["note"] for one in groups("group=note")]

    assert found[-1] is None
    assert found[:-1] == sorted(found[:-1])


def test_too_many_groups_are_refused():
    many = Table({"n": "bigint"}, ("n",), [{"n": place} for place in range(10_001)])
    dataset = in_memory(many)

    with pytest.raises(Problem, match="10,001 groups"):
        groups("group=n", dataset)
    assert len(groups("group=n&n=lt.10000", dataset)) == 10_000
    assert rows_of("n=gte.9995", dataset) == expected(many.rows[9995:])


def test_too_many_values_are_refused():
    many = Table({"n": "bigint"}, ("n",), [{"n": place} for place in range(9_000)])
    dataset = in_memory(
        Table(
            dict.fromkeys("abcdefghijkl", "bigint"),
            (),
            [dict.fromkeys("abcdefghijkl", place) for place in range(9_000)],
        )
    )
    measures = ",".join(f"sum.{name}" for name in "bcdefghijkl")

    with pytest.raises(Problem, match="108,000 values"):
        groups(f"group=a&measure={measures}", dataset)
    assert len(groups("group=n", in_memory(many))) == 9_000


def test_a_page_of_long_rows_ends_earlier_and_no_row_is_lost():
    long = Table(
        {"n": "bigint", "text": "text"},
        ("n",),
        [{"n": place, "text": f"{place} " * 40_000} for place in range(100)],
    )
    dataset = in_memory(long)
    body, following = page_of(dataset, parse_rows("limit=100", dataset.columns), "/", "limit=100")

    assert len(body) < MOST_BYTES + 1000
    assert following
    for order in ("", "&order=n.desc", "&n=neq.50&order=text"):
        found = [int(row["n"]) for row in rows_of(f"limit=100{order}", dataset)]
        assert len(found) == (99 if "neq" in order else 100)
        assert sorted(set(found)) == sorted(found)


def test_an_empty_dataset_has_no_rows_and_one_group_of_all():
    dataset = in_memory(Table(TYPES, (), []))

    assert rows_of("council=sutton&order=day.desc", dataset) == []
    assert groups("measure=count,sum.price,max.day", dataset) == [
        {"count": 0, "sum.price": None, "max.day": None}
    ]
    assert groups("group=council", dataset) == []
