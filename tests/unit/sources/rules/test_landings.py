"""What a source that reads another one's landings may say, and what the other one decides."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from include.sources.followers import followers, schedule_of
from include.sources.model import broken_contracts, contracts
from tests.broken import copied
from tests.samples import column, contract_fields, extracting

PERSON = column("who", personal="pseudonymise")


def parent(**changes: Any) -> dict[str, Any]:
    columns = [column("id", "integer"), PERSON, column("papers", "jsonb", personal="drop")]
    fields = contract_fields(*columns, name="plans", retention_days=90)
    return fields | {"format": {"records": "plans"}} | changes


def child(*columns: dict[str, Any], **changes: Any) -> dict[str, Any]:
    fields = contract_fields(
        *(columns or (column("plan_id", "integer"), column("name"))),
        name="documents",
        retention_days=90,
        extract={"kind": "landing", "source": "plans"},
        format={"records": "plans.*.documents", "inherit": {"plan_id": "id", "by": "who"}},
    )
    del fields["schedule"]
    return fields | changes


def errors(tmp_path: Any, *all_fields: dict[str, Any]) -> dict[str, str]:
    with copied(tmp_path) as found:
        for path in found.sources.glob("*.yaml"):
            path.unlink()
        for fields in all_fields:
            found.write(found.sources / f"{fields['name']}.yaml", yaml.safe_dump(fields))
        return {name: str(error) for name, error in broken_contracts().items()}


def test_it_is_known_as_a_follower_and_has_the_other_ones_schedule(tmp_path):
    with copied(tmp_path) as found:
        for fields in (parent(), child()):
            found.write(found.sources / f"{fields['name']}.yaml", yaml.safe_dump(fields))

        assert [one.name for one in followers("plans")] == ["documents"]
        assert schedule_of(contracts()["documents"]) == contracts()["plans"].schedule
        assert contracts()["documents"].extract.parents["landing"].source == "plans"


OLD = {"from_age_days": 10, "request": {"path": "/old"}}
REFUSED = [
    ("schedule", parent(), child(schedule="0 4 1 * *")),
    ("snapshot", parent(), child(snapshot=True)),
    ("lookback", parent(), child(lookback=1)),
    ("publication_lag_days", parent(), child(publication_lag_days=1)),
    ("format.select", parent(), child(format={"select": {"field": "a", "not": None}})),
    ("period", parent(), child(period="day")),
    ("extract.source", parent(), child(councils="uk")),
    ("retention_days", parent(), child(retention_days=0)),
    ("extract.source", parent(), child(extract={"kind": "landing", "source": "plan"})),
    ("extract.source", parent(), child(extract={"kind": "landing", "source": "documents"})),
    ("extract.source", parent(extract=extracting(archive=OLD)), child()),
    ("columns.0.request", parent(), child(column("ward", request="ward.code"))),
    ("columns.0.personal", parent(), child(column("by"))),
    ("columns", parent(), child(format={"records": "plans.*.papers", "inherit": ["id"]})),
]


@pytest.mark.parametrize(
    ("field", "other", "fields"), REFUSED, ids=[f"{n}-{one[0]}" for n, one in enumerate(REFUSED)]
)
def test_what_the_other_source_decides_is_refused_with_the_field(tmp_path, field, other, fields):
    found = errors(tmp_path, other, fields)

    assert list(found) == ["documents"]
    assert f"field `{field}`: " in found["documents"]


def test_only_what_is_fetched_by_http_can_be_followed(tmp_path):
    database = {"kind": "database", "connection": "cases", "query": "select 1", "key": "id"}
    of_database = parent(extract=database)
    del of_database["format"]
    second = child(name="pages", extract={"kind": "landing", "source": "documents"})

    assert "field `extract.source`: " in errors(tmp_path / "1", of_database, child())["documents"]
    assert list(errors(tmp_path / "2", parent(), child(), second)) == ["pages"]


def test_every_other_source_needs_a_schedule(tmp_path):
    fields = parent()
    del fields["schedule"]

    assert "field `schedule`: Field required" in errors(tmp_path, fields)["plans"]


def test_what_is_personal_and_marked_is_taken(tmp_path):
    by = column("by", personal="pseudonymise")
    papers = {"records": "plans.*.papers", "inherit": {"by": "who"}}

    assert errors(tmp_path, parent(), child(by, column("name"), format=papers)) == {}


@pytest.mark.parametrize("by", ["person.name", "person"])
def test_what_is_personal_within_an_object_is_personal_where_it_is_inherited(tmp_path, by):
    name = column("name", path="person.name", personal="pseudonymise")
    plans = parent(columns=[column("id", "integer"), name])
    documents = {"records": "plans.*.documents", "inherit": {"by": by}}
    found = errors(tmp_path, plans, child(column("by", "jsonb"), format=documents))

    assert f"{by!r} is personal data in plans" in found["documents"]
