"""Many partitions at once, by more and more processes and cores: where does it stop to scale?"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from tests.benchmarks import readings
from tests.benchmarks.bench import Bench
from tests.benchmarks.contenders import Task
from tests.benchmarks.contracts import contract_of
from tests.benchmarks.cores import named, tried, use
from tests.benchmarks.landed import land
from tests.benchmarks.measuring import Entry, Step

CASES = {"parallel": "eight partitions, loaded by more and more processes and cores"}
CONTRACT = contract_of(readings.SOURCE)
PARTITIONS = 8


def entries(bench: Bench) -> list[Entry]:
    """`copy` as well as ours, because it shows what PostgreSQL can take."""
    tasks = [_task(bench, number) for number in range(PARTITIONS)]
    records = bench.records // PARTITIONS * PARTITIONS
    found = []
    for cores, processes in tried():
        for contender in ("copy", "wandle"):
            name = named(contender, cores, processes)
            work = [replace(task, contender=contender) for task in tasks]
            same = bench.same_rows("days", name, CONTRACT, f"raw.{CONTRACT.name}")
            shares = shares_of(work, processes)
            before, after = on_cores(bench, cores, lambda: bench.empty(CONTRACT), same)
            found.append(Entry("parallel", name, shares, records, bench.runs, before, after))
    return found


def on_cores(bench: Bench, cores: int, before: Step, after: Step) -> tuple[Step, Step]:
    """The same steps, so that what is between them has so many cores."""

    def beginning() -> None:
        before()
        use(bench.settings.home, cores)

    def ending() -> None:
        use(bench.settings.home)
        after()

    return beginning, ending


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
