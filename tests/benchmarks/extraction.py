"""Measure extraction against the sandbox: records and megabytes a second, requests per record.

The sandbox runs in a process of its own, with its rate limit off; what is
landed goes to an S3 server on the loopback address. Each case is fetched three
times, the sources in turn; the time that the sandbox takes to answer is in it.
Run it by `make bench CASES=extraction`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from include.settings import CHECKOUT, Settings
from tests.benchmarks.measuring import Row

RUNS = 3
COUNCIL = "kingston"
UNLIMITED = 1_000_000

SANDBOX = """
import sys
from datetime import date
import uvicorn
from sandbox.app import create_app
app = create_app(seed=7, as_of=date.fromisoformat(sys.argv[2]), rate_per_second=1e6,
                 burst=1_000_000, national=True, weather_limits=(10**9, 10**9, 10**9))
uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error")
"""


@dataclass(frozen=True)
class Fetched:
    """One fetch of a partition."""

    seconds: float
    records: int
    bytes: int
    requests: int


def main() -> list[Row]:
    """Measure every case, print a table, and return rows of `bench.json`."""
    today = datetime.now(UTC).date()
    with tempfile.TemporaryDirectory(prefix="wandle-bench-") as home, _services(today) as urls:
        _set_environment(Path(home), urls)
        measured = _measure(today)
    rows = [_row(case, runs) for case, runs in measured.items()]
    _print(rows, measured)
    return rows


def _cases(today: date) -> dict[str, tuple[str, str, str]]:
    """What is fetched, by what the table calls it: source, council, period; parents first."""
    month, day = f"{today:%Y-%m}", today - timedelta(days=4)
    published = (today.replace(day=1) - timedelta(days=100)).strftime("%Y-%m")
    return {
        "ward boundaries": ("police_ward_boundaries", COUNCIL, month),
        "gauges": ("flood_stations", COUNCIL, str(today)),
        "a month of crimes": ("police_street_crime", COUNCIL, published),
        "a day of readings": ("flood_readings", COUNCIL, str(day)),
        "a day of readings, whole country": ("flood_readings_uk", "uk", str(day)),
        "a day of weather": ("weather_hourly", COUNCIL, str(today - timedelta(days=20))),
    }


def _measure(today: date) -> dict[str, list[Fetched]]:
    cases = _cases(today)
    measured: dict[str, list[Fetched]] = {case: [] for case in cases}
    for number in range(RUNS + 1):
        for case, (source, council, period) in cases.items():
            fetched = _fetch(source, council, period, f"run {number}")
            # The first round starts the sandbox's caches, and makes the parents.
            if number:
                measured[case].append(fetched)
    return measured


def _fetch(source: str, council: str, period: str, run_id: str) -> Fetched:
    from include.extract import client
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.extract import extract
    from include.sources.extract.http import Rate
    from include.sources.model import every_contract

    found = every_contract()[source]
    unlimited = Rate(per_second=UNLIMITED, burst=UNLIMITED)
    contract = found.model_copy(
        update={"extract": found.extract.model_copy(update={"rate": unlimited})}
    )
    limiter = client.limiter("unlimited", Rate(per_second=1000, burst=UNLIMITED), None)
    client.limiter = lambda host, rate, shared_in: limiter
    requests, send = 0, client.Client._send

    def counted(*arguments: object) -> object:
        nonlocal requests
        requests += 1
        return send(*arguments)  # type: ignore[arg-type]

    client.Client._send = counted  # type: ignore[method-assign, assignment]
    lake = lake_of(Settings.read())
    began = time.monotonic()
    try:
        landing_id = extract(
            contract, contract.partition(council, period), lake=lake, run_id=run_id
        )
    finally:
        client.Client._send = send  # type: ignore[method-assign]
    seconds = time.monotonic() - began
    where = contract.partition(council, period)
    totals = lake.landings.manifest(where, landing_id).totals
    return Fetched(seconds, totals.records, totals.bytes, requests)


def _row(case: str, runs: list[Fetched]) -> Row:
    median = statistics.median(run.seconds for run in runs)
    last = runs[-1]
    return {
        "case": f"extract {case}",
        "contender": "wandle extract",
        "records": last.records,
        "seconds_median": round(median, 3),
        "runs": [round(run.seconds, 3) for run in runs],
        "requests": last.requests,
        "requests_per_record": round(last.requests / max(1, last.records), 6),
        "records_per_second": round(last.records / median, 1),
        "megabytes_per_second": round(last.bytes / median / 1e6, 3),
    }


def _print(rows: list[Row], measured: dict[str, list[Fetched]]) -> None:
    heads = ("records", "requests", "median s", "records/s", "MB/s", "requests/record")
    names = ("records", "requests", "seconds_median", "records_per_second")
    names += ("megabytes_per_second", "requests_per_record")
    width = max(map(len, measured)) + len("extract ")
    sys.stdout.write(" " * width + "".join(f"{head:>16}" for head in heads) + "\n")
    for row in rows:
        cells = "".join(f"{row[name]!s:>16}" for name in names)
        sys.stdout.write(f"{row['case']!s:<{width}}{cells}\n")


@contextmanager
def _services(today: date) -> Iterator[tuple[str, str]]:
    """The sandbox and an S3 server, each in a process of its own."""
    ports = (_free_port(), _free_port())
    with tempfile.TemporaryDirectory(prefix="wandle-s3-") as folder:
        (Path(folder) / "wandle").mkdir()
        keys = ("--auth-key", "test,test", "--addr", f"127.0.0.1:{ports[1]}")
        commands = (
            [sys.executable, "-c", SANDBOX, str(ports[0]), str(today)],
            [_rclone(), "serve", "s3", folder, *keys, "--config", os.devnull, "--log-level=ERROR"],
        )
        running = [subprocess.Popen(command, cwd=CHECKOUT) for command in commands]
        try:
            _wait(f"http://127.0.0.1:{ports[0]}/health")
            yield f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait(timeout=20)


def _rclone() -> str:
    return str(Path(sys.executable).with_name("rclone"))


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(url: str) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:
            time.sleep(0.1)
    raise SystemExit(f"{url} does not answer")


def _set_environment(home: Path, urls: tuple[str, str]) -> None:
    for name in list(os.environ):
        if name.startswith(("WANDLE_", "AWS_", "AIRFLOW")):
            del os.environ[name]
    os.environ |= {
        "WANDLE_HOME": str(home),
        "WANDLE_CODE_VERSION": "bench",
        "WANDLE_SANDBOX_URL": urls[0],
        "AWS_ENDPOINT_URL_S3": urls[1],
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "eu-west-2",
    }
