"""Replace one partition of one raw table with one landing, in one transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pyarrow as pa
from adbc_driver_postgresql.dbapi import Cursor

from include.errors import LoadRefused, PermanentError, PipelineError, ServiceUnavailable
from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse import checks, drift, ledger, quarantine, table
from include.warehouse.ahead import Ahead
from include.warehouse.alike import alike
from include.warehouse.connection import connect, rows
from include.warehouse.heap import keep_freed_memory, rare_searches
from include.warehouse.ledger import Entry, Landing, Status
from include.warehouse.prepare import Counts, PageBody, prepare
from include.warehouse.pseudonyms import Pseudonyms

log = logging.getLogger(__name__)

# Another load of the same partition is waited for, up to here.
LOCK_WAIT_SECONDS = 300

NOT_OF_THIS_TRANSACTION = " and xmin <> (select pg_current_xact_id()::xid)"


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
    keep_freed_memory()
    counts = Counts()
    try:
        with connect(dsn) as connection:
            cursor = connection.cursor()
            loading = _Load(contract, partition, landing, entry, forced, cursor, counts)
            try:
                done = loading.run(pages, pseudonyms)
            except _SameContent as same:
                connection.rollback()
                done = loading.unchanged(same.current)
            connection.commit()
            return done
    except Exception as error:
        write_failure(dsn, entry, error, landing, counts)
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
    """One load, within one transaction."""

    def __init__(
        self,
        contract: Contract,
        partition: Partition,
        landing: Landing,
        entry: Entry,
        forced: bool,
        cursor: Cursor,
        counts: Counts,
    ) -> None:
        self._contract = contract
        self._partition = partition
        self._landing = landing
        self._entry = entry
        self._forced = forced
        self._cursor = cursor
        self._counts = counts
        # The partition's current load is of these pages by these rules.
        self._accepted = False

    def run(self, pages: Callable[[], Iterable[PageBody]], pseudonyms: Pseudonyms | None) -> Entry:
        """Everything up to the commit."""
        self._lock()
        self._require_table()
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
            present = self._rows_present()
            if previous["rows"] == present:
                return self._unchanged(previous)
        self._heed(checks.of_landing(self._contract, self._landing, previous))
        landing_id, counts = self._landing.landing_id, self._counts
        batches = prepare(self._contract, self._partition, landing_id, pages(), counts, pseudonyms)
        with rare_searches(), Ahead(batches) as ahead:
            if present is None:  # counted while the first batches are made
                present = self._rows_present()
            entry = self._replace(ahead, previous, present)
        drift.record(self._cursor, entry.source, entry.landing_id, self._counts.drift)
        return entry

    def unchanged(self, current: Mapping[str, Any]) -> Entry:
        """The same after a roll-back, which the lock outlives."""
        ledger.write_landing(self._cursor, self._landing)
        entry = self._unchanged(current)
        drift.record(self._cursor, entry.source, entry.landing_id, self._counts.drift)
        return entry

    def _replace(self, batches: Ahead[pa.RecordBatch], previous: Any, present: int) -> Entry:
        counts, landing_id = self._counts, self._landing.landing_id
        copied = self._copy(batches)
        self._balance(counts, copied)
        quarantine_hash = quarantine.content_of(counts.quarantine)
        content = (counts.content.hexdigest(), quarantine_hash)
        # If somebody emptied or edited the raw table, the ledger's word does not hold.
        holds = previous is not None and previous["rows"] == present and not self._forced
        if holds and content == (previous["content_hash"], previous["quarantine_hash"]):
            raise _SameContent(previous)
        self._heed(checks.of_records(self._contract, counts))
        self._heed(checks.of_columns(self._contract, counts, previous))
        if present:
            # Only now: content that turns out to be the same is spared it.
            self._delete_old(present)
        quarantine.replace(self._cursor, self._partition, landing_id, counts.quarantine)
        return self._write(
            self._entry.ended(
                "loaded",
                records=counts.records,
                loaded=counts.loaded,
                quarantined=len(counts.quarantine),
                duplicates=counts.duplicates,
                rows=counts.rows,
                filled_columns=sorted(counts.filled),
                content_hash=content[0],
                quarantine_hash=quarantine_hash,
            )
        )

    def _delete_old(self, present: int) -> None:
        self._cursor.execute(
            table.of_partition(self._contract, "delete") + NOT_OF_THIS_TRANSACTION,
            (self._partition.council, self._partition.period.first_day),
        )
        name = f"{table.SCHEMA}.{self._contract.name}"
        deleted = int(rows(self._cursor, table.DELETED_QUERY, name)[0]["deleted"])
        if deleted != present:
            raise ServiceUnavailable(
                f"{self._partition}: {present} rows were there when the load began, {deleted} "
                f"when it replaced them: somebody else writes to {name}. Nothing was changed. "
                "The next retry may succeed."
            )

    def _copy(self, batches: Ahead[pa.RecordBatch]) -> int:
        copied = 0
        try:
            for columns in alike(batches):
                copied += self._cursor.adbc_ingest(
                    self._contract.name, columns, mode="append", db_schema_name=table.SCHEMA
                )
        except Exception:
            # What broke the batches is the cause; what COPY says of it is not.
            if batches.failure is not None:
                raise batches.failure from None
            raise
        return copied

    def _lock(self) -> None:
        name = table.lock_name(self._partition)
        self._cursor.execute(f"set local lock_timeout = '{LOCK_WAIT_SECONDS}s'")
        self._cursor.execute(
            "select set_config('application_name', $1, true)", (f"wandle load {self._partition}",)
        )
        try:
            self._cursor.execute("select pg_advisory_lock(hashtextextended($1, 0))", (name,))
        except Exception as error:
            if getattr(error, "sqlstate", None) == "55P03":
                raise ServiceUnavailable(
                    f"{self._partition}: another load of this partition has been running for "
                    f"{LOCK_WAIT_SECONDS} s. The next retry may succeed; pg_stat_activity names "
                    "who is loading, as application `wandle load ...`."
                ) from None
            raise

    def _require_table(self) -> None:
        found = rows(self._cursor, table.COLUMNS_QUERY, f"{table.SCHEMA}.{self._contract.name}")
        table.require(self._contract, {row["attname"]: row["format_type"] for row in found})

    def _rows_present(self) -> int:
        found = rows(
            self._cursor,
            table.of_partition(self._contract, "select count(*) as present"),
            self._partition.council,
            self._partition.period.first_day,
        )
        return int(found[0]["present"])

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

    def _balance(self, counts: Counts, copied: int) -> None:
        accounted = counts.loaded + len(counts.quarantine) + counts.duplicates
        balanced = counts.records == self._landing.records == accounted
        if not balanced or copied != counts.rows:
            raise PermanentError(
                f"{self._partition}: the books do not balance: the manifest says "
                f"{self._landing.records} records, {counts.records} were read, and "
                f"{counts.loaded} loaded + {len(counts.quarantine)} quarantined + "
                f"{counts.duplicates} duplicates make {accounted}; {copied} rows were copied, "
                f"expected {counts.rows}. Nothing was changed. Please report this with landing "
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
