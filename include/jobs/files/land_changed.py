"""Land files only if they differ from those of the newest landing."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from include.extract.fetched import NotPublished, Page
from include.extract.files.listing import is_changed
from include.landing.manifest import LandedPage, Manifest
from include.landing.store import Landings
from include.sources.model import Contract
from include.sources.partition import Partition

log = logging.getLogger(__name__)


class AlreadyLanded(Exception):
    """What was fetched is what the newest landing holds."""

    def __init__(self, partition: Partition, landing_id: str) -> None:
        super().__init__(landing_id)
        log.info("%s: nothing changed since %s", partition, landing_id)
        self.landing_id = landing_id


def unless_landed(
    contract: Contract, partition: Partition, pages: Iterable[Page], landings: Landings
) -> Iterator[Page]:
    """The pages, from the first one that differs on with those before it.

    Compared are SHA-256 and the values that the load needs; if records were
    erased from the landing, what hints at a change, so that they do not come
    back. A landing by another version of the contract is not the same. Raises `AlreadyLanded` if
    no page differs, and `NotPublished` if that was not known before.
    """
    newest = _newest(contract, partition, landings)
    before = list(newest.pages) if newest else []
    held: list[Page] = []
    try:
        for page in pages:
            expected = before[len(held)] if newest and len(held) < len(before) else None
            if newest and expected and _is_same(page, expected, newest):
                held.append(page)
                continue
            yield from held
            newest, held = None, []
            yield page
    except NotPublished:
        if newest and newest.outcome == "not_published":
            raise AlreadyLanded(partition, newest.landing_id) from None
        raise
    if newest and held and len(held) == len(before):
        raise AlreadyLanded(partition, newest.landing_id)
    yield from held


def _newest(contract: Contract, partition: Partition, landings: Landings) -> Manifest | None:
    for landing_id in landings.finished(partition)[:1]:
        found = landings.manifest(partition, landing_id)
        return found if found.contract_hash == contract.contract_hash else None
    return None


def _is_same(page: Page, landed: LandedPage, manifest: Manifest) -> bool:
    facts = page.facts
    if (facts.label, facts.context) != (landed.label, landed.context):
        return False
    if manifest.replaces:
        same_file = page.request.url == landed.request.url
        return same_file and not is_changed(facts.headers, landed.headers)
    return (facts.sha256, facts.records) == (landed.sha256, landed.records)
