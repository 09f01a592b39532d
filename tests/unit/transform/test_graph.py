"""Which layer builds a node, what waits for it, and that no node goes missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.errors import ServiceUnavailable
from include.transform.build import NOT_BUILT, accounted_for, held_back, refuse_failures
from include.transform.failures import BuildFailed
from include.transform.graph import Node, Result, by_layer, downstream


def model(name: str, folder: str, *parents: str) -> Node:
    return Node(f"model.{name}", "model", f"models/{folder}/{name}.sql", f"fqn:w.{name}", parents)


def check(name: str, *parents: str) -> Node:
    return Node(f"test.{name}", "test", "models/any.yml", f"fqn:w.{name}", parents)


def result(node: Node, status: str, message: str = "", failures: int | None = None) -> Result:
    return Result(node.unique_id, node.resource_type, status, 0.1, None, failures, message)


STAGED = model("stg", "staging/police", "source.raw")
INNER = model("int", "intermediate", "model.stg")
MART = model("mart", "marts", "model.int")
OTHER = model("other", "marts", "model.int")
OF_STAGED = check("not_null_stg", "model.stg")
OF_INNER = check("unique_int", "model.int")
OF_MART = check("sum", "model.int", "model.mart")
NODES = [STAGED, INNER, MART, OTHER, OF_STAGED, OF_INNER, OF_MART]
STAGING = {node.unique_id: node for node in (STAGED, INNER, OF_STAGED, OF_INNER)}


def test_every_node_belongs_to_one_layer():
    layers = by_layer(NODES)

    assert set(layers["staging"]) == {
        "model.stg",
        "model.int",
        "test.not_null_stg",
        "test.unique_int",
    }
    assert set(layers["marts"]) == {"model.mart", "model.other", "test.sum"}


def test_a_test_of_a_source_runs_first():
    assert "test.fresh" in by_layer([check("fresh", "source.raw")])["staging"]


@pytest.mark.parametrize("folder", ["elsewhere", "mart", ""])
def test_a_model_outside_the_layers_is_an_error_of_its_own(folder):
    layers = by_layer([*NODES, model("lost", folder)])

    assert "is in no layer" in layers["staging"]["model.lost"].error
    assert [node.error for node in layers["marts"].values()] == [""] * 3


ALL = {node.unique_id: node for node in NODES}


def test_what_depends_on_a_failed_model_is_downstream_of_it():
    assert downstream(ALL, ["model.int"]) == dict.fromkeys(
        ("model.int", "model.mart", "model.other", "test.unique_int", "test.sum"), "model.int"
    )


def test_what_depends_on_a_model_is_downstream_of_its_tests_and_the_model_is_not():
    assert set(downstream(ALL, ["test.unique_int"])) == {
        "test.unique_int", "model.mart", "model.other", "test.sum",
    }  # fmt: skip


def test_a_node_is_downstream_of_the_first_cause():
    cause = downstream(ALL, ["model.stg", "model.int"])

    assert cause["model.int"] == cause["model.mart"] == "model.stg"


def test_a_mart_waits_for_what_failed_below_it_and_says_for_what():
    marts = {name: ALL[name] for name in ("model.mart", "model.other", "test.sum")}
    apart = model("apart", "marts", "source.raw")

    held = held_back(ALL | {"model.apart": apart}, marts | {"model.apart": apart}, ["model.stg"])

    assert {item.unique_id: item.message for item in held} == dict.fromkeys(
        marts, "not built, because model stg failed"
    )


def test_the_error_of_a_broken_model_names_what_is_stale():
    broken = replace(STAGED, error="it does not parse")
    nodes = ALL | {"model.stg": broken}
    results = held_back(nodes, {"model.stg": broken, "model.int": INNER}, [])

    with pytest.raises(BuildFailed) as failed:
        refuse_failures("staging", nodes, results)

    assert "model stg (models/staging/police/stg.sql): it does not parse." in str(failed.value)
    assert "Stale because of it: int, mart, other, stg." in str(failed.value)


def test_a_node_that_dbt_does_not_report_counts_as_not_built():
    reported = [result(STAGED, "success"), result(INNER, "success"), result(OF_STAGED, "pass")]

    results = accounted_for(STAGING, reported)

    assert [item.status for item in results if item.unique_id == "test.unique_int"] == [NOT_BUILT]
    with pytest.raises(BuildFailed, match=r"test unique_int .*dbt did not report it"):
        refuse_failures("staging", STAGING, results)


def test_an_empty_report_is_a_failure():
    with pytest.raises(BuildFailed):
        refuse_failures("staging", STAGING, accounted_for(STAGING, []))


@pytest.mark.parametrize("status", ["skipped", "no-op", "partial success", "runtime error"])
def test_only_known_good_statuses_are_good(status):
    results = [result(node, "success") for node in (STAGED, INNER, OF_STAGED)]

    with pytest.raises(BuildFailed):
        refuse_failures("staging", STAGING, [*results, result(OF_INNER, status)])


def test_a_warning_does_not_fail():
    results = [result(node, "success") for node in (STAGED, INNER, OF_STAGED)]

    refuse_failures("staging", STAGING, [*results, result(OF_INNER, "warn", "Got 3 results")])


def test_the_error_names_the_node_its_file_its_message_and_what_to_do():
    results = [
        result(STAGED, "success"),
        result(OF_STAGED, "fail", "Got 3 results, configured to fail if != 0", 3),
        result(INNER, "skipped"),
        result(OF_INNER, "skipped"),
    ]

    with pytest.raises(BuildFailed) as failed:
        refuse_failures("staging", STAGING, results)

    assert str(failed.value) == (
        "dbt staging: 1 of 4 nodes failed, 2 were not built because of a failure. "
        "test not_null_stg (models/any.yml): Got 3 results, configured to fail if != 0. "
        "Stale because of it: int. Fix the data (reload or ingest it again), or the model or test "
        "in dbt_project/, then run `wandle transform`, or clear this task: it rebuilds what failed "
        "and everything downstream."
    )


def test_a_lost_connection_may_recover_by_itself():
    message = "Database Error in model stg\n  server closed the connection unexpectedly"

    with pytest.raises(ServiceUnavailable):
        refuse_failures("staging", STAGING, [result(STAGED, "error", message)])


def test_a_lost_connection_next_to_a_failed_test_needs_a_person():
    lost = result(STAGED, "error", "server closed the connection unexpectedly")

    with pytest.raises(BuildFailed):
        refuse_failures("staging", STAGING, [lost, result(OF_STAGED, "fail", "Got 1 result")])
