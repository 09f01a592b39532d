"""Reading definition files: what is wrong is named with file, field, expected and found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from include.councils import model as councils
from include.councils.model import Council
from include.definitions import read_definition, read_folder
from include.errors import WrongDefinition
from include.jobs.author.schemas import schemas
from include.sources import model as sources
from include.sources.model import Contract
from tests.samples import column, contract_fields, council_fields, extracting

FILES = [
    *((path, sources.FOLDER / "contract.schema.json") for path in sources.FOLDER.glob("*.yaml")),
    *((path, councils.FOLDER / "council.schema.json") for path in councils.FOLDER.glob("*.yaml")),
]


def write(folder: Path, content: Any, name: str = "gauges") -> Path:
    path = folder / f"{name}.yaml"
    text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def refusal(path: Path, model: Any = Contract) -> str:
    with pytest.raises(WrongDefinition) as caught:
        read_definition(path, model)
    assert str(path) in str(caught.value), "a refusal names the file"
    return str(caught.value)


def test_a_complete_contract_is_read(tmp_path):
    path = write(tmp_path, contract_fields())

    assert read_definition(path, Contract).name == "gauges"


def test_a_misspelt_field_is_named(tmp_path):
    path = write(tmp_path, contract_fields(publsher="api.test"))

    assert "field `publsher`: unknown field; check the spelling." in refusal(path)


def test_a_misspelt_field_far_inside_is_named_with_its_place(tmp_path):
    path = write(tmp_path, contract_fields(column("a"), column("b", requird=True)))

    assert "field `columns.1.requird`: unknown field" in refusal(path)


def test_a_missing_field_is_named(tmp_path):
    fields = contract_fields()
    del fields["extract"]["rate"]

    assert "field `extract.rate`: required, but missing." in refusal(write(tmp_path, fields))


def test_every_wrong_field_is_named_at_once(tmp_path):
    fields = contract_fields(licence="", lookback=-1)

    message = refusal(write(tmp_path, fields))

    assert "field `licence`" in message
    assert "field `lookback`" in message


@pytest.mark.parametrize(
    ("changes", "expected", "found"),
    [
        ({"lookback": "thirteen"}, "field `lookback`: Input should be a valid integer", "thirteen"),
        ({"period": "decade"}, "field `period`: Input should be 'hour', 'day', 'week'", "decade"),
        ({"start": "2017-13-01"}, "field `start`: Input should be a valid date", "2017-13-01"),
        ({"schedule": "@daily"}, "field `schedule`: String should match pattern", "@daily"),
        ({"name": "Gauges"}, "field `name`: String should match pattern", "Gauges"),
    ],
)
def test_a_wrong_value_is_named_with_what_was_expected_and_found(
    tmp_path, changes, expected, found
):
    message = refusal(write(tmp_path, contract_fields(**changes)))

    assert expected in message
    assert f"Found {found!r}." in message


def test_a_number_in_place_of_a_text_is_to_be_put_in_quotes(tmp_path):
    message = refusal(write(tmp_path, contract_fields(licence=2)))

    assert "field `licence`: Input should be a valid string. Found 2: put it in quotes." in message


def test_a_key_given_twice_is_named_with_its_line(tmp_path):
    path = write(tmp_path, "name: gauges\ntitle: One\ntitle: Two\n")

    message = refusal(path)

    assert "duplicate key 'title'" in message
    assert "line 3" in message


@pytest.mark.parametrize(
    "text",
    ["name: [", "- a\n- b\n", "", "name: gauges\n[a]: b\n", "start: 2017-02-30\n", "a: \t\x00b\n"],
)
def test_what_is_not_a_mapping_in_yaml_is_refused_with_the_file(tmp_path, text):
    refusal(write(tmp_path, text))


def test_a_file_that_is_not_utf_8_is_refused_with_its_name(tmp_path):
    path = tmp_path / "gauges.yaml"
    path.write_bytes(b"name: caf\xe9\n")

    refusal(path)


def test_the_name_must_be_the_files(tmp_path):
    path = write(tmp_path, contract_fields(), name="meters")

    assert "field `name`: expected 'meters', the file name, found 'gauges'" in refusal(path)


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(WrongDefinition, match="expected at least one"):
        read_folder(tmp_path, Contract)


@pytest.mark.parametrize("text", ["", "\ufeff", "# later\n", "---\n...\n"])
def test_an_empty_file_is_called_empty(tmp_path, text):
    assert "gauges.yaml: the file is empty." in refusal(write(tmp_path, text))


def test_a_byte_order_mark_and_line_ends_of_other_systems_are_read(tmp_path):
    path = write(tmp_path, contract_fields())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))

    assert read_definition(path, Contract).name == "gauges"


@pytest.mark.parametrize("name", ["iron.yml", "iron.YAML", "iron.Yml"])
def test_a_file_with_another_ending_is_not_overlooked(tmp_path, name):
    write(tmp_path, contract_fields(name="zinc"), "zinc")
    write(tmp_path, contract_fields(name="iron"), "iron").rename(tmp_path / name)

    found = read_folder(tmp_path, Contract)

    assert list(found.valid) == ["zinc"]
    assert str(found.broken["iron"]).endswith(f"{name}: expected the ending .yaml. Rename it.")


def test_a_folder_is_read_in_alphabetical_order(tmp_path):
    for name in ("zinc", "iron", "lead"):
        write(tmp_path, contract_fields(name=name), name)

    assert list(read_folder(tmp_path, Contract).valid) == ["iron", "lead", "zinc"]


@pytest.mark.parametrize(
    "template", ["{ward.code}", "{perod:%Y-%m}", "{}", "{period", "{0}", "{council}"]
)
def test_a_placeholder_that_nothing_fills_is_refused_when_the_contract_is_read(tmp_path, template):
    request = {"path": "/gauges", "query": {"q": template}}
    path = write(tmp_path, contract_fields(extract=extracting(request=request)))

    assert "field `extract" in refusal(path)


def test_an_unknown_placeholder_is_named_with_the_known_ones(tmp_path):
    request = {"path": "/{ward.code}"}
    path = write(tmp_path, contract_fields(extract=extracting(request=request)))

    assert "unknown placeholder {ward.code}; known: period, period.last" in refusal(path)


def write_child(folder: Path, **changes: Any) -> None:
    parent = {"source": "gauges", "each": "{id}"} | changes
    extract = extracting(parents={"ids": parent})
    write(folder, contract_fields(name="child", extract=extract), "child")
    write(folder, contract_fields())


@pytest.mark.parametrize(
    ("changes", "culprit"),
    [
        ({"source": "gages"}, "found 'gages'"),
        ({"match": {"nme": "x"}}, "gauges has no column 'nme'; it has id, note"),
        ({"each": "{latitude}"}, "gauges has no column 'latitude'"),
        ({"each": "{id"}, "field `extract.parents.ids.each`"),
    ],
)
def test_a_parent_that_does_not_fit_is_named(tmp_path, changes, culprit):
    write_child(tmp_path, **changes)

    assert list(sources.contracts(tmp_path)) == ["gauges"]
    (said,) = map(str, sources.broken_contracts(tmp_path).values())
    assert "child.yaml: line " in said
    assert culprit in said


def test_a_parent_that_exists_is_accepted(tmp_path):
    write_child(tmp_path, match={"note": "{council.name}"})

    assert list(sources.contracts(tmp_path)) == ["child", "gauges"]


def test_the_name_uk_is_kept_for_sources_without_a_council(tmp_path):
    write(tmp_path, council_fields(name="uk"), "uk")

    (said,) = map(str, councils.broken_councils(tmp_path).values())
    assert "line 1, field `name`: 'uk' is reserved for sources without a council." in said


def test_a_ward_that_is_listed_twice_is_named(tmp_path):
    path = write(tmp_path, council_fields("E05000001", "E05000001"), "smallville")

    assert "code 'E05000001' appears twice" in refusal(path, Council)


def test_the_shipped_definitions_are_valid():
    assert len(sources.contracts()) >= 2
    assert {"kingston", "sutton"} <= set(councils.councils())


@pytest.mark.parametrize("path", sorted(schemas()), ids=lambda path: path.name)
def test_the_schemas_for_editors_are_the_models(path):
    assert path.read_text(encoding="utf-8") == schemas()[path], (
        f"{path.name} is stale. Run `python -m include.jobs.author.schemas`."
    )


def test_there_are_definitions_to_compare_with_the_schemas():
    assert len(FILES) >= 4


def checked(path: Path, schema: Path) -> None:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    as_json = json.loads(json.dumps(content, default=str))
    jsonschema.Draft202012Validator(json.loads(schema.read_text())).validate(as_json)


@pytest.mark.parametrize(("path", "schema"), FILES, ids=lambda path: path.name)
def test_an_editor_accepts_the_shipped_definitions(path, schema):
    checked(path, schema)


@pytest.mark.parametrize(("path", "schema"), FILES, ids=lambda path: path.name)
def test_each_definition_tells_the_editor_its_schema(path, schema):
    first_line = path.read_text(encoding="utf-8").splitlines()[0]

    assert first_line == f"# yaml-language-server: $schema={schema.name}"


def test_an_editor_refuses_a_misspelt_field(tmp_path):
    path = write(tmp_path, contract_fields(publsher="x"))

    with pytest.raises(jsonschema.ValidationError, match="publsher"):
        checked(path, sources.FOLDER / "contract.schema.json")
