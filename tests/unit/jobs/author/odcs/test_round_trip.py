"""A contract survives the standard: as a whole with our own properties, in part without them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from open_data_contract_standard.model import OpenDataContractStandard

from include.jobs.author.odcs.document import read_document
from include.jobs.author.odcs.read import contract_of
from include.jobs.author.odcs.write import exported
from include.sources.model import Contract, every_contract
from tests.samples import column, contract
from tests.unit.jobs.author.odcs.contracts import contracts

# Shrinking a whole contract takes minutes.
SOME = settings(
    deadline=None,
    suppress_health_check=[*HealthCheck],
    max_examples=int(os.environ.get("EXAMPLES", "30")),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


def reread(text: str, folder: Path) -> dict[str, Any]:
    file = folder / "written.odcs.yaml"
    file.write_text(text, encoding="utf-8")
    return contract_of(read_document(file)).content


def without_ours(value: Any) -> Any:
    """The document as a tool keeps it that knows only the standard."""
    if isinstance(value, dict):
        return {name: without_ours(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [
            without_ours(item)
            for item in value
            if not (isinstance(item, dict) and item.get("vendor") == "wandle")
        ]
    return value


@pytest.mark.parametrize("name", sorted(every_contract()))
def test_every_contract_of_the_project_survives(name, tmp_path):
    made = every_contract()[name]

    again = Contract.model_validate(reread(exported(made), tmp_path))

    assert again == made
    assert again.contract_hash == made.contract_hash


@given(contracts())
@SOME
def test_every_contract_survives(tmp_path, made):
    again = Contract.model_validate(reread(exported(made), tmp_path))

    assert again.contract_hash == made.contract_hash


@given(contracts())
@SOME
def test_what_the_standard_can_say_survives_without_our_own_properties(tmp_path, made):
    document = without_ours(yaml.safe_load(exported(made)))
    found = reread(yaml.safe_dump(document), tmp_path)

    for name in ("title", "description", "owner", "licence", "period", "schedule"):
        assert found[name] == getattr(made, name)
    assert found.get("retention_days", 0) == made.retention_days
    assert found.get("publication_lag_days", 0) == made.publication_lag_days
    assert found.get("enabled", True) == made.enabled
    assert found.get("checks", {}).get("min_records", 0) == made.checks.min_records
    assert len(found["key"]) == len(made.key)
    for item, before in zip(found["columns"], made.columns, strict=True):
        assert item["type"] == before.type
        assert item["description"] == before.description
        assert item.get("required", False) == before.required
        assert item.get("minimum") == before.minimum
        assert ("personal" in item) == (before.personal != "no")
        if len(set(before.allowed)) == len(before.allowed) and not before.accept_numbers:
            assert item.get("allowed", []) == [*before.allowed]


def test_the_file_is_one_of_the_standard_for_its_own_library():
    made = contract(column("id", "integer", required=True, minimum=0), column("state"))

    read = OpenDataContractStandard.from_string(exported(made))

    assert read.schema_[0].properties[0].logicalTypeOptions == {"format": "i64", "minimum": 0}
    assert [level.property for level in read.slaProperties] == ["frequency"]


def test_a_fact_that_another_tool_has_changed_is_the_one_that_counts(tmp_path):
    document = yaml.safe_load(exported(contract(column("state", allowed=["open"]))))
    field = document["schema"][0]["properties"][0]
    field["description"], field["enum"] = "How far it is.", [{"value": "open"}, {"value": "shut"}]

    found = reread(yaml.safe_dump(document), tmp_path)

    assert found["columns"][0]["description"] == "How far it is."
    assert found["columns"][0]["allowed"] == ["open", "shut"]
