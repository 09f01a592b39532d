"""DAGs for operators: replay the quarantine, measure freshness, delete expired data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    Asset,
    AssetAlias,
    CronTriggerTimetable,
    Param,
    dag,
    task,
)
from airflow.sdk.exceptions import AirflowSkipException

from dags._tasks import (
    BOOKKEEPING_TIMEOUT,
    DEFAULTS,
    PARTITION_LABEL,
    airflow_url,
    lake,
    landings_of,
    loader_dsn,
    postgres_dsn,
    refuse_unknown_parameters,
    secret_of,
)
from include.errors import PermanentError
from include.sources.model import contract, contracts

if TYPE_CHECKING:
    from include.sources.partition import Partition

EVERY_SOURCE = "(all sources)"
# Resolves to the raw tables that a replay changed.
REPLAYED = AssetAlias("replayed raw tables")
# Resolves to the raw tables from which expired personal data were deleted.
EMPTIED = AssetAlias("raw tables with less personal data")

# As the UI names a mapped task; its partitions are of several sources.
REPLAY_LABEL = "{{ task.op_kwargs['source'] }} " + PARTITION_LABEL


@task(map_index_template=REPLAY_LABEL, multiple_outputs=False)
def replay(
    source: str, council: str, period: str, dag_run: Any = None, ti: Any = None
) -> dict[str, Any]:
    """Reload the newest landing of one partition. Returns its ledger entry."""
    from include.jobs.pipeline import load as job

    entry = job.load(
        contract(source),
        contract(source).partition(council, period),
        lake=lake(),
        dsn=loader_dsn(),
        run_id=dag_run.run_id,
    )
    ti.xcom_push("landing", entry["landing"])
    return entry


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
    # Only people start it; a run of a paused DAG would stay queued.
    is_paused_upon_creation=False,
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

        refuse_unknown_parameters(dag_run, ["source"])
        asked = params["source"]
        found = job.plan(loader_dsn(), None if asked == EVERY_SOURCE else asked)
        return [{"source": partition.source, **partition.place} for partition in found]

    @task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT, outlets=[REPLAYED])
    def announce(
        partitions: list[dict[str, str]] | None, ti: Any = None, outlet_events: Any = None
    ) -> list[str]:
        """Update the assets of the raw tables that this run changed. Returns their sources."""
        from include.jobs.pipeline import replay as job

        found = partitions or []
        changed = job.changed_sources(
            _planned(found),
            landings_of(ti, "replay", found),
            dsn=loader_dsn(),
            run_id=ti.run_id,
        )
        if not changed:
            raise AirflowSkipException("nothing was loaded, so nothing to announce")
        for source in changed:
            outlet_events[REPLAYED].add(Asset(f"raw.{source}"))
        return changed

    @task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT, multiple_outputs=False)
    def reconcile(partitions: list[dict[str, str]] | None, ti: Any = None) -> dict[str, int]:
        """Fail unless every planned partition has a successful ledger entry."""
        from include.jobs.pipeline import replay as job

        if partitions is None:
            raise PermanentError(f"{ti.dag_id}: `plan` failed, so nothing was done. See its log.")
        return job.reconcile(
            _planned(partitions),
            landings_of(ti, "replay", partitions),
            dsn=loader_dsn(),
            run_id=ti.run_id,
        )

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

`alert` sends alerts, where a contract has `alerts`, for late sources and for runs that were killed
or never started, and sends again what was not accepted before. It fails if a message is still not
accepted.
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

        return watch(dsn=postgres_dsn("wandle_transformer"))

    @task
    def alert() -> int:
        """Alert on late sources and on runs that sent no alert; returns the number of messages."""
        from include.jobs.alerts.check import check_all

        return check_all(dsn=loader_dsn(), airflow_url=airflow_url(), secret_of=secret_of)

    measure()
    alert()


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

Sources that are switched off or whose contract file is gone are included. `find_unknown_retention`
fails if no contract of a source is known.

`ops.removal` records what was deleted and why. **Trigger** it with *dry run* to only log it.

A new environment starts with this DAG paused, because it deletes. While it is paused, nothing is
deleted, and a run that is triggered stays queued.
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

    @task(outlets=[EMPTIED], multiple_outputs=False)
    def clean(
        params: Any = None, dag_run: Any = None, outlet_events: Any = None
    ) -> dict[str, dict[str, int]]:
        """Delete data past retention. Returns landings and bytes by source and reason."""
        from include.jobs.operate import housekeeping as job

        refuse_unknown_parameters(dag_run, ["dry_run"])
        delete = not params["dry_run"]
        counts = job.summary(job.housekeeping(lake=lake(), dsn=loader_dsn(), delete=delete))
        for source in sorted(counts):
            if delete and "expired" in counts[source]:
                outlet_events[EMPTIED].add(Asset(f"raw.{source}"))
        return counts

    @task(execution_timeout=BOOKKEEPING_TIMEOUT)
    def find_unknown_retention() -> None:
        """Fail if a source has data, but no contract that says how long to keep them."""
        from include.jobs.operate.housekeeping import refuse_unknown_retention

        refuse_unknown_retention(lake=lake(), dsn=loader_dsn())

    @task
    def clean_published(params: Any = None, dag_run: Any = None) -> list[str]:
        """Delete published versions past retention. Returns their names."""
        from include.jobs.publish.versions import expire

        refuse_unknown_parameters(dag_run, ["dry_run"])
        dsn = postgres_dsn("wandle_transformer")
        return expire(dsn=dsn, lake=lake(), delete=not params["dry_run"])

    clean()
    clean_published()
    find_unknown_retention()


def _planned(places: list[dict[str, str]]) -> list[Partition]:
    from include.jobs.pipeline import replay as job

    return [job.partition(**place) for place in places]


replay_quarantine()
freshness_watch()
housekeeping()
