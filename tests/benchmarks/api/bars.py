"""The bars of the read API, judged by what one run measured."""

from __future__ import annotations

from collections.abc import Sequence

from tests.benchmarks.api.phases import Result
from tests.benchmarks.api.servers import OTHER, OURS
from tests.benchmarks.bars import Bar

RATE = 10_000
P99, SWITCH_P99 = 50.0, 100.0
UNCHANGED = 1.3
TIMES = 3.0
BASE_MB, TIMES_PARQUET = 150, 3


def bars(results: Sequence[Result], parquet_mb: float) -> list[Bar]:
    """Every bar; what was not measured is neither met nor missed."""
    sustained = _one(results, phase="rate", server=OURS, rate=RATE)
    hot = _one(results, phase="peak", server=OURS, kind="hot")
    slow = _one(results, phase="peak", server=OTHER, kind="hot")
    unchanged = _one(results, phase="peak", server=OURS, kind="unchanged")
    switch = _one(results, phase="switch", server=OURS)
    memory = [one["rss_mb"] for one in results if one["server"] == OURS and "rss_mb" in one]
    most = BASE_MB + TIMES_PARQUET * parquet_mb
    return [
        _at_most(f"errors at {RATE:,} requests a second", _of(sustained, "errors"), 0),
        _at_most(f"p99 at {RATE:,} requests a second, ms", _of(sustained, "p99"), P99),
        _at_least(
            "304s a second at the peak, with no error",
            0 if _of(unchanged, "errors") else _of(unchanged, "per_second"),
            UNCHANGED * RATE,
        ),
        _at_least(
            f"hot rows at the peak, relative to {OTHER}",
            hot["per_second"] / max(1, slow["per_second"]) if hot and slow else None,
            TIMES,
        ),
        _at_most("errors while the version is switched", _of(switch, "errors"), 0),
        _at_most("p99 while the version is switched, ms", _of(switch, "p99"), SWITCH_P99),
        _at_most("memory of a process, MB", max(memory, default=None), most),
    ]


def _one(results: Sequence[Result], **wanted: object) -> Result | None:
    found = (one for one in results if all(one.get(key) == wanted[key] for key in wanted))
    return next(found, None)


def _of(result: Result | None, name: str) -> float | None:
    return None if result is None else result.get(name)


def _at_least(says: str, found: float | None, bound: float) -> Bar:
    return Bar(f"{says}: at least {bound:g}", found, None if found is None else found >= bound)


def _at_most(says: str, found: float | None, bound: float) -> Bar:
    return Bar(f"{says}: at most {bound:g}", found, None if found is None else found <= bound)
