"""Columns that loaded partitions have never filled, and which models read them."""

from __future__ import annotations

import pytest

from include.transform.graph import Node
from include.transform.sources import BEGIN, END
from include.transform.unfilled import refuse_dropped, refuse_unfilled, unfilled_columns
from tests.samples import column, contract

GAUGES = contract(column("id"), column("depth", "double"))
SQL = f"""
with source as (
    select
        {BEGIN}
        "id",
        "depth"
        {END}
    from {{{{ source('raw', 'gauges') }}}}
)
select %s from source
"""


def staged(project, selected: str, error: str = "") -> Node:
    path = "models/staging/stg_gauges.sql"
    (project / "models/staging").mkdir(parents=True, exist_ok=True)
    (project / path).write_text(SQL % selected)
    name = "model.wandle.stg_gauges"
    return Node(name, "model", path, "fqn:wandle.stg", ("source.wandle.raw.gauges",), error)


def test_partitions_are_counted_that_were_loaded_without_a_column():
    loaded = [("gauges", ["id"], 2), ("gauges", ["id", "other"], 3), ("gauges", ["id", "depth"], 9)]

    assert unfilled_columns(loaded, {"gauges": GAUGES}) == {"gauges": {"depth": 5}}


def test_a_source_without_a_contract_has_no_columns_to_fill():
    assert unfilled_columns([("gone", ["id"], 2)], {"gauges": GAUGES}) == {}


@pytest.mark.parametrize("selected", ["id, depth", "round(depth, 1) as deep", "*"])
def test_a_model_that_reads_such_a_column_is_refused(tmp_path, selected):
    node = staged(tmp_path, selected)

    (found,) = refuse_unfilled([node], {"gauges": {"depth": 5}}, tmp_path)

    assert found.error.startswith("it selects depth of raw.gauges, which 5 partitions never filled")
    assert "`wandle reload gauges`" in found.error


@pytest.mark.parametrize("selected", ["id", "depth_unit", "id as deep"])
def test_a_model_that_does_not_read_it_is_built(tmp_path, selected):
    node = staged(tmp_path, selected)

    assert [*refuse_unfilled([node], {"gauges": {"depth": 5}}, tmp_path)] == [node]


def test_a_model_of_another_source_is_built(tmp_path):
    node = staged(tmp_path, "*")

    assert [*refuse_unfilled([node], {"tides": {"depth": 5}}, tmp_path)] == [node]


def test_a_model_that_does_not_parse_keeps_its_own_error(tmp_path):
    node = staged(tmp_path, "*", error="it does not parse")

    assert [*refuse_unfilled([node], {"gauges": {"depth": 5}}, tmp_path)] == [node]


def test_a_model_that_takes_a_column_which_left_the_contract_is_refused(tmp_path):
    node = staged(tmp_path, "id")

    (found,) = refuse_dropped([node], {"gauges": contract(column("id"))}, tmp_path)

    assert found.error.startswith(
        "it selects depth of raw.gauges, which the contract no longer has"
    )
    assert "`wandle sync`" in found.error
    assert [*refuse_dropped([node], {"gauges": GAUGES}, tmp_path)] == [node]
    assert [*refuse_dropped([node], {}, tmp_path)] == [node]
