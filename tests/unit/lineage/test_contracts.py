"""From the fields of a contract to its raw table: each column comes from one or says what it is."""

from __future__ import annotations

from include.lineage.contracts import contract_graph
from include.lineage.graph import ROWS, Column, merged
from include.sources.model import every_contract
from include.sources.raw_table import expected_columns

CONTRACTS = every_contract()


def test_every_raw_column_of_every_contract_comes_from_a_field_or_says_what_it_is():
    assert len(CONTRACTS) >= 10
    graph = merged(map(contract_graph, CONTRACTS.values()))
    raw = [table for table in graph.tables.values() if table.name.startswith("raw.")]
    columns = [Column(table.name, name) for table in raw for name in table.columns]

    assert len(columns) >= 100
    assert [
        str(one) for one in columns if not (graph.made_of.get(one) or graph.says.get(one))
    ] == []
    fields = [each for one in columns for each in graph.origins(one) if each != one]
    assert len(fields) >= 60
    assert [str(one) for one in fields if not graph.says.get(one)] == []


def test_a_field_says_its_path_in_a_record_or_the_value_of_the_request():
    graph = contract_graph(CONTRACTS["police_street_crime"])
    says = {column.name: text for column, text in graph.says.items()}

    assert says["street_id"] == "field location.street.id"
    assert says["category"] == "field category"
    assert says["ward_code"] == "value of the request: ward.code"


def test_what_is_requested_depends_on_the_source_that_it_is_requested_with():
    graph = contract_graph(CONTRACTS["police_street_crime"])
    asked = graph.made_of[Column("contract.police_street_crime", ROWS)]

    assert asked[Column("contract.police_ward_boundaries", "latitude")] == "request"


def test_what_is_dropped_has_no_column_and_a_pseudonym_is_called_one():
    personal = [c for one in CONTRACTS.values() for c in one.columns if c.personal != "no"]
    kinds = {column.personal for column in personal}
    assert {"drop", "pseudonymise"} <= kinds

    for name, contract in CONTRACTS.items():
        graph = contract_graph(contract)
        for column in contract.columns:
            made = graph.made_of.get(Column(f"raw.{name}", column.name), {})
            assert (column.name in expected_columns(contract)) == (column.personal != "drop")
            assert ("pseudonymised" in made.values()) == (column.personal == "pseudonymise")
