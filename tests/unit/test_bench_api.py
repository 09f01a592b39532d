"""What `make bench-api` asks and judges."""

from __future__ import annotations

import pytest

from tests.benchmarks.api.bars import RATE, bars
from tests.benchmarks.api.mix import SHARES, STATUS, plan
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
    {"phase": "start", "server": OURS, "start_seconds": 2.0, "process_mb": 999},
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


def test_a_status_other_than_its_own_is_an_error():
    statuses = {"hot 200": 5, "unchanged 304": 2, "error 400": 1}
    assert unexpected(statuses, is_switch=False) == 0
    bad = {"hot 400": 1, "error 200": 2, "filtered lost": 4, "unchanged 200": 8}
    assert unexpected(statuses | bad, is_switch=False) == 15
    assert unexpected(statuses | bad, is_switch=True) == 7
