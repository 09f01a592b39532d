"""A graph written as JSON and read again is the same graph."""

from __future__ import annotations

import pytest

from include.lineage.contracts import contract_graph
from include.lineage.graph import Graph, merged
from include.lineage.stored import dumped, loaded, made_from
from include.sources.model import contracts
from tests.unit.lineage.test_graph import project


def test_nothing_of_a_graph_is_lost_on_the_way() -> None:
    graph = merged([project(), *map(contract_graph, contracts().values())])
    assert graph.made_of
    assert graph.says
    assert graph.untraced

    assert loaded(dumped(graph)) == graph


def test_a_graph_says_which_state_it_describes() -> None:
    assert made_from(dumped(Graph({}, {}), "one")) == "one"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"{}", b'{"made_from": "o', b"\xff"])
def test_a_damaged_graph_describes_no_state_so_it_is_made_again(body: bytes) -> None:
    assert made_from(body) == ""
