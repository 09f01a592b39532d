"""DAGs of a source that reads landings, and the forms of every size of a partition."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml
from airflow.sdk import Asset
from airflow.sdk.exceptions import ParamValidationError

from include.jobs.migrate import migrate
from include.sources.partition import FORMS, Period
from tests.broken import copied
from tests.dags.running import Run
from tests.integration.conftest import serving
from tests.integration.fixture_server import Asked, FixtureServer, Reply
from tests.integration.test_followers import DOCUMENTS, PLANS
from tests.integration.test_periods import GRAINS, fields

DAGS = Path(__file__).parents[2] / "dags"
DAY = str(datetime.now(UTC).date() - timedelta(days=1))


def _answer(asked: Asked) -> Reply:
    found = [{"id": 1, "who": "Ada", "documents": [{"name": asked.values["day"]}]}]
    return Reply(json.dumps({"plans": found if asked.values["page"] == "0" else []}).encode())


@pytest.fixture(scope="module")
def sources(services, dag_bag, tmp_path_factory) -> Iterator[Any]:
    """The sources, their tables, an API that has them, and Airflow that knows their DAGs."""
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db

    server = FixtureServer().on("/plans", _answer)
    with (
        copied(tmp_path_factory.mktemp("followers")) as found,
        serving(server) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("WANDLE_SANDBOX_URL", url)
        patch.setenv("WANDLE_PSEUDONYM_KEY", "k" * 64)
        for item in (PLANS, DOCUMENTS, *map(fields, GRAINS)):
            found.write(found.sources / f"{item['name']}.yaml", yaml.safe_dump(item))
        migrate(services.admin_dsn, {})
        bag = DagBag(dag_folder=DAGS)
        sync_bag_to_db(bag, "dags-folder", None)
        yield bag


def run_of(kind: str, **conf: Any) -> Any:
    return SimpleNamespace(
        dag_id="ingest_documents", run_type=kind, conf=conf, run_id="r",
        data_interval_start=None, data_interval_end=None,
    )  # fmt: skip


def planned(bag: Any, kind: str) -> list[tuple[str, str]]:
    dag = bag.get_dag("ingest_documents")
    task = dag.get_task("plan")
    found = task.python_callable(**task.op_kwargs, params=dag.params.dump(), dag_run=run_of(kind))
    return [(item["council"], item["period"]) for item in found]


def test_a_run_of_the_source_starts_the_one_that_reads_its_landings(sources, metadata, services):
    from airflow.dag_processing.dagbag import DagBag

    documents = sources.get_dag("ingest_documents")
    assert [asset.name for asset in documents.timetable.asset_condition.objects] == [
        "landing.plans"
    ]
    assert planned(sources, "asset_triggered") == []

    bag = DagBag(dag_folder=DAGS)
    conf = {"councils": ["sutton"], "from": DAY, "to": DAY}
    run = Run(bag.get_dag("ingest_plans"), conf, metadata)

    assert run.state == "success"
    assert sorted(run.announced) == ["landing.plans", "raw.plans"]
    assert planned(sources, "asset_triggered") == [("sutton", DAY)]

    child = Run(DagBag(dag_folder=DAGS).get_dag("ingest_documents"), {}, metadata)

    assert child.state == "success"
    assert child.states[f"load sutton {DAY}"] == "success"
    assert child.announced == ["raw.documents"]
    assert services.query("select plan_id, name from raw.documents") == [(1, DAY)]
    assert planned(sources, "asset_triggered") == []


def test_a_reload_of_the_source_starts_nothing(sources, metadata):
    from airflow.dag_processing.dagbag import DagBag

    conf = {"councils": ["sutton"], "from": DAY, "to": DAY, "mode": "reload"}
    run = Run(DagBag(dag_folder=DAGS).get_dag("ingest_plans"), conf, metadata)

    assert run.state == "success"
    assert run.states["announce_landings"] == "skipped"
    assert run.announced == []


def test_only_a_source_that_is_followed_announces_its_landings(sources):
    assert "announce_landings" in sources.get_dag("ingest_plans").task_dict
    assert "announce_landings" not in sources.get_dag("ingest_by_hour").task_dict
    (outlet,) = sources.get_dag("ingest_plans").get_task("announce_landings").outlets
    assert outlet == Asset("landing.plans")


@pytest.mark.parametrize("grain", GRAINS)
def test_the_form_takes_only_periods_of_its_size_and_says_how_they_are_written(sources, grain):
    form = sources.get_dag(f"ingest_by_{grain}").params
    own = FORMS[grain].example

    for name in ("from", "to"):
        assert FORMS[grain].example in form.get_param("from").description
        assert form.get_param(name).resolve(own) == own
        for other in GRAINS:
            text = FORMS[other].example
            if other != grain and {grain, other} != {"month", "financial_year"}:
                with pytest.raises(ParamValidationError):
                    form.get_param(name).resolve(text)
    assert str(Period.parse(own, grain)) == own
    assert grain.replace("_", " ") in sources.get_dag(f"ingest_by_{grain}").doc_md
