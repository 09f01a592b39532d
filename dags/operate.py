"""DAGs for operators: replay the quarantine, measure freshness, delete expired data."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    Asset,
    AssetAlias,
    CronTriggerTimetable,
    ExceptionRetryPolicy,
    Param,
    RetryAction,
    RetryRule,
    dag,
    task,
)
from airflow.sdk.exceptions import AirflowSkipException

from include.errors import PermanentError
from include.sources.model import contract, contracts

if TYPE_CHECKING:
    from include.jobs.lake import Lake
    from include.sources.partition import Partition

EVERY_SOURCE = "(all sources)"
# Resolves to the raw tables that a replay changed.
REPLAYED = AssetAlias("replayed raw tables")
# Resolves to the raw tables from which expired personal data were deleted.
EMPTIED = AssetAlias("raw tables with less personal data")

DEFAULTS = {
    "owner": "data-team",
    "retries": 3,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 3,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": ExceptionRetryPolicy(
        rules=[RetryRule(exception=PermanentError, action=RetryAction.FAIL)]
    ),
    "execution_timeout": timedelta(hours=2),
}
BOOKKEEPING_TIMEOUT = timedelta(minutes=10)

PARTITION_LABEL = (
    "{{ task.op_kwargs['source'] }} {{ task.op_kwargs['council'] }} {{ task.op_kwargs['period'] }}"
)


@dag(
    description="S3 -> raw: reload partitions with quarantined records",
    doc_md="""\
### Replay the quarantine

Run this after fixing a contract. It reloads from S3, without calling an API, every partition that
has quarantined records, and every partition whose newest landing was refused by rules that have
since changed. A load replaces the partition's quarantine; if nothing would change, nothing is done.

**Trigger** it for one source or for all. Each partition is its own task: a failure does not stop
the others, and `reconcile` names it. The marts are rebuilt if a table changed.
""",
    tags=["operate"],
    schedule=None,
    catchup=False,
    max_active_runs=1,
    params={
        "source": Param(
            EVERY_SOURCE,
            title="Source",
            description="The source to replay.",
            type="string",
            enum=[EVERY_SOURCE, *contracts()],
            values_display={name: item.title for name, item in contracts().items()},
        ),
    },
    default_args=DEFAULTS,
)
def replay_quarantine() -> None:
    """Create the DAG `replay_quarantine`."""

    @task(execution_timeout=BOOKKEEPING_TIMEOUT)
    def plan(params: Any = None, dag_run: Any = None) -> list[dict[str, str]]:
        """List the partitions to reload."""
        from include.jobs.pipeline import replay as job

        _refuse_unknown_parameters(dag_run, ["source"])
        asked = params["source"]
        found = job.plan(_dsn("wandle_loader"), None if asked == EVERY_SOURCE else asked)
        return [{"source": partition.source, **partition.place} for partition in found]

    @task(map_index_template=PARTITION_LABEL)
    def replay(
        source: str, council: str, period: str, dag_run: Any = None, ti: Any = None
    ) -> dict[str, Any]:
        """Reload the newest landing of one partition. Returns its ledger entry."""
        from include.jobs.pipeline import load as job

        entry = job.load(
            contract(source),
            contract(source).partition(council, period),
            lake=_lake(),
            dsn=_dsn("wandle_loader"),
            run_id=dag_run.run_id,
        )
        ti.xcom_push("landing", entry["landing"])
        return entry

    @task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT, outlets=[REPLAYED])
    def announce(
        partitions: list[dict[str, str]] | None, ti: Any = None, outlet_events: Any = None
    ) -> list[str]:
        """Update the assets of the raw tables that this run changed. Returns their sources."""
        from include.jobs.pipeline import replay as job

        found = partitions or []
        changed = job.changed_sources(
            _planned(found), _landings(ti, found), dsn=_dsn("wandle_loader"), run_id=ti.run_id
        )
        if not changed:
            raise AirflowSkipException("nothing was loaded, so nothing to announce")
        for source in changed:
            outlet_events[REPLAYED].add(Asset(f"raw.{source}"))
        return changed

    @task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT)
    def reconcile(partitions: list[dict[str, str]] | None, ti: Any = None) -> dict[str, int]:
        """Fail unless every planned partition has a successful ledger entry."""
        from include.jobs.pipeline import replay as job

        if partitions is None:
            raise PermanentError(f"{ti.dag_id}: `plan` failed, so nothing was done. See its log.")
        planned, landings = _planned(partitions), _landings(ti, partitions)
        return job.reconcile(planned, landings, dsn=_dsn("wandle_loader"), run_id=ti.run_id)

    partitions = plan()
    replay.expand_kwargs(partitions) >> [announce(partitions), reconcile(partitions)]


@dag(
    description="Measure how long ago each source was last loaded; on AWS, publish it as metrics",
    doc_md="""\
