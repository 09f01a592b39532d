"""Fetch a partition from its API, database or files and land it in S3."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from include.councils.model import UK, Council
from include.councils.model import council as council_named
from include.errors import PermanentError, RetryableError, SourceRejected
from include.extract.client import Client
from include.extract.databases.fetch import fetch_rows
from include.extract.fetched import Fetched, Landed, NotPublished, Page, Withdrawn
from include.extract.files.fetch import fetch_files
from include.extract.pages import fetch_pages, refuse_large
from include.extract.requests import require_council, way_for
from include.jobs.files.land_changed import AlreadyLanded, unless_landed
from include.jobs.files.places import known_councils, open_place
from include.jobs.followers.derive import derive
from include.jobs.lake import Lake
from include.jobs.lineage.runs import landing_run
from include.jobs.logins import SecretOf, login_of
from include.jobs.partition_log import logged
from include.jobs.pipeline.origin import described, explained
from include.jobs.pipeline.parents import ParentLandings
from include.landing.manifest import Manifest, Outcome
from include.landing.write import Draft
from include.settings import Settings
from include.sources.extract.files import FilesExtract
from include.sources.extract.http import Extract
from include.sources.extract.landing import LandingExtract
from include.sources.model import Contract, contracts
from include.sources.page import StatusAnswer
from include.sources.partition import Partition, Period
from include.sources.rates import rate_for

log = logging.getLogger(__name__)

# How the ledger tells a late publisher from other failures.
OVERDUE = "the source does not have this period, which was due"


@dataclass(frozen=True)
class _Access:
    """What a fetch may use, as the caller of `extract` says, and when it began."""

    lake: Lake
    now: datetime
    source_dsn: str | None
    secret_of: SecretOf | None
    rate_shared_in: str | None


def extract(
    contract: Contract,
    partition: Partition,
    *,
    lake: Lake,
    run_id: str,
    source_dsn: str | None = None,
    secret_of: SecretOf | None = None,
    rate_shared_in: str | None = None,
    progress: Callable[[int], None] = lambda pages: None,
) -> str:
    """Land one partition and return the landing's id.

    An interrupted landing of the same run is resumed at the first missing
    page (with `total` or `until_two_agree`: at the first page of its request),
    unless its fetch failed permanently; otherwise everything is fetched. A
    recent period that the source does not have yet is landed as
    `not_published`. Files that are as in the newest landing are not landed
    again. `source_dsn` is the address of the database or SFTP server, if any,
    `secret_of` finds the source's secret; clients of a host share its rate limit
    through the warehouse `rate_shared_in`. `progress` gets the number of pages.

    Raises `SourceUnavailable` (retryable), `SourceRejected`, `UnexpectedPayload`,
    `BeyondLimit`, and `PermanentError` for personal data past retention.
    """
    now, lake = datetime.now(UTC), lake.as_job(f"extract-{contract.name}")
    access = _Access(lake, now, source_dsn, secret_of, rate_shared_in)
    way = way_for(contract, partition.period, now.date())
    place = described(contract, Settings.read(), way)
    with (
        landing_run(contract, partition, lake=lake, run_id=run_id) as facts,
        logged(partition, f"requesting {place}, to land it in S3") as outcome,
    ):
        refuse_periods(contract, partition, now)
        if isinstance(contract.extract, LandingExtract):
            found = derive(contract, partition, lake=lake, run_id=run_id, progress=progress)
        else:
            found = _landed(contract, partition, way, run_id, access, progress)
        if isinstance(found, str):
            outcome.text = "nothing new since the newest landing"
            outcome.manifest = lake.landings.manifest_address(partition, found)
            facts.tags["landing"] = found
            return found
        outcome.text = _counts(found)
        outcome.manifest = lake.landings.manifest_address(partition, found.landing_id)
        facts.rows, facts.tags["landing"] = found.totals.records, found.landing_id
        return found.landing_id


def _landed(
    contract: Contract,
    partition: Partition,
    way: str,
    run_id: str,
    access: _Access,
    progress: Callable[[int], None],
) -> Manifest | str:
    """Land it; returns the manifest, or the id of the landing that has the same files."""
    now, lake = access.now, access.lake
    place = _council(contract, partition.council)
    parents = ParentLandings(contract, partition.council, lake)
    draft = _draft(contract, partition, lake, run_id, now)
    pages = _pages(contract, partition, place, way, parents, draft, access)
    try:
        said, empty = _land(_limited(contract, partition, pages), draft, progress)
        manifest = draft.finish(
            run_id=run_id,
            code_version=Settings.read().code_version,
            started_at=now,
            parents=parents.used,
            outcome=_outcome(contract, way, partition, said, draft.records, now),
            answered=said,
            empty=empty,
        )
    except RetryableError:
        raise
    except AlreadyLanded as landed:
        return landed.landing_id
    except Exception as error:
        # The next attempt must not start from the pages that led to this error, be it our own.
        draft.give_up()
        if type(error) is SourceRejected:
            raise explained(error, contract, Settings.read()) from error
        raise
    return manifest


def _draft(
    contract: Contract, partition: Partition, lake: Lake, run_id: str, now: datetime
) -> Draft:
    draft = Draft.open(
        lake.landings, partition, run_id=run_id, contract_hash=contract.contract_hash, now=now
    )
    if draft.landed:
        log.info("%s: resuming after %d pages", partition, len(draft.landed))
    return draft


def _limited(
    contract: Contract, partition: Partition, pages: Iterable[Fetched]
) -> Iterator[Fetched]:
    """The pages, as long as all together are not too large."""
    size = 0
    for page in pages:
        if isinstance(page, Page):
            size += page.facts.bytes
            refuse_large(contract, str(partition), size)
        yield page


def _land(
    pages: Iterable[Fetched], draft: Draft, progress: Callable[[int], None]
) -> tuple[StatusAnswer | None, list[StatusAnswer]]:
    """Write every page; return the answer that says "not published", if any, and empty answers."""
    empty: list[StatusAnswer] = []
    done = 0
    try:
        for page in pages:
            if isinstance(page, StatusAnswer):
                empty.append(page)
                continue
            if isinstance(page, Withdrawn):
                draft.withdraw(page.pages)
                done -= page.pages
                continue
            if page.body is None:
                draft.keep(page.facts, page.request)
            else:
                draft.add(page.facts, page.request, page.body)
            done += 1
            progress(done)
    except NotPublished as answer:
        return answer.answered, empty
    return None, empty


def _pages(
    contract: Contract,
    partition: Partition,
    place: Council | None,
    way: str,
    parents: ParentLandings,
    draft: Draft,
    access: _Access,
) -> Iterable[Fetched]:
    """The pages that are not landed yet, from the contract's API, database or files."""
    if draft.landed:
        log.info("%s: resuming after %d pages", partition, len(draft.landed))
    if isinstance(contract.extract, FilesExtract):
        files = fetch_files(
            contract,
            partition,
            place,
            known_councils(),
            place=open_place(
                contract,
                lake=access.lake,
                source_dsn=access.source_dsn,
                secret_of=access.secret_of,
                rate_shared_in=access.rate_shared_in,
            ),
            today=access.now,
            landed=draft.landed,
        )
        return unless_landed(contract, partition, files, access.lake.landings)
    client = _client(contract, way, access.rate_shared_in, access.secret_of)
    if client is None:
        return fetch_rows(contract, partition, dsn=access.source_dsn, landed=draft.landed)
    return fetch_pages(
        contract,
        partition,
        place,
        client=client,
        base_url=_base_url(contract, way),
        parents=parents,
        way=way,
        landed=Landed(draft.landed, draft.reread),
    )


