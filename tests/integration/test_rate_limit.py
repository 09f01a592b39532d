"""A host's rate: processes that share it stay within it together, and one may use it all."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from include.errors import RetryableError, TableOutdated
from include.extract import rate_limit
from include.sources.extract.http import Rate

HOST = "rate.test"
RATE = Rate(per_second=20, burst=5)
SECONDS = 3.0
# A request takes up to this much longer than another to arrive.
JITTER = 0.1

CLIENT = """
import sys, time
from include.extract.client import Client
from include.sources.extract.http import Rate
from include.sources.page import SentRequest
from tests.samples import contract, extracting

url, dsn, per_second, burst, seconds = sys.argv[1:]
extract = contract(extract=extracting(base_url="https://rate.test")).extract
rate = Rate(per_second=float(per_second), burst=int(burst))
client = Client(extract, rate, dsn, public_only=False)
print("ready", flush=True)
sys.stdin.readline()
end = time.monotonic() + float(seconds)
while time.monotonic() < end:
    client.ask("test", SentRequest(method="GET", url=url), check=lambda answer: None)
"""


class Arrivals(ThreadingHTTPServer):
    """A host that notes when each request arrived."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        self.times: list[float] = []
        times = self.times

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                times.append(time.monotonic())
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/"

    def most_above(self, rate: Rate) -> float:
        """By how many requests the busiest stretch of time exceeds burst and rate."""
        times = sorted(self.times)
        return max(
            (j - i + 1) - rate.burst - rate.per_second * (times[j] - times[i] + JITTER)
            for i in range(len(times))
            for j in range(i, len(times))
        )


@pytest.fixture
def host() -> Iterator[Arrivals]:
    with Arrivals() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def dsn(warehouse) -> Iterator[str]:
    yield warehouse.dsn()
    rate_limit._limiter.cache_clear()
    warehouse.query("delete from ops.rate_limit")


def started(count: int, host: Arrivals, dsn: str, seconds: float) -> list[subprocess.Popen[str]]:
    """Processes that send as fast as they may, all from now on."""
    numbers = (str(RATE.per_second), str(RATE.burst), str(seconds))
    command = [sys.executable, "-c", CLIENT, host.url, dsn, *numbers]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return processes


def seconds_to_acquire(dsn: str) -> float:
    start = time.monotonic()
    assert rate_limit.limiter(HOST, RATE, dsn).try_acquire(HOST)
    return time.monotonic() - start


@pytest.mark.parametrize("processes", [1, 4])
def test_the_clients_of_a_host_use_its_whole_rate_and_never_more(dsn, host, processes):
    for process in started(processes, host, dsn, SECONDS):
        assert process.wait(30) == 0

    allowed = RATE.burst + RATE.per_second * SECONDS
    assert 0.85 * allowed <= len(host.times)
    assert host.most_above(RATE) <= 0


def test_processes_that_do_not_share_a_rate_exceed_it(dsn, host):
    """Shows that the test above can fail."""
    for process in started(2, host, "", 1.0):
        process.wait(30)

    assert host.most_above(RATE) > 0


def test_a_process_that_is_killed_delays_nobody(dsn, host):
    first, second = started(2, host, dsn, SECONDS)
    time.sleep(0.5)
    first.kill()
    killed_at = time.monotonic()

    assert second.wait(30) == 0
    after = [at for at in host.times if at > killed_at + 0.2]
    assert len(after) >= 0.8 * RATE.per_second * (SECONDS - 0.7)
    assert host.most_above(RATE) <= 0


def test_a_process_that_stops_in_the_middle_of_its_turn_delays_others_for_a_moment(
    dsn, monkeypatch
):
    monkeypatch.setattr(rate_limit, "STALLED_SECONDS", 1)
    stopped = rate_limit.SharedState(dsn, HOST)
    stopped.reset()
    seconds_to_acquire(dsn)
    stopped._connected().execute("begin")
    stopped._locked(stopped._connected())

    assert 0.5 < seconds_to_acquire(dsn) < 3
    stopped.close()


def test_a_clock_that_was_set_back_costs_one_burst(dsn, warehouse):
    seconds_to_acquire(dsn)
    warehouse.query("update ops.rate_limit set theoretical_arrival_us = 8e18::bigint")

    waited = [seconds_to_acquire(dsn) for _ in range(3)]

    # The burst counts as spent: each request waits for its own turn.
    assert all(0.03 < seconds < 0.5 for seconds in waited)


def test_a_connection_that_was_lost_is_opened_again(dsn, warehouse):
    seconds_to_acquire(dsn)
    warehouse.query(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where application_name = 'wandle rate limit'"
    )

    assert seconds_to_acquire(dsn) < 2


def test_a_warehouse_that_does_not_answer_is_named_and_retryable(dsn):
    nowhere = make_conninfo(dsn, host="127.0.0.1", port=1)

    with pytest.raises(RetryableError, match=r"rate limit of rate\.test: .*does not answer"):
        seconds_to_acquire(nowhere)


def test_a_warehouse_that_lacks_the_table_names_the_command(dsn, new_database):
    with pytest.raises(TableOutdated, match="wandle migrate"):
        seconds_to_acquire(new_database().dsn("postgres"))


def test_the_row_s_lock_makes_clients_take_turns(dsn, warehouse):
    seconds_to_acquire(dsn)
    with psycopg.connect(warehouse.dsn()) as holder:
        holder.execute("select 1 from ops.rate_limit where host = %s for update", (HOST,))
        done = threading.Event()
        thread = threading.Thread(target=lambda: (seconds_to_acquire(dsn), done.set()))
        thread.start()

        assert not done.wait(0.5)
        holder.rollback()
        assert done.wait(5)
        thread.join()
