"""The pages of the lineage, from a small graph."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.errors import UnknownName
from include.lineage.graph import ROWS, Column, Graph, Table
from include.portal.lineage import ColumnView, TableView, lineage_view, tables_view
from include.portal.pages import render
from tests.portal_books import SCRIPT
from tests.unit.lineage.test_graph import project

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


@pytest.fixture
def graph() -> Graph:
    """A contract's raw table, a staging model, a mart, its file and a consumer."""
    return project()


def test_a_column_of_a_mart_shows_the_field_that_it_comes_from(graph: Graph) -> None:
    made = lineage_view(graph, "marts.crimes.ward_code")

    assert isinstance(made, ColumnView)
    assert ("raw.crimes.ward", "copied", "staging.stg_crimes.ward_code", 2) in [
        (one.column.text, one.how, one.via.text, one.steps) for one in made.upstream
    ]
    # What decides whether the row is there counts, too.
    assert "staging.stg_crimes.month" in [one.column.text for one in made.upstream]


def test_a_field_shows_what_breaks_and_who_is_affected(graph: Graph) -> None:
    made = lineage_view(graph, "raw.crimes.month")

    assert isinstance(made, ColumnView)
    reached = {one.column.text: one.how for one in made.downstream}
    assert reached["marts.crimes (its rows)"] == "filter"
    assert made.used == "A change affects 1 mart, 1 open-data file, 1 other consumer."


def test_what_has_no_page_is_named_without_a_link() -> None:
    mart = Column("marts.a", "v")
    graph = Graph(
        {"marts.a": Table("marts.a", "marts", ("v",))},
        {mart: {Column("seeds.s", "x"): "copied"}, Column("marts.a", ROWS): {}},
    )

    made = lineage_view(graph, "marts.a.v")

    assert isinstance(made, ColumnView)
    assert [(one.column.text, one.column.href) for one in made.upstream] == [("seeds.s.x", "")]


def test_what_nobody_uses_says_so(graph: Graph) -> None:
    made = lineage_view(graph, "raw.crimes.district")

    assert isinstance(made, ColumnView)
    assert made.downstream == []
    assert made.used == "No mart, file or page depends on it."


def test_a_table_lists_its_columns_with_what_each_is_made_of(graph: Graph) -> None:
    made = lineage_view(graph, "crimes")

    assert isinstance(made, TableView)
    assert [column.text for column, _ in made.columns] == [
        "marts.crimes.ward_code",
        "marts.crimes.crimes",
        "marts.crimes (its rows)",
    ]
    ((how, source),) = made.columns[0][1]
    assert (how, source.text) == ("copied", "staging.stg_crimes.ward_code")
    assert [one.text for one in made.upstream] == ["raw.crimes", "staging.stg_crimes"]
    assert [one.text for one in made.downstream] == ["published.crimes", "exposure.report"]


def test_every_link_leads_to_a_column_or_a_table(graph: Graph) -> None:
    asked = [f"{one.name}.{name}" for one in graph.tables.values() for name in one.columns]
    seen = set()
    for name in [*graph.tables, *asked]:
        made = lineage_view(graph, name)
        ways = (
            [part for one in (*made.upstream, *made.downstream) for part in (one.column, one.via)]
            if isinstance(made, ColumnView)
            else [*made.upstream, *made.downstream, *(column for column, _ in made.columns)]
        )
        seen |= {one.href for one in ways}

    assert len(seen) > 5
    for href in seen:
        lineage_view(graph, href.removeprefix("lineage?of="))


def test_marts_and_contracts_come_first(graph: Graph) -> None:
    assert [layer for layer, _ in tables_view(graph)][:2] == ["Marts", "Raw tables"]


def test_a_model_that_is_not_traced_is_named(graph: Graph) -> None:
    assert "marts.broken" in graph.untraced

    assert lineage_view(graph, "marts.broken.a").untraced.startswith("marts.broken: ")


def test_an_unknown_name_is_refused_with_the_nearest_one(graph: Graph) -> None:
    with pytest.raises(UnknownName, match="Did you mean"):
        lineage_view(graph, "marts.crimes.ward_cod")


@pytest.mark.parametrize("of", ["marts.crimes", "marts.crimes.crimes", ""])
def test_script_in_an_expression_is_shown_as_text(graph: Graph, of: str) -> None:
    says = {Column("marts.crimes", "crimes"): SCRIPT, Column("marts.crimes", ROWS): SCRIPT}
    graph = Graph(graph.tables, graph.made_of, says, {"marts.crimes": SCRIPT})
    view = lineage_view(graph, of) if of else None

    body = render(
        "lineage.html",
        "lineage",
        title="x",
        view=view,
        is_column=isinstance(view, ColumnView),
        layers=tables_view(graph),
        meanings={},
        now=NOW,
    ).body.decode()

    assert SCRIPT not in body
    assert "&lt;script&gt;" in body
