"""`make bench-api` measures both servers, writes what it found, and fails without its bars."""

from __future__ import annotations

import json
import os
import shutil
import socketserver
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from include.settings import CHECKOUT
from tests.benchmarks.api.generator import Generator
from tests.benchmarks.api.mix import SHARES, Request
from tests.benchmarks.api.servers import OTHER, OURS

RATE = 50


@pytest.mark.timeout(600)
@pytest.mark.skipif(not shutil.which("wrk"), reason="needs wrk")
def test_a_short_run_measures_everything_and_fails_its_check(tmp_path):
    page = tmp_path / "page.md"
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.benchmarks.api", "--check", "--page", page,
            "--rate", str(RATE), "--knee-rate", str(2 * RATE), "--switch-rate", str(RATE),
            "--seconds", "1",
        ],
        cwd=CHECKOUT,
        env={**os.environ, "WANDLE_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
    )  # fmt: skip
    # 10,000 a second were not asked for: that bar was not measured, so the check fails.
    assert done.returncode == 1, done.stderr
    assert "bars were not measured" in done.stdout
    found = json.loads((tmp_path / "home" / "bench-api.json").read_text())
    results = found["results"]
    peaks = {(one["server"], one["kind"]) for one in results if one["phase"] == "peak"}
    assert peaks == {(server, kind) for server in (OURS, OTHER) for kind in (*SHARES, "mix")}
    rates = [one for one in results if one["phase"] == "rate"]
    assert [(one["server"], one["rate"]) for one in rates] == [(OURS, RATE), (OTHER, RATE)]
    by_phase = {one["phase"]: one for one in results}
    events = [by_phase[name] for name in ("new version", "kill", "outage", "kill in an outage")]
    # Both do the same work, and all of it is right; but a killed process loses what it had begun.
    safe = [one for one in results if "errors" in one and not one["phase"].startswith("kill")]
    assert [one for one in safe if one["errors"]] == []
    # An error is a request without an answer, never a wrong one.
    assert all(
        one["answered"] + one["errors"] == one["due"]
        for one in (*rates, by_phase["switch"], *events)
    )
    lost = [by_phase[name]["errors"] for name in ("kill", "kill in an outage")]
    assert all(errors < RATE for errors in lost)
    assert all(one["cpu_microseconds"] > 0 and one["rss_mb"] > 20 for one in safe)
    small, large = (one for one in results if one["phase"].startswith("start"))
    assert 0 < small["load_seconds"] < small["start_seconds"]
    assert small["process_mb"] < large["process_mb"]
    written = page.read_text()
    assert "**not met**" in written or "not measured" in written
    assert "a process is killed while S3 is unavailable" in written
    assert json.loads((tmp_path / "page.json").read_text()) == found
    for name in ("performance-api", "performance-api-load"):
        assert (tmp_path / "images" / f"{name}.svg").read_text().startswith("<svg")


class _Slow(socketserver.StreamRequestHandler):
    """Answers at once, but for one request: everything waits for that."""

    lock = threading.Lock()
    answered = 0
    pause = 0.5

    def handle(self) -> None:
        while line := self.rfile.readline():
            if line.strip():
                continue
            with self.lock:
                type(self).answered += 1
                if type(self).answered == 20:
                    time.sleep(self.pause)
            self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")


@pytest.fixture
def slow_port() -> Iterator[int]:
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Slow) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def test_requests_that_were_due_during_a_pause_count_the_time_they_waited(slow_port):
    found = Generator(slow_port, [Request("hot", "/")], rate=100, seconds=1, connections=1).run()
    assert found["statuses"] == {"hot 200": 100}
    assert found["unanswered"] == 0
    # Half of the requests were due while the server paused, and waited half of that on average:
    # a generator that sends the next request after an answer would have seen a single slow one.
    assert found["max"] >= 500
    assert found["mean"] >= 100
