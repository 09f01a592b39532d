"""One DAG per source: API or database -> S3 landing -> PostgreSQL raw, a partition at a time.

A new source needs no change here; add its contract to `include/sources/`.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    Asset,
    CronDataIntervalTimetable,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    dag,
    task,
    task_group,
)
from airflow.sdk.exceptions import AirflowSkipException

from include.councils.model import UK, councils
from include.errors import PermanentError
from include.sources.model import Contract, contract, contracts

if TYPE_CHECKING:
    from include.jobs.lake import Lake

FETCH, RELOAD = "fetch", "reload"

# How people write a period, an example, and what the form accepts.
PERIODS = {
    "day": ("YYYY-MM-DD", "2017-05-31", r"^\d{4}-\d{2}-\d{2}$"),
    "month": ("YYYY-MM", "2017-05", r"^\d{4}-\d{2}$"),
}

PERMANENT_ERRORS_FAIL_AT_ONCE = ExceptionRetryPolicy(
    rules=[RetryRule(exception=PermanentError, action=RetryAction.FAIL)]
)

# At least 10 seconds, then 30, then 90; at most twice as long.
DEFAULTS = {
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 3,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": PERMANENT_ERRORS_FAIL_AT_ONCE,
    "execution_timeout": timedelta(hours=2),
}
BOOKKEEPING_TIMEOUT = timedelta(minutes=10)

PARTITION_LABEL = "{{ task.op_kwargs['council'] }} {{ task.op_kwargs['period'] }}"


@task(execution_timeout=BOOKKEEPING_TIMEOUT)
def plan(source: str, params: Any = None, dag_run: Any = None) -> list[dict[str, str]]:
    """List the partitions: those asked for, else those of the data interval."""
    from include.jobs.pipeline import plan as job

    _refuse_misread_form(contract(source), dag_run)
    start, end = dag_run.data_interval_start, dag_run.data_interval_end
    return job.plan(
        contract(source),
        today=datetime.now(UTC).date(),
        councils=params["councils"],
        first=params["from"],
        last=params["to"],
        interval=(start, end) if start and end else None,
        lookback=dag_run.run_type == "scheduled",
        reload=params["mode"] == RELOAD,
    )


@task(map_index_template=PARTITION_LABEL)
def extract(
    source: str,
    council: str,
    period: str,
    params: Any = None,
    ti: Any = None,
    dag_run: Any = None,
) -> str:
    """Land one partition in S3, or wait for the function that does: the landing's id."""
    from include.jobs.aws import serverless
    from include.jobs.pipeline import extract as job

    if params["mode"] == RELOAD:
        raise AirflowSkipException("reloading from S3: the API is not asked")
    if dag_run.run_type == "scheduled" and serverless.is_serverless(contract(source)):
        return serverless.wait_for_landing(
            contract(source), council, period, lake=_lake(), since=dag_run.run_after
        )
    return job.extract(
        contract(source),
        council,
        period,
        lake=_lake(),
        run_id=ti.run_id,
        source_dsn=_source_dsn(contract(source)),
    )


@task(map_index_template=PARTITION_LABEL, trigger_rule="none_failed")
def load(
    source: str,
    council: str,
    period: str,
    landing_id: str | None,
    params: Any = None,
    dag_run: Any = None,
    ti: Any = None,
) -> dict[str, Any]:
    """Replace one partition of the raw table: its entry in the ledger."""
    from include.jobs.pipeline import load as job

    who = dag_run.triggering_user_name or dag_run.run_id
    entry = job.load(
        contract(source),
        council,
        period,
        lake=_lake(),
        dsn=_loader_dsn(),
        run_id=dag_run.run_id,
        landing_id=landing_id,
        forced_by=who if params["force"] else None,
    )
    ti.xcom_push("landing", entry["landing"])
    if entry["status"] == "not_published":
        raise AirflowSkipException(f"{source} {council} {period}: not published")
    return entry


@task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT)
def announce(source: str, partitions: list[dict[str, str]] | None, ti: Any = None) -> None:
    """Tell the DAGs that wait for the raw table, if this run changed it."""
    from include.jobs.pipeline import reconcile as job

    landings = _landings(ti, partitions or [])
    if not job.anything_loaded(contract(source), landings, dsn=_loader_dsn(), run_id=ti.run_id):
        raise AirflowSkipException("nothing was loaded: nothing to announce")


@task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT)
def reconcile(
    source: str, partitions: list[dict[str, str]] | None, ti: Any = None
) -> dict[str, int]:
    """Balance the books: every planned partition needs its good entry in the ledger."""
    from include.jobs.pipeline import reconcile as job

    if partitions is None:
        raise PermanentError(f"{ti.dag_id}: `plan` failed, so nothing was done. Read its log.")
    landings = _landings(ti, partitions)
    return job.reconcile(
        contract(source), partitions, landings, dsn=_loader_dsn(), run_id=ti.run_id
    )


def ingest(contract: Contract) -> None:
    """Make the DAG `ingest_<source>`."""

    @dag(
        dag_id=f"ingest_{contract.name}",
        description=f"{contract.title}: {_origin(contract)} -> S3 -> raw.{contract.name}",
        doc_md=_documentation(contract),
        tags=["ingest", contract.publisher],
        schedule=_timetable(contract),
        # Without a start, a snapshot waits for its next time instead of making up for the last.
        start_date=None if contract.snapshot else datetime.combine(contract.start, time(), UTC),
        catchup=False,
        # A backfill goes by its own `max_active_runs`; this one is for all other runs.
        max_active_runs=4,
        params=_form(contract),
        default_args=DEFAULTS | {"owner": contract.owner},
    )
    def ingest_source() -> None:
        source = contract.name
        fetch = extract.override(max_active_tis_per_dag=contract.extract.parallel)
        announce_table = announce.override(outlets=[Asset(f"raw.{source}")])

        @task_group
        def partition(council: str, period: str) -> None:
            landing_id = fetch(source=source, council=council, period=period)
            load(source=source, council=council, period=period, landing_id=landing_id)

        partitions = plan(source=source)
        partition.expand_kwargs(partitions) >> [
            announce_table(source=source, partitions=partitions),
            reconcile(source=source, partitions=partitions),
        ]

    ingest_source()


