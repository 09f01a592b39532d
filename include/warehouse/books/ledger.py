"""The ledger: one row per landing, one per attempt to load it, one per failed extract."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse.connection import Cursor, rows

Status = Literal["loaded", "unchanged", "not_published", "refused", "failed", "expired"]
Step = Literal["extract", "load"]
# After these, the raw table matches the newest landing at the time of the load.
GOOD = ("loaded", "unchanged", "not_published")
# After these, nothing was changed; the entry has the error.
BAD = ("refused", "failed")


@dataclass(frozen=True)
class Entry:
    """One attempt to load a landing, or a failed `extract`, which landed nothing.

    `records` = `loaded` + `quarantined` + `duplicates`.

    These count the source's records; `rows` are those of the raw table, more
    than `loaded` where the contract makes several of one record.
    `filled_columns` have a value in at least one row, `columns` are those that
    the contract had; None if unknown.
    """

    source: str
    council: str
    period: datetime
    landing_id: str
    status: Status
    records: int
    loaded: int
    quarantined: int
    duplicates: int
    pages: int
    bytes: int
    content_hash: str | None
    quarantine_hash: str | None
    pages_hash: str
    rules_hash: str
    contract_hash: str
    code_version: str
    run_id: str
    forced_by: str | None
    error: str | None
    started_at: datetime
    finished_at: datetime
    seconds: float
    rows: int = 0
    filled_columns: list[str] | None = None
    step: Step = "load"
    columns: list[str] | None = None

    @classmethod
    def begin(
        cls,
        contract: Contract,
        partition: Partition,
        *,
        run_id: str,
        code_version: str,
        forced_by: str | None = None,
        step: Step = "load",
    ) -> Entry:
        """An attempt whose landing is not known yet: `failed` until it succeeds."""
        now = datetime.now(UTC)
        return cls(
            source=partition.source,
            council=partition.council,
            period=partition.period.starts_at,
            landing_id="",
            status="failed",
            records=0,
            loaded=0,
            quarantined=0,
            duplicates=0,
            pages=0,
            bytes=0,
            content_hash=None,
            quarantine_hash=None,
            pages_hash="",
            rules_hash=contract.rules_hash,
            contract_hash=contract.contract_hash,
            code_version=code_version,
            run_id=run_id,
            forced_by=forced_by,
            error=None,
            started_at=now,
            finished_at=now,
            seconds=0.0,
            step=step,
            columns=[column.name for column in contract.raw_columns()],
        )

    def ended(self, status: Status, **changes: Any) -> Entry:
        """This entry when finished: with status, end time and what else is known by then."""
        now = datetime.now(UTC)
        return dataclasses.replace(
            self,
            status=status,
            finished_at=now,
            seconds=(now - self.started_at).total_seconds(),
            **changes,
        )


@dataclass(frozen=True)
class Landing:
    """The ledger's columns of a landing; everything else is in the manifest in S3."""

    source: str
    council: str
    period: datetime
    landing_id: str
    outcome: Literal["complete", "not_published"]
    run_id: str
    code_version: str
    contract_hash: str
    pages_hash: str
    pages: int
    records: int
    bytes: int
    started_at: datetime
    finished_at: datetime
    parents: str
    replaces: str | None = None
    erased: int = 0


def write_entry(cursor: Cursor, entry: Entry) -> None:
    """Add one attempt to the ledger."""
    _append(cursor, "load", entry)


def write_landing(cursor: Cursor, landing: Landing) -> None:
    """Add a landing to the ledger, once."""
    known = rows(
        cursor,
        "select 1 as known from ops.landing where source = $1 and council = $2 "
        "and period = $3 and landing_id = $4",
        landing.source,
        landing.council,
        landing.period,
        landing.landing_id,
    )
    if not known:
        _append(cursor, "landing", landing)


def current_load(cursor: Cursor, partition: Partition) -> Mapping[str, Any] | None:
    """The entry that describes what the raw table holds of the partition: None if nothing."""
    found = rows(
        cursor,
        "select * from ops.load where source = $1 and council = $2 and period = $3 "
        "and status in ('loaded', 'unchanged', 'expired') order by load_id desc limit 1",
        partition.source,
        partition.council,
        partition.period.starts_at,
    )
    return found[0] if found and found[0]["status"] != "expired" else None


def current_loads(cursor: Cursor) -> list[dict[str, Any]]:
    """The entries that describe what the raw tables hold, one for each partition."""
    found = rows(
        cursor,
        "select distinct on (source, council, period) * from ops.load "
        "where status in ('loaded', 'unchanged', 'expired') "
        "order by source, council, period, load_id desc",
    )
    return [entry for entry in found if entry["status"] != "expired"]


