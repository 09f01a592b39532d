"""`wandle new-project` makes a repository that has what each must have, and passes its own CI."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from include.jobs.new_project import LONGEST_NAME, TEMPLATE
from tests.command_line import command_line

BIN = Path(sys.executable).parent
CHAPTER = Path(__file__).parents[2] / "docs" / "handbook" / "04-project-structure.md"
NAME = "parking_permits"

pytestmark = pytest.mark.timeout(600)


@pytest.fixture
def wandle(monkeypatch, capsys):
    return command_line(monkeypatch, capsys)


@pytest.fixture
def project(wandle, tmp_path) -> Path:
    code, out, err = wandle("new-project", NAME, "--into", str(tmp_path))
    assert (code, err) == (0, "")
    assert f"cd {tmp_path / NAME} && git init && make check" in " ".join(out.split())
    return tmp_path / NAME


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """A command there, without the variables of this process and of a `make` above it."""
    foreign = ("WANDLE_", "AIRFLOW", "AWS_", "MAKE", "MFLAGS", "PYTEST_", "PYTHONPATH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True)


def commands_of_ci(project: Path) -> list[str]:
    """What the workflow runs in the job that needs only Python."""
    workflow = yaml.safe_load((project / ".github" / "workflows" / "ci.yml").read_text())
    return [step["run"] for step in workflow["jobs"]["check"]["steps"] if "run" in step]


def test_it_passes_its_own_ci(project):
    (command,) = commands_of_ci(project)

    # The packages of this environment: nothing is installed.
    done = run(project, *command.split(), f"BIN={BIN}", "INSTALLED=")

    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    assert int(re.findall(r"(\d+) passed", said)[0]) >= 20
    assert "skipped" not in said
    assert "All checks passed!" in said
    assert "no issues found in 9 source files" in said


@pytest.mark.parametrize(
    ("file", "before", "after", "said"),
    [
        ("src/{name}/load.py", 'batch.landed += 1', 'batch.landed += 2', "FAILED"),
        ("dbt_project/models/marts/bank_holidays_yearly.sql", "count(*)", "count(*) + 1", "FAILED"),
        ("src/{name}/extract.py", "-> bytes", "-> str", "extract.py:"),
    ],
)  # fmt: skip
def test_its_ci_fails_for_a_mistake(project, file, before, after, said):
    path = project / file.format(name=NAME)
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))

    done = run(project, "make", "check", f"BIN={BIN}", "INSTALLED=")

    assert done.returncode != 0
    assert said in done.stdout + done.stderr


def test_it_has_every_part_that_the_chapter_lists(project):
    layout = re.findall(r"^```\n(README.*?)^```", CHAPTER.read_text(), re.M | re.S)[0]
    named = [
        path.replace("<name>", NAME)
        for line in layout.splitlines()
        for path in re.split(r" {2,}", line)[: 4 if line.startswith("README") else 1]
    ]

    assert len(named) >= 10
    assert [path for path in named if not (project / path).exists()] == []
    for path in (
        ".github/CODEOWNERS",
        ".github/pull_request_template.md",
        "docs/runbook.md",
        "docs/decisions/0001-record-decisions.md",
        "terraform/environments/prod/main.tf",
        f"src/{NAME}/contracts/bank_holidays.yaml",
    ):
        assert (project / path).is_file()


def test_nothing_in_it_is_named_after_the_template(project):
    texts = {path: path.read_text() for path in project.rglob("*") if path.is_file()}

    assert len(texts) > 30
    assert [p for p, text in texts.items() if re.search("new.project", text, re.I)] == []
    assert "PARKING_PERMITS_DSN" in texts[project / "README.md"]
    assert "# Parking permits\n" in texts[project / "README.md"]
    assert (
        "parking-permits-${local.environment}-lake"
        in (texts[project / "terraform" / "environments" / "dev" / "main.tf"])
    )


@pytest.mark.parametrize("name", ["q", "zz", "a_" + "b" * (LONGEST_NAME - 2)])
def test_its_lines_are_laid_out_for_a_name_of_any_length(wandle, tmp_path, name):
    assert wandle("new-project", name, "--into", str(tmp_path))[0] == 0

    for command in (["format", "--check"], ["check"]):
        done = run(tmp_path / name, str(BIN / "ruff"), *command, ".")
        assert done.returncode == 0, done.stdout


def test_its_dependencies_are_locked_to_the_versions_that_this_environment_has():
    locked = dict(
        re.findall(r"^([\w.-]+)==([\w.]+)", (TEMPLATE / "requirements.txt").read_text(), re.M)
    )

    for name in ("apache-airflow", "dbt-postgres", "obstore", "psycopg", "pydantic", "ruff"):
        assert locked[name] == version(name)


def test_its_infrastructure_is_valid(project):
    offline = os.environ.get("TF_OFFLINE")
    if not (offline or shutil.which("terraform")):
        pytest.skip("Terraform is missing")
    with_provider = [offline] if offline else []

    done = run(project, *with_provider, "make", "terraform")

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("The configuration is valid") == 2


@pytest.mark.parametrize("there", ["a file in it", "a file", "a link"])
def test_what_is_there_is_left_alone(wandle, tmp_path, there):
    target = tmp_path / NAME
    if there == "a file in it":
        target.mkdir()
        (target / "notes.txt").write_text("mine")
    elif there == "a file":
        target.write_text("mine")
    else:
        (tmp_path / "elsewhere").mkdir()
        target.symlink_to(tmp_path / "elsewhere")
    before = sorted(tmp_path.rglob("*"))

    code, out, err = wandle("new-project", NAME, "--into", str(tmp_path))

    assert (code, out) == (1, "")
    assert f"{target} exists and is not an empty folder" in " ".join(err.split())
    assert sorted(tmp_path.rglob("*")) == before


def test_an_empty_folder_is_used(wandle, tmp_path):
    (tmp_path / NAME).mkdir()

    assert wandle("new-project", NAME, "--into", str(tmp_path))[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == [NAME]
    assert (tmp_path / NAME / "Makefile").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("Parking", "is not a valid name"),
        ("parking-permits", "is not a valid name"),
        ("../parking", "is not a valid name"),
        ("p" * (LONGEST_NAME + 1), "Use up to 30"),
        ("class", "means something else"),
        ("requests", "means something else"),
        ("tests", "means something else"),
    ],
)
def test_a_name_that_no_package_can_have_is_refused(wandle, tmp_path, name, said):
    code, _, err = wandle("new-project", name, "--into", str(tmp_path))

    assert code == 1
    assert said in " ".join(err.split())
    assert list(tmp_path.iterdir()) == []
