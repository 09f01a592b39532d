"""Every landing in S3, with facts from the ledger or its manifest."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from include.errors import LandingDamaged
from include.jobs.lake import Lake
from include.jobs.pipeline.known_sources import partition_at
from include.landing.inventory import Ref, Stored, reference
from include.landing.retention import Known
from include.sources.extract.landing import LandingExtract
from include.sources.model import Contract
from include.warehouse.books import removals
from include.warehouse.connection import Cursor

log = logging.getLogger(__name__)


def known_landings(
    lake: Lake, cursor: Cursor, stored: Iterable[Stored], contracts: Mapping[str, Contract]
) -> list[Known]:
    """The facts of each landing; reads its manifest only if it is not in the ledger."""
    ledger = {_ref_of(row, contracts): row for row in removals.known_landings(cursor)}
    found = []
    for item in stored:
        known = _known(lake, item, ledger.get(item.ref))
        contract = contracts.get(item.partition.source)
        if contract and isinstance(contract.extract, LandingExtract) and known.parents:
            known = dataclasses.replace(known, pages_in=known.parents[0])
        found.append(known)
    return found


def removed_landings(cursor: Cursor, contracts: Mapping[str, Contract]) -> set[Ref]:
    """Every landing that was removed, or whose removal started."""
    return {_ref_of(row, contracts) for row in removals.removals(cursor)}


def _ref_of(row: Mapping[str, Any], contracts: Mapping[str, Contract]) -> Ref:
    where = partition_at(row["source"], row["council"], row["period"], contracts)
    return reference(where, row["landing_id"])


def _known(lake: Lake, stored: Stored, row: Mapping[str, Any] | None) -> Known:
    """The facts of a landing, from the ledger or else from its manifest."""
    if not stored.finished:
        return Known(stored, None)
    if row is not None:
        parents = tuple(_parent(item) for item in row["parents"].values())
        return Known(stored, row["outcome"], parents, row["replaces"])
    try:
        manifest = lake.landings.manifest(stored.partition, stored.landing_id)
    except LandingDamaged as error:
        log.warning("%s", error)
        return Known(stored, "damaged")
    parents = tuple(_parent(dict(item)) for item in manifest.parents.values())
    return Known(stored, manifest.outcome, parents, manifest.replaces)


def _parent(item: Mapping[str, str]) -> Ref:
    return (item["source"], item["council"], item["period"], item["landing_id"])
