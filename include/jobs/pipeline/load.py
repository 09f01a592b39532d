"""Load a landing into PostgreSQL, for ingests, reloads and replays alike."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

from include.errors import PermanentError
from include.jobs.lake import Lake
from include.jobs.lineage.runs import load_run
from include.jobs.partition_log import logged
from include.jobs.pipeline.books import public_entry
from include.jobs.rules import pseudonyms_of, rules_hash_of
from include.landing.manifest import Manifest
from include.landing.read import read_pages
from include.landing.store import page_prefix
from include.settings import Settings
from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse import load as warehouse
from include.warehouse.books.ledger import Entry, Landing
from include.warehouse.memory import few_interruptions
from include.warehouse.parts import Requested
from include.warehouse.prepare import PageBody

log = logging.getLogger(__name__)


def load(
    contract: Contract,
    partition: Partition,
    *,
    lake: Lake,
    dsn: str,
    run_id: str,
    landing_id: str | None = None,
    forced_by: str | None = None,
    loading: Callable[..., Entry] = warehouse.load,
) -> dict[str, Any]:
    """Replace the partition in `raw.<source>` with a landing, by default the newest.

    Returns the ledger entry, with `period` as text and status `loaded`,
    `unchanged` or `not_published`. With `forced_by`, the landing is loaded
    even if it is unchanged or fails a check. `loading` loads the landing, by
    default into the raw table.

    Raises `LoadRefused` if a check fails, `LandingDamaged` if S3 does not
    match the manifest, `TableOutdated`, or `ServiceUnavailable` (retryable).
    Then only the ledger is changed; its entry names the landing, if one was
    found.
    """
    begun = Entry.begin(
        contract,
        partition,
        run_id=run_id,
        code_version=Settings.read().code_version,
        forced_by=forced_by,
    )
    which = f"landing {landing_id}" if landing_id else "its newest landing"
    with (
        load_run(contract, partition, lake=lake, dsn=dsn, run_id=run_id) as facts,
        logged(partition, f"replacing it in raw.{partition.source} by {which}") as outcome,
    ):
        entry = _load(contract, partition, lake, dsn, begun, landing_id, loading)
        outcome.text = _counts(entry)
        outcome.manifest = lake.landings.manifest_address(partition, entry.landing_id)
        facts.rows = entry.rows
        facts.tags |= {"landing": entry.landing_id, "status": entry.status}
    return public_entry(vars(entry), contract)


def _load(
    contract: Contract,
    partition: Partition,
    lake: Lake,
    dsn: str,
    begun: Entry,
    landing_id: str | None,
    loading: Callable[..., Entry],
) -> Entry:
    settings = Settings.read()
    looked_at = landing_id or ""
    try:
        pseudonyms = pseudonyms_of(contract, settings)
        lake = lake.as_job("load")
        with few_interruptions():  # a manifest has thousands of pages
            for looked_at in [landing_id] if landing_id else lake.landings.finished(partition):
                manifest = lake.landings.manifest(partition, looked_at)
                if landing_id or manifest.outcome == "complete":
                    break
            else:
                raise _nothing_landed(partition)
    except Exception as error:
        warehouse.write_failure(dsn, dataclasses.replace(begun, landing_id=looked_at), error)
        raise
    return loading(
        contract,
        _landing(partition, manifest),
        lambda: _pages(lake, partition, manifest),
        requested=lambda name: _requested(lake, partition, manifest, name),
        partition=partition,
        dsn=dsn,
        entry=_of(manifest, begun, rules_hash_of(contract, settings)),
        forced=begun.forced_by is not None,
        pseudonyms=pseudonyms,
    )


def _counts(entry: Entry) -> str:
    """What was loaded."""
    return (
        f"{entry.status}: {entry.records} records = {entry.loaded} loaded + "
        f"{entry.quarantined} quarantined + {entry.duplicates} duplicates"
    )


def _nothing_landed(partition: Partition) -> PermanentError:
    return PermanentError(
        f"{partition}: no finished landing in S3. Fetch it first: `wandle ingest "
        f"{partition.source} --council {partition.council} --period {partition.period}`."
    )


def _pages(lake: Lake, partition: Partition, manifest: Manifest) -> Iterator[PageBody]:
    prefix = lake.landings.address(page_prefix(partition, manifest))
    for page, body in read_pages(lake.landings, partition, manifest):
        address = prefix + page.name
        yield PageBody(
            name=page.name,
            context=page.context,
            records=page.records,
            size=page.bytes,
            body=body,
            way=page.way,
            address=address,
            content_type=page.content_type,
        )


def _requested(
    lake: Lake, partition: Partition, manifest: Manifest, landing_id: str
) -> list[Requested]:
    """The requests of a landing: the one being loaded, or another of its partition."""
    if landing_id != manifest.landing_id:
        try:
            manifest = lake.landings.manifest(partition, landing_id)
        except PermanentError as error:
            # A damaged landing is replaced by fetching again, so it must not prevent that.
            log.warning(
                "%s: parts are not compared with those of the current load: %s", partition, error
            )
            return []
    way = manifest.pages[0].way if manifest.pages else "api"
    return [
        *(Requested(page.label, page.records, page.way) for page in manifest.pages),
        *(Requested(answered.label, 0, way) for answered in manifest.empty),
    ]


def _landing(partition: Partition, manifest: Manifest) -> Landing:
    return Landing(
        source=partition.source,
        council=partition.council,
        period=partition.period.starts_at,
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
        replaces=manifest.replaces,
        erased=manifest.erased,
    )


def _of(manifest: Manifest, begun: Entry, rules_hash: str) -> Entry:
    """The entry with what is known from its landing."""
    return dataclasses.replace(
        begun,
        landing_id=manifest.landing_id,
        records=manifest.totals.records,
        pages=manifest.totals.pages,
        bytes=manifest.totals.bytes,
        pages_hash=manifest.pages_hash,
        rules_hash=rules_hash,
    )