### Freshness

Measures every hour, from the ledger, when each source was last checked successfully for each
council. On AWS it publishes the CloudWatch metrics `FreshnessHours`, `Late` and `Heartbeat`
(namespace `Wandle`, see docs/deploy.md). It blocks nothing and succeeds even if a source is late:
alarms and the log report that.
""",
    tags=["operate"],
    schedule=CronTriggerTimetable("15 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"execution_timeout": BOOKKEEPING_TIMEOUT},
)
def freshness_watch() -> None:
    """Create the DAG `freshness_watch`."""

    @task
    def measure() -> list[dict[str, Any]]:
        """When each source was last checked, and whether it is late."""
        from include.jobs.operate.freshness import watch

        return watch(dsn=_dsn("wandle_transformer"))

    measure()


@dag(
    description="Delete superseded and interrupted landings, and personal data past retention",
    doc_md="""\
### Housekeeping

Deletes data past retention every day. `retention_days` in each contract sets the limit.

- *superseded*: a landing older than the limit, with a newer one. Never deletes the newest complete
  landing of a partition, nor one that rows, quarantined records, the last successful load or
  another landing's manifest refer to.
- *interrupted*: a landing without a manifest that is too old to be resumed.
- *expired*: personal data of a period past the limit. Rows and quarantine are deleted too, and the
  ledger says `expired`.

`ops.removal` records what was deleted and why. **Trigger** it with *dry run* to only log it.
""",
    tags=["operate"],
    schedule=CronTriggerTimetable("30 5 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    params={
        "dry_run": Param(
            False,
            title="Dry run",
            description="Log what would be deleted, without deleting it.",
            type="boolean",
        ),
    },
    default_args=DEFAULTS,
)
def housekeeping() -> None:
    """Create the DAG `housekeeping`."""

    @task(outlets=[EMPTIED])
    def clean(
        params: Any = None, dag_run: Any = None, outlet_events: Any = None
    ) -> dict[str, dict[str, int]]:
        """Delete data past retention. Returns landings and bytes by source and reason."""
        from include.jobs.operate import housekeeping as job

        _refuse_unknown_parameters(dag_run, ["dry_run"])
        delete = not params["dry_run"]
        counts = job.summary(
            job.housekeeping(lake=_lake(), dsn=_dsn("wandle_loader"), delete=delete)
        )
        for source in sorted(counts):
            if delete and "expired" in counts[source]:
                outlet_events[EMPTIED].add(Asset(f"raw.{source}"))
        return counts

    clean()


def _refuse_unknown_parameters(dag_run: Any, known: list[str]) -> None:
    """Reject unknown parameters, which Airflow accepts."""
    for name in dag_run.conf or {}:
        if name not in known:
            raise PermanentError(
                f"{dag_run.dag_id}: unknown parameter {name!r}. Known: {', '.join(known)}. "
                "Correct it and start the run again."
            )


def _planned(places: list[dict[str, str]]) -> list[Partition]:
    return [
        contract(place["source"]).partition(place["council"], place["period"]) for place in places
    ]


def _landings(ti: Any, partitions: list[dict[str, str]]) -> list[str | None]:
    """The landing just loaded for each partition; None if its load did not finish."""
    task = "replay"
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[task], run_ids=[ti.run_id])
    return [
        ti.xcom_pull(task_ids=task, key="landing", map_indexes=index)
        if states.get(ti.run_id, {}).get(f"{task}_{index}") == "success"
        else None
        for index in range(len(partitions))
    ]


def _dsn(connection: str) -> str:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    return PostgresHook(connection, sqlalchemy_scheme="postgresql").get_uri()


def _lake() -> Lake:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from include.jobs.lake import S3_CONFIG, Lake

    hook = S3Hook("wandle_s3", config=S3_CONFIG)
    bucket = hook.service_config["bucket_name"]
    return Lake(s3=hook.conn, bucket=bucket, session=hook.get_session())


replay_quarantine()
freshness_watch()
housekeeping()
