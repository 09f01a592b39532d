"""docs/api.md: its examples run or ask what exists, and its numbers are those of the code."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import playwright
import pytest

from include.api.data import query
from include.api.data.aggregate import MOST_GROUPS, MOST_VALUES
from include.api.data.rows import MOST_BYTES

GUIDE = (Path(__file__).parents[3] / "docs" / "api.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def run(server, tmp_path):
    """Runs a command where the examples find the server; returns its output."""

    def run(*command: str) -> str:
        done = subprocess.run(
            command,
            env={**os.environ, "API": server.url},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_examples_for_curl_answer(run, crimes, tmp_path):
    (block,) = (found for found in blocks("sh") if found.startswith("curl"))
    rows, groups, file = block.strip().splitlines()

    assert len(json.loads(run("sh", "-c", rows))["rows"]) == 5
    assert json.loads(run("sh", "-c", groups))["groups"][0]["sum.crimes"] > 0
    run("sh", "-c", file)
    with (tmp_path / "crimes.csv").open(newline="") as found:
        assert len(list(csv.DictReader(found))) == len(crimes.rows)


def test_the_example_for_python_reads_all_pages(run, crimes):
    (block,) = blocks("python")

    count = int(run(sys.executable, "-c", block))

    assert count == sum(row["council"] == "sutton" for row in crimes.rows) > 1000


def test_the_example_for_javascript_reads_groups(run, crimes):
    (block,) = blocks("js")
    # The one that the browsers' driver brings.
    node = Path(playwright.__file__).parent / "driver" / "node"
    program = f"const API = process.env.API;\n{block}\nconsole.log(JSON.stringify(groups));"

    groups = json.loads(run(str(node), "--input-type=module", "--eval", program))

    by_month = Counter()
    for row in crimes.rows:
        by_month[row["month"].isoformat()] += row["crimes"]
    assert {one["month"]: one["sum.crimes"] for one in groups} == by_month


def test_the_examples_for_r_and_excel_request_what_exists(client, crimes):
    (r,) = blocks("r")
    (path,) = re.findall(r'"(/v1/[^"]+)"', r)
    assert client.get(path).json()["rows"][0]["council"] == "sutton"

    (excel,) = (found for found in blocks("text") if found.startswith("let"))
    (path,) = re.findall(r'RelativePath = "([^"]+)"', excel)
    head = next(csv.reader(client.get(f"/{path}").text.splitlines()))
    typed = re.findall(r'\{"(\w+)", (?:type date|Int64.Type)\}', excel)
    assert len(typed) == 2
    assert set(typed) <= set(head) == set(crimes.types)


@pytest.mark.parametrize(
    "said",
    [
        f"at most {query.MOST_CHARACTERS:,} characters",
        f"{query.MOST_FILTERS} filters and {query.MOST_IN} values of `in`",
        f"`limit={query.DEFAULT_ROWS}` (at most {query.MOST_ROWS:,})",
        f"At most {MOST_GROUPS:,} groups, and {MOST_VALUES:,} values",
        f"at most about {MOST_BYTES >> 20} MB",
    ],
)
def test_its_numbers_are_those_of_the_code(said):
    assert said in GUIDE
