"""Replace a partition of a raw table with a landing, in one transaction."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from include.errors import LoadRefused, PermanentError, PipelineError, ServiceUnavailable
from include.printable import one_line
from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse import checks, read_back
from include.warehouse.books import contracts, drift, ledger, quarantine, removals
from include.warehouse.books.counts import Counts
from include.warehouse.books.ledger import Entry, Landing, Status
from include.warehouse.columns.pseudonyms import Pseudonyms
from include.warehouse.connection import Connection, CopyCursor, connect, connect_for_arrow
from include.warehouse.decide import Known, decide
from include.warehouse.lock import PartitionLocked
from include.warehouse.memory import do_without_pandas, undisturbed
from include.warehouse.partition import RawPartition
from include.warehouse.parts import Requested, columns_of_parts, emptied
from include.warehouse.prefetch import Ahead
from include.warehouse.prepare import PageBody, PreparedBatch, prepare

log = logging.getLogger(__name__)

# The process is ended: no failure. Airflow's time-out is a failure, but no `Exception`.
INTERRUPTIONS = (KeyboardInterrupt, SystemExit, GeneratorExit)


class LandingRemoved(PermanentError):
    """`wandle remove` removed this landing; the ledger has no entry of its partition."""


def load(
    contract: Contract,
    landing: Landing,
    pages: Callable[[], Iterable[PageBody]],
    *,
    requested: Callable[[str], Sequence[Requested]],
    partition: Partition,
    dsn: str,
    entry: Entry,
    forced: bool,
    pseudonyms: Pseudonyms | None = None,
) -> Entry:
    """Load a landing, or find that it changes nothing, and write the ledger.

    `pages` and `requested` are called only if the landing must be read.
    `requested` returns the requests of a landing by its id, here of this one
    and the current one, and how many records each returned; none for a removed
    landing. `entry` describes the load; the returned one has its outcome:
    `loaded`, `unchanged` or `not_published`. With `forced`, the landing is
    loaded even if it is unchanged or fails a check, but not if its counts do
    not balance.

    Raises `LoadRefused` if a check fails, and any error of the load; then only
    the ledger is changed, with the status `refused` or `failed`, and the list
    of unknown fields.
    """
    do_without_pandas()
    reading = _Reading(pages, requested, pseudonyms)
    loading = _Load(contract, partition, landing, entry, forced, dsn, reading)
    try:
        with undisturbed(landing.bytes, landing.pages), connect(dsn) as connection:
            done = loading.run(connection)
            connection.commit()
            return done
    except PartitionLocked as error:
        # Another load of this partition may be writing the same landing: this would wait for it.
        write_failure(dsn, entry, error)
        raise
    except INTERRUPTIONS:
        raise
    except LandingRemoved:
        raise  # an entry would describe data that are no longer there
    except BaseException as error:
        write_failure(dsn, entry, error, landing, loading.counts)
        raise


def load_into_new_table(
    connection: Connection,
    table: str,
    contract: Contract,
    landing: Landing,
    pages: Callable[[], Iterable[PageBody]],
    *,
    requested: Callable[[str], Sequence[Requested]],
    partition: Partition,
    dsn: str,
    entry: Entry,
    forced: bool,
    pseudonyms: Pseudonyms | None = None,
) -> Entry:
    """Load a landing into a new table beside the raw table, as `load` does, without a commit."""
    do_without_pandas()
    reading = _Reading(pages, requested, pseudonyms)
    loading = _Load(contract, partition, landing, entry, forced, dsn, reading, table)
    with undisturbed(landing.bytes, landing.pages):
        return loading.run(connection)


def write_failure(
    dsn: str,
    entry: Entry,
    error: BaseException,
    landing: Landing | None = None,
    counts: Counts | None = None,
) -> None:
    """Record a `refused` or `failed` attempt and the reason, in a separate transaction.

    `landing` is omitted if its manifest could not be read, or the partition
    could not be locked. A failure to write the ledger is only logged, so that
    it does not mask `error`.
    """
    status: Status = "refused" if isinstance(error, LoadRefused) else "failed"
    message = str(error) if isinstance(error, PipelineError) else type(error).__name__
    try:
        with connect(dsn) as connection:
            cursor = connection.cursor()
            if landing is not None:
                ledger.write_landing(cursor, landing)
            ledger.write_entry(cursor, entry.ended(status, error=message))
            if counts is not None:
                drift.record(cursor, entry.source, entry.landing_id, counts.drift)
            connection.commit()
    except PipelineError as failure:
        log.error("the ledger could not be written: %s", failure)


class _Reading(NamedTuple):
    """How the landing is read: see `load`."""

    pages: Callable[[], Iterable[PageBody]]
    requested: Callable[[str], Sequence[Requested]]
    pseudonyms: Pseudonyms | None


class _Load:
    """One load, in one transaction; `counts` are its counts so far, even if it fails."""

    _connection: Connection
    _cursor: CopyCursor
    _raw: RawPartition
    _known: Known

    def __init__(
        self,
        contract: Contract,
        partition: Partition,
        landing: Landing,
        entry: Entry,
        forced: bool,
        dsn: str,
        reading: _Reading,
        new_table: str = "",
    ) -> None:
        self.counts = Counts()
        self._contract = contract
        self._partition = partition
        self._landing = landing
        self._entry = entry
        self._forced = forced
        self._dsn = dsn
        self._reading = reading
        self._new_table = new_table
        self._parts_in: tuple[str, ...] = ()

    def run(self, connection: Connection) -> Entry:
        """Everything up to the commit."""
        self._connection = connection
        self._cursor = connection.cursor()
        self._raw = RawPartition(self._contract, self._partition, self._cursor, self._new_table)
        self._raw.lock()
        self._raw.require_table()
        self._refuse_removed()
        ledger.write_landing(self._cursor, self._landing)
        self._known = Known(
            self._landing,
            self._entry.rules_hash,
            ledger.current_load(self._cursor, self._partition),
            self._forced,
            new_table=bool(self._new_table),
        )
        if self._known.accepted:
            self._learn(present=self._raw.count())
        match decide(self._known):
            case "not_published":
                return self._write(self._entry.ended("not_published", records=0))
            case "unchanged":
                return self._unchanged()
            case _:
                self._check_landing()
                entry = self._read()
        drift.record(self._cursor, entry.source, entry.landing_id, self.counts.drift)
        return entry

    def _read(self) -> Entry:
        with Ahead(self._prepared()) as batches:
            if self._known.present is None:  # counted while the first batches are made
                self._learn(present=self._raw.count())
            if decide(self._known) == "compare":
                self._learn(starts_the_same=self._starts_the_same(batches))
            if decide(self._known) == "replace":
                return self._replace(batches)
            # Most likely all of it is the same: comparing does not need a copy.
            self._balance(sum(batch.num_rows for batch in self._counted(batches)))
        self._learn(content=self._content())
        if decide(self._known) == "unchanged":
            return self._unchanged()
        self.counts = Counts()
        with Ahead(self._prepared()) as batches:
            return self._replace(batches)

    def _prepared(self) -> Iterator[PreparedBatch]:
        pages, _, pseudonyms = self._reading
        landing_id = self._landing.landing_id
        return prepare(self._contract, self._partition, landing_id, pages(), pseudonyms)

    def _check_landing(self) -> None:
        contract, landing, current = self._contract, self._landing, self._known.current
        if current and landing.replaces == current["landing_id"]:
            return  # the same, except for erased records
        self._enforce(checks.of_landing(contract, landing, current))
        if current and not self._known.accepted:
            previous = current["landing_id"]
            pages = [self._reading.requested(name) for name in (previous, landing.landing_id)]
            self._enforce(checks.of_parts(contract, landing, previous, emptied(contract, *pages)))
            self._parts_in = columns_of_parts(contract, *pages)

    def _refuse_removed(self) -> None:
        landing_id = self._landing.landing_id
        removed = removals.removed_by_hand(self._cursor, self._partition.source, landing_id)
        if removed:
            raise LandingRemoved(
                f"{self._partition}: landing {landing_id} was removed by {removed['removed_by']} "
                f"on {removed['removed_at']:%Y-%m-%d %H:%M} UTC and is not loaded again. Nothing "
                "was changed. If the data are wanted after all, fetch them again."
            )

    def _learn(self, **more: Any) -> None:
        self._known = dataclasses.replace(self._known, **more)

    def _counted(self, batches: Iterator[PreparedBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self.counts.add(batch.counts)
            yield batch.rows

    def _starts_the_same(self, batches: Ahead[PreparedBatch]) -> bool:
        """Whether the raw table has the rows of the first batch, which is not consumed."""
        first = batches.peek()
        if first is None:
            return False
        records, content = first.counts.records, first.counts.content.hexdigest()
        with connect_for_arrow(self._dsn) as connection, connection.cursor() as cursor:
            found = read_back.content_of_first(cursor, self._contract, self._partition, records)
        return found == content

    def _replace(self, batches: Iterator[PreparedBatch]) -> Entry:
        self._balance(self._raw.copy(self._counted(batches)))
        self._learn(content=self._content())
        if decide(self._known) == "unchanged":
            self._undo_copy()
            return self._unchanged()
        known, counts = self._known, self.counts
        self._enforce(checks.of_records(self._contract, counts))
        self._enforce(checks.of_columns(self._contract, counts, known.current))
        if self._parts_in and known.current:
            previous, gone = known.current["landing_id"], self._raw.emptied(self._parts_in)
            self._enforce(checks.of_parts(self._contract, self._landing, previous, gone))
        if known.present:
            # Only now, since unchanged content does not need it.
            self._raw.delete_others(known.present)
        landing_id = self._landing.landing_id
        quarantine.replace(self._cursor, self._partition, landing_id, counts.quarantine)
        content_hash, quarantine_hash = self._content()
        return self._write(
            self._entry.ended(
                "loaded",
                records=counts.records,
                loaded=counts.loaded,
                quarantined=len(counts.quarantine),
                duplicates=counts.duplicates,
                rows=counts.rows,
                filled_columns=sorted(counts.filled),
                content_hash=content_hash,
                quarantine_hash=quarantine_hash,
            )
        )

    def _undo_copy(self) -> None:
        """Roll back, which releases the lock; lock again, and continue if nothing has changed."""
        self._connection.rollback()
        self._raw.lock()
        current = ledger.current_load(self._cursor, self._partition)
        if (current, self._raw.count()) != (self._known.current, self._known.present):
            raise ServiceUnavailable(
                f"{self._partition}: another load replaced this partition while its landing was "
                "compared. Nothing was changed. Try again later."
            )
        ledger.write_landing(self._cursor, self._landing)

    def _content(self) -> tuple[str, str]:
        return self.counts.content.hexdigest(), quarantine.content_of(self.counts.quarantine)

    def _enforce(self, why: str | None) -> None:
        # What passed the checks, or was forced, is not checked again.
        if why is None or self._known.accepted:
            return
        if not self._forced:
            how = (
                "Restore the old type, or change `checks` in the contract, then rebuild the table."
                if self._known.new_table
                else "If the source is correct, run it again with `force` (`--force` on the "
                "command line), or change `checks` in the contract."
            )
            raise LoadRefused(f"{self._partition}: {why}. Nothing was changed. {how}")
        log.warning(
            "%s: %s; loaded anyway, forced by %s",
            self._partition,
            one_line(why),
            self._entry.forced_by,
        )

    def _balance(self, copied: int) -> None:
        why = checks.of_books(self._landing, self.counts, copied)
        if why is not None:
            raise PermanentError(
                f"{self._partition}: {why}. Nothing was changed. Please report this with landing "
                f"{self._landing.landing_id}."
            )

    def _unchanged(self) -> Entry:
        current = self._known.current or {}
        kept = (
            *("records", "loaded", "quarantined", "duplicates", "rows", "filled_columns"),
            *("content_hash", "quarantine_hash"),
        )
        return self._write(self._entry.ended("unchanged", **{name: current[name] for name in kept}))

    def _write(self, entry: Entry) -> Entry:
        contracts.record(self._cursor, self._contract)
        ledger.write_entry(self._cursor, entry)
        return entry
