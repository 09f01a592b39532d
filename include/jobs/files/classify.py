"""Classify the files of a source: which are new or changed, and which belong to nothing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from include.errors import UnexpectedPayload
from include.extract.files.fetch import changed, refuse_none
from include.extract.files.listing import limited
from include.extract.files.matching import Match, Matcher, chosen
from include.jobs.files.places import known_councils, open_place
from include.jobs.lake import Lake
from include.jobs.logins import SecretOf
from include.landing.manifest import LandedPage, Manifest
from include.printable import printable
from include.sources.model import Contract
from include.sources.partition import Partition

log = logging.getLogger(__name__)

# What a file is to the next run; `no partition` and `ambiguous` need a person.
State = Literal[
    "new",
    "changed",
    "landed",
    "superseded",
    "ambiguous",
    "being written",
    "ignored",
    "no partition",
]
# Names in one message; the command lists all.
MOST_NAMED = 5


@dataclass(frozen=True)
class Seen:
    """A file, what is to be done with it, and why if that is nothing."""

    match: Match
    state: State
    why: str = ""


@dataclass(frozen=True)
class SourceFiles:
    """The files of a source at one time, and the partitions that are to be fetched for them."""

    files: tuple[Seen, ...]
    partitions: tuple[Partition, ...]

    @property
    def unmatched(self) -> list[Seen]:
        """The files that no partition takes."""
        return [seen for seen in self.files if seen.state in ("no partition", "ambiguous")]


def classify_files(
    contract: Contract,
    *,
    lake: Lake,
    today: datetime,
    source_dsn: str | None = None,
    secret_of: SecretOf | None = None,
    rate_shared_in: str | None = None,
) -> SourceFiles:
    """Compare the files of a source with the newest landings of their partitions.

    Raises `SourceUnavailable`, `SourceRejected`, `BeyondLimit` and
    `ServiceUnavailable`.
    """
    lake = lake.as_job(f"extract-{contract.name}")
    place = open_place(
        contract,
        lake=lake,
        source_dsn=source_dsn,
        secret_of=secret_of,
        rate_shared_in=rate_shared_in,
    )
    files = limited(place.files(), contract.limits.files, contract.name)
    matches = Matcher(contract, known_councils(), today).match(files)
    refuse_none(contract, matches)
    return _compared(matches, lake)


def _compared(matches: list[Match], lake: Lake) -> SourceFiles:
    wanted: dict[Partition, list[Match]] = {}
    for match in matches:
        for partition in match.partitions:
            wanted.setdefault(partition, []).append(match)
    with ThreadPoolExecutor(8) as readers:
        newest = dict(zip(wanted, readers.map(lake.landings.newest_complete, wanted), strict=True))
    states: dict[int, tuple[State, str]] = {}
    todo: list[Partition] = []
    for partition, some in wanted.items():
        try:
            counting = chosen(partition, some)
        except UnexpectedPayload as error:
            todo.append(partition)
            _set(states, some, "ambiguous", str(error))
            continue
        _set(states, [m for m in some if m not in counting], "superseded", "")
        landed = _pages(newest[partition])
        is_new = changed(counting, landed)
        writing = [match for match in counting if not match.file.is_settled]
        if is_new and not writing:
            todo.append(partition)
        known = {page.request.url for page in landed}
        for match in counting:
            differs = changed([match], [p for p in landed if p.request.url == match.file.address])
            state: State = "landed"
            if not match.file.is_settled:
                state = "being written"
            elif differs:
                state = "changed" if match.file.address in known else "new"
            _set(states, [match], state, "")
    seen = tuple(_seen(match, states.get(id(match))) for match in matches)
    return SourceFiles(seen, tuple(todo))


# The state of a file of several partitions is that of the one with most to do.
_ORDER: tuple[State, ...] = (
    *("ambiguous", "being written", "new", "changed", "landed", "superseded"),
)


def _set(
    states: dict[int, tuple[State, str]], matches: Iterable[Match], state: State, why: str
) -> None:
    for match in matches:
        before = states.get(id(match))
        if before is None or _ORDER.index(state) < _ORDER.index(before[0]):
            states[id(match)] = (state, why)


def _seen(match: Match, found: tuple[State, str] | None) -> Seen:
    if found is not None:
        return Seen(match, *found)
    if match.is_ignored:
        return Seen(match, "ignored", match.problem)
    if not match.file.is_settled:
        return Seen(match, "being written")
    return Seen(match, "no partition", match.problem or "no council or period takes it")


def _pages(manifest: Manifest | None) -> Sequence[LandedPage]:
    return manifest.pages if manifest else ()


def unmatched_message(contract: Contract, unmatched: Sequence[Seen]) -> str:
    """Which files no partition takes, and what to do; empty if there are none."""
    if not unmatched:
        return ""
    named = "; ".join(
        f"{seen.match.file.name[:200]!r}: {seen.why}" for seen in unmatched[:MOST_NAMED]
    )
    more = f"; and {len(unmatched) - MOST_NAMED} more" if len(unmatched) > MOST_NAMED else ""
    return printable(
        f"{contract.name}: no partition takes {len(unmatched)} "
        f"file{'s' * (len(unmatched) > 1)}, not loaded: {named}{more}. Rename or remove them, "
        "correct `extract.pattern`, or add them to `extract.ignore`. "
        f"`wandle files {contract.name}` lists them."
    )
