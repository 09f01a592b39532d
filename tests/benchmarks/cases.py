"""What is measured: each case makes its landings and names its contenders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from include.jobs.lake import Lake, lake_of
from include.settings import Settings
from tests.benchmarks import readings
from tests.benchmarks.child import run
from tests.benchmarks.contenders import Task
from tests.benchmarks.contracts import contract_of
from tests.benchmarks.landed import land
from tests.benchmarks.measuring import Entry
from tests.benchmarks.platform import run_sql
from tests.benchmarks.readied import arrow_of, csv_of

OPS = ("landing", "load", "quarantine", "schema_drift")


@dataclass(frozen=True)
class Bench:
    """Where a case is measured, and how much."""

    settings: Settings
    folder: Path
    records: int
    runs: int

    @property
    def lake(self) -> Lake:
        """The bucket of the platform."""
        return lake_of(self.settings)

    def empty(self, table: str) -> None:
        """Nothing loaded, nothing in the ledger, nothing left to write by a checkpoint."""
        tables = [f"raw.{table}", *(f"ops.{name}" for name in OPS)]
        run_sql(self.settings, f"truncate {', '.join(tables)} restart identity", "checkpoint")

    def require(self, table: str, rows: int) -> None:
        """Raise unless the raw table holds so many rows."""
        found = run_sql(self.settings, f"select count(*) from raw.{table}")[0][0]
        if found != rows:
            raise SystemExit(f"bench: raw.{table}: expected {rows} rows, found {found}")

    def readings(self, variant: readings.Variant | None = None) -> Task:
        """A landing of generated readings, as ours loads it."""
        pages = readings.pages(self.records, readings.PAGE_RECORDS, variant=variant)
        where = (readings.COUNCIL, readings.DAY)
        contract = contract_of(readings.SOURCE)
        return Task("wandle", contract.name, *where, land(self.lake, contract, *where, pages))


def first_load(bench: Bench) -> list[Entry]:
    """A partition that is not there yet."""
    task, table = bench.readings(), readings.SOURCE
    bench.empty(table)
    run(task)
    ready = replace(
        task,
        csv=csv_of(bench.settings, table, bench.folder / f"{table}.csv"),
        arrow=arrow_of(bench.lake, task, bench.folder / f"{table}.arrow"),
    )

    def entry(name: str, contender: str) -> Entry:
        return Entry(
            name,
            replace(ready, contender=contender),
            bench.records,
            bench.runs,
            before=lambda: bench.empty(table),
            after=lambda: bench.require(table, bench.records),
        )

    return [entry("copy", "copy"), entry("wandle", "wandle"), entry("adbc", "adbc")]


CASES: dict[str, Callable[[Bench], list[Entry]]] = {"first_load": first_load}
