"""Measure contenders in turn."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.benchmarks.child import Measured, run_at_once
from tests.benchmarks.contenders import Task

Step = Callable[[], object]
Row = dict[str, Any]

FLOOR = "copy"


@dataclass
class Entry:
    """One contender of a case: what each of its processes does, and how often it is measured.

    `before` brings the database to the state that it starts from; `after`
    raises `SystemExit` if it did not do its work. Neither is measured.
    """

    case: str
    contender: str
    shares: Sequence[Sequence[Task]]
    records: int
    runs: int
    before: Step
    after: Step
    measured: list[Measured] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """The median."""
        return statistics.median(each.seconds for each in self.measured)

    def row(self, floor: Entry | None) -> Row:
        """What `bench.json` says of it; `ratio_to_copy` is in rows a second, above 1 faster."""
        ratio = floor and (self.records / self.seconds) / (floor.records / floor.seconds)
        return {
            "case": self.case,
            "contender": self.contender,
            "records": self.records,
            "seconds_median": round(self.seconds, 3),
            "runs": [round(each.seconds, 3) for each in self.measured],
            "ratio_to_copy": ratio and round(ratio, 3),
            "peak_rss_mb": round(max(each.peak_rss_mb for each in self.measured), 1),
            "processes": len(self.shares),
            "cpu_seconds": self._median("cpu_seconds"),
            "machine_cpu_seconds": self._median("machine_cpu_seconds"),
        }

    def _median(self, name: str) -> float:
        return round(statistics.median(getattr(each, name) for each in self.measured), 2)


def measure(entries: Sequence[Entry], progress: Callable[[str], None]) -> None:
    """Each contender once, then each once more, and so on, so that a busy minute hits all alike."""
    for number in range(max(entry.runs for entry in entries)):
        for entry in entries:
            if number < entry.runs:
                progress(f"{entry.case}: {entry.contender} (run {number + 1} of {entry.runs})")
                entry.before()
                entry.measured.append(run_at_once(entry.shares))
                entry.after()


def rows_of(entries: Sequence[Entry]) -> list[Row]:
    """Each entry against the first floor among them: a copy of the same kind of rows."""
    floor = next((entry for entry in entries if entry.contender.startswith(FLOOR)), None)
    return [entry.row(floor) for entry in entries]
