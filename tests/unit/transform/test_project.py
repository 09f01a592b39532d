"""House rules of the dbt project, over every model and every contract."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from include.sources.model import contracts
from include.sources.raw_table import expected_columns
from include.transform import sources
from include.transform.project import FOLDER, FOLDERS, project_hash

MODELS = sorted((FOLDER / "models").rglob("*.sql"))


def described(model: Path) -> dict[str, Any]:
    """What the model's own YAML file says of it."""
    found = yaml.safe_load(model.with_suffix(".yml").read_text(encoding="utf-8"))["models"]
    assert [item["name"] for item in found] == [model.stem]
    return found[0]


def test_the_project_has_its_models():
    assert len(MODELS) >= 5


def test_the_sources_are_those_of_the_contracts():
    assert sources.PATH.read_text(encoding="utf-8") == sources.render(contracts()), (
        "dbt's sources are not what the contracts say: run `wandle sync`"
    )


def test_a_changed_contract_changes_the_sources():
    name, contract = next(iter(contracts().items()))
    changed = contract.model_copy(update={"description": "Something else."})

    assert sources.render({**contracts(), name: changed}) != sources.render(contracts())


@pytest.mark.parametrize("name", contracts())
def test_the_columns_of_a_source_are_those_of_its_raw_table(name):
    tables = yaml.safe_load(sources.render(contracts()))["sources"][0]["tables"]
    table = next(table for table in tables if table["name"] == name)

    columns = {column["name"]: column["data_type"] for column in table["columns"]}

    assert columns == expected_columns(contracts()[name])


@pytest.mark.parametrize("name", contracts())
def test_every_source_has_one_staging_model(name):
    readers = [model.stem for model in MODELS if f"'{name}'" in model.read_text(encoding="utf-8")]

    assert len(readers) == 1, f"{name}: expected one staging model, found {readers}"
    assert readers[0].startswith("stg_")


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_every_model_and_column_says_what_it_is(model):
    said = described(model)

    assert said["description"]
    for column in said["columns"]:
        assert column["data_type"]
        assert column["description"], f"{model.stem}.{column['name']}"


@pytest.mark.parametrize("model", MODELS, ids=lambda path: path.stem)
def test_every_model_belongs_to_a_layer(model):
    assert model.relative_to(FOLDER / "models").parts[0] in sum(FOLDERS.values(), ())


@pytest.mark.parametrize(
    "model", [path for path in MODELS if path.parent.name == "marts"], ids=lambda path: path.stem
)
def test_every_mart_has_a_primary_key(model):
    keys = [item for item in described(model)["constraints"] if item["type"] == "primary_key"]

    assert len(keys) == 1


@pytest.mark.parametrize(
    "model", [path for path in MODELS if path.stem.startswith("stg_")], ids=lambda path: path.stem
)
def test_every_staging_model_has_the_same_skeleton(model):
    text = model.read_text(encoding="utf-8")

    assert re.findall(r"^(\w+) as \($", text, re.MULTILINE) == ["source", "renamed"]
    assert text.endswith("select * from renamed\n")


def test_a_change_of_a_model_changes_the_project_s_hash(tmp_path):
    model = tmp_path / "models" / "a.sql"
    model.parent.mkdir()
    model.write_text("select 1")
    before = project_hash(tmp_path)

    model.write_text("select 2")

    assert project_hash(tmp_path) != before


def test_what_dbt_leaves_behind_does_not_change_the_project_s_hash(tmp_path):
    before = project_hash(tmp_path)

    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "manifest.json").write_text("{}")

    assert project_hash(tmp_path) == before
