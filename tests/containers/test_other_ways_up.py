"""The other ways to bring it up: the demo's command, the source mounted, an editor's container."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.containers.conftest import CHECKOUT, Stack

pytestmark = pytest.mark.timeout(3600)

# The smallest main job that is one, on the sandbox's generated data: three months.
SMALL = ("SOURCES=police_street_crime", "COUNCILS=sutton")
DONE = "police_street_crime: 3 partitions"
DESCRIPTION = "-> S3 -> raw."
EDITED = "-> S3, as edited -> raw."
AS_EDITED = """
{{ config(post_hook="alter table {{ this }} set (fillfactor = 87)") }}
"""
# A changed file is read again within half a minute, on a machine with nothing else to do.
SEEN_SECONDS = 300


def test_compose_demo_brings_it_up_and_runs_the_main_job(stack: Stack):
    before = len(stack.ledger("--history"))

    command = ("make", "compose-demo", *SMALL)
    done = subprocess.run(
        command,
        env=stack.environment,
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=3000,
    )

    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert DONE in done.stdout
    assert f"http://localhost:{stack.environment['WANDLE_PORT']}" in done.stdout
    assert len(stack.ledger("--history")) > before


def copy_of_checkout(folder: Path) -> Path:
    """Every file that git knows, as it is now."""
    command = ("git", "-C", str(CHECKOUT), "ls-files", "-z")
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    for name in listed.stdout.rstrip("\0").split("\0"):
        if (CHECKOUT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(CHECKOUT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def edited(stack: Stack, tmp_path_factory) -> Stack:
    """The same project, with the source of a copy of this checkout mounted."""
    folder = copy_of_checkout(tmp_path_factory.mktemp("edited"))
    files = ("docker-compose.yaml", "docker-compose.edit.yaml")
    found = replace(stack, files=files, folder=folder)
    found.up(1, "--force-recreate")
    return found


def description(stack: Stack) -> str:
    query = "select description from dag where dag_id = 'ingest_police_street_crime'"
    return stack.sql(query, "airflow")[0][0]


def test_an_edited_dag_shows_up_without_a_new_image(edited: Stack):
    file = edited.folder / "dags" / "ingest.py"
    assert DESCRIPTION in description(edited)

    file.write_text(file.read_text().replace(DESCRIPTION, EDITED))

    end = time.monotonic() + SEEN_SECONDS
    while EDITED not in description(edited):
        assert time.monotonic() < end, "the edited DAG did not show up"
        time.sleep(5)


def test_an_edited_step_and_model_are_what_runs_next(edited: Stack):
    model = edited.folder / "dbt_project" / "models" / "marts" / "ward_crime_monthly.sql"
    model.write_text(model.read_text() + AS_EDITED)
    step = edited.folder / "include" / "jobs" / "pipeline" / "load.py"
    step.write_text(step.read_text() + '\nprint("a step, as edited")\n')

    edited.ok(*edited.demo("--council", "sutton", "--from", "2026-01", "--to", "2026-01"))

    logs = edited.inside("worker", "sh", "-c", "grep -rl 'a step, as edited' /opt/airflow/logs")
    assert "task_id=partition.load" in logs
    options = (
        "select reloptions from pg_class where relname = 'ward_crime_monthly' and relkind = 'r'"
    )
    assert edited.sql(options) == [["{fillfactor=87}"]]


@pytest.fixture(scope="module")
def editor(tmp_path_factory) -> Stack:
    """What `.devcontainer` makes: its base, its user, and what its command installs."""
    text = (CHECKOUT / ".devcontainer" / "devcontainer.json").read_text()
    asked = json.loads(re.sub(r"^\s*//.*$", "", text, flags=re.M))
    folder = copy_of_checkout(tmp_path_factory.mktemp("editor"))
    (folder / ".dockerignore").unlink()
    environment = {name: value for name, value in os.environ.items() if name != "COMPOSE_FILE"} | {
        "COMPOSE_PROJECT_NAME": "wandle-editor-test",
        # Microsoft's image of this name is Docker's with a user and git.
        "EDITOR_BASE": "docker.io/library/python:" + asked["image"].partition("python:")[2],
        "EDITOR_USER": asked["remoteUser"],
        "EDITOR_COMMAND": asked["postCreateCommand"],
    }
    found = Stack(environment, ("tests/containers/editor.yaml",), folder)
    found.ok("build", "editor")
    return found


def test_an_editors_container_runs_the_main_job_without_docker(editor: Stack):
    said = editor.ok("run", "--rm", "-T", "editor", "make", "demo", *SMALL)

    assert DONE in said
    assert "http://127.0.0.1:8080" in said
