"""Extraction of many partitions at once, by more and more processes and cores."""

from __future__ import annotations

from include.landing.store import MANIFEST, ROOT
from tests.benchmarks import readings
from tests.benchmarks.bench import Bench
from tests.benchmarks.contenders import Task
from tests.benchmarks.contracts import contract_of
from tests.benchmarks.cores import named, tried
from tests.benchmarks.measuring import Entry
from tests.benchmarks.parallel_cases import day_after, on_cores, shares_of
from tests.benchmarks.platform import serve

CASES = {"parallel_extract": "a partition for every 10,000 records, extracted in parallel likewise"}
CONTRACT = contract_of(readings.SOURCE)


def entries(bench: Bench) -> list[Entry]:
    """From a server of files, so that no API is the limit; each answer is one page."""
    [(body, count)] = readings.pages(readings.PAGE_RECORDS, readings.PAGE_RECORDS)
    served = bench.folder / "api" / CONTRACT.extract.request.path.lstrip("/")  # type: ignore[union-attr]
    served.parent.mkdir(parents=True)
    served.write_bytes(body)
    address = serve(bench.settings, bench.folder / "api")
    tasks = [
        Task("extract", CONTRACT.name, readings.COUNCIL, day_after(-number), api=address)
        for number in range(1, max(1, bench.records // count) + 1)
    ]
    landed = _Landed(bench)
    found = []
    for cores, processes in tried():
        before, after = on_cores(bench, cores, landed.count, lambda: landed.require(len(tasks)))
        name, shares = named("wandle", cores, processes), shares_of(tasks, processes)
        records = len(tasks) * count
        found.append(Entry("parallel_extract", name, shares, records, bench.runs, before, after))
    return found


class _Landed:
    """Counts finished landings."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._before = 0

    def count(self) -> None:
        """Remember how many there are."""
        self._before = self._found()

    def require(self, more: int) -> None:
        """Raise unless there are so many more now."""
        found = self._found() - self._before
        if found != more:
            raise SystemExit(f"bench: expected {more} more landings, found {found}")

    def _found(self) -> int:
        keys = self._bench.lake.landings.keys(f"{ROOT}{CONTRACT.name}/")
        return sum(key.endswith(MANIFEST) for key in keys)
