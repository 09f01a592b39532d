"""Many partitions at once, by one, two and more processes: where does it stop to scale?"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date, timedelta

from tests.benchmarks import readings
from tests.benchmarks.bench import Bench
from tests.benchmarks.contenders import Task
from tests.benchmarks.contracts import contract_of
from tests.benchmarks.landed import land
from tests.benchmarks.measuring import Entry, Step

CASES = {"parallel": "eight partitions, loaded by one, two and more processes"}
CONTRACT = contract_of(readings.SOURCE)
PARTITIONS = 8


def entries(bench: Bench) -> list[Entry]:
    """`copy` as well as ours, because it shows what PostgreSQL can take."""
    tasks = [_task(bench, number) for number in range(PARTITIONS)]
    records = bench.records // PARTITIONS * PARTITIONS
    before: Step = lambda: bench.empty(CONTRACT)  # noqa: E731
    found = []
    for processes in process_counts():
        for contender in ("copy", "wandle"):
            name = f"{contender}, {processes} at once"
            work = [replace(task, contender=contender) for task in tasks]
            after = bench.same_rows("days", name, CONTRACT, f"raw.{CONTRACT.name}")
            shares = shares_of(work, processes)
            found.append(Entry("parallel", name, shares, records, bench.runs, before, after))
    return found


def process_counts() -> list[int]:
    """How many processes are tried: up to two for each core."""
    return [count for count in (1, 2, 4, 8) if count <= 2 * (os.cpu_count() or 1)]


def shares_of(work: list[Task], processes: int) -> list[list[Task]]:
    """The work, dealt out."""
    return [work[number::processes] for number in range(processes)]


def day_after(number: int) -> str:
    """A day so many after that of the generated readings."""
    return str(date.fromisoformat(readings.DAY) + timedelta(days=number))


def _task(bench: Bench, number: int) -> Task:
    day = day_after(number)
    pages = readings.pages(bench.records // PARTITIONS, readings.PAGE_RECORDS, day)
    landing_id = land(bench.lake, CONTRACT, readings.COUNCIL, day, pages)
    return bench.made_ready(Task("wandle", CONTRACT.name, readings.COUNCIL, day, landing_id))
