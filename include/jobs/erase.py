"""Erase a subject from a source: landings, raw rows, quarantine, marts.

Replacements first, then the database and what is made of it, the old landings last: as long as
one of these is there, running it again does what is missing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from include.errors import PermanentError, ServiceUnavailable
from include.jobs.lake import Lake
from include.jobs.load import load
from include.landing.manifest import LandedPage, Manifest
from include.landing.reading import read_pages
from include.landing.replacing import replace_landing
from include.landing.store import RESUMED_WITHIN, ROOT, began_at
from include.landing.stored import Stored, remove, remove_old_versions, stored_landings
from include.settings import Settings
from include.sources.cutting import Cut, cut_records
from include.sources.model import Contract, contracts
from include.sources.partition import Partition
from include.sources.subject import Subject
from include.warehouse import removal
from include.warehouse.connection import connect
from include.warehouse.pseudonyms import Pseudonyms
from include.warehouse.removal import Removal

log = logging.getLogger(__name__)

Place = tuple[Partition, str]


@dataclass(frozen=True)
class Holds:
    """A finished landing that holds records of the subject, and how many."""

    partition: Partition
    manifest: Manifest
    records: int


@dataclass(frozen=True)
class Found:
    """What S3 holds of a subject.

    `replaced` are landings that another stands for, by an earlier erasure;
    `being_written` are not finished, and were not looked into.
    """

    holds: list[Holds] = field(default_factory=list)
    replaced: dict[Place, Manifest] = field(default_factory=dict)
    stored: dict[Place, Stored] = field(default_factory=dict)
    being_written: list[Stored] = field(default_factory=list)

    @property
    def pending(self) -> list[tuple[Stored, Manifest]]:
        """The landings that are to be removed, with what replaces each."""
        return [
            (self.stored[place], manifest)
            for place, manifest in self.replaced.items()
            if place in self.stored
        ]

    def stands_for(self, place: Place) -> str:
        """The id of the landing that stands for this one at last."""
        while place in self.replaced:
            place = (place[0], self.replaced[place].landing_id)
        return place[1]


def find(contract: Contract, subject: Subject, *, lake: Lake) -> Found:
    """Look through every landing of the source; nothing is changed.

    Raises `LandingDamaged` for a landing that cannot be read, and
    `PermanentError` for one whose records cannot be cut out.
    """
    found = Found()
    now = datetime.now(UTC)
    lake = lake.as_job("housekeeping")
    for stored in stored_landings(lake.landings, contract.name):
        partition, landing_id = stored.partition, stored.landing_id
        if not stored.finished:
            if now - began_at(landing_id) < RESUMED_WITHIN:
                found.being_written.append(stored)
            continue
        found.stored[partition, landing_id] = stored
        manifest = lake.landings.manifest(partition, landing_id)
        if manifest.replaces:
            found.replaced[partition, manifest.replaces] = manifest
        records = 0
        for page, body in read_pages(lake.landings, partition, manifest):
            records += _cut(contract, subject, partition, page, body.read()).lost
        if records:
            found.holds.append(Holds(partition, manifest, records))
    return found


def _cut(
    contract: Contract, subject: Subject, partition: Partition, page: LandedPage, body: bytes
) -> Cut:
    try:
        return cut_records(
            body, contract.layout(page.way), subject.is_of(page.way), dict(page.context)
        )
    except PermanentError as error:
        raise PermanentError(
            f"{partition}: {page.name}: {error}. Nothing was changed. Delete this landing as a "
            "whole, or the partition, and fetch it again without them."
        ) from None


def erase(
    contract: Contract,
    subject: Subject,
    *,
    lake: Lake,
    dsn: str,
    by: str,
    rebuild: Callable[[], object],
) -> Found:
    """Erase the subject everywhere, and return what was found before.

    Each landing that holds the subject is replaced; what the database loaded
    from it is loaded from its replacement; `rebuild` makes marts and published
    files anew; then every version of the old landings is deleted, and every
    old version of any object of the source. `ops.removal` keeps a keyed hash of
    the subject. `by` is the person, for the ledger.

    Raises as `find` does, and whatever made it fail; then run it again.
    `ServiceUnavailable` if a landing was being written or loaded meanwhile.
    """
    settings = Settings.read()
    keeper = lake.as_job("housekeeping")
    subject_hash = Pseudonyms(settings.need("pseudonym_key")).of_bytes(subject.canonical)
    found = find(contract, subject, lake=lake)
    for holds in found.holds:
        place = (holds.partition, holds.manifest.landing_id)
        if place not in found.replaced:
            with removal.held(dsn, holds.partition):
                found.replaced[place] = replace_landing(
                    keeper.landings,
                    holds.partition,
                    holds.manifest,
                    _shortened(contract, subject, holds.partition),
                    run_id=f"wandle erase {subject_hash}",
                    code_version=settings.code_version,
                )
    _load_replacements(contract, found, lake, dsn, by)
    if found.pending:
        rebuild()
    for stored, replacement in found.pending:
        _remove(contract, stored, replacement, keeper, dsn)
    being_written = _clear_up(contract, subject, keeper, dsn)
    if being_written:
        names = ", ".join(f"{one.partition} {one.landing_id}" for one in being_written)
        raise ServiceUnavailable(
            f"erase: everything that is finished is done, but these landings are being written or "
            f"were interrupted, and may hold the subject: {names}. Run it again when they are "
            "finished, or older than a day."
        )
    return found


def _shortened(
    contract: Contract, subject: Subject, partition: Partition
) -> Callable[[LandedPage, bytes], tuple[bytes, int]]:
    def shortened(page: LandedPage, body: bytes) -> tuple[bytes, int]:
        cut = _cut(contract, subject, partition, page, body)
        return cut.body, cut.left

    return shortened


def _load_replacements(contract: Contract, found: Found, lake: Lake, dsn: str, by: str) -> None:
    for partition in sorted({stored.partition for stored, _ in found.pending}):
        with connect(dsn) as connection, connection.cursor() as cursor:
            pointed = removal.pointed_at(cursor, contract, partition)
        replaced = [name for name in pointed if (partition, name) in found.replaced]
        if replaced:
            newest = (partition, max(replaced))
            load(
                contract,
                partition.council,
                str(partition.period),
                lake=lake,
                dsn=dsn,
                run_id=found.replaced[newest].run_id,
                landing_id=found.stands_for(newest),
                forced_by=by,
            )


def _remove(
    contract: Contract, stored: Stored, replacement: Manifest, lake: Lake, dsn: str
) -> None:
    """Write the removal down, then delete the landing; refused while something points to it."""
    partition = stored.partition
    with removal.held(dsn, partition) as connection:
        cursor = connection.cursor()
        if stored.landing_id in removal.pointed_at(cursor, contract, partition):
            raise ServiceUnavailable(
                f"{partition}: landing {stored.landing_id} was loaded again meanwhile. "
                "Run it again."
            )
        record = Removal(
            source=partition.source,
            council=partition.council,
            period=partition.period.first_day,
            landing_id=stored.landing_id,
            reason="erased",
            objects=stored.objects,
            bytes=stored.bytes,
            removed_at=datetime.now(UTC),
            replaced_by=replacement.landing_id,
            records_erased=replacement.erased,
            # Of the erasure that wrote the replacement, which may have been an earlier one.
            subject=replacement.run_id.rpartition(" ")[2],
        )
        removal.record(cursor, [record])
        connection.commit()
        remove(lake.landings, partition, stored.landing_id, every_version=True)
    log.info("%s: erased from landing %s", partition, stored.landing_id)


def _clear_up(contract: Contract, subject: Subject, lake: Lake, dsn: str) -> list[Stored]:
    """Delete what interrupted runs left, old versions, and samples of unknown fields.

    Returns the landings that are not finished and not abandoned either.
    """
    being_written = []
    now = datetime.now(UTC)
    with connect(dsn) as connection, connection.cursor() as cursor:
        removed = {
            (row["council"], row["period"], row["landing_id"])
            for row in removal.removals(cursor)
            if row["source"] == contract.name
        }
        removal.forget_samples(cursor, contract.name, subject.values)
        connection.commit()
    for stored in stored_landings(lake.landings, contract.name):
        where = stored.partition
        is_removed = (where.council, where.period.first_day, stored.landing_id) in removed
        too_old = now - began_at(stored.landing_id) >= RESUMED_WITHIN
        if stored.finished:
            continue
        if is_removed or too_old:
            with removal.held(dsn, where):
                remove(lake.landings, where, stored.landing_id, every_version=True)
        else:
            being_written.append(stored)
    remove_old_versions(lake.landings, f"{ROOT}{contract.name}/")
    return being_written


def what_remains(contract: Contract, backup_days: int | None, now: datetime) -> list[str]:
    """Where the subject still is when all is done here, and until when, in sentences."""
    said = [
        "The source itself: erase them there too, or the next fetch brings them back.",
        "PostgreSQL's files hold deleted rows until autovacuum has passed, and its write-ahead log "
        f"until it is recycled. At once: `vacuum raw.{contract.name}, ops.quarantine`.",
    ]
    if backup_days is None:
        said.append(
            "Backups: Wandle knows of none (WANDLE_BACKUP_DAYS is not set). Any copy that you made "
            "of the database or of the bucket still holds them."
        )
    else:
        until = (now + timedelta(days=backup_days)).date()
        said.append(
            f"Backups of the database hold them until {until}: they are kept for {backup_days} "
            "days. Erase them again after restoring one."
        )
    children = [
        other.name
        for other in contracts().values()
        if any(parent.source == contract.name for parent in other.extract.parents.values())
    ]
    if children:
        said.append(
            f"Requests of {', '.join(children)} were made with values of {contract.name}: erase "
            "there too, by their own columns."
        )
    return said
