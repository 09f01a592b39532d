"""What `make bench-api` asks, times and judges."""

from __future__ import annotations

import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.benchmarks.api.bars import RATE, bars
from tests.benchmarks.api.generator import Generator
from tests.benchmarks.api.mix import SHARES, STATUS, Request, plan
from tests.benchmarks.api.phases import unexpected
from tests.benchmarks.api.servers import OTHER, OURS

PARQUET_MB = 10
GOOD = [
    {"phase": "rate", "server": OURS, "rate": RATE, "errors": 0, "p99": 49.0, "rss_mb": 180},
    {"phase": "rate", "server": OTHER, "rate": RATE, "errors": 90, "p99": 900.0, "rss_mb": 900},
    {"phase": "peak", "server": OURS, "kind": "hot", "errors": 0, "per_second": 900, "rss_mb": 99},
    {"phase": "peak", "server": OTHER, "kind": "hot", "errors": 0, "per_second": 300, "rss_mb": 1},
    {
        "phase": "peak", "server": OURS, "kind": "unchanged", "errors": 0, "per_second": 13_000,
        "rss_mb": 99,
    },
    {"phase": "switch", "server": OURS, "errors": 0, "p99": 99.0, "rss_mb": 99},
]  # fmt: skip


def test_all_bars_are_met_by_good_results():
    judged = bars(GOOD, PARQUET_MB)
    assert [bar.says for bar in judged if not bar.met] == []
    assert len(judged) == 7


@pytest.mark.parametrize(
    ("place", "worse", "missed"),
    [
        (0, {"errors": 1}, "errors at 10,000 requests"),
        (0, {"p99": 51.0}, "p99 at 10,000 requests"),
        (0, {"rss_mb": 181}, "memory of a process"),
        (2, {"per_second": 899}, "hot rows at the peak"),
        (4, {"per_second": 12_999}, "304s a second"),
        (4, {"errors": 1}, "304s a second"),
        (5, {"errors": 1}, "errors while"),
        (5, {"p99": 101.0}, "p99 while"),
    ],
)
def test_a_bar_is_missed_by_a_worse_result(place, worse, missed):
    results = [one | worse if at == place else one for at, one in enumerate(GOOD)]
    assert [bar.met for bar in bars(results, PARQUET_MB) if bar.says.startswith(missed)] == [False]
    assert sum(bar.met is False for bar in bars(results, PARQUET_MB)) == 1


def test_what_was_not_measured_is_not_met():
    assert {bar.met for bar in bars([], PARQUET_MB)} == {None}


def test_the_mix_has_its_shares_and_no_filtered_query_twice():
    asked = plan("etag")
    kinds = [one.kind for one in asked]
    assert {kind: kinds.count(kind) / len(kinds) * 10 for kind in STATUS} == SHARES
    filtered = [one.path for one in asked if one.kind == "filtered"]
    assert len(set(filtered)) == len(filtered)


def test_another_status_than_its_own_is_an_error():
    statuses = {"hot 200": 5, "unchanged 304": 2, "error 400": 1}
    assert unexpected(statuses, is_switch=False) == 0
    bad = {"hot 400": 1, "error 200": 2, "filtered lost": 4, "unchanged 200": 8}
    assert unexpected(statuses | bad, is_switch=False) == 15
    assert unexpected(statuses | bad, is_switch=True) == 7


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