def newest_attempt(cursor: Cursor, partition: Partition) -> Mapping[str, Any] | None:
    """The newest attempt to load a partition, however it ended."""
    found = rows(
        cursor,
        "select * from ops.load where source = $1 and council = $2 and period = $3 "
        "and step = 'load' order by load_id desc limit 1",
        partition.source,
        partition.council,
        partition.period.starts_at,
    )
    return found[0] if found else None


def newest_entries(cursor: Cursor) -> list[dict[str, Any]]:
    """The newest entry of each partition, in order of source, council and period."""
    return rows(
        cursor,
        "select distinct on (source, council, period) * from ops.load "
        "order by source, council, period, load_id desc",
    )


def newest_loads(cursor: Cursor) -> list[dict[str, Any]]:
    """The newest attempt to load each partition, in order of source, council and period."""
    return rows(
        cursor,
        "select distinct on (source, council, period) * from ops.load where step = 'load' "
        "order by source, council, period, load_id desc",
    )


def parents_read(cursor: Cursor, source: str, label: str) -> dict[tuple[str, datetime], str]:
    """The landing of a parent that the newest landing of each partition was made from."""
    found = rows(
        cursor,
        "select distinct on (council, period) council, period, "
        "parents -> $2::text ->> 'landing_id' as parent "
        "from ops.landing where source = $1 order by council, period, landing_id desc",
        source,
        label,
    )
    return {(row["council"], row["period"]): row["parent"] or "" for row in found}


def entries(cursor: Cursor) -> list[dict[str, Any]]:
    """Every entry, oldest first."""
    return rows(cursor, "select * from ops.load order by load_id")


def entries_of_run(cursor: Cursor, source: str, run_id: str) -> list[dict[str, Any]]:
    """The newest entry of each partition in a run."""
    return rows(
        cursor,
        "select distinct on (council, period) * from ops.load "
        "where source = $1 and run_id = $2 order by council, period, load_id desc",
        source,
        run_id,
    )


def loaded_in_run(cursor: Cursor, source: str, run_id: str) -> set[str]:
    """The landings that attempts of a run loaded, whatever later attempts found."""
    found = rows(
        cursor,
        "select distinct landing_id from ops.load "
        "where source = $1 and run_id = $2 and status = 'loaded'",
        source,
        run_id,
    )
    return {row["landing_id"] for row in found}


def last_loaded(cursor: Cursor, source: str) -> datetime | None:
    """When a load last changed the raw table of a source; None if none ever did."""
    found = rows(
        cursor,
        "select max(finished_at) as newest from ops.load where source = $1 and status = 'loaded'",
        source,
    )
    newest: datetime | None = found[0]["newest"]
    return newest


def _append(cursor: Cursor, table: str, row: Entry | Landing) -> None:
    values = dataclasses.asdict(row)
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    cursor.execute(
        f"insert into ops.{table} ({', '.join(values)}) values ({places})",  # noqa: S608, no value
        tuple(values.values()),
    )


def newer_than_marts(cursor: Cursor) -> bool:
    """Whether a load changed a raw table after the newest complete build of the marts began.

    The marts read the staging models, so the start of the staging build
    counts.
    """
    found = rows(
        cursor,
        """
        select coalesce(
            (select max(finished_at) from ops.load where status in ('loaded', 'expired'))
            > coalesce(
                (
                    select max(staging.started_at)
                    from ops.dbt_run marts
                    join ops.dbt_run staging using (run_id)
                    where marts.layer = 'marts' and marts.status = 'success'
                        and staging.layer = 'staging' and staging.status = 'success'
                        and staging.started_at < marts.started_at
                ),
                '-infinity'
            ),
            false
        ) as behind
        """,
    )
    return bool(found[0]["behind"])


def newest_build(cursor: Cursor) -> tuple[bool, datetime | None]:
    """Whether dbt was ever run, and when the newest complete build of the marts began."""
    found = rows(
        cursor,
        """
        select
            exists (select from ops.dbt_run) as built,
            (
                select max(staging.started_at)
                from ops.dbt_run marts
                join ops.dbt_run staging using (run_id)
                where marts.layer = 'marts' and marts.status = 'success'
                    and staging.layer = 'staging' and staging.status = 'success'
                    and staging.started_at < marts.started_at
            ) as began
        """,
    )
    return bool(found[0]["built"]), found[0]["began"]