def _timetable(contract: Contract) -> CronDataIntervalTimetable | CronTriggerTimetable:
    """A snapshot is of the moment it is taken, everything else of the interval's start."""
    if contract.snapshot:
        return CronTriggerTimetable(contract.schedule, timezone="UTC")
    return CronDataIntervalTimetable(contract.schedule, timezone="UTC")


def _form(contract: Contract) -> dict[str, Param]:
    known = {UK: "whole UK"}
    if contract.councils == "each":
        known = {council.name: council.title for council in councils().values()}
    written, example, pattern = PERIODS[contract.period]
    period = {"type": ["null", "string"], "pattern": pattern}
    return {
        "councils": Param(
            list(known),
            title="Councils",
            description="Whose data.",
            type="array",
            items={"type": "string", "enum": list(known)},
            minItems=1,
            uniqueItems=True,
            examples=list(known),
            values_display=known,
        ),
        "from": Param(
            None,
            title="From",
            description=f"First {contract.period}, written {written}, for example {example}. "
            "Empty: that of the run's data interval. A backfill goes by its own dates.",
            **period,
        ),
        "to": Param(
            None,
            title="To",
            description=f"Last {contract.period}, included. Empty: the same as the first.",
            **period,
        ),
        "mode": Param(
            FETCH,
            title="Mode",
            description="Where the data comes from.",
            type="string",
            enum=[FETCH, RELOAD],
            values_display={
                FETCH: "fetch from the API, then load",
                RELOAD: "reload the newest landing from S3, without asking the API",
            },
        ),
        "force": Param(
            False,
            title="Force",
            description="Load although nothing has changed, or although a check of the partition "
            "says no. The books must balance all the same, and the ledger says who forced it.",
            type="boolean",
        ),
    }


def _origin(contract: Contract) -> str:
    return "API" if contract.extract.kind == "http" else "database"


def _documentation(contract: Contract) -> str:
    written, example, _ = PERIODS[contract.period]
    parents = sorted({parent.source for parent in contract.extract.parents.values()})
    return f"""\
### {contract.title}

{contract.description.strip()}

| | |
|---|---|
| Publisher | {contract.publisher} |
| Licence | {contract.licence} |
| Table | `raw.{contract.name}` |
| Key | {", ".join(f"`{name}`" for name in contract.key) or "none"} |
| Partition | one council, one {contract.period} |
| Data from | {contract.start} |
| Needs | {", ".join(f"a landing of `{name}`" for name in parents) or "no other source"} |
| Looks back | {contract.lookback} {contract.period}s in each scheduled run{_monthly(contract)} |

**Trigger** fetches and loads the councils and the {contract.period}s `from` to `to`
({written}, `{example}`). **Backfill** makes one run for each {contract.period} between its dates.
`mode` *reload* takes the newest landing from S3 instead of asking the API; `force` loads
although nothing has changed or a check says no.
"""


def _monthly(contract: Contract) -> str:
    if not contract.lookback_monthly:
        return ""
    return f", {contract.lookback_monthly} in that of a month's first day"


def _refuse_misread_form(contract: Contract, dag_run: Any) -> None:
    """Refuse what Airflow lets through: a misspelt parameter, a backfill with a second window."""
    asked = dag_run.conf or {}
    known = _form(contract)
    for name in asked:
        if name not in known:
            raise PermanentError(
                f"{dag_run.dag_id}: {name!r} is no parameter. Known: {', '.join(known)}. "
                "Correct it and start the run again."
            )
    if dag_run.run_type == "backfill" and (asked.get("from") or asked.get("to")):
        raise PermanentError(
            f"{dag_run.dag_id}: a backfill run is for its own {contract.period}, and `from` or "
            "`to` is filled in. Start the backfill again with both empty."
        )


def _landings(ti: Any, partitions: list[dict[str, str]]) -> list[str | None]:
    """Of each partition the landing that its load has just dealt with, None where it has not."""
    task = "partition.load"
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[task], run_ids=[ti.run_id])
    done = [
        states.get(ti.run_id, {}).get(f"{task}_{index}") in ("success", "skipped")
        for index in range(len(partitions))
    ]
    return [
        ti.xcom_pull(task_ids=task, key="landing", map_indexes=index) if dealt_with else None
        for index, dealt_with in enumerate(done)
    ]


def _loader_dsn() -> str:
    return _dsn("wandle_loader")


def _source_dsn(contract: Contract) -> str | None:
    """Of the database that the source is; None for an API."""
    if contract.extract.kind == "http":
        return None
    return _dsn(contract.extract.connection)


def _dsn(connection: str) -> str:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    return PostgresHook(connection, sqlalchemy_scheme="postgresql").get_uri()


def _lake() -> Lake:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from include.jobs.lake import S3_CONFIG, Lake

    hook = S3Hook("wandle_s3", config=S3_CONFIG)
    return Lake(s3=hook.conn, bucket=hook.service_config["bucket_name"])


for _contract in contracts().values():
    ingest(_contract)