def _client(
    contract: Contract, way: str, rate_shared_in: str | None, secret_of: SecretOf | None
) -> Client | None:
    """The client of the contract's API; None for a database."""
    if not isinstance(contract.extract, Extract):
        return None
    every = contracts()
    settings = Settings.read()
    sharing = every.keys() - settings.serverless_sources if rate_shared_in else ()
    rate = rate_for(contract, every.values(), sharing)
    return Client(
        contract.extract,
        rate,
        rate_shared_in,
        limits=contract.limits,
        public_only=not settings.in_sandbox(contract.extract.base_url_of(way), contract.name),
        login=login_of(contract, settings, way, secret_of),
    )


def _council(contract: Contract, name: str) -> Council | None:
    if contract.councils == "uk":
        if name != UK:
            raise PermanentError(f"{contract.name}: belongs to no council. Use {UK!r}.")
        return None
    found = council_named(name)
    require_council(contract, found)
    return found


def refuse_periods(contract: Contract, partition: Partition, now: datetime) -> None:
    """Raise `PermanentError` for a snapshot of the past, and for data past retention."""
    current = Period.of(now, contract.period)
    if contract.snapshot and partition.period != current:
        raise PermanentError(
            f"{partition}: the source is a snapshot: its API returns {current} only. "
            "Choose that period, or reload this one from S3."
        )
    if contract.is_past_limit(partition.period, now.date()):
        raise PermanentError(
            f"{partition}: holds personal data past its retention of {contract.retention_days} "
            "days. Choose a later period."
        )


def _base_url(contract: Contract, way: str) -> str:
    """Where a partition is requested: at the API or in the sandbox."""
    assert isinstance(contract.extract, Extract)  # noqa: S101
    base_url = contract.extract.base_url_of(way)
    settings = Settings.read()
    return settings.api_url(base_url, contract.name)


def _outcome(
    contract: Contract,
    way: str,
    partition: Partition,
    said: StatusAnswer | None,
    records: int,
    now: datetime,
) -> Outcome:
    young = contract.may_be_unpublished(partition.period, now)
    if said is None:
        nothing = records == 0 and _empty_is_not_published(contract, way)
        return "not_published" if nothing and young else "complete"
    if young:
        return "not_published"
    raise SourceRejected(
        f"{partition}: HTTP {said.status} from {said.request.address}: {OVERDUE} "
        f"{contract.publication_lag_days} days after its end. Retrying "
        "will not help. Check whether the source still keeps it, or has withdrawn it."
    )


def _empty_is_not_published(contract: Contract, way: str) -> bool:
    extract = contract.extract
    if isinstance(extract, FilesExtract):
        # A file of a year is there before the records of its last months.
        return extract.period_from == "records"
    return isinstance(extract, Extract) and extract.ways[way].answers.empty_is_not_published


def _counts(manifest: Manifest) -> str:
    """What was landed."""
    totals = manifest.totals
    requests = totals.pages + len(manifest.empty) + (manifest.answered is not None)
    did = "not published yet" if manifest.outcome == "not_published" else "landed"
    return f"{did}: {requests} requests, {totals.records} records, {totals.bytes} bytes"
