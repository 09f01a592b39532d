"""The lock on the state folder: one command at a time, never stale, never a hang."""

import subprocess
import sys
import time

import pytest

from include.local.lock import PlatformBusy, hold

HOLDER = """
import sys, time
from pathlib import Path
from include.local.lock import hold
with hold(Path(sys.argv[1]), "demo"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()


def test_the_second_waits_and_then_names_the_holder(tmp_path, holder):
    said = []
    began = time.monotonic()

    with (
        pytest.raises(PlatformBusy, match=rf"`wandle demo` \(process {holder.pid}, since 20"),
        hold(tmp_path, "up", report=said.append, patience_seconds=0.3),
    ):
        pass

    assert time.monotonic() - began < 5
    assert len(said) == 1
    assert f"process {holder.pid}" in said[0]


def test_a_holder_that_is_killed_leaves_no_lock(tmp_path, holder):
    holder.kill()
    holder.wait()

    with hold(tmp_path, "up", patience_seconds=0):
        pass


def test_the_second_gets_it_when_the_first_is_done(tmp_path, holder):
    with pytest.raises(PlatformBusy), hold(tmp_path, "up", patience_seconds=0):
        pass
    holder.terminate()

    with hold(tmp_path, "up", report=lambda _: None, patience_seconds=10):
        pass


def test_it_nests_in_one_process(tmp_path):
    with hold(tmp_path, "demo"), hold(tmp_path, "up", patience_seconds=0):
        pass

    with hold(tmp_path, "down", patience_seconds=0):
        pass
