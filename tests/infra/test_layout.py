"""House rules for `terraform/`: structure, naming and documentation."""

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
# The files that may differ between the environments.
DIFFER = {"settings.tf", "backend.tf"}
# Part of the variable `context`, so no module has them as variables of their own.
IN_CONTEXT = {"environment", "account_id", "region", "partition"}
COMPOSED = [folder for folder in MODULES if folder.name != "environment"]
SNAKE = re.compile(r"[a-z][a-z0-9_]*")


def sources(folder):
    return {file.name: file.read_text() for file in sorted(folder.glob("*.tf"))}


def test_the_readme_lists_every_root_and_module():
    readme = (TERRAFORM / "README.md").read_text()

    assert len(FOLDERS) > 10
    for folder in FOLDERS:
        assert f"`{folder.relative_to(TERRAFORM)}" in readme, folder.name


def test_the_modules_and_environments_are_these():
    assert {folder.name for folder in MODULES} == {
        "airflow_host",
        "environment",
        "identity",
        "inbox",
        "key",
        "lake",
        "network",
        "secrets",
        "serverless_extract",
        "warehouse",
        "watch",
        "website",
    }
    assert [folder.name for folder in ENVIRONMENTS] == ["dev", "prod"]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_folder_has_the_standard_files_and_tests(folder):
    found = {path.name for path in folder.iterdir()}

    assert found >= STANDARD
    assert list((folder / "tests").glob("*.tftest.hcl")), "add tests of its decisions"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_variable_is_typed_described_and_used(folder):
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
                f"{name}: end the error message with a full stop"
            )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_output_is_described(folder):
    outputs = tables.blocks(folder, "output")

    assert outputs
    for name, body in outputs.items():
        assert len(tables._plain(body["description"])) > 5, f"{name} has no description"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_every_folder_requires_only_the_aws_provider(folder):
    text = "\n".join(sources(folder).values())

    assert re.findall(r'^ +source += "([^".]+)"', text, re.MULTILINE) == ["hashicorp/aws"]
    assert '"~> 5.100"' in text


@pytest.mark.parametrize("folder", ROOTS, ids=lambda folder: folder.name)
def test_every_root_is_locked_for_linux_and_macos(folder):
    lock = (folder / ".terraform.lock.hcl").read_text()

    assert lock.count("provider ") == 1
    assert 'version     = "5.100.0"' in lock
    assert len(re.findall(r'"zh:[0-9a-f]{64}"', lock)) >= 12, "hashes of some platforms are missing"


def variable(folder, name):
    """The text of a variable block."""
    text = (folder / "variables.tf").read_text()
    found = re.search(rf'^variable "{name}" \{{\n.*?^\}}\n', text, re.MULTILINE | re.DOTALL)
    assert found, f"{folder.name} has no variable {name}"
    return found[0]


@pytest.mark.parametrize("folder", COMPOSED, ids=lambda folder: folder.name)
def test_every_module_of_an_environment_takes_the_same_context(folder):
    assert variable(folder, "context") == variable(COMPOSED[0], "context")
    assert not IN_CONTEXT & set(tables.blocks(folder, "variable"))


def test_the_context_is_validated():
    checks = tables.blocks(COMPOSED[0], "variable")["context"]["validation"]

    messages = " ".join(tables._plain(check["error_message"]) for check in checks)
    assert {name for name in IN_CONTEXT if f"context.{name} must" in messages} == IN_CONTEXT


def test_the_environments_differ_only_in_settings_and_backend():
    dev, prod = (TERRAFORM / "environments" / name for name in ("dev", "prod"))
    names = {file.name for folder in (dev, prod) for file in folder.glob("*.tf")}

    same, different, missing = filecmp.cmpfiles(dev, prod, names, shallow=False)

    assert not missing
    assert set(different) == DIFFER
    assert len(same) >= 4


def test_the_environments_have_the_same_settings():
    def names(folder):
        return re.findall(r"^ +([a-z_]+) += ", (folder / "settings.tf").read_text(), re.MULTILINE)

    dev, prod = (names(folder) for folder in ENVIRONMENTS)

    assert dev == prod
    assert len(dev) > 10


@pytest.mark.parametrize("folder", ENVIRONMENTS, ids=lambda folder: folder.name)
def test_an_environment_root_only_calls_the_module_environment(folder):
    text = "\n".join(sources(folder).values())

    assert re.findall(r'^(?:resource|data) "([a-z_]+)"', text, re.MULTILINE) == []
    assert re.findall(r'^module "([a-z_]+)"', text, re.MULTILINE) == ["environment"]


def test_the_module_environment_composes_every_other_module():
    text = "\n".join(sources(TERRAFORM / "modules/environment").values())

    assert set(re.findall(r'^module "([a-z_]+)"', text, re.MULTILINE)) == {
        folder.name for folder in COMPOSED
    }
    assert re.findall(r'^resource "([a-z_]+)"', text, re.MULTILINE) == ["terraform_data"]


@pytest.mark.parametrize(
    "path", sorted(TERRAFORM.rglob("*.tf")), ids=lambda path: str(path.relative_to(TERRAFORM))
)
def test_every_skipped_check_has_a_reason(path):
    for skip in re.findall(r"checkov:skip=(.*)", path.read_text()):
        number, _, reason = skip.partition(":")
        assert re.fullmatch(r"CKV2?_AWS_\d+", number)
        assert len(reason) > 20


def test_the_tables_in_the_readmes_are_up_to_date():
    assert len(tables.folders()) == len(FOLDERS)
    assert tables.stale() == [], "run `make terraform-docs`"


def test_a_stale_table_is_found(tmp_path, monkeypatch):
    shutil.copytree(
        TERRAFORM / "modules/key", tmp_path / "key", ignore=shutil.ignore_patterns(".terraform")
    )
    monkeypatch.setattr(tables, "TERRAFORM", tmp_path)
    outputs = tmp_path / "key/outputs.tf"
    outputs.write_text(outputs.read_text().replace("ARN of the KMS key", "ARN"))

    assert tables.stale() == [tmp_path / "key/README.md"]
