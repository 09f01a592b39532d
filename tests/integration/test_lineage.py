"""Lineage of the shipped project, and the events of real jobs on PostgreSQL and S3."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from include.errors import LoadRefused
from include.jobs.lineage.columns import ask, project_graph
from include.jobs.pipeline.ingest import ingest
from include.jobs.pipeline.load import load
from include.jobs.pipeline.transform import transform
from include.lineage.graph import ROWS, Column, Graph
from include.sources.model import contracts
from include.transform.project import FOLDER
from tests.integration.landings import land
from tests.lineage_events import problems
from tests.samples import contract, partition

STAGING = "models/staging/police/stg_police__street_crime.sql"
PERSON = "Jo Bloggs of 1 Acacia Avenue"


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Graph:
    """The graph of the shipped project."""
    return project_graph(contracts(), state=tmp_path_factory.mktemp("state"))


def kinds(graph: Graph, steps: Any) -> set[str]:
    return {graph.tables[step.column.table].kind for step in steps}


def test_every_mart_column_comes_from_fields_of_contracts_or_says_its_expression(graph):
    marts = [table for table in graph.tables.values() if table.name.startswith("marts.")]
    columns = [Column(table.name, name) for table in marts for name in table.columns]
    assert len(columns) >= 100
    assert graph.untraced == {}

    unknown, fields = [], set()
    for column in columns:
        for origin in graph.origins(column):
            fields.add(graph.tables[origin.table].kind)
            if origin.name != ROWS and not graph.says.get(origin):
                unknown.append(f"{column} <- {origin}")
        assert graph.made_of.get(column) or graph.says.get(column), column
    assert unknown == []
    # Whatever a model selects from is in the graph.
    assert fields == {"contract", "raw"}


def test_every_field_that_a_mart_shows_is_followed_to_files_and_dashboard(graph):
    answer = ask(graph, "contract.police_street_crime.outcome_category")
    reached = {str(step.column) for step in answer.downstream}

    assert {
        "raw.police_street_crime.outcome_category",
        "staging.stg_police__street_crime.outcome_category",
        "marts.ward_crime_monthly.with_outcome",
        "published.ward_crime_monthly.with_outcome",
        "dashboard.ward_crime_monthly.with_outcome",
        "marts.ward_crime_summary.with_outcome",
        "exposure.ward_crime_summary_published (its rows)",
    } <= reached
    assert not any("weather" in name for name in reached)


def test_a_column_leads_back_to_the_place_of_its_field(graph):
    answer = ask(graph, "dashboard.river_levels_daily.typical_high")
    fields = {str(one.column): graph.says.get(one.column) for one in answer.upstream}

    assert kinds(graph, answer.upstream) == {"marts", "staging", "raw", "contract"}
    assert fields["contract.flood_stations.stage_scale"] == "field stageScale"


def test_a_staging_column_of_another_source_is_shown_downstream(graph, tmp_path):
    project = shutil.copytree(
        FOLDER, tmp_path / "project", ignore=shutil.ignore_patterns("target", "logs")
    )
    model = project / STAGING
    text = model.read_text(encoding="utf-8")
    assert text.count("\n        category,\n") == 1
    model.write_text(text.replace("\n        category,\n", "\n        context as category,\n"))

    changed = project_graph(contracts(), state=tmp_path / "none", project=project)

    mart = Column("marts.ward_crime_monthly", "category")
    below = lambda found, name: {  # noqa: E731
        step.column for step in ask(found, f"raw.police_street_crime.{name}").downstream
    }
    assert mart in below(graph, "category")
    assert mart not in below(graph, "context")
    assert mart in below(changed, "context")
    assert mart not in below(changed, "category")


def test_the_command_shows_both_directions_and_prints_json(wandle):
    code, out, err = wandle("lineage", "marts.ward_crime_monthly.with_outcome")
    assert (code, err) == (0, "")
    assert "contract.police_street_crime.outcome_category" in out
    assert "dashboard.ward_crime_monthly.with_outcome" in out

    code, out, _ = wandle("lineage", "ward_crime_monthly.crimes", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["asked"][0]["says"] == "COUNT(*)"
    assert {"kind": "contract", "table": "contract.police_street_crime", "rows": True}.items() <= (
        next(one for one in found["upstream"] if one["kind"] == "contract" and one["rows"]).items()
    )


def test_the_command_names_what_it_does_not_know(wandle):
    code, out, err = wandle("lineage", "marts.ward_crime_monthly.crime")

    assert (code, out) == (1, "")
    assert "has no column 'crime'. Did you mean crimes" in err


@pytest.fixture
def events(tmp_path, monkeypatch, deployment) -> Callable[[], list[dict[str, Any]]]:
    """The events that jobs have sent."""
    place: Path = tmp_path / "lineage.jsonl"
    monkeypatch.setenv("WANDLE_LINEAGE_URL", place.as_uri())

    def read() -> list[dict[str, Any]]:
        lines = place.read_text().splitlines() if place.exists() else []
        return [json.loads(line) for line in lines]

    return read


def jobs(found: list[dict[str, Any]], state: str) -> Counter[str]:
    return Counter(event["job"]["name"] for event in found if event["eventType"] == state)


def test_every_job_that_ran_is_reported_once_with_what_it_read_and_wrote(
    events, warehouse, lake, generated, tmp_path
):
    source = contracts()["bank_holidays"]
    # It is a snapshot: only the current month can be fetched.
    month = source.partition("uk", f"{datetime.now(UTC):%Y-%m}")
    (done,) = ingest(source, [month], lake=lake, dsn=warehouse.dsn())
    assert done.entry is not None, done.error
    built = transform(
        dsn=warehouse.dsn("wandle_transformer"),
        publisher_dsn=warehouse.dsn("wandle_publisher"),
        lake=lake,
        run_id="run",
        home=tmp_path / "dbt",
    )

    found = events()
    assert problems(found) == []
    models = {
        f"dbt.{name.split('.')[-1]}"
        for (name,) in warehouse.query(
            "select unique_id from ops.dbt_node where resource_type = 'model' "
            "and status = 'success' and run_id = 'run'"
        )
    }
    assert len(models) >= 20
    told = {f"dbt.{name.rpartition('.')[2]}" for name in jobs(found, "COMPLETE") if "dbt." in name}
    assert told == models
    others = {name: n for name, n in jobs(found, "COMPLETE").items() if "dbt." not in name}
    expected = {"extract_bank_holidays": 1, "load_bank_holidays": 1}
    assert others == (expected | {"publish": 1} if built["published"]["new"] else expected)
    assert set(jobs(found, "COMPLETE").values()) == {1}
    by_job = {event["job"]["name"]: event for event in found if event["eventType"] == "COMPLETE"}
    _check_the_way_of_a_holiday(by_job, lake.bucket, done.entry["rows"])


def _check_the_way_of_a_holiday(by_job: dict[str, Any], bucket: str, rows: int) -> None:
    """What each job wrote is what the next one reads."""
    load_event, staging = by_job["load_bank_holidays"], by_job["dbt.staging.stg_bank__holidays"]
    (landed,) = by_job["extract_bank_holidays"]["outputs"]
    assert landed["namespace"] == f"s3://{bucket}"
    assert [one["name"] for one in load_event["inputs"]] == [landed["name"]]
    (raw,) = load_event["outputs"]
    assert [one["name"] for one in staging["inputs"]] == [raw["name"]]
    assert raw["outputFacets"]["outputStatistics"]["rowCount"] == rows
    lineage = raw["facets"]["columnLineage"]["fields"]["date"]["inputFields"]
    assert [one["name"] for one in lineage] == [landed["name"]]
    (view,) = staging["outputs"]
    of_title = view["facets"]["columnLineage"]["fields"]["title"]["inputFields"]
    assert [(one["name"], one["field"]) for one in of_title] == [(raw["name"], "title")]
    tags = {one["key"]: one["value"] for one in load_event["run"]["facets"]["tags"]["tags"]}
    assert (tags["council"], tags["period"], tags["status"]) == (
        "uk",
        f"{datetime.now(UTC):%Y-%m}",
        "loaded",
    )


def test_no_value_of_a_record_and_no_error_message_is_in_an_event(events, warehouse, lake):
    source = contract()
    land(lake, source, [{"id": 1, "note": PERSON}, {"id": "x", "note": PERSON}])
    load(source, partition(), lake=lake, dsn=warehouse.dsn(), run_id="run")
    land(lake, source, [])
    with pytest.raises(LoadRefused):
        load(source, partition(), lake=lake, dsn=warehouse.dsn(), run_id="run 2")

    found = events()
    assert problems(found) == []
    assert jobs(found, "COMPLETE") == jobs(found, "FAIL") == {"load_gauges": 1}
    assert "Bloggs" not in json.dumps(found)
    failed = found[-1]["run"]["facets"]["errorMessage"]
    assert failed["message"] == "LoadRefused"


def test_without_a_url_nothing_is_sent_and_a_wrong_one_fails_nothing(
    warehouse, lake, monkeypatch, tmp_path, caplog
):
    source = contract()
    land(lake, source, [{"id": 1, "note": "x"}])
    load(source, partition(), lake=lake, dsn=warehouse.dsn(), run_id="run")
    assert [record for record in caplog.records if "lineage" in record.name] == []

    monkeypatch.setenv("WANDLE_LINEAGE_URL", "http://127.0.0.1:9")
    for run in ("run 2", "run 3"):
        entry = load(source, partition(), lake=lake, dsn=warehouse.dsn(), run_id=run)
        assert entry["status"] == "unchanged"
    warnings = [record for record in caplog.records if record.name == "include.lineage.send"]
    assert len(warnings) == 1
