"""OpenLineage events: what the client's own classes accept, and what the specification requires."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from openlineage.client.event_v2 import RunState
from openlineage.client.serde import Serde

from include.lineage.events import JobRun, Output, Places
from include.lineage.graph import ROWS, Column
from tests.lineage_events import problems

PLACES = Places("wandle", "postgres://db:5432", "warehouse", {"police": "https://data.police.uk"})


def job_run(**more) -> JobRun:
    given = {
        "job": "load_police",
        "namespace": "wandle",
        "producer": "urn:wandle:1",
        "places": PLACES,
        "inputs": ["landing.police"],
        "outputs": [Output("raw.police", {"id": "bigint", "who": "text"})],
    }
    return JobRun(**(given | more))


def sent(run: JobRun, state: RunState = RunState.COMPLETE, **more) -> dict:
    return json.loads(Serde.to_json(run.event(state, **more)))


def test_an_event_is_what_the_specification_asks_for():
    run = job_run(
        tags={"council": "kingston"},
        within=("ingest_police", "manual__1"),
        period=(datetime(2017, 5, 1, tzinfo=UTC), datetime(2017, 6, 1, tzinfo=UTC)),
    )
    begin, end = sent(run, RunState.START), sent(run, error="LoadRefused")

    assert problems([begin, end]) == []
    assert end["run"]["facets"]["errorMessage"]["message"] == "LoadRefused"
    assert end["run"]["facets"]["nominalTime"]["nominalStartTime"].startswith("2017-05-01T00:00")
    assert end["inputs"] == [
        {"namespace": "s3://wandle", "name": "landing/police", "facets": {}, "inputFacets": {}}
    ]
    assert end["outputs"][0]["name"] == "warehouse.raw.police"


def test_jobs_of_one_run_have_the_same_parent_and_runs_of_their_own():
    one, other = (sent(job_run(within=("ingest_police", "run 1"))) for _ in range(2))
    third = sent(job_run(within=("ingest_police", "run 2")))
    parent = lambda event: event["run"]["facets"]["parent"]["run"]["runId"]  # noqa: E731

    assert parent(one) == parent(other) != parent(third)
    assert one["run"]["runId"] != other["run"]["runId"]


def test_a_column_names_the_columns_that_it_is_made_of_and_how():
    made_of = {
        "who": {Column("landing.police", "person.name"): "pseudonymised"},
        "n": {Column("landing.police", ROWS): "aggregated"},
        ROWS: {Column("landing.police", "month"): "filter", Column("landing.police", ROWS): "rows"},
    }
    event = sent(job_run(outputs=[Output("raw.police", {}, made_of, rows=3)]))

    (output,) = event["outputs"]
    facet = output["facets"]["columnLineage"]
    assert facet["fields"].keys() == {"who"}
    (field,) = facet["fields"]["who"]["inputFields"]
    assert (field["namespace"], field["name"], field["field"]) == (
        "s3://wandle",
        "landing/police",
        "person.name",
    )
    assert field["transformations"] == [
        {"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": True}
    ]
    assert [one["field"] for one in facet["dataset"]] == ["month"]
    assert output["outputFacets"]["outputStatistics"]["rowCount"] == 3


@pytest.mark.parametrize(
    "wrong",
    [
        lambda event: event.pop("producer"),
        lambda event: event.update(eventType="DONE"),
        lambda event: event["run"].update(runId="1"),
        lambda event: event.update(eventTime="yesterday"),
        lambda event: event["outputs"][0].pop("namespace"),
        lambda event: event["outputs"][0]["facets"]["schema"].pop("_schemaURL"),
    ],
)
def test_an_event_against_the_specification_is_found(wrong):
    event = sent(job_run())
    assert problems([sent(job_run(), RunState.START)]) == ["load_police: no event ends the run"]

    wrong(event)

    assert problems([event])
