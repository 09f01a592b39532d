"""The question whether a run may replace so many rows: its partitions, for a person to approve."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from include.jobs.dry_run.preview import Planned, preview
from include.jobs.lake import Lake
from include.printable import one_line
from include.sources.model import Contract
from include.sources.partition import Partition

# More would not be read; the sum is of all.
MOST_SHOWN = 100


def question(
    contract: Contract,
    partitions: Sequence[Partition],
    *,
    lake: Lake,
    dsn: str,
    reload: bool,
) -> str | None:
    """What a run would replace, as Markdown; None if that is not more than `approval` allows.

    Nothing is requested, landed or loaded. Raises `ServiceUnavailable`.
    """
    if contract.approval is None:
        return None
    planned = preview(contract, partitions, lake=lake, dsn=dsn, reload=reload)
    rows = sum(item.rows for item in planned)
    if rows <= contract.approval.rows:
        return None
    return "\n".join(_lines(contract, planned, rows, reload))


def rows_in(text: str) -> int:
    """How many rows a question is about; 0 for another text."""
    found = re.search(r"replace up to \*\*([\d,]+) rows", text)
    return int(found[1].replace(",", "")) if found else 0


def _lines(
    contract: Contract, planned: Sequence[Planned], rows: int, reload: bool
) -> Iterator[str]:
    allowed = contract.approval.rows if contract.approval else 0
    source = "their newest landings in S3" if reload else "a new fetch"
    yield (
        f"The run would replace up to **{rows:,} rows** of `raw.{contract.name}` by {source}. "
        f"Without asking, it may replace {allowed:,}."
    )
    yield ""
    yield "| council | period | rows now | loaded (UTC) | requests |"
    yield "|---|---|---:|---|---:|"
    for item in planned[:MOST_SHOWN]:
        shown = item.shown
        requests = "?" if item.requests is None else f"{item.requests:,}"
        problem = f" would fail: {one_line(item.problem)}" if item.problem else ""
        yield (
            f"| {shown['council']} | {shown['period']} | {item.rows:,} "
            f"| {shown['loaded'] or 'no'} | {requests}{problem.replace('|', '/')} |"
        )
    if len(planned) > MOST_SHOWN:
        yield ""
        yield f"And {len(planned) - MOST_SHOWN:,} more partitions."
