"""House rules of `terraform/`: what tflint's rules for Terraform itself would say, and ours."""

from __future__ import annotations

import filecmp
import re
import shutil
import sys

import pytest

from tests.infra.folders import ENVIRONMENTS, FOLDERS, MODULES, ROOTS, TERRAFORM

sys.path.insert(0, str(TERRAFORM))
import tables

STANDARD = {"main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"}
# Where the environments may differ: their numbers, and where their state lies.
DIFFER = {"settings.tf", "backend.tf"}
SNAKE = re.compile(r"[a-z][a-z0-9_]*")


def sources(folder):
    return {file.name: file.read_text() for file in sorted(folder.glob("*.tf"))}


def test_there_is_what_the_readme_lists():
    assert {folder.name for folder in MODULES} == {
        "airflow_host",
        "identity",
        "key",
        "lake",
        "network",
        "secrets",
        "serverless_extract",
        "warehouse",
        "watch",
    }
    assert [folder.name for folder in ENVIRONMENTS] == ["dev", "prod"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_folder_has_the_standard_files_and_tests(folder):
    found = {path.name for path in folder.iterdir()}

    assert found >= STANDARD
    assert list((folder / "tests").glob("*.tftest.hcl")), "each folder tests its decisions"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_variable_is_typed_described_used_and_checked_where_it_can_be_wrong(folder):
    variables = tables.blocks(folder, "variable")
    text = "\n".join(sources(folder).values())

    assert variables
    for name, body in variables.items():
        assert SNAKE.fullmatch(name)
        assert body.get("type") is not None, f"{name} has no type"
        assert len(tables._plain(body["description"])) > 5, f"{name} has no description"
        assert len(re.findall(rf"\bvar\.{name}\b", text)) > 0, f"{name} is not used"
        for check in body.get("validation", []):
            assert tables._plain(check["error_message"]).endswith("."), (
                f"{name}: say it in a sentence"
            )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_output_is_described(folder):
    outputs = tables.blocks(folder, "output")

    assert outputs
    for name, body in outputs.items():
        assert len(tables._plain(body["description"])) > 5, f"{name} has no description"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_folder_takes_the_one_provider_and_no_other(folder):
    text = "\n".join(sources(folder).values())

    assert re.findall(r'^ +source += "([^".]+)"', text, re.MULTILINE) == ["hashicorp/aws"]
    assert '"~> 5.100"' in text


@pytest.mark.parametrize("folder", ROOTS, ids=lambda folder: folder.name)
def test_every_root_is_locked_for_linux_and_macos(folder):
    lock = (folder / ".terraform.lock.hcl").read_text()

    assert lock.count("provider ") == 1
    assert 'version     = "5.100.0"' in lock
    assert len(re.findall(r'"zh:[0-9a-f]{64}"', lock)) >= 12, "the archives of every platform"


def test_the_environments_differ_in_numbers_and_not_in_structure():
    dev, prod = (TERRAFORM / "environments" / name for name in ("dev", "prod"))
    names = {file.name for folder in (dev, prod) for file in folder.glob("*.tf")}

    same, different, missing = filecmp.cmpfiles(dev, prod, names, shallow=False)

    assert not missing
    assert set(different) == DIFFER
    assert len(same) >= 4


def test_both_environments_set_the_same_numbers():
    def names(folder):
        return re.findall(r"^ +([a-z_]+) += ", (folder / "settings.tf").read_text(), re.MULTILINE)

    dev, prod = (names(folder) for folder in ENVIRONMENTS)

    assert dev == prod
    assert len(dev) > 10


def test_no_resource_of_an_environment_stands_outside_the_modules():
    text = "\n".join(sources(ENVIRONMENTS[0]).values())

    assert re.findall(r'^resource "([a-z_]+)"', text, re.MULTILINE) == ["terraform_data"]


@pytest.mark.parametrize(
    "path", sorted(TERRAFORM.rglob("*.tf")), ids=lambda path: str(path.relative_to(TERRAFORM))
)
def test_every_skipped_check_says_why(path):
    for skip in re.findall(r"checkov:skip=(.*)", path.read_text()):
        number, _, reason = skip.partition(":")
        assert re.fullmatch(r"CKV2?_AWS_\d+", number)
        assert len(reason) > 20


def test_the_tables_of_the_readmes_are_what_the_files_say():
    assert len(tables.folders()) == len(FOLDERS)
    assert tables.stale() == [], "run `make terraform-docs`"


def test_a_stale_table_is_found(tmp_path, monkeypatch):
    shutil.copytree(
        TERRAFORM / "modules/key", tmp_path / "key", ignore=shutil.ignore_patterns(".terraform")
    )
    monkeypatch.setattr(tables, "TERRAFORM", tmp_path)
    outputs = tmp_path / "key/outputs.tf"
    outputs.write_text(outputs.read_text().replace("ARN of the key", "The key's ARN"))

    assert tables.stale() == [tmp_path / "key/README.md"]
