"""Load a landing into PostgreSQL: the one load path, for fetching, reloading and replaying."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from include.errors import PermanentError
from include.jobs.books import public_entry
from include.jobs.lake import Lake
from include.landing.manifest import Manifest
from include.landing.reading import read_pages
from include.settings import Settings
from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse import load as warehouse
from include.warehouse.ledger import Entry, Landing
from include.warehouse.prepare import PageBody
from include.warehouse.pseudonyms import Pseudonyms

log = logging.getLogger(__name__)


def load(
    contract: Contract,
    council: str,
    period: str,
    *,
    lake: Lake,
    dsn: str,
    run_id: str,
    landing_id: str | None = None,
    forced_by: str | None = None,
) -> dict[str, Any]:
    """Replace the partition in `raw.<source>` by a landing; the newest one if none is named.

    Returns the ledger entry, with `period` as text and status `loaded`,
    `unchanged` or `not_published`. `forced_by` loads although nothing has
    changed, and although a check says no.

    Raises `LoadRefused` if a check says no, `LandingDamaged` if S3 does not
    hold what the manifest says, `TableOutdated`, or `ServiceUnavailable`
    (retryable). Then nothing is changed but the ledger.
    """
    partition = Partition(contract.name, council, contract.parse_period(period))
    started_at = datetime.now(UTC)
    settings = Settings.read()
    pseudonyms = _pseudonyms(contract, settings)
    manifest = _manifest(lake, partition, landing_id)
    entry = warehouse.load(
        contract,
        _landing(partition, manifest),
        lambda: _pages(lake, partition, manifest),
        partition=partition,
        dsn=dsn,
        entry=dataclasses.replace(
            _entry(contract, partition, manifest, run_id, forced_by, started_at),
            rules_hash=_rules_hash(contract, pseudonyms),
            code_version=settings.code_version,
        ),
        forced=forced_by is not None,
        pseudonyms=pseudonyms,
    )
    log.info(
        "%s: %s: %d records = %d loaded + %d quarantined + %d duplicates, %.1f s",
        partition,
        entry.status,
        entry.records,
        entry.loaded,
        entry.quarantined,
        entry.duplicates,
        entry.seconds,
    )
    return public_entry(vars(entry))


def _pseudonyms(contract: Contract, settings: Settings) -> Pseudonyms | None:
    if any(column.personal == "pseudonymise" for column in contract.columns):
        return Pseudonyms(settings.need("pseudonym_key"))
    return None


def _rules_hash(contract: Contract, pseudonyms: Pseudonyms | None) -> str:
    """With another key, the same landing gives other rows."""
    if pseudonyms is None:
        return contract.rules_hash
    return hashlib.sha256(f"{contract.rules_hash} {pseudonyms.fingerprint}".encode()).hexdigest()


def _manifest(lake: Lake, partition: Partition, landing_id: str | None) -> Manifest:
    if landing_id:
        return lake.landings.manifest(partition, landing_id)
    newest = lake.landings.newest_complete(partition)
    if newest is None:
        raise PermanentError(
            f"{partition}: S3 holds no finished landing of it. Fetch it first: `wandle ingest "
            f"{partition.source} --council {partition.council} --period {partition.period}`."
        )
    return newest


def _pages(lake: Lake, partition: Partition, manifest: Manifest) -> Iterator[PageBody]:
    for page, body in read_pages(lake.landings, partition, manifest):
        yield PageBody(page.name, page.context, page.records, page.bytes, body, page.way)


def _landing(partition: Partition, manifest: Manifest) -> Landing:
    return Landing(
        source=partition.source,
        council=partition.council,
        period=partition.period.first_day,
        landing_id=manifest.landing_id,
        outcome=manifest.outcome,
        run_id=manifest.run_id,
        code_version=manifest.code_version,
        contract_hash=manifest.contract_hash,
        pages_hash=manifest.pages_hash,
        pages=manifest.totals.pages,
        records=manifest.totals.records,
        bytes=manifest.totals.bytes,
        started_at=manifest.started_at,
        finished_at=manifest.finished_at,
        parents=json.dumps({name: dict(item) for name, item in manifest.parents.items()}),
    )


def _entry(
    contract: Contract,
    partition: Partition,
    manifest: Manifest,
    run_id: str,
    forced_by: str | None,
    started_at: datetime,
) -> Entry:
    """The attempt as it begins: `failed` until it ends otherwise."""
    return Entry(
        source=partition.source,
        council=partition.council,
        period=partition.period.first_day,
        landing_id=manifest.landing_id,
        status="failed",
        records=manifest.totals.records,
        loaded=0,
        quarantined=0,
        duplicates=0,
        pages=manifest.totals.pages,
        bytes=manifest.totals.bytes,
        content_hash=None,
        quarantine_hash=None,
        pages_hash=manifest.pages_hash,
        rules_hash=contract.rules_hash,
        contract_hash=contract.contract_hash,
        code_version="",
        run_id=run_id,
        forced_by=forced_by,
        error=None,
        started_at=started_at,
        finished_at=started_at,
        seconds=0.0,
    )
