"""Remove a dataset, a council, or some of their partitions.

First what would make new data (the schedule, the council's file), then the data, partition by
partition, then what describes them. Each step may be interrupted: what is left is found again from
the data, so running the same command again finishes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from include.errors import PermanentError, ServiceUnavailable
from include.jobs.lake import Lake
from include.jobs.operate import remove_files
from include.jobs.operate.remove_scope import Dags, Part, Scope, find_scope
from include.jobs.pipeline.selection import Selection
from include.landing.inventory import remove as remove_landing
from include.landing.inventory import remove_others
from include.transform.leftovers import drop
from include.warehouse.books import ledger, removals, stored
from include.warehouse.books.removals import Removal
from include.warehouse.books.stored import Counts
from include.warehouse.connection import connect
from include.warehouse.lock import locked_for_removal

log = logging.getLogger(__name__)


def remove(
    selection: Selection,
    *,
    lake: Lake,
    dsn: str,
    by: str,
    dags: Dags | None,
    drop_tables: Callable[[], object] | None,
    transformer_dsn: str = "",
    progress: Callable[[str, int, int], None] = lambda doing, done, total: None,
) -> Scope:
    """Remove what `find_scope` lists; returns that list.

    `dags` is Airflow, if it is running, and `drop_tables` drops empty tables
    without a contract, if this login may; with `transformer_dsn`, what dbt
    built of models that are gone is dropped, too. `ops.removal` records, before the
    deletion, who removed what.

    Raises `PermanentError` naming what depends on it; then nothing was
    changed. After any other error, run it again.
    """
    scope = find_scope(selection, lake=lake, dsn=dsn, dags=dags)
    if scope.blockers:
        raise PermanentError(f"remove: nothing was changed. {' '.join(scope.blockers)}")
    if scope.empty:
        return scope
    now = datetime.now(UTC)
    keeper = lake.as_job("housekeeping")
    _record_definitions(scope, dsn, by, now)
    if scope.dag and dags:
        dags.pause(scope.dag.dag_id)
    if scope.whole_councils:
        _delete_files(scope)
    for number, part in enumerate(scope.parts, start=1):
        progress(str(part.partition), number, len(scope.parts))
        _remove_part(part, keeper, dsn, by, now, every_version=_hides_versions(scope, part))
    _refuse_new_data(selection, lake, dsn)
    if scope.dataset:
        _remove_dataset(scope, keeper, dsn, dags, drop_tables, transformer_dsn)
    return scope


def marts_hold_removed_rows(*, dsn: str, transformer_dsn: str) -> bool:
    """Whether rows were removed after the newest complete build of the marts began."""
    with connect(dsn) as connection, connection.cursor() as cursor:
        removed = removals.newest_removal_of_rows(cursor)
    with connect(transformer_dsn) as connection, connection.cursor() as cursor:
        built, began = ledger.newest_build(cursor)
    return built and removed is not None and (began is None or began <= removed)


def _record_definitions(scope: Scope, dsn: str, by: str, now: datetime) -> None:
    """Record who removes a whole dataset or council, before anything of it goes."""
    whole = (
        [(scope.dataset, "")] if scope.dataset else [("", name) for name in scope.whole_councils]
    )
    with connect(dsn) as connection, connection.cursor() as cursor:
        for source, council in whole:
            record = Removal(
                source=source,
                council=council,
                period=None,
                landing_id="",
                reason="removed",
                objects=0,
                bytes=0,
                removed_at=now,
                removed_by=by,
                definitions=scope.definitions,
            )
            removals.record(cursor, [record])
        connection.commit()


def _hides_versions(scope: Scope, part: Part) -> bool:
    """Whether the bucket's old versions must go, too: of personal data, and of unknown ones."""
    contract = scope.contracts.get(part.partition.source)
    return contract is None or contract.personal


def _remove_part(
    part: Part, lake: Lake, dsn: str, by: str, now: datetime, *, every_version: bool
) -> None:
    """One partition: the database with the record of the removal, then its landings."""
    where = part.partition
    with locked_for_removal(dsn, where) as connection:
        cursor = connection.cursor()
        gone = stored.delete(cursor, where.source, (where.council, where.period.starts_at))
        removals.record(cursor, _records(part, gone, by, now))
        connection.commit()
        for item in part.landings:
            remove_landing(lake.landings, where, item.landing_id, every_version=every_version)
    log.info("%s: removed", where)


def _records(part: Part, gone: dict[str, Counts], by: str, now: datetime) -> Iterator[Removal]:
    """One record for each landing that is or was there, with what was loaded of it."""
    landings = {item.landing_id: item for item in part.landings}
    for landing_id in sorted({*landings, *gone}):
        item, counts = landings.get(landing_id), gone.get(landing_id, Counts())
        yield Removal(
            source=part.partition.source,
            council=part.partition.council,
            period=part.partition.period.starts_at,
            landing_id=landing_id,
            reason="removed",
            objects=item.objects if item else 0,
            bytes=item.bytes if item else 0,
            removed_at=now,
            removed_by=by,
            rows=counts.rows,
            quarantined=counts.quarantined,
            entries=counts.entries,
        )


def _refuse_new_data(selection: Selection, lake: Lake, dsn: str) -> None:
    """Raise `ServiceUnavailable` if data arrived while they were removed."""
    left = find_scope(selection, lake=lake, dsn=dsn, dags=None).parts
    if left:
        names = ", ".join(str(part.partition) for part in left[:5])
        raise ServiceUnavailable(
            f"remove: new data arrived in the meantime: {names}. Stop the run that loads them, and "
            "run the same command again."
        )


def _remove_dataset(
    scope: Scope,
    lake: Lake,
    dsn: str,
    dags: Dags | None,
    drop_tables: Callable[[], object] | None,
    transformer_dsn: str,
) -> None:
    """Remove what describes a dataset without data: files, table, and the DAG last."""
    source = scope.dataset
    known = scope.contracts.get(source)
    remove_others(lake.landings, source, every_version=known is None or known.personal)
    with connect(dsn) as connection, connection.cursor() as cursor:
        stored.forget_drift(cursor, source)
        connection.commit()
    _delete_files(scope)
    if scope.dbt_source:
        remove_files.sync_dbt_sources()
    if scope.built and transformer_dsn:
        drop(transformer_dsn, scope.built)
    if scope.table and drop_tables:
        drop_tables()
    if scope.dag and dags:
        dags.delete(scope.dag.dag_id)


def _delete_files(scope: Scope) -> None:
    for path in scope.files:
        path.unlink(missing_ok=True)
    remove_files.drop_empty_folders(scope.files)
    remove_files.forget_definitions()
