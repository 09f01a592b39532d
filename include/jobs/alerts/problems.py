"""What can be wrong with a source, in words for people. Nothing here reads or writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

from include.jobs.pipeline.causes import Failure
from include.jobs.pipeline.extract import OVERDUE
from include.printable import one_line
from include.redact import redacted
from include.sources.alerts import Kind
from include.sources.model import Contract
from include.sources.partition import Partition, Period

# Of a council: the newest load, and earlier ones that say what is usual.
MOST_LOADS = 13
FEWEST_EARLIER = 5
# A partition is unusual if it is this many times larger or smaller than the median...
UNUSUAL_FACTOR = 2
# ...and a share of quarantined records if it is this many times the median, and this much more.
UNUSUAL_SHARE_FACTOR = 3
UNUSUAL_SHARE_MORE = 0.01
# In smaller partitions, numbers vary by chance.
FEWEST_RECORDS = 20

MOST_CHARACTERS = 1000

# In place of a source, which no contract can be called.
TRANSFORM = "DAG transform"

_NEXT: Mapping[Kind, str] = {
    "failed": "Fix the cause, then clear the failed tasks of the run.",
    "refused": "Compare the landing with the source. If it is right, run the partition again with "
    "`force`; if not, tell the publisher.",
    "late": "Trigger the DAG for that period.",
    "drifted": "`wandle drift {source}` prints what to add to the contract.",
    "quarantine": "`wandle quarantine {source}` lists the records and the rules that they break.",
    "volume": "Compare the partition with the source. If it is right, nothing needs to be done.",
}
_ASK_PUBLISHER = "Ask the publisher, {publisher}, when it will be available; later runs ask again."


@dataclass(frozen=True)
class Problem:
    """Something that is wrong at `subject`: a partition, a council, a field, or a task.

    `cause` is what problems that one message is about have in common.
    """

    source: str
    kind: Kind
    subject: str
    cause: str
    text: str
    next_step: str
    run_id: str = ""


def next_step(contract: Contract, kind: Kind, *, of_publisher: bool = False) -> str:
    """What to do about it."""
    text = _ASK_PUBLISHER if of_publisher else _NEXT[kind]
    return one_line(text.format(source=contract.name, publisher=contract.publisher))


def shown(text: str) -> str:
    """A text as one line, without secrets, and not too long for a message."""
    line = one_line(redacted(text))
    return line if len(line) <= MOST_CHARACTERS else f"{line[:MOST_CHARACTERS]} [...]"


def of_failure(contract: Contract, failure: Failure, run_id: str) -> Problem:
    """The problem that a failed attempt stands for: the publisher's if a due period is missing."""
    overdue = OVERDUE in failure.error
    refused = failure.status == "refused"
    kind: Kind = "late" if overdue else "refused" if refused else "failed"
    if overdue:
        text = f"the publisher is late: {failure.reason}"
    else:
        text = f"{failure.step} {failure.status}: {failure.reason}"
    return Problem(
        source=contract.name,
        kind=kind,
        subject=failure.place,
        cause=" ".join(failure.kind),
        text=shown(text),
        next_step=next_step(contract, kind, of_publisher=overdue),
        run_id=run_id,
    )


def of_task(contract: Contract, task: str, error: str, run_id: str) -> Problem:
    """A task that failed before or beside the partitions: `plan` or `files`."""
    text = error or f"`{task}` failed; its log says why"
    problem = Failure(contract.name, "", task, "failed", text)
    return Problem(
        source=contract.name,
        kind="failed",
        subject=task,
        cause=" ".join(problem.kind),
        text=shown(text),
        next_step=next_step(contract, "failed"),
        run_id=run_id,
    )


def of_transform(subject: str, error: str, run_id: str) -> Problem:
    """A model, a test or a task of the DAG `transform` that failed."""
    return Problem(
        source=TRANSFORM,
        kind="failed",
        subject=subject,
        cause=subject,
        text=shown(error or "failed; its log says why"),
        next_step="Fix the model, or the data that the test is about, then clear the failed tasks. "
        "Until then, what depends on it keeps its last state.",
        run_id=run_id,
    )


