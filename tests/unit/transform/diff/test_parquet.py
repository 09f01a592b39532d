"""Two Parquet files, compared by key and a part at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.transform.diff import parquet
from include.transform.diff.compare import Difference
from include.transform.diff.parquet import Rows, compare_files
from include.transform.diff.profile import Profile
from include.transform.diff.relation import Table

TYPES = {"id": "integer", "name": "text"}
SCHEMA = pa.schema({"id": pa.int32(), "name": pa.string()})


@pytest.fixture
def rows(tmp_path) -> Callable[..., Rows]:
    """Writes a table to a file."""

    def write(
        content: Any, key: tuple[str, ...] = ("id",), schema: Any = SCHEMA, **types: str
    ) -> Rows:
        table = pa.table(content, schema=schema)
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.parquet"
        pq.write_table(table, path, compression="zstd")
        return Rows(Table("marts", "a_mart", types or TYPES, key), path)

    return write


def counts(found: Difference) -> tuple[int, ...]:
    return found.rows_before, found.rows_after, found.added, found.removed, found.changed


def test_rows_are_counted_by_key_and_changes_by_column(rows):
    before = rows({"id": [1, 2, 3], "name": ["a", "b", None]})
    after = rows({"id": [1, 2, 3, 4], "name": ["a", None, "x", "y"]})

    found = compare_files(before, after)

    assert found.key == ("id",)
    assert counts(found) == (3, 4, 1, 0, 2)
    assert {column.name: column.changed for column in found.columns} == {"id": 0, "name": 2}
    assert [(one.kind, one.key, one.values) for one in found.samples] == [
        ("changed", {"id": "2"}, {"name": ("b", None)}),
        ("changed", {"id": "3"}, {"name": (None, "x")}),
        ("added", {"id": "4"}, {"name": "y"}),
    ]
    name = found.columns[1]
    assert (name.before, name.after) == (Profile(1, 2, "a", "b"), Profile(1, 3, "a", "y"))


def test_equal_files_differ_in_nothing(rows):
    table = {"id": [1, 2], "name": ["a", None]}

    assert compare_files(rows(table), rows(table)).nothing


def test_a_null_in_the_key_is_a_value_like_others(rows):
    table = {"id": [None, 2], "name": ["a", "b"]}

    assert compare_files(rows(table), rows(table)).nothing


def test_without_a_key_equal_rows_are_counted(rows):
    before = rows({"id": [1, 1, 2], "name": ["a", "a", None]}, key=())
    after = rows({"id": [1, 2, 2, 3], "name": ["a", None, None, "c"]}, key=())

    found = compare_files(before, after)

    assert (found.key, counts(found)) == ((), (3, 4, 2, 1, 0))
    assert [(one.kind, one.values["id"]) for one in found.samples] == [
        ("removed", "1"), ("added", "2"), ("added", "3"),
    ]  # fmt: skip


def test_the_key_of_one_file_is_used_if_it_is_unique_in_the_other(rows):
    table, twice = {"id": [1, 2], "name": ["a", "b"]}, {"id": [1, 1], "name": ["a", "b"]}

    assert compare_files(rows(table, key=()), rows(table)).key == ("id",)
    assert compare_files(rows(table), rows(table, key=())).key == ("id",)
    assert compare_files(rows(twice, key=()), rows(table)).key == ()
    assert compare_files(rows({"id": [None, 1], "name": ["a", "b"]}, key=()), rows(table)).key == ()


def test_a_number_of_another_type_is_the_same_number(rows):
    before = rows({"id": [1, 2], "name": ["a", "b"]})
    schema = pa.schema({"id": pa.decimal128(8, 2), "name": pa.string()})
    after = rows(
        {"id": [Decimal("1.00"), Decimal("2.50")], "name": ["a", "b"]},
        schema=schema,
        id="numeric(8,2)",
        name="text",
    )

    found = compare_files(before, after)

    assert found.schema_changes == ("column id: integer became numeric(8,2)",)
    assert counts(found) == (2, 2, 1, 1, 0)


def test_a_different_type_is_compared_as_text(rows):
    before = rows({"id": [1, 2], "name": ["a", "b"]})
    schema = pa.schema({"id": pa.string(), "name": pa.string()})
    after = rows({"id": ["1", "02"], "name": ["x", "b"]}, schema=schema, id="text", name="text")

    assert counts(compare_files(before, after)) == (2, 2, 1, 1, 1)


def test_no_column_in_common_means_other_rows(rows):
    before = rows({"id": [1, 2], "name": ["a", "b"]})
    after = rows({"x": [1]}, key=("x",), schema=None, x="bigint")

    found = compare_files(before, after)

    assert counts(found) == (2, 1, 1, 2, 0)
    assert found.schema_changes[:2] == ("column x added", "column id removed")


def test_a_file_without_rows_is_compared_like_others(rows):
    found = compare_files(
        rows({"id": [], "name": []}, key=("id",)), rows({"id": [1], "name": ["a"]})
    )

    assert counts(found) == (0, 1, 1, 0, 0)
    assert found.columns[0].before == Profile(0, 0, None, None)


@pytest.mark.parametrize("sides", [(None, 1), (1, None)])
def test_a_mart_in_one_version_only_is_new_or_removed(rows, sides):
    table = rows({"id": [2, 1], "name": ["a", None]})

    found = compare_files(*(side and table for side in sides), sample_rows=1)

    is_new = sides[0] is None
    assert (found.status, counts(found)) == (
        ("new", (0, 2, 2, 0, 0)) if is_new else ("removed", (2, 0, 0, 2, 0))
    )
    assert [one.key for one in found.samples] == ([{"id": "2"}] if is_new else [])


def test_values_of_hidden_columns_are_compared_and_never_shown(rows):
    before = rows({"id": [1, 2, 7], "name": ["secret-1", "b", "secret-2"]})
    after = rows({"id": [1, 2, 8], "name": ["secret-3", "b", "secret-4"]})

    found = compare_files(before, after, hidden={"name"})

    assert counts(found) == (3, 3, 1, 1, 1)
    assert "secret" not in repr(found)
    assert found.columns[1].after == Profile(0, 3, None, None)


def test_values_are_shown_short_and_times_without_a_fraction_that_is_not_there(rows):
    schema = pa.schema({"id": pa.timestamp("us", "UTC"), "name": pa.string()})
    at = [datetime(2026, 11, 1, 5, tzinfo=UTC), datetime(2026, 11, 1, 5, 0, 0, 500, tzinfo=UTC)]
    types = {"id": "timestamp with time zone", "name": "text"}
    table = rows({"id": at, "name": ["5.000 x", "y" * 200]}, schema=schema, **types)

    found = compare_files(None, table)

    assert [one.key["id"] for one in found.samples] == [
        "2026-11-01 05:00:00+00:00",
        "2026-11-01 05:00:00.000500+00:00",
    ]
    assert [len(one.values["name"] or "") for one in found.samples] == [7, 100]


def test_values_without_an_order_have_no_extremes(rows):
    schema = pa.schema({"id": pa.int32(), "name": pa.string()})
    for kind in ("jsonb", "json", "text[]"):
        table = rows({"id": [1], "name": ["[1]"]}, schema=schema, id="integer", name=kind)

        assert compare_files(None, table).columns[1].after == Profile(0, 1, None, None)


IDS = st.integers(0, 9)
NAMES = st.sampled_from(["a", "b", "", None])
RELAXED = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@RELAXED
@given(st.dictionaries(IDS, NAMES), st.dictionaries(IDS, NAMES), st.integers(1, 20))
def test_parts_together_find_what_a_dictionary_finds(rows, before, after, at_once):
    both = before.keys() & after.keys()
    expected = (
        *(len(before), len(after), len(after) - len(both), len(before) - len(both)),
        sum(before[key] != after[key] for key in both),
    )
    files = [rows({"id": [*one], "name": [*one.values()]}) for one in (before, after)]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parquet, "ROWS_AT_ONCE", at_once)
        found = compare_files(*files, sample_rows=2)

    assert counts(found) == expected
    first = sorted(after.keys() - before.keys())[:2]
    assert [one.key["id"] for one in found.samples if one.kind == "added"] == [*map(str, first)]


@RELAXED
@given(st.lists(st.tuples(IDS, NAMES)), st.lists(st.tuples(IDS, NAMES)), st.integers(1, 20))
def test_parts_together_find_the_rows_that_one_file_has_more_often(rows, before, after, at_once):
    counted = [Counter(one) for one in (before, after)]
    files = [
        rows({"id": [id_ for id_, _ in one], "name": [name for _, name in one]}, key=())
        for one in (before, after)
    ]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parquet, "ROWS_AT_ONCE", at_once)
        found = compare_files(*files)

    assert found.added == (counted[1] - counted[0]).total()
    assert found.removed == (counted[0] - counted[1]).total()
