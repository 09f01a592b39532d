"""The cases on generated readings, all in turn: first loads, reloads, other pages, more records."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from tests.benchmarks import readings
from tests.benchmarks.bench import Bench
from tests.benchmarks.contenders import SCHEMA, Task
from tests.benchmarks.contracts import contract_of
from tests.benchmarks.landed import land
from tests.benchmarks.measuring import FLOOR, Entry, Step

CASES = {
    "first_load": "a partition that is not there yet, by every contender",
    "reload_unchanged": "the same landing again",
    "reload_volatile": "a landing that differs outside its records only",
    "replace": "a landing with 1 % of its records changed",
    "bad_records": "a landing with 1 % of its records broken",
    "conversions": "the same rows from dates, numbers and texts as people write them",
    "small_pages": "the same records, 230 a page instead of 10,000",
    "one_page": "the same records in one page",
    "ten_times": "ten times the records",
}
# What others do on a first load: module, where its table is, and whether it is slow.
OTHERS = {
    "dlt Arrow": ("dlt_arrow", SCHEMA, False),
    "dlt Arrow by ADBC": ("dlt_arrow_adbc", SCHEMA, False),
    "pg-bulk-ingest": ("bulk_ingest", SCHEMA, False),
    "dlt default": ("dlt_default", SCHEMA, True),
    "S3ToSqlOperator": ("s3_to_sql", "raw", True),
    "pandas.to_sql": ("pandas_to_sql", "raw", True),
}
# A million of them make as many pages as a year of 18 boroughs' crimes has.
SMALL_PAGE_RECORDS = 230
CONTRACT = contract_of(readings.SOURCE)
OURS = "wandle"


class ReadingCases:
    """Makes the landings that the chosen cases need, and their entries."""

    def __init__(self, bench: Bench, others: Collection[str]) -> None:
        self._bench = bench
        self._others = others
        self._task = bench.made_ready(self._landed())
        bench.same_rows("readings", "the reference", CONTRACT, f"raw.{CONTRACT.name}")()

    def entries(self, chosen: Collection[str]) -> list[Entry]:
        """The floor and our own first load, which all are compared with, and the chosen cases."""
        found = [self._first(FLOOR, "copy"), self._first(OURS, "wandle")]
        for case in CASES:
            if case in chosen:
                found += getattr(self, f"_{case}")()
        return found

    def _first_load(self) -> list[Entry]:
        self._task = self._bench.as_arrow(self._task)
        slow_runs = max(1, self._bench.runs // 3)
        return [
            self._first("adbc", "adbc"),
            *(
                replace(
                    self._first(name, module, schema),
                    runs=slow_runs if slow else self._bench.runs,
                )
                for name, (module, schema, slow) in OTHERS.items()
                if name in self._others
            ),
        ]

    def _reload_unchanged(self) -> list[Entry]:
        return [self._reload("reload_unchanged", self._task, self._bench.ended("unchanged"))]

    def _reload_volatile(self) -> list[Entry]:
        task = self._landed(readings.Variant(comment="Status: Beta service."))
        return [self._reload("reload_volatile", task, self._bench.ended("unchanged"))]

    def _replace(self) -> list[Entry]:
        bench, table = self._bench, f"raw.{CONTRACT.name}"
        task = bench.made_ready(self._landed(readings.Variant(changed_step=100)))
        entry = self._reload("replace", task, bench.same_rows("changed", OURS, CONTRACT, table))
        floor = replace(
            entry,
            contender="delete and copy",
            shares=[[replace(task, contender="replace_by_copy")]],
            after=bench.same_rows("changed", "delete and copy", CONTRACT, table),
            measured=[],
        )
        return [entry, floor]

    def _bad_records(self) -> list[Entry]:
        broken = -(-self._bench.records // 100)
        task = self._landed(readings.Variant(broken_step=100), contract="any_share")
        check = self._bench.ended("loaded", broken)
        return [self._loading("bad_records", task, self._bench.records, check)]

    def _conversions(self) -> list[Entry]:
        bench, table = self._bench, f"raw.{CONTRACT.name}"
        task = self._landed(readings.Variant(in_words=True), contract="in_words")
        check = bench.same_rows("readings", "conversions", CONTRACT, table)
        return [self._loading("conversions", task, bench.records, check)]

    def _small_pages(self) -> list[Entry]:
        return [self._same_in("small_pages", SMALL_PAGE_RECORDS)]

    def _one_page(self) -> list[Entry]:
        return [self._same_in("one_page", self._bench.records)]

    def _ten_times(self) -> list[Entry]:
        records = self._bench.records * 10
        task = self._landed(records=records)
        entry = self._loading("ten_times", task, records, self._bench.ended("loaded"))
        return [replace(entry, runs=1)]

    def _first(self, name: str, module: str, schema: str = "raw") -> Entry:
        bench, task = self._bench, replace(self._task, contender=module)
        check = bench.same_rows("readings", name, CONTRACT, f"{schema}.{CONTRACT.name}")
        return replace(self._loading("first_load", task, bench.records, check), contender=name)

    def _same_in(self, case: str, per_page: int) -> Entry:
        bench, table = self._bench, f"raw.{CONTRACT.name}"
        check = bench.same_rows("readings", case, CONTRACT, table)
        return self._loading(case, self._landed(per_page=per_page), bench.records, check)

    def _loading(self, case: str, task: Task, records: int, after: Step) -> Entry:
        bench = self._bench
        before: Step = lambda: bench.empty(CONTRACT)  # noqa: E731
        return Entry(case, OURS, [[task]], records, bench.runs, before, after)

    def _reload(self, case: str, task: Task, after: Step) -> Entry:
        bench, first = self._bench, self._task
        before: Step = lambda: bench.loaded_with(first)  # noqa: E731
        return Entry(case, OURS, [[task]], bench.records, bench.runs, before, after)

    def _landed(
        self,
        variant: readings.Variant | None = None,
        *,
        records: int = 0,
        per_page: int = readings.PAGE_RECORDS,
        contract: str = "",
    ) -> Task:
        bodies = readings.pages(records or self._bench.records, per_page, variant=variant)
        where = (readings.COUNCIL, readings.DAY)
        landing_id = land(self._bench.lake, CONTRACT, *where, bodies)
        name = f"{CONTRACT.name}/{contract}" if contract else CONTRACT.name
        return Task("wandle", name, *where, landing_id)
