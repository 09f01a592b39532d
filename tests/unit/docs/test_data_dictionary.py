"""docs/data-dictionary.md: complete, up to date, and careful with what is personal."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from include.sources.model import every_contract
from tests.unit.docs.pages import CHECKOUT

PAGE = CHECKOUT / "docs" / "data-dictionary.md"
MARTS = CHECKOUT / "dbt_project" / "models" / "marts"


def written() -> str:
    spec = importlib.util.spec_from_file_location("write", CHECKOUT / "docs/dictionary/write.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return str(module.page())


def section(name: str) -> str:
    found = re.findall(rf"^### {re.escape(name)}\n(.*?)(?=^##|\Z)", PAGE.read_text(), re.M | re.S)
    assert len(found) == 1, name
    return str(found[0])


def models() -> list[dict[str, object]]:
    paths: list[Path] = sorted(MARTS.glob("*.yml"))
    return [model for path in paths for model in yaml.safe_load(path.read_text())["models"]]


def test_the_page_is_what_contracts_and_models_say_now():
    assert PAGE.read_text(encoding="utf-8") == written(), "run `make dictionary`"


@pytest.mark.parametrize("model", models(), ids=lambda model: str(model["name"]))
def test_every_column_of_a_mart_has_its_type_and_meaning(model):
    shown = section(f"marts.{model['name']}")

    assert len(model["columns"]) > 1
    for column in model["columns"]:
        meaning = re.findall(rf"^\| `{column['name']}` \| `[^`]+` \| (.+) \|$", shown, re.M)
        assert [len(text) > 3 for text in meaning] == [True], column["name"]
    assert re.search(r"^\| (made of|key|owner|open data) \| \S+", shown, re.M)


@pytest.mark.parametrize("name", every_contract())
def test_every_column_of_a_dataset_has_its_meaning(name):
    contract, shown = every_contract()[name], section(f"raw.{name}")

    for column in contract.columns:
        (line,) = re.findall(rf"^\| `{column.name}` \| .+ \|$", shown, re.M)
        assert ("**Personal" in line) is (column.personal != "no")
    assert f"| access | {contract.access} |" in shown
    assert f"| owner | {contract.owner} |" in shown


def test_the_index_finds_all_of_them_and_the_ways_in():
    index = PAGE.read_text(encoding="utf-8").partition("## Marts")[0]

    for model in models():
        assert f"](#marts{model['name']})" in index
    for name, contract in every_contract().items():
        personal = any(column.personal != "no" for column in contract.columns)
        (line,) = re.findall(rf"^\| \[{name}\]\(#raw.*$", index, re.M)
        assert ("personal data" in line) is personal
        assert contract.access in line
    for page in ("open-data.md", "api.md", "serving.md", "handbook/01-start-here.md#access"):
        assert f"]({page})" in index


def test_a_column_that_is_described_differently_is_noticed(monkeypatch, tmp_path):
    text = PAGE.read_text(encoding="utf-8")
    changed = text.replace("The day, in GMT.", "A day.", 1)

    assert changed != text
    assert changed != written()
