"""Decide which landings to delete, and why. Deletes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from include.landing.inventory import Ref, Stored, reference
from include.landing.manifest import Outcome
from include.landing.store import RESUMED_WITHIN, began_at
from include.sources.model import Contract
from include.sources.partition import Partition

Reason = Literal["superseded", "interrupted", "expired", "erased"]


@dataclass(frozen=True)
class Known:
    """A landing in S3 and the facts from its manifest.

    `outcome` is None for an unfinished one, and `damaged` if the manifest
    cannot be read: such a landing is kept, and does not supersede others.
    `pages_in` is the landing of another source that has its pages.
    """

    stored: Stored
    outcome: Outcome | Literal["damaged"] | None
    parents: tuple[Ref, ...] = ()
    replaces: str | None = None
    pages_in: Ref | None = None


def no_longer_kept(
    found: Iterable[Known],
    contracts: Mapping[str, Contract],
    *,
    now: datetime,
    pointed_at: Callable[[Partition], Collection[str]],
    removed: Collection[Ref] = (),
) -> dict[Ref, Reason]:
    """The landings to delete, each with the reason.

    - `expired`: personal data of a period older than the contract's
      `retention_days`; of `all`, not fetched for that long; or its pages were
      in a landing that goes or went. Everything of the partition is deleted.
    - `interrupted`: it has no manifest and is too old to be resumed, or its
      deletion (in `removed`) was interrupted.
    - `superseded`: there is a newer one, and it is older than the contract's
      `retention_days`. Never the newest complete landing of a partition, nor
      one that the database (`pointed_at`, by partition) or the manifest of a
      kept landing refers to. A reference to a replaced landing counts as one
      to its replacement.
    """
    going: dict[Ref, Reason] = {}
    candidates: dict[Ref, Known] = {}
    staying: list[Known] = []
    for partition, landings in _by_partition(found).items():
        contract = contracts.get(partition.source)
        old = _superseded(landings, contract, now)
        pointed = pointed_at(partition) if old else ()
        newest = max(began_at(known.stored.landing_id) for known in landings)
        for known in landings:
            reason = _own_reason(known, contract, now, newest, removed)
            if reason:
                going[known.stored.ref] = reason
            elif known.stored.landing_id in old and known.stored.landing_id not in pointed:
                candidates[known.stored.ref] = known
            else:
                staying.append(known)
    gone = {*removed, *(ref for ref, reason in going.items() if reason == "expired")}
    for known in (*staying, *candidates.values()):
        if known.pages_in in gone:
            going[known.stored.ref] = "expired"
            candidates.pop(known.stored.ref, None)
    staying = [known for known in staying if known.stored.ref not in going]
    _keep_what_is_pointed_at(staying, candidates)
    return going | dict.fromkeys(candidates, "superseded")


def _by_partition(found: Iterable[Known]) -> dict[Partition, list[Known]]:
    grouped: dict[Partition, list[Known]] = {}
    for known in found:
        grouped.setdefault(known.stored.partition, []).append(known)
    return grouped


def _own_reason(
    known: Known,
    contract: Contract | None,
    now: datetime,
    newest: datetime,
    removed: Collection[Ref],
) -> Reason | None:
    stored = known.stored
    if known.outcome is None:
        too_old = now - began_at(stored.landing_id) >= RESUMED_WITHIN
        return "interrupted" if too_old or stored.ref in removed else None
    if contract and contract.is_past_limit(stored.partition.period, now.date()):
        return "expired"
    # `all` never ends: its data are as old as the newest fetch.
    whole = stored.partition.period.grain == "all"
    if contract and contract.personal and whole:
        too_old = now - newest > timedelta(days=contract.retention_days)
        return "expired" if too_old else None
    return None


def _superseded(landings: list[Known], contract: Contract | None, now: datetime) -> set[str]:
    """IDs of old finished landings that are neither the newest nor the newest complete one."""
    if contract is None or not contract.retention_days:
        return set()
    limit = timedelta(days=contract.retention_days)
    finished = {
        known.stored.landing_id: known.outcome
        for known in landings
        if known.outcome in ("complete", "not_published")
    }
    complete = [name for name, outcome in finished.items() if outcome == "complete"]
    needed = {max(finished, default=None), max(complete, default=None)}
    return {name for name in finished if name not in needed and now - began_at(name) > limit}


def _keep_what_is_pointed_at(staying: list[Known], candidates: dict[Ref, Known]) -> None:
    """Remove from `candidates` whatever kept landings refer to, transitively."""
    replacements = {
        reference(known.stored.partition, known.replaces): known.stored.ref
        for known in (*staying, *candidates.values())
        if known.replaces
    }
    waiting = list(staying)
    while waiting:
        for ref in waiting.pop().parents:
            pointed: Ref | None = ref
            while pointed is not None:
                kept = candidates.pop(pointed, None)
                if kept:
                    waiting.append(kept)
                pointed = replacements.get(pointed)
