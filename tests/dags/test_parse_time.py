"""What parsing all DAG files costs beyond importing Airflow, with few and with many contracts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count, cycle
from pathlib import Path

import pytest

from include.sources.model import FOLDER, contracts

CHECKOUT = Path(__file__).parents[2]
MANY = 200
# Of CPU, beyond importing Airflow.
SECONDS, SECONDS_OF_MANY = 1.0, 3.0

PROGRAM = """
import json, os, runpy, sys, time
sys.dont_write_bytecode = True
import airflow.sdk, airflow.sdk.definitions.decorators, airflow.providers.standard.decorators.python
import airflow.plugins_manager, airflow.timetables.interval
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
reached = []
def hook(event, args):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "subprocess.", "os.system")):
        reached.append(event)
    if event == "open" and isinstance(args[2], int) and args[2] & WRITING:
        reached.append(f"writes {args[0]}")
sys.addaudithook(hook)
imported = time.process_time()
for file in sys.argv[1:]:
    runpy.run_path(file)
print(json.dumps([imported, time.process_time() - imported, reached]))
"""


@dataclass(frozen=True)
class Parsed:
    """CPU seconds of importing Airflow and of parsing after that, and what parsing reached."""

    imported: float
    seconds: float
    reached: list[str]


def parse(*files: Path, root: Path = CHECKOUT) -> Parsed:
    """Parse files in one process of their own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, files)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
    )
    return Parsed(*json.loads(done.stdout.splitlines()[-1]))


def parse_within(limit: float, root: Path) -> Parsed:
    """Parse all DAG files; again on a machine that was too busy for it, at most twice."""
    for _ in range(3):
        parsed = parse(*dag_files(root), root=root)
        if parsed.seconds < limit:
            break
    return parsed


def dag_files(root: Path) -> list[Path]:
    files = sorted((root / "dags").glob("[a-z]*.py"))
    assert len(files) >= 3
    return files


@pytest.fixture
def project(tmp_path) -> Callable[[int], Path]:
    """Makes a copy of the project with so many contracts: the shipped ones, under other names."""

    def make(number: int) -> Path:
        for name in ("include", "dags", "plugins"):
            leave = shutil.ignore_patterns("__pycache__")
            shutil.copytree(CHECKOUT / name, tmp_path / name, ignore=leave)
        folder = tmp_path / FOLDER.relative_to(CHECKOUT)
        shipped = [FOLDER / f"{name}.yaml" for name in contracts()]
        copies = zip(count(), cycle(shipped), strict=False)
        while len(list(folder.glob("*.yaml"))) < number:
            serial, file = next(copies)
            name = f"copy_{serial}"
            text = re.sub(r"^name: .*$", f"name: {name}", file.read_text(), flags=re.MULTILINE)
            (folder / f"{name}.yaml").write_text(text)
        return tmp_path

    return make


def test_dag_files_parse_within_a_second_beyond_importing_airflow_and_reach_nothing_but_files():
    parsed = parse_within(SECONDS, CHECKOUT)

    assert 0 < parsed.seconds < SECONDS, parsed
    assert parsed.seconds < parsed.imported, "parsing costs more than importing Airflow"
    assert parsed.reached == []


def test_dag_files_parse_within_three_seconds_with_two_hundred_contracts(project):
    root = project(MANY)

    assert len(list((root / FOLDER.relative_to(CHECKOUT)).glob("*.yaml"))) == MANY
    assert 0 < parse_within(SECONDS_OF_MANY, root).seconds < SECONDS_OF_MANY


def test_a_file_that_works_connects_or_writes_at_parse_is_found(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import socket, time\n"
        "end = time.process_time() + 1.1\n"
        "while time.process_time() < end: pass\n"
        "socket.socket().connect_ex(('127.0.0.1', 9))\n"
        "open(__file__ + '.new', 'w').close()\n"
    )

    parsed = parse(tmp_path / "slow.py")

    assert parsed.seconds > SECONDS
    assert parsed.reached == ["socket.connect", f"writes {tmp_path}/slow.py.new"]
