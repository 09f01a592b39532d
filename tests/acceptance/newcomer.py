"""A person with a copy of the project and a platform, who does what a page of the docs says.

Every code block of a page is done in its order: commands are run, the response that it shows is
saved, and the fields and lines that it shows are written into the files.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from dotenv import dotenv_values

from include.local.services.airflow_api import FINISHED, AirflowApi, AirflowRefused

CHECKOUT = Path(__file__).parents[2]
ADDING = CHECKOUT / "docs" / "adding-a-dataset.md"
CHANGING = CHECKOUT / "docs" / "changing-a-dataset.md"
BLOCK = re.compile(
    r"^```(?P<language>\w*)(?P<example> example)?(?: (?P<how>\w+))?\n(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
# The file that a block is about, in its first line.
FILE = re.compile(r"(?:--|#) (?P<path>[\w./]+\.(?:sql|ya?ml|py))\n")
# Only a command that hangs takes so long, even on a busy machine.
COMMAND_SECONDS = 900
CONTRACT = "include/sources/library_loans.yaml"
MODEL = "dbt_project/models/staging/library/stg_library__loans.sql"
SAMPLE = "samples/library_loans@libraries.example.org.json"


@dataclass
class Newcomer:
    """A person with a copy of the project, who does what a page says.

    After each block of commands, `check` is called with the commands.
    """

    folder: Path
    environment: dict[str, str]
    said: dict[str, str] = field(default_factory=dict)
    check: Callable[[str], None] | None = None

    @property
    def home(self) -> Path:
        """The state folder."""
        return Path(self.environment["WANDLE_HOME"])

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command, whatever its exit code."""
        return subprocess.run(
            [sys.executable, "-c", "from include.cli import main; main()", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )

    def wandle(self, *arguments: str) -> str:
        """Run a command, which must succeed."""
        done = self.run(*arguments)
        assert done.returncode == 0, f"wandle {shlex.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def follow(self, page: Path) -> None:
        """Do every block of the page in its order, except those marked as examples."""
        self.follow_text(page.read_text(encoding="utf-8"))

    def follow_text(self, text: str) -> None:
        """The same for a part of a page."""
        for block in BLOCK.finditer(text):
            if block["example"]:
                continue
            if block["language"] == "sh":
                self.shell(block["text"], fails=block["how"] == "fails")
            elif block["language"] == "diff":
                subprocess.run(
                    [str(shutil.which("patch")), "-p1"],
                    input=block["text"],
                    cwd=self.folder,
                    text=True,
                    check=True,
                )
            else:
                self._doing(block["language"], block["text"])(block["text"])

    def shell(self, text: str, *, fails: bool = False) -> str:
        """Run the lines in a shell, with `wandle` of this copy and the `python` of the checkout."""
        programs = self.folder / ".programs"
        programs.mkdir(exist_ok=True)
        wandle = programs / "wandle"
        start = "import sys; sys.argv[0] = 'wandle'; from include.cli import main; main()"
        wandle.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{start}" "$@"\n')
        python = programs / "python"
        python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
        for program in (wandle, python):
            program.chmod(0o755)
        path = f"{programs}{os.pathsep}{self.environment['PATH']}"
        done = subprocess.run(
            [str(shutil.which("bash")), "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env=self.environment | {"PATH": path},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
        )
        assert (done.returncode != 0) is fails, f"{text}\n{done.stdout}{done.stderr}"
        self.said[text.strip()] = done.stdout + done.stderr
        return done.stdout + done.stderr

    def _doing(self, language: str, text: str) -> Callable[[str], None]:
        if text.startswith("GET "):
            return self._save
        if text.startswith(("wandle ", "mv ", "rm ")):
            return self._run
        if FILE.match(text):
            return self._write
        if language == "sql":
            return self._edit_model
        if language == "yaml":
            return self._describe if text.startswith("  - name") else self._review
        return lambda text: None

    def _save(self, text: str) -> None:
        """Save the response; the sandbox answers with it from now on if it had one before."""
        _, _, body = text.partition("\n\n")
        json.loads(body)
        (self.folder / "response.json").write_text(body, encoding="utf-8-sig")
        sample = self.home / SAMPLE
        if sample.exists():
            encoded = base64.b64encode((self.folder / "response.json").read_bytes()).decode()
            sample.write_text(json.dumps(json.loads(sample.read_text()) | {"body": encoded}))

    def _run(self, text: str) -> None:
        for line in text.replace("\\\n", " ").splitlines():
            program, *arguments = shlex.split(line, comments=True)
            if program == "wandle":
                self.said[" ".join(arguments)] = self._output(*arguments)
            else:
                subprocess.run([program, *arguments], cwd=self.folder, check=True)
        if self.check:
            self.check(text)

    def _output(self, *arguments: str) -> str:
        """What a command says; one that finds what is due, or what goes first, ends red."""
        if arguments[0] not in ("verify", "validate") and (
            arguments[0] != "remove" or "--yes" in arguments
        ):
            return self.wandle(*arguments)
        done = self.run(*arguments)
        return f"{done.returncode}: {done.stdout}{done.stderr}"

    def _write(self, text: str) -> None:
        """Write the file that the block shows, or those of its fields."""
        found = FILE.match(text)
        assert found
        path, text = self.folder / found["path"], text[found.end() :]
        if path.exists():
            content = merged(yaml.safe_load(path.read_text()), yaml.safe_load(text))
            text = yaml.safe_dump(content, sort_keys=False)
        path.write_text(text)

    def _review(self, text: str) -> None:
        self._write(f"# {CONTRACT}\n{text}")

    def _edit_model(self, text: str) -> None:
        path = self.folder / MODEL
        before, _, rest = path.read_text().partition("renamed as (")
        _, _, after = rest.partition("select * from renamed")
        path.write_text(f"{before}{text.rstrip()}\n\nselect * from renamed{after}")

    def _describe(self, text: str) -> None:
        path = (self.folder / MODEL).with_suffix(".yml")
        content = yaml.safe_load(path.read_text())
        columns = content["models"][0]["columns"]
        kept = [column for column in columns if column["name"] not in ("fee", "item")]
        content["models"][0]["columns"] = yaml.safe_load(text) + kept
        path.write_text(yaml.safe_dump(content, sort_keys=False))

    def rows(self, query: str, variable: str = "WANDLE_TRANSFORMER_DSN") -> list[tuple[Any, ...]]:
        """The result of a query, by default as the role that reads staging and raw."""
        kept = dotenv_values(self.home / "wandle.env")
        with psycopg.connect(str(kept[variable])) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def airflow(self) -> AirflowApi:
        """The platform's Airflow, logged in as a user of its UI."""
        kept = dotenv_values(self.home / "wandle.env")
        return AirflowApi(
            *(str(kept[name]) for name in ("AIRFLOW_URL", "AIRFLOW_USER", "AIRFLOW_PASSWORD"))
        )


def merged(before: Any, changes: Any) -> Any:
    """The content with the changes that a page shows; columns are changed by name, or added."""
    if isinstance(before, dict) and isinstance(changes, dict):
        return before | {name: merged(before.get(name), value) for name, value in changes.items()}
    if isinstance(before, list) and all(isinstance(item, dict) for item in changes):
        by_name = {item.get("renamed_from", item["name"]): item for item in changes}
        kept = [by_name.pop(item["name"], item) for item in before]
        return [*kept, *by_name.values()]
    return changes


def triggered(api: AirflowApi, dag: str, conf: dict[str, Any]) -> str:
    """The id of a run, started as soon as the form knows the new council."""
    ends = time.monotonic() + 90
    while True:
        try:
            run = api.post(f"/dags/{dag}/dagRuns", {"logical_date": None, "conf": conf})
            return str(run["dag_run_id"])
        except AirflowRefused as error:
            if "is not one of" not in str(error) or time.monotonic() > ends:
                raise
        time.sleep(2)


def finished(api: AirflowApi, dag: str, run: str, seconds: float = 180) -> str:
    """The state of a run once it has ended."""
    ends = time.monotonic() + seconds
    while (state := api.get(f"/dags/{dag}/dagRuns/{run}")["state"]) not in FINISHED:
        assert time.monotonic() < ends, f"{run} of {dag} did not end"
        time.sleep(1)
    return str(state)


@contextmanager
def newcomer(temporary: pytest.TempPathFactory, port_base: int) -> Iterator[Newcomer]:
    """A person with a running platform of their own, on the sandbox and without internet."""
    folder = temporary.mktemp("project")
    leave = shutil.ignore_patterns("__pycache__", "target", "logs", "dbt_packages")
    for name in ("include", "config", "dags", "plugins", "sandbox", "dbt_project"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=leave)
    foreign = ("WANDLE_", "AIRFLOW", "AWS_", "PYTHONPATH")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(foreign)
    } | {
        "PYTHONPATH": str(folder),
        "WANDLE_HOME": str(temporary.mktemp("home")),
        "WANDLE_PORT_BASE": str(port_base),
        "WANDLE_CODE_VERSION": "test",
        # Nothing outside of this machine is reached.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "COLUMNS": "200",
    }
    person = Newcomer(folder, environment)
    try:
        person.said["up"] = person.wandle("up")
        yield person
    finally:
        person.wandle("down")
