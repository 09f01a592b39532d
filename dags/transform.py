"""Raw tables -> staging -> marts -> open data and dbt docs, whenever a raw table has changed.

Only what changed is built: models whose code has changed, and the partitions whose load no
earlier run has covered. If that is nothing, a run builds nothing, and publishes no new version.

A model that fails holds back only what depends on it: everything else is
built and published, and `reconcile` fails the run and names what failed and
what is stale because of it. Loads that finish during a run share the next one.
`freshness` reports sources that have not been checked for too long; it does
not block the build. `alert` notifies the recipients in the contracts about failures.

With `WANDLE_PUBLISH_APPROVAL_HOURS`, `approve` asks a person before a publication goes out, under
*Required Actions*, and shows what would change. Refused, or not answered in time, nothing is
published and the run fails. The next run waits for the answer.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, AssetAny, Param, dag, task

from dags._tasks import (
    APPROVAL,
    APPROVED,
    BOOKKEEPING_TIMEOUT,
    DEFAULTS,
    alert_of_transform,
    error_kept,
    lake,
    postgres_dsn,
)
from include.settings import Settings
from include.sources.model import broken_contracts, contracts

# The assets that the `announce` tasks update; an event may still wait if a contract is broken.
RAW_TABLES = [Asset(f"raw.{source}") for source in sorted({*contracts(), *broken_contracts()})]

CONNECTION = "wandle_transformer"
# Reads only what is public.
PUBLISHER = "wandle_publisher"

APPROVAL_HOURS = Settings.read().publish_approval_hours


def _asking_first(built: Any, published: Any) -> None:
    """Let `published` follow `built`, once a person has approved it if the settings say so."""
    if APPROVAL_HOURS:
        from dags._approval import approval_to_publish

        built >> approval_to_publish(APPROVAL_HOURS, CONNECTION, PUBLISHER) >> published
    else:
        built >> published


def _approved(ti: Any) -> str | None:
    """The version that a person approved, empty if none; None if nobody is asked."""
    if not APPROVAL_HOURS:
        return None
    return str(ti.xcom_pull(task_ids=APPROVAL, key=APPROVED) or "")


@dag(
    description="raw -> staging -> marts -> open data and docs, one dbt build per layer",
    doc_md=__doc__,
    tags=["transform"],
    schedule=AssetAny(*RAW_TABLES),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS | {"retries": 2},
    params={
        "full_refresh": Param(
            False,
            type="boolean",
            title="Full refresh",
            description="Build everything, not only what changed. Needed after a raw table or a "
            "mart was edited by hand.",
        )
    },
)
def transform() -> None:
    @task(multiple_outputs=False)
    def staging(ti: Any = None, params: Any = None) -> dict[str, Any]:
        """Build and test what changed in the staging and intermediate models."""
        from include.jobs.pipeline.transform import build

        return build(
            "staging",
            dsn=postgres_dsn(CONNECTION),
            run_id=ti.run_id,
            full_refresh=params["full_refresh"],
        )

    @task(trigger_rule="all_done", multiple_outputs=False)
    def marts(ti: Any = None) -> dict[str, Any]:
        """Build and test what changed in the marts, unless it depends on a failure."""
        from include.jobs.pipeline.transform import build

        return build("marts", dsn=postgres_dsn(CONNECTION), run_id=ti.run_id)

    # What a person refused must not be published.
    @task(trigger_rule="all_success" if APPROVAL_HOURS else "all_done", multiple_outputs=False)
    def publish(ti: Any = None) -> dict[str, Any]:
        """Publish the open data, its dashboard and the dbt docs to S3.

        Marts that failed keep the files of the last version. Nothing is published twice.
        """
        from include.jobs.pipeline.transform import publish_all

        with error_kept(ti):
            return publish_all(
                dsn=postgres_dsn(CONNECTION),
                publisher_dsn=postgres_dsn(PUBLISHER),
                lake=lake(),
                run_id=ti.run_id,
                approved=_approved(ti),
            )

    @task(trigger_rule="all_done", execution_timeout=BOOKKEEPING_TIMEOUT)
    def reconcile(ti: Any = None) -> None:
        """Fail the run unless every model was built; names what failed and what is stale."""
        from include.jobs.pipeline.transform import refuse_unfinished

        refuse_unfinished(dsn=postgres_dsn(CONNECTION), run_id=ti.run_id)

    @task
    def freshness() -> list[dict[str, Any]]:
        """When each source was last checked, and whether it is late."""
        from include.jobs.pipeline.transform import freshness

        return freshness(dsn=postgres_dsn(CONNECTION))

    built, published, checked = marts(), publish(), reconcile()
    staging() >> built >> checked
    _asking_first(built, published)
    freshness()
    if any(contract.alerts.tell_of("failed") for contract in contracts().values()):
        [published, checked] >> alert_of_transform(CONNECTION).as_teardown()


transform()
