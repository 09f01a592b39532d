"""Where cases are measured: the platform, its bucket, and what must be true before and after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

from include.jobs.lake import Lake, lake_of
from include.settings import Settings
from include.sources.model import Contract
from tests.benchmarks.child import run
from tests.benchmarks.contenders import SCHEMA, Task
from tests.benchmarks.contents import Contents, contents
from tests.benchmarks.contracts import contract_of
from tests.benchmarks.platform import run_sql
from tests.benchmarks.readied import arrow_of, csv_of

OPS = ("landing", "load", "quarantine", "schema_drift")


@dataclass
class Bench:
    """One run of the benchmark. `folder` is for files that are made ready."""

    settings: Settings
    folder: Path
    records: int
    runs: int
    # What each set of rows must come to, and who was found to have loaded them.
    expected: dict[str, Contents] = field(default_factory=dict)
    compared: set[tuple[str, str]] = field(default_factory=set)

    @property
    def lake(self) -> Lake:
        """The bucket of the platform."""
        return lake_of(self.settings)

    def empty(self, *contracts: Contract) -> None:
        """Nothing loaded, nothing in the ledger, nothing left to write by a checkpoint."""
        tables = [f"raw.{contract.name}" for contract in contracts]
        tables += [f"ops.{name}" for name in OPS]
        run_sql(
            self.settings,
            f"drop schema if exists {SCHEMA} cascade",
            f"create schema {SCHEMA}",
            f"truncate {', '.join(tables)} restart identity",
            "checkpoint",
        )

    def loaded_with(self, task: Task) -> None:
        """The partition as this landing makes it, and nothing else."""
        self.empty(contract_of(task.contract))
        run(task)
        run_sql(
            self.settings, f"vacuum analyze raw.{contract_of(task.contract).name}", "checkpoint"
        )

    def made_ready(self, task: Task) -> Task:
        """Load a landing, and keep its rows as CSV."""
        contract = contract_of(task.contract)
        self.loaded_with(task)
        target = self.folder / f"{contract.name}-{task.landing_id}.csv"
        return replace(task, csv=csv_of(self.settings, contract.name, target))

    def as_arrow(self, task: Task) -> Task:
        """Keep the rows of a landing as Arrow batches."""
        target = self.folder / f"{task.landing_id}.arrow"
        return replace(task, arrow=arrow_of(self.lake, task, target))

    def same_rows(self, rows: str, who: str, contract: Contract, table: str) -> Callable[[], None]:
        """A check that `who` loaded the same `rows` as the first that was asked.

        Number and values the first time, after that only the number.
        """

        def check() -> None:
            if (rows, who) in self.compared:
                found = run_sql(self.settings, f"select count(*) from {table}")[0]
                expected = self.expected[rows][:1]
            else:
                found = contents(self.settings, contract, table)
                expected = self.expected.setdefault(rows, found)
                self.compared.add((rows, who))
            if found != expected:
                raise SystemExit(f"bench: {rows}: {who} loaded {found}, expected {expected}")

        return check

    def ended(self, status: str, quarantined: int = 0) -> Callable[[], None]:
        """A check that the ledger's last status is this one."""

        def check() -> None:
            last = "select status, quarantined from ops.load order by load_id desc limit 1"
            found = run_sql(self.settings, last)[0]
            if found != (status, quarantined):
                raise SystemExit(f"bench: expected {(status, quarantined)}, the ledger has {found}")

        return check
