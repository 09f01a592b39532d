"""What the columns and rows of a query are made of; sqlglot's own lineage is the other opinion."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot.lineage import lineage

from include.lineage.graph import ROWS, Column
from include.lineage.sql import NotTraced, trace

TABLES = {
    "raw.crimes": ["id", "ward", "month", "outcome"],
    "raw.wards": ["ward", "name", "shape"],
    "raw.quoted": ["Ward Code"],
}


def of(sql: str, column: str) -> dict[str, str]:
    sources = trace(sql, TABLES).columns[column].sources
    return {f"{source.table}.{source.name}": how for source, how in sources.items()}


def rows(sql: str) -> dict[str, str]:
    return {f"{one.table}.{one.name}": how for one, how in trace(sql, TABLES).rows.items()}


@pytest.mark.parametrize(
    ("sql", "column", "made_of"),
    [
        ("select id as crime from raw.crimes", "crime", {"raw.crimes.id": "copied"}),
        ("select * from raw.wards", "name", {"raw.wards.name": "copied"}),
        ('select "ward" from "db"."raw"."wards"', "ward", {"raw.wards.ward": "copied"}),
        (
            "select upper(name) as name from raw.wards",
            "name",
            {"raw.wards.name": "calculated"},
        ),
        (
            "with a as (select ward as w, max(month) as last from raw.crimes group by ward) "
            "select last from a",
            "last",
            {"raw.crimes.month": "aggregated"},
        ),
        # A calculation with an aggregate is still made of several rows.
        (
            "with a as (select max(id) as n from raw.crimes) select n + 1 as next from a",
            "next",
            {"raw.crimes.id": "aggregated"},
        ),
        (
            "select ward, name from raw.crimes join raw.wards using (ward)",
            "name",
            {"raw.wards.name": "copied"},
        ),
        (
            "select id from raw.crimes union all select shape from raw.wards",
            "id",
            {"raw.crimes.id": "copied", "raw.wards.shape": "copied"},
        ),
        (
            "select (select max(w.name) from raw.wards as w where w.ward = c.ward) as name "
            "from raw.crimes as c",
            "name",
            dict.fromkeys(("raw.wards.name", "raw.wards.ward", "raw.crimes.ward"), "aggregated"),
        ),
        # The alias of a function is the name of its column.
        (
            "select point ->> 'x' as x from raw.wards "
            "cross join lateral jsonb_array_elements(shape) as point",
            "x",
            {"raw.wards.shape": "calculated"},
        ),
        (
            "select e.value ->> 'x' as x from raw.wards, jsonb_each(shape) as e where e.key = 'a'",
            "x",
            {"raw.wards.shape": "calculated"},
        ),
        ("select count(*) as n from raw.crimes", "n", {"raw.crimes.*": "aggregated"}),
        (
            "select sum(id) filter (where outcome = 'x') as n from raw.crimes",
            "n",
            {"raw.crimes.id": "aggregated", "raw.crimes.outcome": "aggregated"},
        ),
        ("select 'police' as source from raw.crimes", "source", {}),
        (
            "select last from raw.wards as w cross join lateral "
            "(select max(c.month) as last from raw.crimes as c where c.ward = w.ward) as newest",
            "last",
            {"raw.crimes.month": "aggregated"},
        ),
        (
            "select sum(id) over w as n from raw.crimes window w as (partition by ward)",
            "n",
            {"raw.crimes.id": "aggregated", "raw.crimes.ward": "aggregated"},
        ),
        (
            "select to_jsonb(w) as row from raw.wards as w",
            "row",
            {f"raw.wards.{name}": "calculated" for name in ("ward", "name", "shape")},
        ),
        (
            "with c as (select id, month from raw.crimes) select to_jsonb(c.*) as row from c",
            "row",
            {"raw.crimes.id": "calculated", "raw.crimes.month": "calculated"},
        ),
        # A name in quotes keeps its case.
        ('select "Ward Code" as code from raw.quoted', "code", {"raw.quoted.Ward Code": "copied"}),
    ],
)
def test_a_column_is_made_of(sql, column, made_of):
    assert of(sql, column) == made_of


@pytest.mark.parametrize(
    ("sql", "column", "says"),
    [
        ("select 'police' as source from raw.crimes", "source", "'police'"),
        ("select id from raw.crimes", "id", ""),
        (
            "with a as (select 1 + 1 as two) select two as renamed from a",
            "renamed",
            "1 + 1",
        ),
        (
            "select day::date as day from generate_series(1, 3) as day",
            "day",
            "CAST(day.day AS DATE), from GENERATE_SERIES(1, 3)",
        ),
    ],
)
def test_a_column_that_is_made_of_nothing_says_its_expression(sql, column, says):
    assert trace(sql, TABLES).columns[column].says == says


def test_what_decides_about_rows_is_distinguished_from_what_values_are_made_of():
    sql = """
        with named as (select c.id, c.month, c.outcome from raw.crimes as c
                       join raw.wards as w on w.ward = c.ward where w.name <> '')
        select id from named group by id, month having max(outcome) = 'x'
    """

    assert of(sql, "id") == {"raw.crimes.id": "copied"}
    assert rows(sql) == {
        "raw.crimes.*": "rows",
        "raw.wards.*": "rows",
        "raw.crimes.ward": "join",
        "raw.wards.ward": "join",
        "raw.wards.name": "filter",
        "raw.crimes.id": "group",
        "raw.crimes.month": "group",
        "raw.crimes.outcome": "filter",
    }


def test_the_column_that_a_row_is_chosen_by_decides_about_rows():
    sql = "select distinct on (ward) ward, upper(outcome) as o from raw.crimes order by ward, o"

    assert rows(sql) == {
        "raw.crimes.*": "rows",
        "raw.crimes.ward": "group",
        "raw.crimes.outcome": "order",
    }


def test_queries_that_each_read_another_one_twice_are_traced_at_once():
    joined = [
        f"q{n} as (select l.* from q{n - 1} as l join q{n - 1} as r on l.id = r.id)"
        for n in range(1, 30)
    ]
    sql = f"with q0 as (select * from raw.crimes), {', '.join(joined)} select * from q29"

    assert of(sql, "month") == {"raw.crimes.month": "copied"}
    assert rows(sql) == {"raw.crimes.*": "rows", "raw.crimes.id": "join"}


def test_a_recursive_query_ends():
    sql = (
        "with recursive up as (select id, ward from raw.crimes union all "
        "select up.id, c.ward from up join raw.crimes as c on c.id = up.id) select id, ward from up"
    )

    assert of(sql, "ward") == {"raw.crimes.ward": "copied"}


@pytest.mark.parametrize(
    "sql",
    [
        "select from from",
        "drop table raw.crimes",
        "select * from seeds.of_nobody",
        "select over (id), max(month) from raw.crimes group by 1",
    ],
)
def test_a_query_that_cannot_be_read_is_refused(sql):
    with pytest.raises(NotTraced, match="lineage: the query cannot be read"):
        trace(sql, TABLES)


NAMES = ["a", "b", "c"]


@st.composite
def chains(draw: st.DrawFn) -> tuple[str, str, set[str]]:
    """A query of several CTEs that rename and combine columns, one of its columns, its origins."""
    made = {name: {name} for name in NAMES}
    ctes, before = [], "raw.t"
    for number in range(draw(st.integers(1, 5))):
        after, selected = {}, []
        for name in draw(
            st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=4, unique=True)
        ):
            first, second = (draw(st.sampled_from(sorted(made))) for _ in range(2))
            how = draw(st.sampled_from(["{0}", "{0} + {1}", "coalesce({0}, {1})", "upper({0})"]))
            selected.append(f"{how.format(first, second)} as {name}")
            after[name] = made[first] | (made[second] if "{1}" in how else set())
        ctes.append(f"q{number} as (select {', '.join(selected)} from {before})")
        made, before = after, f"q{number}"
    column = draw(st.sampled_from(sorted(made)))
    return f"with {', '.join(ctes)} select * from {before}", column, made[column]


@settings(max_examples=60, deadline=None)
@given(chains())
def test_through_any_chain_of_renames_the_origins_are_found(chain):
    sql, column, origins = chain

    found = trace(sql, {"raw.t": NAMES}).columns[column]

    assert set(found.sources) == {Column("raw.t", name) for name in origins}
    schema = {"raw": {"t": dict.fromkeys(NAMES, "text")}}
    told = lineage(column, sql, schema=schema, dialect="postgres").walk()
    assert {node.name.rpartition(".")[2] for node in told if not node.downstream} == origins
    assert ROWS not in origins
