"""Measure the contenders of a case in turn, and tell that each loaded the same rows."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tests.benchmarks.child import Measured, run
from tests.benchmarks.contenders import Task

Step = Callable[[], object]


@dataclass
class Entry:
    """One contender of a case: what it loads, how often, and what is measured of it.

    `before` brings the database to the state that it starts from; `after`
    raises if it did not do its work. Neither is measured.
    """

    name: str
    task: Task
    records: int
    runs: int
    before: Step
    after: Step
    measured: list[Measured] = field(default_factory=list)

    def row(self, case: str, copy_seconds_a_record: float | None) -> dict[str, object]:
        """What `bench.json` says of it; `ratio_to_copy` is in rows a second, above 1 faster."""
        median = statistics.median(each.seconds for each in self.measured)
        ratio = copy_seconds_a_record and copy_seconds_a_record * self.records / median
        return {
            "case": case,
            "contender": self.name,
            "records": self.records,
            "seconds_median": round(median, 3),
            "runs": [round(each.seconds, 3) for each in self.measured],
            "ratio_to_copy": ratio and round(ratio, 3),
            "peak_rss_mb": round(max(each.peak_rss_mb for each in self.measured), 1),
            "cpu_seconds": round(statistics.median(each.cpu_seconds for each in self.measured), 3),
        }


def measure(entries: Sequence[Entry], progress: Callable[[str], None]) -> None:
    """Each contender once, then each once more, and so on, so that a busy minute hits all alike."""
    for number in range(max(entry.runs for entry in entries)):
        for entry in entries:
            if number < entry.runs:
                progress(f"{entry.name} (run {number + 1} of {entry.runs})")
                entry.before()
                entry.measured.append(run(entry.task))
                entry.after()
