"""Erase a subject from a source: landings, raw rows, quarantine, marts.

First the replacement landings, then the database and everything built from it, and the old landings
last. As long as an old landing exists, running it again finishes the erasure.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from include.errors import ServiceUnavailable
from include.jobs.lake import Lake
from include.jobs.operate.erase_followers import follow
from include.jobs.operate.erase_search import Found, cut, find
from include.jobs.operate.erase_subject import Subject
from include.jobs.pipeline.known_sources import known_contracts
from include.jobs.pipeline.load import load
from include.landing.inventory import Stored, remove, remove_old_versions, stored_landings
from include.landing.manifest import LandedPage, Manifest
from include.landing.rewrite import replace_landing
from include.landing.store import RESUMED_WITHIN, ROOT, began_at
from include.settings import Settings
from include.sources.extract.landing import LandingExtract
from include.sources.followers import followers
from include.sources.model import Contract, broken_contracts, contracts
from include.sources.partition import Partition
from include.transform.leftovers import built_without_model
from include.warehouse.books import removals
from include.warehouse.books.removals import Removal
from include.warehouse.books.stored import has_table
from include.warehouse.columns.pseudonyms import Pseudonyms
from include.warehouse.connection import connect
from include.warehouse.lock import locked_for_removal

log = logging.getLogger(__name__)


def erase(
    contract: Contract,
    subject: Subject,
    *,
    lake: Lake,
    dsn: str,
    by: str,
    rebuild: Callable[[], object],
) -> Found:
    """Erase the subject everywhere; returns what was found.

    Replaces each landing that holds the subject, and loads the replacement if
    the database had loaded the landing; `rebuild` rebuilds marts and published
    files. Then deletes every version of the old landings, and every old
    version of any object of the source. `ops.removal` keeps a keyed hash of
    the subject. `by` is the operator, for the ledger.

    Raises as `find` does, and any error of a step; then run it again.
    `ServiceUnavailable` if a landing was being written or loaded meanwhile.
    """
    settings = Settings.read()
    keeper = lake.as_job("housekeeping")
    subject_hash = Pseudonyms(settings.need("pseudonym_key")).of_bytes(subject.canonical)
    found = find(contract, subject, lake=lake)
    for holds in found.holds:
        place = (holds.partition, holds.manifest.landing_id)
        if place not in found.replaced:
            with locked_for_removal(dsn, holds.partition):
                found.replaced[place] = replace_landing(
                    keeper.landings,
                    holds.partition,
                    holds.manifest,
                    _shortened(contract, subject, holds.partition),
                    run_id=f"wandle erase {subject_hash}",
                    code_version=settings.code_version,
                )
    _load_replacements(contract, found, lake, dsn, by)
    with connect(dsn) as connection, connection.cursor() as cursor:
        known = known_contracts(cursor)
    following = [(one, follow(one, found, lake=keeper)) for one in followers(contract.name, known)]
    for one, its in following:
        _load_replacements(one, its, lake, dsn, by)
    if found.pending or any(its.pending for _, its in following):
        rebuild()
    not_seen: list[Stored] = []
    for one, its in following:
        for stored, replacement in its.pending:
            _remove(stored, replacement, keeper, dsn)
        not_seen += _clear_up(one, subject, its, keeper, dsn)
    for stored, replacement in found.pending:
        _remove(stored, replacement, keeper, dsn)
    not_seen += _clear_up(contract, subject, found, keeper, dsn)
    if not_seen:
        names = ", ".join(f"{one.partition} {one.landing_id}" for one in not_seen)
        raise ServiceUnavailable(
            "erase: done, except for landings that are new, still being written or "
            f"interrupted, and may hold the subject: {names}. Run it again when they are "
            "finished or older than a day."
        )
    return found


def _shortened(
    contract: Contract, subject: Subject, partition: Partition
) -> Callable[[LandedPage, bytes], tuple[bytes, int, str]]:
    def shortened(page: LandedPage, body: bytes) -> tuple[bytes, int, str]:
        found = cut(contract, subject, partition, page, body)
        return found.body, found.left, found.content_type

    return shortened


def _load_replacements(contract: Contract, found: Found, lake: Lake, dsn: str, by: str) -> None:
    for partition in sorted({stored.partition for stored, _ in found.pending}):
        with connect(dsn) as connection, connection.cursor() as cursor:
            pointed = removals.pointed_at(cursor, partition)
            there = has_table(cursor, contract.name)
        replaced = [name for name in pointed if (partition, name) in found.replaced]
        if replaced and not there:
            _forget_load(contract, partition, max(replaced), dsn)
        elif replaced:
            newest = (partition, max(replaced))
            load(
                contract,
                partition,
                lake=lake,
                dsn=dsn,
                run_id=found.replaced[newest].run_id,
                landing_id=found.stands_for(newest),
                forced_by=by,
            )


def _forget_load(contract: Contract, partition: Partition, landing_id: str, dsn: str) -> None:
    """Of a source whose table is gone: delete the quarantine; the ledger says `expired`."""
    with locked_for_removal(dsn, partition) as connection:
        removals.empty(
            connection.cursor(),
            contract,
            partition,
            landing_id=landing_id,
            code_version=Settings.read().code_version,
            run_id="wandle erase",
        )
        connection.commit()


def _remove(stored: Stored, replacement: Manifest, lake: Lake, dsn: str) -> None:
    """Record the removal, then delete the landing; refused while something refers to it."""
    partition = stored.partition
    with locked_for_removal(dsn, partition) as connection:
        cursor = connection.cursor()
        if stored.landing_id in removals.pointed_at(cursor, partition):
            raise ServiceUnavailable(
                f"{partition}: landing {stored.landing_id} was loaded again in the meantime. "
                "Run it again."
            )
        record = Removal(
            source=partition.source,
            council=partition.council,
            period=partition.period.starts_at,
            landing_id=stored.landing_id,
            reason="erased",
            objects=stored.objects,
            bytes=stored.bytes,
            removed_at=datetime.now(UTC),
            replaced_by=replacement.landing_id,
            records_erased=replacement.erased,
            # The erasure that wrote the replacement, possibly an earlier one.
            subject=replacement.run_id.rpartition(" ")[2],
        )
        removals.record(cursor, [record])
        connection.commit()
        remove(lake.landings, partition, stored.landing_id, every_version=True)
    log.info("%s: erased from landing %s", partition, stored.landing_id)


def _clear_up(
    contract: Contract, subject: Subject, found: Found, lake: Lake, dsn: str
) -> list[Stored]:
    """Delete interrupted landings, old versions, and samples of unknown fields.

    Returns the landings not searched: new ones, and those being written.
    """
    seen = {*found.stored, *((place[0], one.landing_id) for place, one in found.replaced.items())}
    not_seen = []
    now = datetime.now(UTC)
    with connect(dsn) as connection, connection.cursor() as cursor:
        removed = {
            (row["council"], row["period"], row["landing_id"])
            for row in removals.removals(cursor)
            if row["source"] == contract.name
        }
        removals.forget_samples(cursor, contract.name, subject.values)
        connection.commit()
    for stored in stored_landings(lake.landings, contract.name):
        where = stored.partition
        is_removed = (where.council, where.period.starts_at, stored.landing_id) in removed
        too_old = now - began_at(stored.landing_id) >= RESUMED_WITHIN
        if stored.finished:
            if (where, stored.landing_id) not in seen:
                not_seen.append(stored)
        elif is_removed or too_old:
            with locked_for_removal(dsn, where):
                remove(lake.landings, where, stored.landing_id, every_version=True)
        else:
            not_seen.append(stored)
    remove_old_versions(lake.landings, f"{ROOT}{contract.name}/")
    return not_seen


def what_remains(
    contract: Contract, backup_days: int | None, now: datetime, dsn: str = ""
) -> list[str]:
    """Where copies of the subject remain after an erasure, and until when, as sentences.

    With `dsn`, also what dbt built of models that are gone.
    """
    said = [
        "The source itself: erase them there, too, or the next fetch brings them back.",
        "PostgreSQL's files hold deleted rows until autovacuum has run, and its write-ahead log "
        f"until it is recycled. To remove them now: `vacuum raw.{contract.name}, ops.quarantine`, "
        "and the tables in `intermediate` and `marts` that are built from them.",
    ]
    if backup_days is None:
        said.append(
            "Backups: none known (WANDLE_BACKUP_DAYS is not set). Any copy of the database or the "
            "bucket still holds them."
        )
    else:
        until = (now + timedelta(days=backup_days)).date()
        said.append(
            f"Backups of the database hold them until {until}: they are kept for {backup_days} "
            "days. After restoring one, erase them again."
        )
    built = built_without_model(dsn) if dsn else []
    tables = [f"{schema}.{name}" for schema, name, is_view in built if not is_view]
    if tables:
        said.append(
            f"{', '.join(tables)}: no model builds them any more, so they were not built again. "
            "Drop them if they hold rows of this source."
        )
    children = [
        other.name
        for other in contracts().values()
        if any(parent.source == contract.name for parent in other.extract.parents.values())
        and not isinstance(other.extract, LandingExtract)
    ]
    if children:
        said.append(
            f"{', '.join(children)}: requests used values of {contract.name}. Erase them there, "
            "too, by that source's own columns."
        )
    if broken := broken_contracts():
        said.append(
            f"{', '.join(broken)}: not known, because the contract is broken: whether requests "
            f"used values of {contract.name}."
        )
    return said
