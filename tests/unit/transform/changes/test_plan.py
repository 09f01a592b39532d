"""What a build does with each node, from what was built and what the raw tables hold."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.transform.changes.loads import TABLE, Loads, merged, unknown
from include.transform.changes.plan import State, plan
from include.transform.graph import Node

PLACES = [f"{council} 2017-{month:02}-01T00:00:00" for council in "ab" for month in (1, 2, 3)]
LOADS = Loads({TABLE: "1/0", **{place: "1" for place in PLACES}})


def node(name: str, *parents: str, materialized: str = "incremental", **more: object) -> Node:
    kind = "test" if materialized == "test" else "model"
    columns = ("council", "month") if materialized in ("incremental", "view") else ()
    return Node(
        f"model.{name}",
        kind,
        "models/marts/x.sql",
        f"fqn:wandle.{name}",
        parents,
        key=f"marts.{name}",
        materialized=materialized,
        fingerprint="f",
        partition_by=columns,
        driven_by=("crimes",),
        **more,  # type: ignore[arg-type]
    )


VIEW = node("stg", "source.wandle.raw.crimes", materialized="view")
TABLE_BELOW = node("int", "model.stg")
MART = node("mart", "model.int")
WHOLE = node("whole", "model.int", materialized="table")
TEST = node("not_null", "model.mart", materialized="test")
NODES = {each.unique_id: each for each in (VIEW, TABLE_BELOW, MART, WHOLE, TEST)}
BUILT = {each.key: State("f", {"crimes": LOADS}, exists=True) for each in NODES.values()}


def changed(**loads: str) -> Loads:
    """The loads with others in the first places."""
    named = dict(zip(("first", "second", "third"), PLACES, strict=False))
    return Loads({**LOADS.by_place, **{named[name]: load for name, load in loads.items()}})


def how(raw: Loads, states: dict[str, State] = BUILT, nodes: dict[str, Node] = NODES):
    steps = plan(nodes, nodes, states, {"crimes": raw})
    return {nodes[name].short_name: step.how for name, step in steps.items()}


def test_what_was_built_from_the_same_loads_is_kept():
    assert {*how(LOADS).values()} == {"keep"}


def test_the_partition_of_a_new_load_is_rebuilt_and_models_without_partitions_are_built_whole():
    steps = plan(NODES, NODES, BUILT, {"crimes": changed(first="2")})

    assert steps["model.mart"].partitions == (("a", "2017-01-01T00:00:00"),)
    assert steps["model.stg"].how == "keep"
    assert (steps["model.whole"].how, steps["model.not_null"].how) == ("whole", "whole")


def test_a_partition_without_a_load_is_rebuilt_as_well():
    gone = Loads({place: load for place, load in LOADS.by_place.items() if place != PLACES[0]})

    assert how(gone)["mart"] == "partitions"


def test_many_partitions_are_rebuilt_together():
    assert how(changed(first="2", second="2"))["mart"] == "partitions"
    assert how(changed(first="2", second="2", third="2"))["mart"] == "whole"


@pytest.mark.parametrize(
    "state",
    [
        None,
        State("other", {"crimes": LOADS}, exists=True),
        State(None, {"crimes": LOADS}, exists=True),
        State("f", {"crimes": LOADS}, exists=False),
    ],
    ids=["never built", "other code", "forgotten", "dropped"],
)
def test_a_model_whose_rows_are_not_known_is_built_whole_and_tested_again(state):
    states = {key: value for key, value in BUILT.items() if key != MART.key}
    if state:
        states[MART.key] = state

    found = how(LOADS, states)

    assert (found["mart"], found["not_null"], found["int"]) == ("whole", "whole", "keep")


def test_a_table_that_was_changed_outside_loads_is_read_whole():
    assert how(Loads({**LOADS.by_place, TABLE: "2/0"}))["mart"] == "whole"


def test_a_load_of_a_source_other_than_that_of_the_partitions_builds_all():
    nodes = {**NODES, MART.unique_id: replace(MART, driven_by=("other",))}

    assert how(changed(first="2"), nodes=nodes)["mart"] == "whole"


def test_a_source_that_is_not_a_raw_table_counts_as_changed_in_every_run():
    elsewhere = node("mart", "source.wandle.elsewhere.crimes")

    assert how(LOADS, nodes={elsewhere.unique_id: elsewhere}) == {"mart": "whole"}


def test_a_test_that_warned_reads_everything_again():
    test = replace(TEST, partition_by=("council", "month"))
    nodes = {**NODES, TEST.unique_id: test}
    warned = BUILT | {TEST.key: replace(BUILT[TEST.key], warning="2 rows")}

    assert how(changed(first="2"), nodes=nodes)["not_null"] == "partitions"
    assert how(changed(first="2"), warned, nodes)["not_null"] == "whole"


def test_a_mart_holds_the_loads_of_its_table_and_not_those_of_raw():
    layer = [name for name in NODES if name != "model.int"]

    steps = plan(NODES, layer, BUILT, {"crimes": changed(first="2")})

    assert steps["model.mart"].how == "keep"
    assert steps["model.mart"].inputs == {"crimes": LOADS}


def test_neither_of_two_loads_of_a_partition_is_known():
    found = merged([{"crimes": LOADS}, {"crimes": changed(first="2")}])["crimes"]

    assert found.changed_from(LOADS) == found.changed_from(changed(first="2")) == {PLACES[0]}
    assert found.by_place[PLACES[0]] != unknown()


def test_partitions_of_days_are_those_of_the_month_in_a_column_of_that_name():
    days = Loads({f"a 2017-0{month}-02T00:00:00": "1" for month in (1, 2, 3, 4)})
    states = {key: State("f", {"crimes": days}, exists=True) for key in BUILT}
    later = Loads({**days.by_place, "a 2017-01-31T00:00:00": "2"})

    step = plan(NODES, NODES, states, {"crimes": later})["model.mart"]

    assert step.partitions == (("a", "2017-01-01T00:00:00"),)
