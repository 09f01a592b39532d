"""`make bench-api` measures both servers, writes what it found, and fails without its bars."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import pytest

from include.settings import CHECKOUT
from tests.benchmarks.api.mix import SHARES
from tests.benchmarks.api.servers import OTHER, OURS

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.skipif(not shutil.which("wrk"), reason="needs wrk"),
]
RATE = 50


def test_a_short_run_measures_everything_and_fails_its_check(tmp_path):
    page = tmp_path / "page.md"
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.benchmarks.api", "--check", "--page", page,
            "--rate", str(RATE), "--switch-rate", str(RATE), "--seconds", "1",
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
    switch = results[-1]
    assert (switch["phase"], switch["errors"]) == ("switch", 0)
    # Both do the same work, and all of it is right.
    assert [one for one in results if one["errors"]] == []
    assert all(one["answered"] == one["due"] for one in (*rates, switch))
    assert all(one["cpu_microseconds"] > 0 and one["rss_mb"] > 20 for one in results)
    assert "**not met**" in page.read_text() or "not measured" in page.read_text()
    assert (tmp_path / "images" / "performance-api.svg").read_text().startswith("<svg")
