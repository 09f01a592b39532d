"""Rules that every DAG follows, whoever wrote it."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from include.errors import PermanentError, RetryableError, SourceRejected, SourceUnavailable
from include.sources.model import contracts

DAGS = Path(__file__).parents[2] / "dags"
SHARED = {DAGS / f"{name}.py" for name in ("_approval", "_form", "_tasks", "_texts")}
FILES = sorted(DAGS.glob("*.py"))
DAG_FILES = [file for file in FILES if file not in SHARED]
OTHERS = {"transform", "replay_quarantine", "freshness_watch", "housekeeping"}
EXPECTED = {f"ingest_{name}" for name in contracts()} | OTHERS

# What costs time or opens connections, and belongs inside the tasks.
HEAVY = (
    *("adbc_driver_postgresql", "boto3", "botocore", "dbt", "duckdb", "pandas", "polars"),
    *("psycopg", "psycopg2", "pyarrow", "requests", "shapely", "airflow.providers.amazon"),
    *("airflow.providers.postgres", "include.jobs", "include.warehouse", "include.extract"),
)
MAY_IMPORT = (
    *("airflow.sdk", "dags._form", "dags._tasks", "dags._texts"),
    "airflow.providers.standard.operators.hitl",
    *("plugins.inbox_events", "plugins.period_timetable"),
    *("include.sources", "include.councils", "include.errors", "include.settings"),
)
PARSE_SECONDS = 1.0

PARSE = """
import json, runpy, sys, time
import airflow.sdk, airflow.sdk.definitions.decorators, airflow.providers.standard.decorators.python
before = set(sys.modules)
start = time.process_time()
runpy.run_path(sys.argv[1])
print(json.dumps([time.process_time() - start, sorted(set(sys.modules) - before)]))
"""


def definitions(file: Path) -> list[str]:
    """The functions and constants at the top of a file."""
    top = ast.parse(file.read_text(encoding="utf-8")).body
    assigned = [target for node in top if isinstance(node, ast.Assign) for target in node.targets]
    return [node.name for node in top if isinstance(node, ast.FunctionDef)] + [
        target.id for target in assigned if isinstance(target, ast.Name)
    ]


def tasks(dag_bag):
    return [task for dag in dag_bag.dags.values() for task in dag.tasks]


def test_every_dag_file_imports(dag_bag):
    assert dag_bag.import_errors == {}


def test_airflow_parses_every_dag_file_and_skips_what_they_share(dag_bag):
    parsed = {Path(item.file).name for item in dag_bag.dagbag_stats}

    assert parsed == {file.name for file in DAG_FILES}
    assert len(parsed) >= 3
    assert all(file.exists() for file in SHARED)


def test_dag_files_define_nothing_twice():
    defined = [name for file in FILES for name in definitions(file)]

    assert [name for name, times in Counter(defined).items() if times > 1] == []
    assert len(defined) > 20


def test_there_are_exactly_the_dags_that_the_contracts_call_for(dag_bag):
    assert set(dag_bag.dag_ids) == EXPECTED
    assert len(EXPECTED) >= 3


def test_no_task_stores_each_key_of_its_result_by_itself(dag_bag):
    several = {task.label for task in tasks(dag_bag) if task.multiple_outputs}

    assert {task.label for task in tasks(dag_bag)} >= {"load", "reconcile", "staging", "replay"}
    assert several == set(), (
        "Airflow makes an XCom, a request, of each key: give the decorator multiple_outputs=False"
    )


def test_every_dag_says_what_it_is_and_can_be_found(dag_bag):
    without = [
        dag.dag_id
        for dag in dag_bag.dags.values()
        if not (dag.description and dag.doc_md and dag.tags)
    ]
    assert without == [], "a DAG needs a description, doc_md and tags"


def test_no_dag_makes_up_for_missed_runs_by_itself(dag_bag):
    assert [dag.dag_id for dag in dag_bag.dags.values() if dag.catchup] == []


def test_a_dag_that_only_people_start_is_not_paused_at_first(dag_bag):
    unscheduled = [dag for dag in dag_bag.dags.values() if not dag.timetable.can_be_scheduled]

    assert [dag.dag_id for dag in unscheduled] == ["replay_quarantine"]
    assert [dag.is_paused_upon_creation for dag in unscheduled] == [False]


def test_every_dag_that_starts_paused_says_so(dag_bag):
    silent = [
        dag.dag_id
        for dag in dag_bag.dags.values()
        if dag.dag_id.startswith("ingest_") or dag.dag_id == "housekeeping"
        if "stays queued" not in dag.doc_md
    ]

    assert silent == []


def test_every_task_retries_with_growing_pauses(dag_bag):
    without = [
        t.task_id for t in tasks(dag_bag) if t.retries < 2 or t.retry_exponential_backoff < 2
    ]
    assert without == [], "a task needs two retries or more, each later than the one before"


def test_every_task_ends(dag_bag):
    assert [t.task_id for t in tasks(dag_bag) if not t.execution_timeout] == []


def test_every_task_has_an_owner_of_its_own(dag_bag):
    assert [t.task_id for t in tasks(dag_bag) if t.owner in ("", "airflow")] == []


@pytest.mark.parametrize(
    ("error", "action"),
    [
        (SourceRejected("no"), "fail"),
        (PermanentError("no"), "fail"),
        (SourceUnavailable("later"), "default"),
        (RetryableError("later"), "default"),
        (ValueError("a bug"), "default"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else value,
)
def test_permanent_errors_fail_at_once_and_others_are_tried_again(dag_bag, error, action):
    decisions = {
        task.retry_policy.evaluate(exception=error, try_number=1, max_tries=3).action.value
        for task in tasks(dag_bag)
    }

    assert decisions == {action}


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_parsing_is_quick_and_imports_nothing_heavy(file):
    done = subprocess.run(
        [sys.executable, "-c", PARSE, str(file)], capture_output=True, text=True, check=True
    )
    seconds, imported = json.loads(done.stdout.splitlines()[-1])

    heavy = [name for name in imported if name.startswith(tuple(f"{h}." for h in HEAVY))]
    heavy += [name for name in imported if name in HEAVY]
    assert heavy == []
    assert seconds < PARSE_SECONDS


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_the_top_of_a_dag_file_imports_only_what_it_may(file):
    top = ast.parse(file.read_text(encoding="utf-8")).body
    imported = [node.module or "" for node in top if isinstance(node, ast.ImportFrom)]
    imported += [alias.name for node in top if isinstance(node, ast.Import) for alias in node.names]

    known = ("__future__", *sys.stdlib_module_names, *MAY_IMPORT)
    strange = [
        name for name in imported if not any(name == k or name.startswith(f"{k}.") for k in known)
    ]
    assert strange == []
    assert "os" not in imported, "a DAG file reads no environment"


@pytest.mark.parametrize("file", DAG_FILES, ids=lambda file: file.name)
def test_airflow_and_dbt_take_a_dag_file_for_what_it_is(file):
    text = file.read_text(encoding="utf-8").lower()

    assert "dag" in text
    assert "airflow" in text
    assert not file.name.startswith("dbt_"), "dbt imports dbt_*.py as plugins"


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_no_dag_file_names_a_source_or_a_council(file):
    from include.councils.model import councils

    text = file.read_text(encoding="utf-8")

    assert [name for name in (*contracts(), *councils()) if name in text] == []
