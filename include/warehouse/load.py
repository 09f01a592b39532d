"""Replace one partition of one raw table with one landing, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

import pyarrow as pa

from include.errors import LoadRefused, PermanentError, PipelineError
from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse import checks, read_back
from include.warehouse.books import drift, ledger, quarantine
from include.warehouse.books.counts import Counts
from include.warehouse.books.ledger import Entry, Landing, Status
from include.warehouse.columns.pseudonyms import Pseudonyms
from include.warehouse.connection import CopyCursor, connect, connect_for_arrow
from include.warehouse.memory import do_without_pandas, keep_freed_memory, rare_searches
from include.warehouse.partition import RawPartition
from include.warehouse.prefetch import Ahead
from include.warehouse.prepare import PageBody, prepare

log = logging.getLogger(__name__)

# What is to be copied, counted as it is made.
Batches: TypeAlias = Callable[[Counts], Iterator[pa.RecordBatch]]


def load(
    contract: Contract,
    landing: Landing,
    pages: Callable[[], Iterable[PageBody]],
    *,
    partition: Partition,
    dsn: str,
    entry: Entry,
    forced: bool,
    pseudonyms: Pseudonyms | None = None,
) -> Entry:
    """Load a landing, or find that it changes nothing, and write the ledger.

    `pages` is called only if the landing must be read. `entry` says who loads
    what; the returned one has its outcome: `loaded`, `unchanged` or
    `not_published`. `forced` loads although unchanged, and although a check,
    but never the books, says no.

    Raises `LoadRefused` if a check says no, and whatever made it fail; then
    nothing is changed but the ledger, which has it as `refused` or `failed`,
    and the list of unknown fields.
    """
    do_without_pandas()
    loading = _Load(contract, partition, landing, entry, forced, dsn)

    def batches(counts: Counts) -> Iterator[pa.RecordBatch]:
        return prepare(contract, partition, landing.landing_id, pages(), counts, pseudonyms)

    try:
        with keep_freed_memory(), rare_searches(), connect(dsn) as connection:
            cursor = connection.cursor()
            try:
                done = loading.run(cursor, batches)
            except _SameContent as same:
                connection.rollback()
                done = loading.unchanged(same.current)
            connection.commit()
            return done
    except Exception as error:
        write_failure(dsn, entry, error, landing, loading.counts)
        raise


def write_failure(
    dsn: str,
    entry: Entry,
    error: Exception,
    landing: Landing | None = None,
    counts: Counts | None = None,
) -> None:
    """Write that an attempt was `refused` or `failed`, and why, in a transaction of its own.

    `landing` is left out if its manifest could not be read. A ledger that
    cannot be written is logged: `error` itself must not be masked.
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


class _SameContent(Exception):
    """What was copied is what is there already."""

    def __init__(self, current: Mapping[str, Any]) -> None:
        self.current = current


