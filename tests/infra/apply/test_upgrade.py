"""An environment applied before the module `environment` existed is moved, not destroyed."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.infra.folders import EVERYTHING, TERRAFORM, Terraform

CHECKOUT = TERRAFORM.parent
# The last commit in which the environment roots composed the modules themselves.
BEFORE = "98127fe811376a8a6e874372c1524d9ea7cb1df9"
# Other tests apply environments with other names to the same moto server.
NAME = "upgrade"
# moto has no certificate for the load balancer, which the read API is behind.
SWITCHED_ON = {name: value for name, value in EVERYTHING.items() if name not in ("public", "api")}

pytestmark = pytest.mark.timeout(1800)


def old_layout(checkout: Path) -> bool:
    """Extract the old layout from the git history. False if this clone does not contain it."""
    git = shutil.which("git")
    if git is None:
        return False
    command = (git, "archive", BEFORE, "terraform", "include/sources")
    archive = subprocess.run(command, cwd=CHECKOUT, capture_output=True)
    if archive.returncode:
        return False
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(checkout, filter="data")
    return True


def new_layout(checkout: Path) -> None:
    """Copy the present layout."""
    ignored = shutil.ignore_patterns(".terraform", "*.tfstate*")
    for folder in ("terraform", "include/sources"):
        shutil.copytree(CHECKOUT / folder, checkout / folder, ignore=ignored)


def root(checkout: Path, state: Path) -> Terraform:
    """The root `dev` of a layout under another name, initialized with its state in a file."""
    folder = checkout / "terraform" / "environments" / "dev"
    settings = folder / "settings.tf"
    text, count = re.subn(r'environment = "dev"', f'environment = "{NAME}"', settings.read_text())
    assert count == 1, f"{settings} does not name the environment"
    settings.write_text(text)
    (folder / "backend_override.tf").write_text(
        f'terraform {{\n  backend "local" {{\n    path = "{state}"\n  }}\n}}\n'
    )
    made = Terraform(folder, checkout / "work", SWITCHED_ON)
    made.run("init", "-input=false", "-no-color", "-lockfile=readonly")
    return made


def move_back(state: Path) -> None:
    """Give everything in a state the address that it had in the old layout."""
    prefix = "module.environment."
    content = json.loads(state.read_text())
    for resource in content["resources"]:
        module = resource.pop("module")
        if module != "module.environment":
            resource["module"] = module.removeprefix(prefix)
        for instance in resource["instances"]:
            depends_on = instance.get("dependencies", [])
            instance["dependencies"] = [address.removeprefix(prefix) for address in depends_on]
    content["serial"] += 1
    state.write_text(json.dumps(content))


@pytest.fixture(scope="module")
def upgraded(aws: str, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The present layout, with the state of an environment that the old layout applied.

    Without the git history the present layout is applied, and its state moved to the old
    addresses (which tests/infra/test_moves.py compares with a recorded list).
    """
    folder = tmp_path_factory.mktemp("upgrade")
    state = folder / "terraform.tfstate"
    new_layout(folder / "after")
    if old_layout(folder / "before"):
        root(folder / "before", state).apply()
        return root(folder / "after", state)
    after = root(folder / "after", state)
    after.apply()
    move_back(state)
    return after


def destroyed(plan: Mapping[str, Any]) -> set[str]:
    """The resources that a plan destroys or replaces."""
    return {
        change["address"]
        for change in plan["resource_changes"]
        if "delete" in change["change"]["actions"]
    }


def test_an_upgrade_moves_everything_and_destroys_nothing(upgraded):
    before = [
        address
        for address in upgraded.run("state", "list").stdout.split()
        if not re.search(r"(^|\.)data\.", address)
    ]

    plan = upgraded.plan()

    moved = [change for change in plan["resource_changes"] if change.get("previous_address")]
    assert len(before) > 150
    assert sorted(change["previous_address"] for change in moved) == sorted(before)
    assert destroyed(plan) == set()


def test_a_missing_move_is_found(upgraded):
    moves = upgraded.folder / "moved.tf"
    text = moves.read_text()
    block = "  from = module.warehouse\n  to   = module.environment.module.warehouse\n"
    assert block in text

    moves.write_text(text.replace(f"moved {{\n{block}}}\n", ""))
    found = destroyed(upgraded.plan())
    moves.write_text(text)

    assert "module.warehouse.aws_db_instance.this" in found
