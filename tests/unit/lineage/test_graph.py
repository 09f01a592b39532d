"""Up and down the graph of columns: what is reached, once, and by which way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import UnknownName
from include.lineage.graph import ROWS, Column, Graph, Table
from include.lineage.models import model_graph, shown_graph


def model(table: str, columns: list[str], sql: str, *parents: str) -> dict:
    unique_id = f"model.wandle.{table.partition('.')[2]}"
    return {
        "unique_id": unique_id, "table": table, "columns": columns, "depends_on": [*parents],
        "sql": sql,
    }  # fmt: skip


def project(source_column: str = "ward") -> Graph:
    described = {
        "models": [
            model(
                "staging.stg_crimes",
                ["ward_code", "month"],
                f"select {source_column} as ward_code, month from raw.crimes",
            ),
            model(
                "marts.crimes",
                ["ward_code", "crimes"],
                "select ward_code, count(*) as crimes from staging.stg_crimes "
                "where month > '2017' group by ward_code",
            ),
            model("marts.broken", ["a"], "select from where"),
        ],
        "exposures": [
            {
                "name": "report",
                "label": "Report",
                "owner": "Jo",
                "depends_on": ["model.wandle.crimes"],
            }
        ],
    }
    raw = {"raw.crimes": ["ward", "district", "month"]}
    published = shown_graph("published", {"crimes": ["crimes"]})
    models = model_graph(described, raw)
    return Graph(
        models.tables
        | published.tables
        | {"raw.crimes": Table("raw.crimes", "raw", ("ward", "district", "month"))},
        {**models.made_of, **published.made_of},
        models.says,
        models.untraced,
    )


def names(steps) -> list[str]:
    return [str(step.column) for step in steps]


def test_a_column_is_followed_to_the_source_and_to_everyone_who_sees_it():
    graph = project()

    up = graph.upstream(graph.named("crimes.ward_code"))
    down = graph.downstream(graph.named("raw.crimes.ward"))

    assert names(up) == ["staging.stg_crimes.ward_code", "raw.crimes.ward"]
    assert [step.depth for step in up] == [1, 2]
    assert names(down)[0] == "staging.stg_crimes.ward_code"
    assert {"marts.crimes (its rows)", "marts.crimes.ward_code", "published.crimes (its rows)"} <= {
        *names(down)
    }
    assert "exposure.report (its rows)" in names(down)
    assert graph.says[Column("exposure.report", ROWS)] == "Report; owner: Jo"


def test_a_filter_changes_rows_and_what_counts_them():
    down = names(project().downstream([Column("raw.crimes", "month")]))

    assert "marts.crimes (its rows)" in down
    assert "published.crimes (its rows)" in down
    assert "marts.crimes.ward_code" not in down


def test_the_source_that_a_staging_column_was_renamed_to_is_the_one_that_breaks_it():
    before, after = project("ward"), project("district")
    told = [Column("marts.crimes", "ward_code"), Column("staging.stg_crimes", "ward_code")]

    for column in told:
        assert column in {s.column for s in before.downstream([Column("raw.crimes", "ward")])}
        assert column in {s.column for s in after.downstream([Column("raw.crimes", "district")])}
    assert before.downstream([Column("raw.crimes", "district")]) == []
    assert after.downstream([Column("raw.crimes", "ward")]) == []


def test_a_model_that_cannot_be_read_is_named_and_breaks_no_other():
    graph = project()

    assert graph.untraced.keys() == {"marts.broken"}
    assert graph.upstream([Column("marts.broken", "a")]) == []


def test_a_column_that_nobody_described_is_followed_through_its_model():
    models = [
        model("marts.b", ["v"], "select hidden as v from staging.a, raw.c", "model.wandle.a"),
        model("staging.a", ["id"], "select id, x as hidden from raw.a"),
    ]

    graph = model_graph({"models": models, "exposures": []}, {"raw.a": ["id", "x"], "raw.c": []})

    assert names(graph.upstream([Column("marts.b", "v")])) == ["staging.a.hidden", "raw.a.x"]
    assert graph.named("staging.a.hidden") == [Column("staging.a", "hidden")]


@pytest.mark.parametrize("column", ["Ward. Code", "<script>", "a b", 'x"y', "é", "a.b.c", "."])
def test_a_column_is_found_whatever_it_is_called(column):
    graph = Graph({"marts.a": Table("marts.a", "marts", (column,))}, {})

    assert graph.named(f"marts.a.{column}") == [Column("marts.a", column)]
    assert graph.named(f"a.{column}") == [Column("marts.a", column)]


def test_the_origins_of_a_count_are_rows():
    origins = project().origins(Column("marts.crimes", "crimes"))

    assert Column("raw.crimes", ROWS) in origins


def test_a_name_without_a_schema_is_that_of_the_mart():
    graph = project()

    assert graph.named("crimes") == [
        Column("marts.crimes", name) for name in ("ward_code", "crimes", ROWS)
    ]
    assert graph.named("published.crimes.crimes") == [Column("published.crimes", "crimes")]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("marts.crimes.ward_cod", "marts.crimes has no column 'ward_cod'. Did you mean ward_code?"),
        ("stg_crime", "unknown table or column 'stg_crime'. Did you mean"),
        ("", "unknown table or column ''"),
    ],
)
def test_an_unknown_name_is_refused_with_one_like_it(text, told):
    with pytest.raises(UnknownName) as caught:
        project().named(text)

    assert told in str(caught.value)


@given(
    st.dictionaries(
        st.integers(0, 8).map(lambda n: Column("t", str(n))),
        st.dictionaries(st.integers(0, 8).map(lambda n: Column("t", str(n))), st.just("copied")),
    ),
    st.integers(0, 8),
)
def test_up_and_down_agree_also_in_circles(made_of, number):
    graph = Graph({}, made_of)
    column = Column("t", str(number))

    up = {step.column for step in graph.upstream([column])}

    assert column not in up
    assert len(up) == len(graph.upstream([column]))
    assert all(column in {s.column for s in graph.downstream([one])} for one in up)
