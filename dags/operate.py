"""What operators start by hand, and what keeps the platform in order."""

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

EVERY_SOURCE = "(every source)"
# Stands for whichever raw tables a replay has changed.
REPLAYED = AssetAlias("replayed raw tables")
# Likewise, where personal data have passed their limit.
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
    description="S3 -> raw: load again the partitions that have quarantined records",
    doc_md="""\
### Replay the quarantine

After a contract has been mended: loads again, from S3 and by the one load path, every partition
that has quarantined records, and every one whose newest landing was refused by rules that have
changed since. No API is asked. A partition's quarantine is replaced with its load; where nothing
would change, nothing is done.

**Trigger** asks for one source, or takes every one. Each partition is a task of its own: one that
fails holds back no other, and `reconcile` names it. The marts follow if a table has changed.
""",
    tags=["operate"],
    schedule=None,
    catchup=False,
    max_active_runs=1,
    params={
        "source": Param(
            EVERY_SOURCE,
            title="Source",
            description="Whose quarantine is replayed.",
            type="string",
            enum=[EVERY_SOURCE, *contracts()],
            values_display={name: item.title for name, item in contracts().items()},
        ),
    },
    default_args=DEFAULTS,
)
def replay_quarantine() -> None:
    """Make the DAG `replay_quarantine`."""

    @task(execution_timeout=BOOKKEEPING_TIMEOUT)
    def plan(params: Any = None, dag_run: Any = None) -> list[dict[str, str]]:
        """List the partitions that are to be loaded again."""
        from include.jobs.pipeline import replay as job

        _refuse_unknown_parameters(dag_run, ["source"])
        asked = params["source"]
        return job.plan(_dsn("wandle_loader"), None if asked == EVERY_SOURCE else asked)

    @task(map_index_template=PARTITION_LABEL)
    def replay(
        source: str, council: str, period: str, dag_run: Any = None, ti: Any = None
    ) -> dict[str, Any]:
        """Load the newest landing of one partition again: its entry in the ledger."""
        from include.jobs.pipeline import load as job

        entry = job.load(
            contract(source),
            council,
            period,
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
        """Tell the DAGs that wait for the raw tables that this run changed: their sources."""
        from include.jobs.pipeline import replay as job

        found = partitions or []
        changed = job.changed_sources(
            found, _landings(ti, found), dsn=_dsn("wandle_loader"), run_id=ti.run_id
        )
        if not changed:
            raise AirflowSkipException("nothing was loaded: nothing to announce")
        for source in changed:
            outlet_events[REPLAYED].add(Asset(f"raw.{source}"))
        return changed

    @task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT)
    def reconcile(partitions: list[dict[str, str]] | None, ti: Any = None) -> dict[str, int]:
        """Balance the books: every planned partition needs its good entry in the ledger."""
        from include.jobs.pipeline import replay as job

        if partitions is None:
            raise PermanentError(f"{ti.dag_id}: `plan` failed, so nothing was done. Read its log.")
        return job.reconcile(
            partitions, _landings(ti, partitions), dsn=_dsn("wandle_loader"), run_id=ti.run_id
        )

    partitions = plan()
    replay.expand_kwargs(partitions) >> [announce(partitions), reconcile(partitions)]


@dag(
    description="How long ago each source was looked at: on AWS as metrics, which alarms watch",
    doc_md="""\
### Freshness

Once an hour: when each source was last looked at with success, by council, from the ledger. In an
environment on AWS the figures are put to CloudWatch (namespace `Wandle`: `FreshnessHours`, `Late`,
`Heartbeat`; docs/deploy.md tells what they mean). It blocks nothing and is green although a source
is late: the alarms and the log say so.
""",
    tags=["operate"],
    schedule=CronTriggerTimetable("15 * * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"execution_timeout": BOOKKEEPING_TIMEOUT},
)
def freshness_watch() -> None:
    """Make the DAG `freshness_watch`."""

    @task
    def measure() -> list[dict[str, Any]]:
        """When each source was last looked at, and whether it is late."""
        from include.jobs.operate.freshness import watch

        return watch(dsn=_dsn("wandle_transformer"))

    measure()


@dag(
    description="Delete superseded and interrupted landings, and personal data past their limit",
    doc_md="""\
### Housekeeping

Each day: deletes the landings that are kept no longer. How long a source is kept is said in its
contract, `retention_days`.

- *superseded*: there is a newer landing, and this one is older than the limit; never the newest
  complete one of its partition, nor one that rows, quarantined records, the newest good load or
  another landing's manifest point to
- *interrupted*: it has no manifest and is too old to be resumed
- *expired*: its period's data are personal and past the limit; rows and quarantine go too, and
  the ledger says `expired`

`ops.removal` keeps what was deleted and why. **Trigger** with *dry run* to have it in the log only.
""",
    tags=["operate"],
    schedule=CronTriggerTimetable("30 5 * * *", timezone="UTC"),
    catchup=False,
    max_active_runs=1,
    params={
        "dry_run": Param(
            False,
            title="Dry run",
            description="Say in the log what would be deleted, and delete nothing.",
            type="boolean",
        ),
    },
    default_args=DEFAULTS,
)
def housekeeping() -> None:
    """Make the DAG `housekeeping`."""

    @task(outlets=[EMPTIED])
    def clean(
        params: Any = None, dag_run: Any = None, outlet_events: Any = None
    ) -> dict[str, dict[str, int]]:
        """Delete what is kept no longer: landings and bytes, by source and reason."""
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
    """Refuse what Airflow lets through: a misspelt parameter."""
    for name in dag_run.conf or {}:
        if name not in known:
            raise PermanentError(
                f"{dag_run.dag_id}: {name!r} is no parameter. Known: {', '.join(known)}. "
                "Correct it and start the run again."
            )


def _landings(ti: Any, partitions: list[dict[str, str]]) -> list[str | None]:
    """Of each partition the landing that was just loaded, None where it did not come to an end."""
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
    return Lake(s3=hook.conn, bucket=hook.service_config["bucket_name"])


replay_quarantine()
freshness_watch()
housekeeping()
