"""The shape of the DAGs: who waits for whom, when they run, what their forms ask."""

from __future__ import annotations

import json

import pytest
from airflow.sdk import Asset, CronTriggerTimetable
from airflow.sdk.exceptions import ParamValidationError
from airflow.serialization.encoders import encode_timetable

from include.councils.model import councils
from include.sources.model import contracts, every_contract
from plugins.period_timetable import PeriodTimetable

CONTRACTS = list(contracts().values())
CRIME = "ingest_police_street_crime"
each_contract = pytest.mark.parametrize("contract", CONTRACTS, ids=lambda c: c.name)


@pytest.fixture
def ingest(dag_bag, contract):
    return dag_bag.get_dag(f"ingest_{contract.name}")


@pytest.fixture
def form(dag_bag):
    """The form of a DAG as the API server sees it."""
    from airflow.serialization.serialized_objects import DagSerialization

    dag = dag_bag.get_dag(CRIME)
    return DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag)).params


def of_files(contract) -> list[str]:
    """The task that fails for files that belong to nothing."""
    return ["files"] if contract.extract.kind == "files" else []


@each_contract
def test_ingest_is_plan_then_partitions_then_two_leaves(ingest, contract):
    edges = {task.task_id: task.downstream_task_ids for task in ingest.tasks}
    leaf = of_files(contract)

    assert edges == {name: set() for name in leaf} | {
        "plan": {"partition.extract", "partition.load", "announce", "reconcile", *leaf},
        "partition.extract": {"partition.load"},
        "partition.load": {"announce", "reconcile"},
        "announce": set(),
        "reconcile": set(),
    }


@each_contract
def test_a_partition_is_a_mapped_group_of_its_own(ingest):
    group = ingest.task_group.get_child_by_label("partition")

    assert type(group).__name__ == "MappedTaskGroup"
    assert set(group.children) == {"partition.extract", "partition.load"}


@each_contract
def test_trigger_rules_let_a_reload_load_and_both_leaves_always_run(ingest, contract):
    rules = {task.task_id: task.trigger_rule.value for task in ingest.tasks}

    assert rules == dict.fromkeys(of_files(contract), "all_success") | {
        "plan": "all_success",
        "partition.extract": "all_success",
        "partition.load": "none_failed",
        "announce": "all_done",
        "reconcile": "all_done",
    }


@each_contract
def test_partitions_are_fetched_as_many_at_a_time_as_the_contract_says(ingest, contract):
    extract = ingest.get_task("partition.extract")

    assert extract.max_active_tis_per_dag == contract.extract.parallel


@each_contract
def test_a_snapshot_runs_at_the_moment_and_others_over_an_interval(ingest, contract):
    kind = CronTriggerTimetable if contract.snapshot else PeriodTimetable

    assert isinstance(ingest.timetable, kind)
    assert encode_timetable(ingest.timetable)["__var"]["expression"] == contract.schedule
    assert bool(ingest.start_date) is not contract.snapshot


@each_contract
def test_the_documentation_is_the_contracts(ingest, contract):
    for fact in (contract.title, contract.description.strip(), contract.publisher):
        assert fact in ingest.doc_md
    for fact in (contract.licence, *contract.key):
        assert fact in ingest.doc_md


@each_contract
def test_the_form_offers_every_council_and_both_modes(ingest, contract):
    form = ingest.params
    offered = ["uk"] if contract.councils == "uk" else list(councils())

    assert list(form) == ["councils", "from", "to", "mode", "force", "dry_run"]
    assert form["councils"] == offered
    assert form.get_param("councils").schema["examples"] == offered
    assert form.get_param("mode").schema["enum"] == ["fetch", "reload"]
    assert (form["from"], form["to"], form["mode"], form["force"]) == (None, None, "fetch", False)


@pytest.mark.parametrize(
    "conf",
    [
        {"councils": ["kingstn"]},
        {"councils": []},
        {"councils": ["sutton", "sutton"]},
        {"councils": "sutton"},
        {"from": "05/2017"},
        {"from": "2017-05-01"},
        {"to": "2017"},
        {"mode": "replay"},
        {"force": "yes"},
        {"dry_run": "yes"},
    ],
    ids=json.dumps,
)
def test_the_form_refuses_what_makes_no_sense(form, conf):
    with pytest.raises(ParamValidationError):
        form.deep_merge(conf).validate()


@pytest.mark.parametrize(
    "conf",
    [
        {},
        {"councils": ["sutton"], "from": "2017-01", "to": "2017-12"},
        {"from": None, "mode": "reload", "force": True},
    ],
    ids=json.dumps,
)
def test_the_form_accepts_what_does(form, conf):
    merged = form.deep_merge(conf).validate()

    assert conf.items() <= merged.items()


def test_transform_waits_for_any_of_the_tables_that_ingest_announces(dag_bag):
    announced = {
        (outlet.name, outlet.uri)
        for dag in dag_bag.dags.values()
        for task in dag.tasks
        for outlet in task.outlets
        if isinstance(outlet, Asset)
    }
    schedule = dag_bag.get_dag("transform").timetable.asset_condition

    assert type(schedule).__name__ == "AssetAny"
    assert {(asset.name, asset.uri) for asset in schedule.objects} == announced
    assert {name for name, _ in announced} == {f"raw.{contract.name}" for contract in CONTRACTS}


def test_transform_runs_once_at_a_time_so_that_a_burst_of_loads_shares_a_run(dag_bag):
    assert dag_bag.get_dag("transform").max_active_runs == 1


def test_transform_is_staging_then_marts_then_docs_and_freshness_blocks_nothing(dag_bag):
    edges = {t.task_id: t.downstream_task_ids for t in dag_bag.get_dag("transform").tasks}

    assert edges == {
        "staging": {"marts"},
        "marts": {"publish", "reconcile"},
        "publish": set(),
        "reconcile": set(),
        "freshness": set(),
    }


def test_a_failed_layer_lets_the_marts_be_built_and_published_and_the_run_reconciled(dag_bag):
    rules = {t.task_id: t.trigger_rule.value for t in dag_bag.get_dag("transform").tasks}

    assert rules == {
        "staging": "all_success",
        "marts": "all_done",
        "publish": "all_done",
        "reconcile": "all_done",
        "freshness": "all_success",
    }


def test_a_source_that_is_switched_off_has_no_dag(dag_bag):
    off = [name for name, contract in every_contract().items() if not contract.enabled]

    assert off
    assert [name for name in off if f"ingest_{name}" in dag_bag.dags] == []


def test_a_source_that_needs_another_says_so_on_its_page(dag_bag):
    children = [contract for contract in CONTRACTS if contract.extract.parents]

    assert len(children) >= 2
    for child in children:
        page = dag_bag.dags[f"ingest_{child.name}"].doc_md
        for parent in child.extract.parents.values():
            assert f"| Depends on | `{parent.source}`" in page or f", `{parent.source}`" in page
