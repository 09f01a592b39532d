"""However pytest ends, its servers end with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

CHECKOUT = Path(__file__).parents[2]
TEST = """
import subprocess, time
from pathlib import Path
from tests.integration.conftest import sockets

def test_sleeps(sockets):
    other = subprocess.Popen(["sleep", "300"], start_new_session=True)
    Path(r"{said}").write_text(f"{{sockets}} {{other.pid}}")
    time.sleep(300)
"""


def servers(folder: str) -> list[psutil.Process]:
    """The PostgreSQL servers of a folder."""
    return [
        p for p in psutil.process_iter(["name", "cmdline"]) if folder in (p.info["cmdline"] or ())
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_pytest_that_is_interrupted_leaves_no_server_behind(tmp_path, number):
    said = tmp_path / "said"
    (tmp_path / "test_sleeps.py").write_text(TEST.format(said=said))
    running = subprocess.Popen(
        (sys.executable, "-m", "pytest", "-q", "-p", "tests.conftest", "-p", "no:cacheprovider",
         "-c", CHECKOUT / "pyproject.toml", "--basetemp", tmp_path / "base", tmp_path),
        cwd=CHECKOUT, env={"PATH": os.environ["PATH"]},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        _until(lambda: said.exists() and said.read_text(), seconds=60)
        folder, other = said.read_text().split()
        assert servers(folder)
        assert psutil.pid_exists(int(other))

        running.send_signal(number)
        running.wait(timeout=30)

        _until(lambda: not servers(folder) and not psutil.pid_exists(int(other)), seconds=20)
        _until(lambda: not Path(folder).exists(), seconds=5)
    finally:
        running.kill()
        running.wait()


def _until(done, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end
        time.sleep(0.1)
