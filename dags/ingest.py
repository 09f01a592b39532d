"""One DAG per source: API, database or files -> S3 landing -> PostgreSQL raw, by partition.

To add a source, add its contract to `include/sources/`; nothing changes here.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any

from airflow.sdk import (
    Asset,
    CronTriggerTimetable,
    dag,
    get_parsing_context,
    task,
    task_group,
)
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowSkipException

from dags._form import form, refuse_misread_form
from dags._tasks import (
    BOOKKEEPING_TIMEOUT,
    DEFAULTS,
    DRY_RUN,
    PARTITION_LABEL,
    RELOAD,
    UNMATCHED,
    alert,
    changed_partitions,
    error_kept,
    lake,
    landings_of,
    loader_dsn,
    looks_at_files,
    others_follow,
    refused_by_person,
    secret_of,
    show_dry_run,
    source_dsn,
)
from dags._texts import documentation, origin
from include.errors import PermanentError
from include.sources.extract.landing import LandingExtract
from include.sources.followers import followers, is_parent
from include.sources.model import Contract, contract, contracts
from include.sources.partition import Partition
from plugins.inbox_events import with_events
from plugins.period_timetable import PeriodTimetable

# The task whose landings the leaves ask for.
EXTRACT, LOAD = "partition.extract", "partition.load"
# Of a task without tasks after it; each one after it adds as much. Others have 1.
PARENT_WEIGHT = 10
# The longest from the time in a ledger's entry to its commit.
COMMITTED_WITHIN = timedelta(minutes=5)


@task(execution_timeout=BOOKKEEPING_TIMEOUT)
def plan(
    source: str, params: Any = None, dag_run: Any = None, ti: Any = None
) -> list[dict[str, str]]:
    """List the requested partitions; by default those of the data interval, except removed ones.

    Includes those whose files are new or changed; the task `files` reports what belongs to none.
    A dry run lists none: it logs what the run would do, as the XCom `dry_run` says, too.
    """
    with error_kept(ti):
        refuse_misread_form(contract(source), dag_run)
        planned = _asked(contract(source), params, dag_run, ti)
        if params[DRY_RUN]:
            show_dry_run(contract(source), planned, params["mode"] == RELOAD, ti)
            return []
        return [partition.place for partition in planned]


def _asked(contract: Contract, params: Any, dag_run: Any, ti: Any) -> list[Partition]:
    from include.jobs.followers.pending import pending
    from include.jobs.pipeline import plan as job
    from include.jobs.pipeline.removed import without_removed

    by_schedule = dag_run.run_type in ("scheduled", "asset_triggered")
    if contract.extract.kind == "landing" and not (params["from"] or params["to"]):
        found = pending(
            contract,
            dsn=loader_dsn(),
            now=datetime.now(UTC),
            councils=params["councils"],
        )
        return without_removed(contract, found, dsn=loader_dsn(), asked_for=not by_schedule)
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    if dag_run.run_type == "asset_triggered":
        start = end = None
    looks = looks_at_files(contract, params, dag_run)
    partitions: list[Partition] = []
    if (start and end) or params["from"] or params["to"] or not looks:
        partitions = job.plan(
            contract,
            today=datetime.now(UTC),
            councils=params["councils"],
            first=params["from"],
            last=params["to"],
            interval=(start, end) if start and end else None,
            lookback=dag_run.run_type == "scheduled",
            reload=params["mode"] == RELOAD,
        )
    if looks:
        changed = changed_partitions(contract, ti)
        partitions = job.with_changed(contract, partitions, changed, params["councils"])
    return without_removed(
        contract, partitions, dsn=loader_dsn(), asked_for=not (by_schedule or looks)
    )


@task(execution_timeout=BOOKKEEPING_TIMEOUT)
def files(source: str, ti: Any = None) -> None:
    """Fail if there are files that belong to no partition; those of the others are loaded."""
    told = ti.xcom_pull(task_ids="plan", key=UNMATCHED)
    if told:
        raise PermanentError(told)


@task(map_index_template=PARTITION_LABEL)
def extract(
    source: str,
    council: str,
    period: str,
    params: Any = None,
    ti: Any = None,
    dag_run: Any = None,
) -> str:
    """Land one partition in S3, or wait for the function that does. Returns the landing ID."""
    from include.jobs.aws import serverless
    from include.jobs.pipeline import books
    from include.jobs.pipeline import extract as job

    if params["mode"] == RELOAD:
        raise AirflowSkipException("reloading from S3, not calling the API")
    partition = contract(source).partition(council, period)
    dsn = loader_dsn()
    with books.extract_failures_recorded(contract(source), partition, dsn=dsn, run_id=ti.run_id):
        if dag_run.run_type == "scheduled" and serverless.is_serverless(contract(source)):
            return serverless.wait_for_landing(partition, lake=lake(), since=dag_run.run_after)
        return job.extract(
            contract(source),
            partition,
            lake=lake(),
            run_id=ti.run_id,
            source_dsn=source_dsn(contract(source)),
            secret_of=secret_of,
            rate_shared_in=dsn,
        )


@task(map_index_template=PARTITION_LABEL, trigger_rule="none_failed", multiple_outputs=False)
def load(
    source: str,
    council: str,
    period: str,
    landing_id: str | None,
    params: Any = None,
    dag_run: Any = None,
    ti: Any = None,
) -> dict[str, Any]:
    """Replace one partition of the raw table. Returns its ledger entry."""
    from include.jobs.pipeline import load as job

    who = dag_run.triggering_user_name or dag_run.run_id
    entry = job.load(
        contract(source),
        contract(source).partition(council, period),
        lake=lake(),
        dsn=loader_dsn(),
        run_id=dag_run.run_id,
        landing_id=landing_id,
        forced_by=who if params["force"] else None,
    )
    ti.xcom_push("landing", entry["landing"])
    if entry["status"] == "not_published":
        raise AirflowSkipException(f"{source} {council} {period}: not published")
    return entry


@task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT)
def announce(
    source: str,
    partitions: list[dict[str, str]] | None,
    params: Any = None,
    ti: Any = None,
    dag_run: Any = None,
    inlet_events: Any = None,
) -> None:
    """Update the raw table's asset if the table has changed since, in this run or before.

    Of a backfill, the last run does it for all, so that `transform` starts once.
    """
    from include.jobs.pipeline import reconcile as job

    if params[DRY_RUN]:
        raise AirflowSkipException("a dry run changes nothing, so there is nothing to announce")
    backfill = dag_run.run_type == "backfill"
    if backfill and others_follow(ti, ti.task_id):
        raise AirflowSkipException("the last run of the backfill announces what all have loaded")
    landings = landings_of(ti, LOAD, partitions or [])
    dsn = loader_dsn()
    if job.anything_loaded(contract(source), landings, dsn=dsn, run_id=ti.run_id):
        return
    last = list(inlet_events[Asset(f"raw.{source}")].ascending(False).limit(1))
    since = last[0].timestamp - (COMMITTED_WITHIN if backfill else timedelta()) if last else None
    if not job.loaded_since(contract(source), since, dsn=dsn):
        raise AirflowSkipException("nothing was loaded, so nothing to announce")


@task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT, multiple_outputs=False)
def reconcile(
    source: str, partitions: list[dict[str, str]] | None, ti: Any = None
) -> dict[str, int]:
    """Fail unless every planned partition has a successful ledger entry."""
    from include.jobs.pipeline import reconcile as job

    if partitions is None:
        raise PermanentError(f"{ti.dag_id}: `plan` failed, so nothing was done. See its log.")
    if refused := refused_by_person(contract(source), ti):
        raise PermanentError(refused)
    landings = landings_of(ti, LOAD, partitions)
    planned = [contract(source).partition(**place) for place in partitions]
    return job.reconcile(contract(source), planned, landings, dsn=loader_dsn(), run_id=ti.run_id)


@task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT)
def announce_landings(partitions: list[dict[str, str]] | None, ti: Any = None) -> None:
    """Start the sources that read the landings of this one if this run has new ones."""
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[EXTRACT], run_ids=[ti.run_id])
    if "success" not in states.get(ti.run_id, {}).values():
        raise AirflowSkipException("nothing was landed, so nothing to announce")


def ingest(contract: Contract) -> None:
    """Create the DAG `ingest_<source>`."""

    @dag(
        dag_id=f"ingest_{contract.name}",
        description=f"{contract.title}: {origin(contract)} -> S3 -> raw.{contract.name}",
        doc_md=documentation(contract),
        tags=["ingest", contract.publisher],
        schedule=with_events(contract, _timetable(contract)),
        # Without a start date, a snapshot waits for its next run instead of catching up.
        start_date=None if contract.snapshot or not contract.schedule else _start(contract),
        catchup=False,
        # For all runs except backfills, which have their own `max_active_runs`.
        max_active_runs=4,
        default_args=DEFAULTS
        | {"owner": contract.owner}
        # Also its last task starts before what others begin with: a source waits for it.
        | ({"priority_weight": PARENT_WEIGHT} if is_parent(contract.name) else {}),
    )
    def ingest_source() -> None:
        source = contract.name
        fetch = extract.override(max_active_tis_per_dag=contract.extract.parallel)
        table = Asset(f"raw.{source}")
        announce_table = announce.override(inlets=[table], outlets=[table])

        @task_group
        def partition(council: str, period: str) -> None:
            landing_id = fetch(source=source, council=council, period=period)
            load(source=source, council=council, period=period, landing_id=landing_id)

        partitions = plan(source=source)
        if contract.extract.kind == "files":
            partitions >> files(source=source)
        leaves = [
            announce_table(source=source, partitions=partitions),
            reconcile(source=source, partitions=partitions),
            *(
                [announce_landings.override(outlets=[_landings(source)])(partitions=partitions)]
                if followers(source)
                else []
            ),
        ]
        loaded = partition.expand_kwargs(partitions)
        if contract.approval:
            from dags._approval import approval_to_replace

            partitions >> approval_to_replace(contract, contract.approval.hours) >> loaded
        loaded >> leaves
        if contract.alerts.are_on:
            leaves >> alert(source=source, partitions=partitions, of=LOAD).as_teardown()

    # Given before, Airflow would copy all of them for each task: a quarter of the time to parse.
    ingest_source().params = ParamsDict(form(contract))


def _start(contract: Contract) -> datetime:
    return datetime.combine(contract.start, time(), UTC)


def _landings(source: str) -> Asset:
    """What is updated when a source has landed something."""
    return Asset(f"landing.{source}")


def _timetable(contract: Contract) -> PeriodTimetable | CronTriggerTimetable | list[Asset]:
    """A snapshot belongs to the time it is taken, other data to the start of the interval.

    What reads landings runs when there are new ones.
    """
    if isinstance(contract.extract, LandingExtract):
        return [_landings(contract.extract.source)]
    if contract.snapshot:
        return CronTriggerTimetable(contract.schedule, timezone="UTC")
    return PeriodTimetable(contract.schedule, period=contract.period)


# A task parses the file for its own DAG alone.
_dag_id = get_parsing_context().dag_id
for _contract in contracts().values():
    if _dag_id in (None, f"ingest_{_contract.name}"):
        ingest(_contract)
