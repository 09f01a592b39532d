"""Land a partition from the landing of another source: a manifest that names its pages."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from include.errors import PermanentError, UnexpectedPayload
from include.jobs.lake import Lake
from include.landing.manifest import LandedPage, Manifest, ParentLanding, totals_of
from include.landing.read import read_pages
from include.landing.store import Landings, new_landing_id, page_prefix
from include.landing.write import write_manifest
from include.records.diagnose import not_the_data
from include.records.json.values import BodyCutShort
from include.records.read import read_records
from include.settings import Settings
from include.sources.extract.landing import LABEL, LandingExtract
from include.sources.model import Contract
from include.sources.partition import Partition

log = logging.getLogger(__name__)


def home_of(contract: Contract, partition: Partition) -> Partition:
    """The partition of the source whose landings are read."""
    extract = contract.extract
    if not isinstance(extract, LandingExtract):
        raise TypeError(f"{contract.name} does not read landings")
    return Partition(extract.source, partition.council, partition.period)


def derive(
    contract: Contract,
    partition: Partition,
    *,
    lake: Lake,
    run_id: str,
    progress: Callable[[int], None] = lambda pages: None,
) -> Manifest | str:
    """Land the newest landing of the other source; returns the manifest of this one's landing.

    The records of each page are counted by this contract. A landing of the
    same pages by the same contract is not written again: then its ID is returned.

    Raises `PermanentError` if the other source has not landed the partition,
    `LandingDamaged`, and `UnexpectedPayload` for a page without the records.
    """
    home = home_of(contract, partition)
    pages_of = _newest(lake.landings, home)
    if pages_of is None:
        raise PermanentError(
            f"{partition}: {home.source} has not landed it. Fetch it first: `wandle ingest "
            f"{home.source} --council {home.council} --period {home.period}`."
        )
    known = lake.landings.finished(partition)
    before = lake.landings.manifest(partition, known[0]) if known else None
    if (
        before
        and before.pages_in
        and before.pages_in.landing_id == pages_of.landing_id
        and before.contract_hash == contract.contract_hash
    ):
        log.info("%s: %s has landed nothing since", partition, home.source)
        return before.landing_id
    now = datetime.now(UTC)
    landing_id = new_landing_id(run_id, now)
    manifest = derived(
        contract, partition, pages_of, lake.landings,
        landing_id=landing_id, run_id=run_id, started_at=now, progress=progress,
    )  # fmt: skip
    write_manifest(lake.landings, partition, manifest)
    return manifest


def derived(
    contract: Contract,
    partition: Partition,
    pages_of: Manifest,
    landings: Landings,
    *,
    landing_id: str,
    run_id: str,
    started_at: datetime,
    replaces: Manifest | None = None,
    progress: Callable[[int], None] = lambda pages: None,
) -> Manifest:
    """The manifest of a landing with another one's pages. Raises as `derive` does."""
    home = home_of(contract, partition)
    pages: list[LandedPage] = []
    for page, body in read_pages(landings, home, pages_of):
        layout = contract.layout(page.way)
        try:
            chunks = read_records(body, page.bytes, layout, page.context, page.content_type)
            records = sum(map(len, chunks))
        except (BodyCutShort, UnexpectedPayload) as error:
            address = landings.address(page_prefix(home, pages_of) + page.name)
            raise not_the_data(
                address, error, body, page.bytes, layout, page.content_type
            ) from None
        pages.append(page.model_copy(update={"records": records}))
        progress(len(pages))
    parent = ParentLanding(
        source=home.source,
        council=home.council,
        period=str(home.period),
        landing_id=pages_of.landing_id,
    )
    totals = totals_of(tuple(pages))
    return Manifest(
        source=partition.source,
        council=partition.council,
        period=str(partition.period),
        landing_id=landing_id,
        outcome=pages_of.outcome,
        run_id=run_id,
        code_version=Settings.read().code_version,
        contract_hash=contract.contract_hash,
        started_at=started_at,
        finished_at=datetime.now(UTC),
        parents={LABEL: parent},
        answered=pages_of.answered,
        empty=pages_of.empty,
        pages=tuple(pages),
        totals=totals,
        replaces=replaces.landing_id if replaces else None,
        erased=replaces.totals.records - totals.records if replaces else 0,
        pages_in=parent,
    )


def _newest(landings: Landings, home: Partition) -> Manifest | None:
    """The newest landing with data, else the newest."""
    found = landings.newest_complete(home)
    if found is None and (finished := landings.finished(home)):
        return landings.manifest(home, finished[0])
    return found
