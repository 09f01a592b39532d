"""The function's image: it lands a partition by the very same job, and holds nothing else."""

from __future__ import annotations

import json

import pytest

from tests.containers.conftest import Stack

pytestmark = pytest.mark.timeout(1800)

LAND = """
import json
from include.jobs.aws.extract_function import handler
print(json.dumps(handler({"source": "bank_holidays"}, type("C", (), {"aws_request_id": "1"}))))
"""
LOOK = """
import importlib.util, json, os
programs = ("/bin/sh", "/usr/bin/sh", "/bin/bash", "/usr/bin/apt-get", "/usr/bin/dpkg")
found = [name for name in programs if os.path.exists(name)]
found += [name for name in ("pip", "ensurepip", "airflow") if importlib.util.find_spec(name)]
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def image(stack: Stack) -> Stack:
    stack.ok("build", "extract")
    return stack


def test_it_lands_what_its_event_names_and_the_ledger_takes_it(image: Stack):
    said = image.ok("run", "--rm", "--no-deps", "-T", "extract", LAND)
    landings = json.loads(said.strip().splitlines()[-1])["landings"]

    image.wandle("reload", "bank_holidays")

    assert [entry["landing"] for entry in image.ledger() if entry["source"] == "bank_holidays"] == (
        landings
    )


def test_it_has_no_shell_and_no_package_manager(image: Stack):
    said = image.ok("run", "--rm", "--no-deps", "-T", "extract", LOOK)

    assert json.loads(said.strip().splitlines()[-1]) == []
