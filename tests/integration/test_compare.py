"""Two versions of a table, compared in a real PostgreSQL by key."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from include.transform.diff import report
from include.transform.diff.compare import Difference, compare
from include.transform.diff.profile import Profile
from include.transform.diff.relation import read_table

# The names are those of a colleague who likes surprises.
COLUMNS = '"the key" text, "Group" int, "va""lue" numeric, note text, extra json'


@pytest.fixture(scope="module")
def database(new_database) -> Any:
    found = new_database()
    found.query("create schema before; create schema after")
    return found


@pytest.fixture
def connection(database) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database.admin) as opened:
        yield opened
        opened.rollback()


@pytest.fixture
def differ(connection) -> Callable[..., Difference]:
    """Compares `before.t` with `after.t`, made by these statements."""

    def run(*statements: str, **options: Any) -> Difference:
        for statement in statements:
            connection.execute(statement)  # type: ignore[arg-type]
        tables = (read_table(connection, schema, "t") for schema in ("before", "after"))
        return compare(connection, *tables, **options)

    return run


def table(schema: str, *rows: str, columns: str = COLUMNS, key: str = '"the key", "Group"') -> str:
    constraint = f", primary key ({key})" if key else ""
    made = f"create table {schema}.t ({columns}{constraint});"
    return made + (f"insert into {schema}.t values {', '.join(rows)}" if rows else "")


BEFORE = table(
    "before",
    """('same', 1, 1.50, null, '{"a": 1}')""",
    "('changed', 1, 2, 'old', null)",
    "('changed', 2, null, 'old', null)",
    "('gone', 1, 3, 'x', null)",
)
AFTER = table(
    "after",
    """('same', 1, 1.5, null, '{"a": 1}')""",
    "('changed', 1, 2, 'new', null)",
    "('changed', 2, 7, null, null)",
    "('new', 1, 4, 'y', null)",
    "('new', 2, 4, 'z', null)",
)


def test_rows_are_counted_by_key_and_changes_by_column(differ):
    found = differ(BEFORE, AFTER)

    assert found.key == ("the key", "Group")
    assert (found.rows_before, found.rows_after) == (4, 5)
    assert (found.added, found.removed, found.changed) == (2, 1, 2)
    assert {column.name: column.changed for column in found.columns} == {
        "the key": 0, "Group": 0, 'va"lue': 1, "note": 2, "extra": 0,
    }  # fmt: skip
    assert found.schema_changes == ()
    assert not found.nothing


def test_a_sample_shows_what_changed_and_what_is_only_in_one_version(differ):
    found = differ(BEFORE, AFTER)

    assert [(sample.kind, *sample.key.values()) for sample in found.samples] == [
        ("changed", "changed", "1"),
        ("changed", "changed", "2"),
        ("removed", "gone", "1"),
        ("added", "new", "1"),
        ("added", "new", "2"),
    ]
    assert found.samples[0].values == {"note": ("old", "new")}
    assert found.samples[1].values == {'va"lue': (None, "7"), "note": ("old", None)}
    assert found.samples[2].values == {'va"lue': "3", "note": "x", "extra": None}


def test_a_sample_has_no_more_rows_than_asked_for_and_short_values(differ):
    many = "insert into after.t select n, n, n, repeat('x', 9999) from generate_series(1, 50) as n"

    found = differ(table("before"), table("after"), many, sample_rows=3)

    assert found.added == 50
    assert len(found.samples) == 3
    assert {len(sample.values["note"]) for sample in found.samples} == {100}


def test_columns_are_profiled_on_both_sides(differ):
    columns = {column.name: column for column in differ(BEFORE, AFTER).columns}

    assert columns["note"].before == Profile(nulls=1, distinct=2, least="old", greatest="x")
    assert columns["note"].after == Profile(nulls=2, distinct=3, least="new", greatest="z")
    assert columns["extra"].before == Profile(nulls=3, distinct=1, least=None, greatest=None)


def test_the_same_rows_are_no_difference(differ):
    found = differ(BEFORE, BEFORE.replace("before.t", "after.t"))

    assert found.nothing
    assert (found.added, found.removed, found.changed, found.samples) == (0, 0, 0, ())


def test_hidden_values_are_compared_and_never_read(differ):
    found = differ(BEFORE, AFTER, hidden={"note", "the key"})

    assert found.changed == 2
    shown = repr([sample for sample in found.samples]) + repr(found.columns)
    assert not {"'old'", "'new'", "'gone'", "'x'", "'z'"} & {
        f"'{word}'" for word in shown.split("'")
    }
    assert "'(hidden)'" in shown


def test_a_changed_schema_is_reported_and_the_rest_compared(differ):
    found = differ(
        table(
            "before", "(1, 'a', 5)", "(2, 'b', 6)", columns="id int, label text, old int", key="id"
        ),
        table(
            "after",
            "(1, 5, 'a')",
            "(2, 7, 'c')",
            columns="id bigint, new int, label text",
            key="id",
        ),
    )

    assert found.schema_changes == (
        "column new added",
        "column old removed",
        "column id: integer became bigint",
    )
    assert (found.added, found.removed, found.changed) == (0, 0, 1)
    assert [sample.values for sample in found.samples] == [{"label": ("b", "c")}]


def test_another_key_is_reported_and_used_if_both_versions_are_unique_by_it(differ):
    columns = "id int, part int, n int"
    found = differ(
        table("before", "(1, 1, 1)", "(2, 1, 1)", columns=columns, key="id"),
        table("after", "(1, 1, 1)", "(2, 1, 9)", "(2, 2, 9)", columns=columns, key="id, part"),
    )

    assert found.schema_changes == ("primary key: (id) became (id, part)",)
    assert found.key == ("id", "part")
    assert (found.added, found.removed, found.changed) == (1, 0, 1)


@pytest.mark.parametrize("rows", [("(1, null)", "(2, 5)"), ("(1, 4)", "(1, 4)")])
def test_a_key_that_one_version_repeats_or_leaves_empty_is_not_used(differ, rows):
    found = differ(
        table("before", *rows, columns="n int, id int", key=""),
        table("after", "(1, 4)", "(3, 7)", columns="n int, id int", key="id"),
    )

    assert found.key == ()


def test_without_a_key_whole_rows_are_compared_as_often_as_they_occur(differ):
    found = differ(
        table("before", "('a', 1)", "('a', 1)", "('b', 2)", columns="label text, n int", key=""),
        table("after", "('a', 1)", "('b', 3)", columns="label text, n int", key=""),
    )

    assert (found.added, found.removed, found.changed) == (1, 2, 0)
    assert [(sample.kind, sample.values) for sample in found.samples] == [
        ("removed", {"label": "a", "n": "1"}),
        ("removed", {"label": "b", "n": "2"}),
        ("added", {"label": "b", "n": "3"}),
    ]


@pytest.mark.parametrize(
    ("made", "status", "counts"),
    [
        (table("after", "('k', 1, 2, 'n', null)"), "new", (0, 1, 1, 0)),
        (table("before", "('k', 1, 2, 'n', null)"), "removed", (1, 0, 0, 1)),
    ],
)
def test_a_table_that_only_one_version_has_is_new_or_removed(differ, made, status, counts):
    found = differ(made)

    assert found.status == status
    assert (found.rows_before, found.rows_after, found.added, found.removed) == counts
    assert not found.nothing


def test_every_type_that_a_mart_can_have_is_compared(differ):
    types = {
        "boolean": "true", "uuid": "'6d0c9a4e-0000-4000-8000-000000000000'", "date": "'2026-01-01'",
        "timestamptz": "now()", "jsonb": "'{}'", "json": "'{}'",  "text[]": "'{a}'",
        "double precision": "'NaN'", "interval": "'1 day'", "bytea": "'x'", "point": "'(1,2)'",
        "box": "'(1,1),(0,0)'", "inet": "'10.0.0.1'", "time": "'10:00'",
    }  # fmt: skip
    columns = ", ".join(["id int", *(f'"{name}" {name}' for name in types)])
    row = ", ".join(types.values())

    found = differ(
        table("before", f"(1, {row})", f"(2, {row})", columns=columns, key="id"),
        table("after", f"(1, {row})", columns=columns, key="id"),
        "insert into after.t (id) values (2)",
    )

    assert found.changed == 1
    assert {column.name for column in found.columns if column.changed} == {*types}
    # Two boxes of the same area are not the same box.
    assert differ("update after.t set box = '(2,1),(1,0)' where id = 1").changed == 2


def test_a_report_is_markdown_in_which_values_stay_values(differ):
    hostile = "('`x` | <img src=x> @all [a](http://b)', 1, 1, E'two\\nlines', null)"

    text = report.markdown([differ(table("before"), table("after", hostile))], title="Changes")

    row = next(line for line in reversed(text.splitlines()) if "<img" in line)
    assert row == (
        "| `` `x` \\| <img src=x> @all [a](http://b) `` | `1` | `1` | `two\\nlines` | *null* |"
    )
    assert "| `t` | 0 → 1 | 1 | 0 | 0 | the same |" in text
