"""What changed between two versions of a dataset."""

from __future__ import annotations

import pyarrow as pa
import pytest

from include.publish.changes import changes

OLD = pa.table({"id": [1, 2, 3], "name": ["a", "b", None]})


@pytest.mark.parametrize(
    ("new", "found"),
    [
        ({"id": [1, 2, 3], "name": ["a", "b", None]}, (0, 0, 0)),
        ({"id": [1, 2, 4], "name": ["a", None, "x"]}, (1, 1, 1)),
        ({"id": [3], "name": [""]}, (0, 2, 1)),
        ({"id": [], "name": []}, (0, 3, 0)),
    ],
)
def test_rows_are_compared_by_their_key(new, found):
    table = pa.table(new, schema=OLD.schema)

    assert changes(OLD, table, ["id"]) == dict(
        zip(("added", "removed", "changed"), found, strict=True)
    )


def test_a_key_with_null_is_a_key():
    table = pa.table({"id": pa.array([None, 1]), "name": ["a", "b"]})

    assert changes(table, table, ["id"]) == {"added": 0, "removed": 0, "changed": 0}


def test_equal_rows_without_a_key_are_counted():
    before = pa.table({"a": [1, 1, 2]})
    after = pa.table({"a": [1, 2, 2, 3]})

    assert changes(before, after, []) == {"added": 2, "removed": 1, "changed": 0}


def test_columns_that_were_added_or_removed_are_named():
    after = pa.table({"id": [1, 2, 3], "title": ["a", "b", "c"]})

    assert changes(OLD, after, ["id"]) == {
        "added": 0,
        "removed": 0,
        "changed": 0,
        "columns_added": ["title"],
        "columns_removed": ["name"],
    }


def test_values_of_a_column_with_another_type_are_compared_as_text():
    after = pa.table({"id": ["1", "2", "9"], "name": ["a", "b", None]})

    assert changes(OLD, after, ["id"]) == {"added": 1, "removed": 1, "changed": 0}
