"""docs/adding-a-dataset.md, followed to the letter on the local platform, without internet.

Every code block of the page is done in its order: commands are run, the response is saved, and
the fields and lines that it shows are written into the files that the commands have made.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from dotenv import dotenv_values

from include.local.services.airflow_api import FINISHED, AirflowApi, AirflowRefused

CHECKOUT = Path(__file__).parents[2]
PAGE = CHECKOUT / "docs" / "adding-a-dataset.md"
BLOCK = re.compile(
    r"^```(?P<language>\w*)(?P<example> example)?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
PORT_BASE = 18_280
CONTRACT = "include/sources/library_loans.yaml"
MODEL = "dbt_project/models/staging/library/stg_library__loans.sql"

pytestmark = [pytest.mark.timeout(900), pytest.mark.platform]


@dataclass
class Newcomer:
    """A person with a copy of the project, who does what the page says."""

    folder: Path
    environment: dict[str, str]
    said: dict[str, str] = field(default_factory=dict)

    def wandle(self, *arguments: str) -> str:
        """Run a command, which must succeed."""
        done = subprocess.run(
            [sys.executable, "-c", "from include.cli import main; main()", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, f"wandle {shlex.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def follow(self, page: str) -> None:
        """Do every block of the page in its order, except those marked as examples."""
        for block in BLOCK.finditer(page):
            if not block["example"]:
                self._doing(block["language"], block["text"])(block["text"])

    def _doing(self, language: str, text: str) -> Callable[[str], None]:
        if text.startswith("GET "):
            return self._save
        if text.startswith("wandle "):
            return self._run
        if language == "sql":
            return self._edit_model
        if language == "yaml":
            return self._describe if text.startswith("  - name") else self._review
        return lambda text: None

    def _save(self, text: str) -> None:
        _, _, body = text.partition("\n\n")
        json.loads(body)
        (self.folder / "response.json").write_text(body, encoding="utf-8-sig")

    def _run(self, text: str) -> None:
        for line in text.replace("\\\n", " ").splitlines():
            _, *arguments = shlex.split(line, comments=True)
            self.said[" ".join(arguments[:2])] = self.wandle(*arguments)

    def _review(self, text: str) -> None:
        path = self.folder / CONTRACT
        content = merged(yaml.safe_load(path.read_text()), yaml.safe_load(text))
        path.write_text(yaml.safe_dump(content, sort_keys=False))

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

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """The result of a query on staging or raw."""
        kept = dotenv_values(Path(self.environment["WANDLE_HOME"]) / "wandle.env")
        with psycopg.connect(str(kept["WANDLE_TRANSFORMER_DSN"])) as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]

    def airflow(self) -> AirflowApi:
        """The platform's Airflow."""
        kept = dotenv_values(Path(self.environment["WANDLE_HOME"]) / "wandle.env")
        return AirflowApi(
            *(str(kept[name]) for name in ("AIRFLOW_URL", "AIRFLOW_USER", "AIRFLOW_PASSWORD"))
        )


def merged(before: Any, changes: Any) -> Any:
    """The content with the changes that a page shows; columns are changed by name."""
    if isinstance(before, dict) and isinstance(changes, dict):
        return before | {name: merged(before.get(name), value) for name, value in changes.items()}
    if isinstance(before, list) and all(isinstance(item, dict) for item in changes):
        by_name = {item["name"]: item for item in changes}
        assert by_name.keys() <= {item["name"] for item in before}
        return [by_name.get(item["name"], item) for item in before]
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


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    folder = tmp_path_factory.mktemp("project")
    leave = shutil.ignore_patterns("__pycache__", "target", "logs", "dbt_packages")
    for name in ("include", "dags", "plugins", "sandbox", "dbt_project"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=leave)
    foreign = ("WANDLE_", "AIRFLOW", "AWS_", "PYTHONPATH")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(foreign)
    } | {
        "PYTHONPATH": str(folder),
        "WANDLE_HOME": str(tmp_path_factory.mktemp("home")),
        "WANDLE_PORT_BASE": str(PORT_BASE),
        "WANDLE_CODE_VERSION": "test",
        # Nothing outside of this machine is reached.
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "COLUMNS": "200",
    }
    person = Newcomer(folder, environment)
    try:
        person.said["up"] = person.wandle("up")
        person.follow(PAGE.read_text(encoding="utf-8"))
        yield person
    finally:
        person.wandle("down")


def test_the_new_source_is_requested_in_the_sandbox_which_is_reported(newcomer):
    assert (
        "library_loans: requesting libraries.example.org, in the sandbox, which replays the sample"
        in newcomer.said["ingest library_loans"]
    )
    assert "data.police.uk, in the sandbox: police_street_crime" in newcomer.said["up"]


def test_every_record_arrives_in_the_staging_model_as_the_page_wants_it(newcomer):
    found = newcomer.rows(
        "select council, loan_no, due_on::text, renewals, fee_pounds::text, overdue, "
        "jsonb_array_length(items), lent_at::text from staging.stg_library__loans "
        "where day = '2026-07-03' and council <> 'merton' order by council, loan_no"
    )

    lent = "2026-07-01 13:05:00+00"
    assert found == [
        (council, *loan)
        for council in ("kingston", "sutton")
        for loan in (
            ("000021", None, 2, "1.50", False, 2, lent),
            ("000022", "2026-07-22", 0, "0.00", True, 0, lent),
        )
    ]


def test_the_new_council_has_its_wards_and_their_boundaries(newcomer):
    said = newcomer.said["new-council merton"]

    assert "with 20 wards: Abbey, Cannon Hill" in said
    assert newcomer.rows("select count(distinct ward_code) from raw.police_ward_boundaries") == [
        (20,)
    ]


def test_the_dag_runs_for_every_council_and_its_log_says_where_it_is_requested(newcomer):
    api = newcomer.airflow()
    dag = "ingest_library_loans"
    api.wait_for_dags([dag], 90)
    api.unpause(dag)

    conf = {"councils": ["kingston", "merton"], "from": "2026-07-04", "to": "2026-07-04"}
    run = triggered(api, dag, conf)
    ends = time.monotonic() + 180
    while api.get(f"/dags/{dag}/dagRuns/{run}")["state"] not in FINISHED:
        assert time.monotonic() < ends, "the run did not end"
        time.sleep(1)

    assert api.get(f"/dags/{dag}/dagRuns/{run}")["state"] == "success"
    logs = (Path(newcomer.environment["WANDLE_HOME"]) / "airflow" / "logs").rglob("*.log")
    said = "\n".join(path.read_text(errors="replace") for path in logs)
    for council in ("kingston", "merton"):
        assert f"{dag.removeprefix('ingest_')} {council} 2026-07-04: requesting libraries." in said


def test_contracts_models_tables_and_s3_agree_afterwards(newcomer):
    assert "0 differences" in newcomer.wandle("validate")
    newcomer.wandle("verify")


def test_the_folder_is_refused_for_the_live_apis_with_a_command_for_a_second_one(newcomer):
    home = newcomer.environment["WANDLE_HOME"]
    done = subprocess.run(
        [sys.executable, "-c", "from include.cli import main; main()", "up"],
        cwd=newcomer.folder,
        env=newcomer.environment | {"WANDLE_LIVE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert done.returncode == 1
    said = " ".join(done.stderr.split())
    assert f"`WANDLE_HOME={home}-live WANDLE_PORT_BASE={PORT_BASE + 10} WANDLE_LIVE=1" in said
