"""An API of a shape that no source has runs green with one contract and one staging model.

Both are added to a copy of the project, as docs/adding-a-dataset.md says, and
everything is done by the commands that a person types.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.integration.conftest import Warehouse
from tests.integration.fixture_server import FixtureServer, child, loans_api, serving_fixture

CHECKOUT = Path(__file__).parents[2]
ADDED = Path(__file__).parent / "any_shape"
SOURCE = "library_loans"
CONTRACT = Path("include/sources/library_loans.yaml")
MODEL = Path("dbt_project/models/staging/library/stg_library__loans.sql")
GSS_CODE = "E09000021"


def loan(number: int, *items: str, **changes: str) -> dict[str, Any]:
    """A loan as the API writes it."""
    written = {
        "LoanNo": f"{number:06}",
        "Branch": "Surbiton",
        "LentAt": "2026-07-01 14:05",
        "DueOn": "2026-07-22",
        "Renewals": "0",
        "Fee": "0.00",
        "Overdue": "false",
    }
    return written | changes | {"Items": child("Item", [{"Title": title} for title in items])}


# None on the first day, one on the second, many on the third; one on the fourth that no request
# for the third may bring.
LOANS = {
    date(2026, 7, 2): [loan(7, "Emma", LentAt="2026-07-02 09:00")],
    date(2026, 7, 3): [
        loan(21, "Emma", "Persuasion", DueOn="", Fee="1.50", Renewals="2"),
        loan(22, Overdue="true", Branch="Tolworth"),
        loan(23, "Sanditon", Renewals="", Fee="", Overdue=""),
    ],
    date(2026, 7, 4): [loan(40, "Emma")],
}


@dataclass(frozen=True)
class Project:
    """A copy of this project, and its `wandle` command."""

    folder: Path
    environment: dict[str, str]
    warehouse: Warehouse

    def wandle(self, *arguments: str) -> str:
        """Run it; it must succeed."""
        done = subprocess.run(
            [sys.executable, "-c", "from include.cli import main; main()", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
        )
        assert done.returncode == 0, f"wandle {' '.join(arguments)}:\n{done.stdout}{done.stderr}"
        return done.stdout

    def files(self) -> dict[Path, bytes]:
        """What it holds."""
        return {
            path.relative_to(self.folder): path.read_bytes()
            for path in self.folder.rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }


@pytest.fixture(scope="module")
def api() -> Iterator[tuple[FixtureServer, str]]:
    server = FixtureServer().on("^/libraries.example.org/", loans_api(LOANS))
    with serving_fixture(server) as url:
        yield server, url


@pytest.fixture(scope="module")
def s3_url() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(scope="module")
def project(tmp_path_factory, api, s3_url, new_database) -> Project:
    folder = tmp_path_factory.mktemp("project")
    leave = shutil.ignore_patterns("__pycache__", "target", "logs", "dbt_packages")
    for name in ("include", "dbt_project"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=leave)
    warehouse = new_database()
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "eu-west-2"}
    s3 = boto3.client(
        "s3",
        endpoint_url=s3_url,
        region_name="eu-west-2",
        aws_access_key_id="test",
        aws_secret_access_key="test",
    )
    s3.create_bucket(Bucket="wandle", CreateBucketConfiguration={"LocationConstraint": "eu-west-2"})
    foreign = ("WANDLE_", "AIRFLOW", "AWS_", "PYTHONPATH")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(foreign)
    }
    environment |= keys | {
        "PYTHONPATH": str(folder),
        "WANDLE_HOME": str(tmp_path_factory.mktemp("home")),
        "WANDLE_CODE_VERSION": "test",
        "WANDLE_SANDBOX_URL": api[1],
        "AWS_ENDPOINT_URL_S3": s3_url,
        "WANDLE_ADMIN_DSN": warehouse.admin,
        "WANDLE_LOADER_DSN": warehouse.dsn("wandle_loader"),
        "WANDLE_TRANSFORMER_DSN": warehouse.dsn("wandle_transformer"),
        "WANDLE_PUBLISHER_DSN": warehouse.dsn("wandle_publisher"),
    }
    return Project(folder, environment, warehouse)


@pytest.fixture(scope="module")
def ran(project) -> dict[str, Any]:
    """One contract and one staging model added, and run for four days."""
    before = project.files()
    shutil.copy(ADDED / "library_loans.yaml", project.folder / CONTRACT)
    model = project.folder / MODEL
    model.parent.mkdir()
    for suffix in (".sql", ".yml"):
        shutil.copy(ADDED / f"stg_library__loans{suffix}", model.with_suffix(suffix))

    project.wandle("sync")
    after = project.files()
    project.wandle("migrate")
    window = ("--from", "2026-07-01", "--to", "2026-07-04")
    project.wandle("ingest", SOURCE, "--council", "kingston", *window)
    ledger = json.loads(project.wandle("ledger", "--json"))
    project.wandle("transform")
    changed = {path for path, content in after.items() if before.get(path) != content}
    return {"changed": changed, "ledger": ledger}


def rows(project: Project, columns: str) -> list[tuple[Any, ...]]:
    return project.warehouse.query(
        f"select {columns} from staging.stg_library__loans order by loan_no", "wandle_transformer"
    )


def test_one_contract_and_one_staging_model_are_all_that_is_added(ran):
    made = {
        Path("dbt_project/models/staging/_sources.yml"),
        Path("dbt_project/models/staging/library/stg_library__loans.sql"),
    }
    described = MODEL.with_suffix(".yml")

    assert ran["changed"] == {CONTRACT, described} | made


def test_parameters_are_in_the_path_and_the_end_is_the_day_after(api, ran):
    assert [asked.path for asked in api[0].asked] == [
        f"/libraries.example.org/open/{GSS_CODE}/loans/2026-07-0{day}/2026-07-0{day + 1}"
        for day in range(1, 5)
    ]


def test_none_one_and_many_are_loaded_and_the_books_balance(ran):
    entries = sorted(
        (entry for entry in ran["ledger"] if entry["source"] == SOURCE),
        key=lambda entry: str(entry["period"]),
    )

    assert [entry["status"] for entry in entries] == ["loaded"] * 4
    assert [entry["records"] for entry in entries] == [0, 1, 3, 1]
    for entry in entries:
        assert entry["records"] == entry["loaded"]
        assert (entry["quarantined"], entry["duplicates"]) == (0, 0)


def test_text_is_turned_into_the_types_of_the_contract(project, ran):
    found = rows(project, "loan_no, lent_at, due_on, renewals, fee_pounds, is_overdue")

    assert found[:2] == [
        ("000007", datetime(2026, 7, 2, 8, tzinfo=UTC), date(2026, 7, 22), 0, Decimal(0), False),
        (
            *("000021", datetime(2026, 7, 1, 13, 5, tzinfo=UTC), None),
            *(2, Decimal("1.50"), False),
        ),
    ]


def test_a_blank_is_null(project, ran):
    assert rows(project, "due_on, renewals, fee_pounds, is_overdue")[3] == (
        *(date(2026, 7, 22), None),
        *(None, None),
    )


def test_children_are_a_list_whether_there_are_none_one_or_many(project, ran):
    assert [row[0] for row in rows(project, "jsonb_path_query_array(items, '$[*].Title')")] == [
        ["Emma"],
        ["Emma", "Persuasion"],
        [],
        ["Sanditon"],
        ["Emma"],
    ]


def test_no_field_is_left_over(project, ran):
    left_over = f"select count(*) from raw.{SOURCE} where _extra <> '{{}}'::jsonb"

    assert project.warehouse.value(left_over) == 0
