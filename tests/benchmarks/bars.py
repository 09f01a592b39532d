"""The bars that must be cleared, as ratios between what one run measured."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.benchmarks.measuring import FLOOR, Row

PEAK_MB = 400
BYTES_A_RECORD = 16

Rows = dict[tuple[str, str], Row]
OURS = ("first_load", "wandle")
SMALL_PAGES = ("small_pages", "wandle")
RECORDED = ("crimes", "wandle, as recorded")


@dataclass(frozen=True)
class Bar:
    """One bar: what was found, what is asked, and whether that is met; None if not measured."""

    says: str
    found: float | None
    met: bool | None


def bars(measured: Sequence[Row]) -> list[Bar]:
    """Every bar, judged by what was measured."""
    rows = {(row["case"], row["contender"]): row for row in measured}
    return [
        _at_least("rows per second, relative to copy", 1.0, rows, OURS, ("first_load", FLOOR)),
        _at_least(
            "replacing, relative to copy", 0.7, rows, ("replace", "wandle"), ("first_load", FLOOR)
        ),
        _at_least("rows per second, relative to Arrow", 0.65, rows, OURS, ("first_load", "adbc")),
        _at_least("speed relative to dlt's default", 15, rows, OURS, ("first_load", "dlt default")),
        _at_least("speed relative to dlt's Arrow path", 4, rows, OURS, ("first_load", "dlt Arrow")),
        _at_most(
            "unchanged, relative to a first load", 0.1, rows, ("reload_unchanged", "wandle"), OURS
        ),
        _at_most(
            "only other bytes, relative to a first load",
            1.0,
            rows,
            ("reload_volatile", "wandle"),
            OURS,
        ),
        _at_least("small pages, relative to copy", 0.7, rows, SMALL_PAGES, ("first_load", FLOOR)),
        _at_least(
            "recorded small pages, relative to copy", 0.22, rows, RECORDED, ("crimes", FLOOR)
        ),
        _at_most(
            "transform: one partition of 650, relative to all of them",
            0.1,
            rows,
            ("transform", "one partition"),
            ("transform", "all changed"),
        ),
        _at_most(
            "transform: nothing changed, relative to dbt's own start",
            0.5,
            rows,
            ("transform", "nothing changed"),
            ("transform", "dbt's own start"),
        ),
        _at_most(
            "transform: nothing changed, with publication, relative to dbt's own start",
            0.5,
            rows,
            ("transform", "nothing changed, with publication"),
            ("transform", "dbt's own start"),
        ),
        _memory("peak memory, MB", rows, OURS, lambda row: PEAK_MB),
        _memory("peak memory of one page, MB", rows, ("one_page", "wandle"), lambda row: PEAK_MB),
        _memory(
            "peak memory of ten times the records, MB",
            rows,
            ("ten_times", "wandle"),
            lambda row: PEAK_MB + BYTES_A_RECORD * row["records"] / 1024**2,
        ),
        _extremes([row for row in measured if row["case"] == "limits"]),
    ]


def _at_least(
    says: str, bound: float, rows: Rows, ours: tuple[str, str], other: tuple[str, str]
) -> Bar:
    found = _ratio(rows, other, ours)
    return Bar(f"{says}: at least {bound}", found, None if found is None else found >= bound)


def _at_most(
    says: str, bound: float, rows: Rows, ours: tuple[str, str], other: tuple[str, str]
) -> Bar:
    found = _ratio(rows, ours, other)
    return Bar(f"{says}: at most {bound}", found, None if found is None else found <= bound)


def _ratio(rows: Rows, upper: tuple[str, str], lower: tuple[str, str]) -> float | None:
    """Of the seconds a record."""
    if upper not in rows or lower not in rows:
        return None
    above, below = (rows[name]["seconds_median"] / rows[name]["records"] for name in (upper, lower))
    return float(above / below)


def _extremes(rows: Sequence[Row]) -> Bar:
    """Of the answer that took most, without what each record may take."""
    says = f"peak memory of an extreme answer, less {BYTES_A_RECORD} bytes a record, MB"
    peaks = [
        max(row["fetch"]["peak_mb"], row["load"]["peak_mb"] - BYTES_A_RECORD * read / 1024**2)
        for row in rows
        for read in [row["load"]["records"] or 0]
    ]
    most = max(peaks, default=None)
    return Bar(f"{says}: at most {PEAK_MB}", most, None if most is None else most <= PEAK_MB)


def _memory(says: str, rows: Rows, ours: tuple[str, str], bound: Callable[[Row], float]) -> Bar:
    if ours not in rows:
        return Bar(f"{says}", None, None)
    found, most = float(rows[ours]["peak_rss_mb"]), bound(rows[ours])
    return Bar(f"{says}: at most {most:.1f}", found, found <= most)