def of_lateness(contract: Contract, measured: Mapping[str, Any]) -> Problem:
    """No run has looked for new data since one was due: ours."""
    last = measured["last_check"] or "never"
    return Problem(
        source=contract.name,
        kind="late",
        subject=measured["council"],
        cause="no run",
        text=f"we are late: a run was due at {measured['due_since']}, and the last one that could "
        f"ask the source was at {last}",
        next_step=f"See whether Airflow runs, and whether the DAG ingest_{contract.name} is "
        "paused or has an import error.",
    )


def of_missing_period(contract: Contract, partition: Partition, due: str) -> Problem:
    """A period that was due, and that no run has asked for since: ours."""
    return Problem(
        source=contract.name,
        kind="late",
        subject=f"{partition.council} {partition.period}",
        cause="not asked",
        text=f"we are late: the period was due on {due}, and no run has asked for it since",
        next_step=f"{next_step(contract, 'late')} If that is so each time, set `lookback`.",
    )


def of_publisher(contract: Contract, partition: Partition, due: str) -> Problem:
    """A period that was due, and that the source does not have."""
    return Problem(
        source=contract.name,
        kind="late",
        subject=f"{partition.council} {partition.period}",
        cause="not published",
        text=f"the publisher is late: the period was due on {due}, and the source does not have it",
        next_step=next_step(contract, "late", of_publisher=True),
    )


def of_loads(contract: Contract, loads: list[Mapping[str, Any]]) -> list[Problem]:
    """What is unusual in the newest load of one council, by up to `MOST_LOADS`, newest first."""
    newest, earlier = loads[0], loads[1:MOST_LOADS]
    if len(earlier) < FEWEST_EARLIER:
        return []
    period = Period.starting(newest["period"], contract.period)
    return [
        Problem(
            source=contract.name,
            kind=kind,
            subject=f"{newest['council']} {name}".rstrip(),
            # Each has figures of its own.
            cause=f"{newest['council']} {name}",
            text=f"{period}: {text}",
            next_step=next_step(contract, kind),
        )
        for judge in (_volume, _quarantine, _vanished)
        for kind, name, text in judge(newest, earlier)
    ]


_Found = list[tuple[Kind, str, str]]


def _volume(newest: Mapping[str, Any], earlier: list[Mapping[str, Any]]) -> _Found:
    counts = [load["records"] for load in earlier]
    usual, count = median(counts), newest["records"]
    if max(usual, count) < FEWEST_RECORDS or min(counts) <= count <= max(counts):
        return []
    if usual / UNUSUAL_FACTOR <= count <= usual * UNUSUAL_FACTOR:
        return []
    text = f"{count} records, usually about {usual:.0f} ({min(counts)} to {max(counts)})"
    return [("volume", "", text)]


def _quarantine(newest: Mapping[str, Any], earlier: list[Mapping[str, Any]]) -> _Found:
    share = _share(newest)
    usual = median(map(_share, earlier))
    if share <= max(usual * UNUSUAL_SHARE_FACTOR, usual + UNUSUAL_SHARE_MORE):
        return []
    text = f"{share:.1%} of the records are in quarantine, usually {usual:.1%}"
    return [("quarantine", "", text)]


def _share(load: Mapping[str, Any]) -> float:
    return load["quarantined"] / load["records"] if load["records"] else 0.0


def _vanished(newest: Mapping[str, Any], earlier: list[Mapping[str, Any]]) -> _Found:
    """Columns that are null in all rows now, and had values in each earlier load."""
    if newest["rows"] < FEWEST_RECORDS or newest["filled_columns"] is None:
        return []
    filled = [set(load["filled_columns"] or ()) for load in earlier if load["rows"]]
    if len(filled) < FEWEST_EARLIER:
        return []
    gone = set.intersection(*filled) & set(newest["columns"] or ()) - set(newest["filled_columns"])
    return [
        ("drifted", name, f"the column {name} is empty, and was not before")
        for name in sorted(gone)
    ]
