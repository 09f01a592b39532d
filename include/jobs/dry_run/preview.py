"""A dry run: the partitions of a run, what is loaded already, and what fetching them costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from include.errors import PermanentError
from include.jobs.dry_run.cost import Requests
from include.jobs.lake import Lake
from include.jobs.pipeline.extract import refuse_periods
from include.printable import one_line
from include.sources.model import Contract, contracts
from include.sources.partition import Partition
from include.sources.rates import http_of, rate_for
from include.warehouse.books import ledger
from include.warehouse.connection import connect

COLUMNS = ("council", "period", "loaded", "records", "requests")
NUMBERS = ("records", "requests")


@dataclass(frozen=True)
class Planned:
    """A partition of a run: when it was loaded last, with how many records, and what it costs.

    `rows` are those that the raw table holds of it. `requests` is None if it is not known
    before; `problem` is why the partition would fail.
    """

    partition: Partition
    loaded: datetime | None
    records: int | None
    requests: int | None
    problem: str = ""
    rows: int = 0

    @property
    def shown(self) -> dict[str, Any]:
        """The row of the table, for people and as JSON."""
        return {
            **self.partition.place,
            "loaded": f"{self.loaded.astimezone(UTC):%Y-%m-%d %H:%M}" if self.loaded else None,
            "records": self.records,
            "requests": self.requests,
            **({"problem": one_line(self.problem)} if self.problem else {}),
        }

    @property
    def cells(self) -> tuple[str, ...]:
        """The values of `COLUMNS` in a table."""
        shown = self.shown
        unknown = {"loaded": "no", "records": "", "requests": "?"}
        return tuple(str(unknown[name] if shown[name] is None else shown[name]) for name in COLUMNS)


def preview(
    contract: Contract,
    partitions: Sequence[Partition],
    *,
    lake: Lake,
    dsn: str,
    reload: bool = False,
) -> list[Planned]:
    """What a run of these partitions would do. Nothing is requested, landed or loaded.

    The number of requests is that of the first pages, or of all pages of the
    landing that is loaded, if those were more. With `reload`, S3 is read
    instead of the API. Raises `ServiceUnavailable`.
    """
    now = datetime.now(UTC)
    with connect(dsn) as connection, connection.cursor() as cursor:
        held = {
            (entry["council"], entry["period"]): entry
            for entry in ledger.current_loads(cursor)
            if entry["source"] == contract.name
        }
    cost = _reloaded(lake) if reload else _fetched(contract, lake, now)
    found = []
    for partition in partitions:
        entry = held.get((partition.council, partition.period.starts_at), {})
        requests, problem = None, ""
        try:
            requests = cost(partition)
        except PermanentError as error:
            problem = str(error)
        if requests and entry:
            requests = max(requests, entry["pages"])
        loaded, records = entry.get("finished_at"), entry.get("records")
        rows = entry.get("rows") or 0
        found.append(Planned(partition, loaded, records, requests, problem, rows))
    return found


def table(planned: Sequence[Planned]) -> Iterator[str]:
    """The lines of a table: a heading, and a line for each partition."""
    rows: list[tuple[str, ...]] = [COLUMNS, *(item.cells for item in planned)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    problems = ["", *(item.problem for item in planned)]
    for row, problem in zip(rows, problems, strict=True):
        cells = zip(COLUMNS, row, widths, strict=True)
        line = "  ".join(
            text.rjust(width) if name in NUMBERS else text.ljust(width)
            for name, text, width in cells
        )
        yield f"{line}  would fail: {one_line(problem)}" if problem else line.rstrip()


def summary(contract: Contract, planned: Sequence[Planned]) -> str:
    """What a dry run found, in one sentence or two."""
    loaded = sum(item.loaded is not None for item in planned)
    failing = sum(bool(item.problem) for item in planned)
    said = [f"{contract.name}: partitions: {len(planned)}, loaded already: {loaded}"]
    if any(item.requests is None and not item.problem for item in planned):
        said.append("requests: as many as there are files")
    else:
        requests = sum(item.requests or 0 for item in planned)
        said.append(f"requests: about {requests}{_least_time(contract, requests)}")
    if failing:
        said.append(f"would fail: {failing}")
    return f"{', '.join(said)}. This was a dry run: nothing was requested, landed or loaded."


def _least_time(contract: Contract, requests: int) -> str:
    if http_of(contract) is None or not requests:
        return ""
    rate = rate_for(contract, contracts().values(), contracts())
    seconds = max(0, requests - rate.burst) / rate.per_second
    return f" (at its rate limit, at least {seconds:.0f} s)" if seconds >= 1 else ""


def _fetched(contract: Contract, lake: Lake, now: datetime) -> Callable[[Partition], int | None]:
    requests = Requests(contract, lake=lake, now=now)

    def cost(partition: Partition) -> int | None:
        refuse_periods(contract, partition, now)
        return requests.of(partition)

    return cost


def _reloaded(lake: Lake) -> Callable[[Partition], int | None]:
    landings = lake.as_job("load").landings

    def cost(partition: Partition) -> int | None:
        if not landings.finished(partition):
            raise PermanentError(f"{partition}: no finished landing in S3.")
        return 0

    return cost
