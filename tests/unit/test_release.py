"""The deployment's scripts, with stand-ins for `terraform` and `aws` that write down each call."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[2]
SCRIPTS = CHECKOUT / ".github" / "deploy"
OLD, NEW = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"

TERRAFORM = """#!/usr/bin/env bash
echo "terraform $*" >>"$CALLS"
case $1 in
show) cat "$STATE" ;;
plan) echo "Plan: 1 to add"; exit "${PLAN:-0}" ;;
esac
"""
AWS = """#!/usr/bin/env bash
echo "aws $*" >>"$CALLS"
case $2 in
describe-auto-scaling-groups)
  case "$*" in *DesiredCapacity*) echo "${CAPACITY:-1}" ;; *) echo i-1 ;; esac ;;
describe-instance-refreshes) echo Successful ;;
send-command)
  case "$*" in *"$BREAKS"*) echo bad ;; *) echo good ;; esac ;;
get-command-invocation)
  case "$*" in
  *"--query Status") case "$*" in *"--command-id bad"*) echo Failed ;; *) echo Success ;; esac ;;
  *) echo "said on the host" ;;
  esac ;;
esac
"""


@dataclass
class Deployment:
    """A checkout with the scripts and one environment, and what was called."""

    folder: Path
    variables: dict[str, str]

    def run(self, script: str, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            (str(self.folder / ".github" / "deploy" / script), *arguments),
            env=self.variables | more,
            cwd=self.folder,
            capture_output=True,
            text=True,
        )

    @property
    def calls(self) -> list[str]:
        path = Path(self.variables["CALLS"])
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []

    @property
    def applied(self) -> list[str]:
        """The digests that were applied, in order."""
        lines = [line for line in self.calls if line.startswith("terraform apply")]
        return [re.findall(r"-var=image_digest=(\S+)", line)[0] for line in lines]

    def runs(self, digest: str, api: str = "") -> None:
        """Write the state of an environment that runs this image, and that of the read API."""
        of_api = f"1.ecr/wandle-api@{api}" if api else ""
        templates = [
            {"type": "aws_launch_template", "values": {"user_data": encoded(digest, image)}}
            for image in (of_api, "")
        ]
        state = {"values": {"root_module": {"child_modules": [{"resources": templates}]}}}
        Path(self.variables["STATE"]).write_text(json.dumps(state), encoding="utf-8")


def encoded(digest: str, of_api: str) -> str:
    """The user data of a host."""
    text = f"#!/bin/bash\nIMAGE='1.ecr/wandle@{digest}'\nAPI_IMAGE='{of_api}'\n"
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def deployment(tmp_path: Path) -> Deployment:
    assert shutil.which("jq"), "jq is missing. On Debian: apt install jq"
    shutil.copytree(SCRIPTS, tmp_path / ".github" / "deploy")
    (tmp_path / "terraform" / "environments" / "dev").mkdir(parents=True)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("terraform", TERRAFORM), ("aws", AWS)):
        (programs / name).write_text(text, encoding="utf-8")
        (programs / name).chmod(0o755)
    variables = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CALLS": str(tmp_path / "calls"),
        "STATE": str(tmp_path / "state.json"),
        "STATE_BUCKET": "wandle-state",
        "AWS_REGION": "eu-west-2",
        "TFVARS": 'alert_email = "data@example.org"',
        "BREAKS": "nothing breaks",
        "POLL_SECONDS": "0",
    }
    made = Deployment(tmp_path, variables)
    made.runs(OLD)
    return made


def test_a_release_applies_migrates_restarts_and_tries_in_this_order(deployment):
    done = deployment.run("release.sh", "dev", NEW, "", "")

    assert done.returncode == 0, done.stderr
    assert deployment.applied == [NEW]
    sent = [line for line in deployment.calls if "send-command" in line]
    order = ["run --rm migrate", "--no-deps --wait", "wandle doctor --aws", "freshness_watch"]
    assert [next(word for word in order if word in line) for line in sent] == order


@pytest.mark.parametrize(
    "step", ["run --rm migrate", "--no-deps --wait", "wandle doctor --aws", "freshness_watch"]
)
def test_a_step_that_fails_brings_back_what_ran_before_and_is_red(deployment, step):
    done = deployment.run("release.sh", "dev", NEW, "", "", BREAKS=step)

    assert done.returncode == 1
    assert deployment.applied == [NEW, OLD]
    assert f"going back to {OLD}" in done.stderr


def test_a_release_that_fails_brings_back_the_read_api_that_ran_before(deployment):
    deployment.runs(OLD, api=OLD)

    done = deployment.run("release.sh", "dev", NEW, "", NEW, BREAKS="run --rm migrate")

    assert done.returncode == 1
    applied = [line for line in deployment.calls if line.startswith("terraform apply")]
    found = [re.findall(r"-var=api_image_digest=(\S+)", line) for line in applied]
    assert found == [[NEW], [OLD]]


def test_an_environment_that_sleeps_is_applied_and_not_tried(deployment):
    done = deployment.run("release.sh", "dev", NEW, "", "", CAPACITY="0")

    assert done.returncode == 0, done.stderr
    assert deployment.applied == [NEW]
    assert not any("send-command" in line for line in deployment.calls)
    assert "dev sleeps" in done.stdout


def test_a_first_release_that_fails_has_nothing_to_go_back_to(deployment):
    Path(deployment.variables["STATE"]).write_text('{"values": {}}', encoding="utf-8")

    done = deployment.run("release.sh", "dev", NEW, "", "", BREAKS="run --rm migrate")

    assert done.returncode == 1
    assert deployment.applied == [NEW]
    assert "nothing to go back to" in done.stderr


def test_a_plan_is_made_with_the_image_that_runs_and_written_as_markdown(deployment):
    done = deployment.run("plan.sh", "dev", "plan.md", PLAN="2")

    assert done.returncode == 0, done.stderr
    assert any("plan" in line and f"-var=image_digest={OLD}" in line for line in deployment.calls)
    assert "Plan: 1 to add" in (deployment.folder / "plan.md").read_text(encoding="utf-8")


def test_a_plan_has_the_read_api_that_runs_or_a_placeholder(deployment):
    deployment.run("plan.sh", "dev", "plan.md")
    deployment.runs(OLD, api=NEW)
    deployment.run("plan.sh", "dev", "plan.md")

    planned = [line for line in deployment.calls if line.startswith("terraform plan")]
    found = [re.findall(r"-var=api_image_digest=(\S+)", line) for line in planned]
    assert found == [[f"sha256:{'0' * 64}"], [NEW]]


@pytest.mark.parametrize(("plan", "code"), [("0", 0), ("2", 2), ("1", 1)])
def test_drift_is_red_only_if_something_differs(deployment, plan, code):
    assert deployment.run("plan.sh", "dev", "plan.md", "--drift", PLAN=plan).returncode == code


def test_without_its_variables_nothing_is_done(deployment):
    done = deployment.run("release.sh", "dev", NEW, "", "", TFVARS="")

    assert done.returncode != 0
    assert "docs/deploy.md" in done.stderr
    assert deployment.calls == []


def test_every_action_is_pinned_by_commit_and_no_workflow_has_rights_by_default():
    workflows = sorted((CHECKOUT / ".github" / "workflows").glob("*.yml"))
    assert [path.name for path in workflows] == ["ci.yml", "deploy.yml", "diff.yml", "drift.yml"]
    for path in workflows:
        text = path.read_text(encoding="utf-8")
        uses = re.findall(r"uses: (\S+)", text)
        assert uses
        assert [item for item in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", item)] == []
        assert "\npermissions: {}\n" in text
        assert "secrets." not in text, "no key is stored in GitHub"


CARELESS = """
name: careless
on: pull_request_target
jobs:
  build:
    runs-on: ubuntu-24.04
    steps:
      - uses: actions/checkout@v4
      - run: echo "${{ github.event.pull_request.title }}"
      - run: echo "${{ steps.none.outputs.nothing }}"
"""


@pytest.mark.parametrize("program", [("zizmor", "--offline", "--quiet"), ("jactionlint",)])
def test_the_checks_of_workflows_refuse_a_careless_one(tmp_path, program):
    careless = tmp_path / ".github" / "workflows" / "careless.yml"
    careless.parent.mkdir(parents=True)
    careless.write_text(CARELESS, encoding="utf-8")
    command = (str(Path(sys.executable).parent / program[0]), *program[1:], str(careless))

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert done.returncode != 0
    assert "injection" in done.stdout + done.stderr