class _Load:
    """One load, within one transaction; `counts` is what it has come to, also if it fails."""

    _cursor: CopyCursor
    _raw: RawPartition

    def __init__(
        self,
        contract: Contract,
        partition: Partition,
        landing: Landing,
        entry: Entry,
        forced: bool,
        dsn: str,
    ) -> None:
        self.counts = Counts()
        self._contract = contract
        self._partition = partition
        self._landing = landing
        self._entry = entry
        self._forced = forced
        self._dsn = dsn
        # The partition's current load is of these pages by these rules.
        self._accepted = False
        # The raw table has as many rows as that load left, and nobody insists.
        self._holds = False

    def run(self, cursor: CopyCursor, batches: Batches) -> Entry:
        """Everything up to the commit."""
        self._cursor = cursor
        self._raw = RawPartition(self._contract, self._partition, cursor)
        self._raw.lock()
        self._raw.require_table()
        ledger.write_landing(self._cursor, self._landing)
        if self._landing.outcome == "not_published":
            return self._write(self._entry.ended("not_published", records=0))
        previous = ledger.current_load(self._cursor, self._partition)
        same = (self._landing.pages_hash, self._entry.rules_hash)
        self._accepted = previous is not None and same == (
            previous["pages_hash"],
            previous["rules_hash"],
        )
        present = None
        if previous is not None and self._accepted and not self._forced:
            present = self._raw.count()
            if previous["rows"] == present:
                return self._unchanged(previous)
        self._heed(checks.of_landing(self._contract, self._landing, previous))
        entry = self._read(batches, previous, present)
        drift.record(self._cursor, entry.source, entry.landing_id, self.counts.drift)
        return entry

    def unchanged(self, current: Mapping[str, Any]) -> Entry:
        """The same after a roll-back, which the lock outlives."""
        ledger.write_landing(self._cursor, self._landing)
        entry = self._unchanged(current)
        drift.record(self._cursor, entry.source, entry.landing_id, self.counts.drift)
        return entry

    def _read(
        self, batches: Batches, previous: Mapping[str, Any] | None, present: int | None
    ) -> Entry:
        with Ahead(batches(self.counts)) as ahead:
            if present is None:  # counted while the first batches are made
                present = self._raw.count()
            # If somebody emptied or edited the raw table, the ledger's word does not hold.
            self._holds = previous is not None and previous["rows"] == present and not self._forced
            if previous is None or not (self._holds and self._begins_as_held(ahead, previous)):
                return self._replace(ahead, previous, present)
            # Most likely the same to its end: to find that, nothing need be copied.
            self._balance(sum(batch.num_rows for batch in ahead))
            if self._is_content_of(previous):
                return self._unchanged(previous)
        self.counts = Counts()
        with Ahead(batches(self.counts)) as ahead:
            return self._replace(ahead, previous, present)

    def _begins_as_held(self, batches: Ahead[pa.RecordBatch], previous: Mapping[str, Any]) -> bool:
        """Whether the raw table holds what the first batch does, which is left where it is."""
        if self._landing.records != previous["records"] or batches.peek() is None:
            return False
        records, content = self.counts.beginning
        with connect_for_arrow(self._dsn) as connection, connection.cursor() as cursor:
            found = read_back.content_of_first(cursor, self._contract, self._partition, records)
        return found == content

    def _replace(
        self, batches: Ahead[pa.RecordBatch], previous: Mapping[str, Any] | None, present: int
    ) -> Entry:
        self._balance(self._raw.copy(batches))
        if previous is not None and self._holds and self._is_content_of(previous):
            raise _SameContent(previous)
        counts = self.counts
        self._heed(checks.of_records(self._contract, counts))
        self._heed(checks.of_columns(self._contract, counts, previous))
        if present:
            # Only now: content that turns out to be the same is spared it.
            self._raw.delete_others(present)
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

    def _content(self) -> tuple[str, str]:
        return self.counts.content.hexdigest(), quarantine.content_of(self.counts.quarantine)

    def _is_content_of(self, current: Mapping[str, Any]) -> bool:
        return self._content() == (current["content_hash"], current["quarantine_hash"])

    def _heed(self, why: str | None) -> None:
        # What the checks, or somebody with `force`, have let in is not asked again.
        if why is None or self._accepted:
            return
        if not self._forced:
            raise LoadRefused(
                f"{self._partition}: {why}. Nothing was changed. If the source is right, run it "
                "again with `force`, or change `checks` in the contract."
            )
        log.warning(
            "%s: %s; loaded all the same, forced by %s", self._partition, why, self._entry.forced_by
        )

    def _balance(self, copied: int) -> None:
        why = checks.of_books(self._landing, self.counts, copied)
        if why is not None:
            raise PermanentError(
                f"{self._partition}: {why}. Nothing was changed. Please report this with landing "
                f"{self._landing.landing_id}."
            )

    def _unchanged(self, current: Any) -> Entry:
        kept = (
            *("records", "loaded", "quarantined", "duplicates", "rows", "filled_columns"),
            *("content_hash", "quarantine_hash"),
        )
        return self._write(self._entry.ended("unchanged", **{name: current[name] for name in kept}))

    def _write(self, entry: Entry) -> Entry:
        ledger.write_entry(self._cursor, entry)
        return entry
