"""Raw tables -> staging -> marts -> dbt docs, whenever a raw table has changed.

Loads that finish during a run share the next one. `freshness` reports sources
that have not been checked for too long; it does not block the build.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    Asset,
    AssetAny,
    ExceptionRetryPolicy,
    RetryAction,
    RetryRule,
    dag,
    task,
)

from include.errors import PermanentError
from include.sources.model import contracts

if TYPE_CHECKING:
    from include.jobs.lake import Lake

# The assets that the `announce` tasks update.
RAW_TABLES = [Asset(f"raw.{source}") for source in contracts()]

DEFAULTS = {
    "owner": "data-team",
    "retries": 2,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 3,
    "max_retry_delay": timedelta(minutes=5),
    "retry_policy": ExceptionRetryPolicy(
        rules=[RetryRule(exception=PermanentError, action=RetryAction.FAIL)]
    ),
    "execution_timeout": timedelta(hours=2),
}


@dag(
    description="raw -> staging -> marts -> dbt docs, one dbt build per layer",
    doc_md=__doc__,
    tags=["transform"],
    schedule=AssetAny(*RAW_TABLES),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULTS,
)
def transform() -> None:
    @task
    def staging(ti: Any = None) -> dict[str, Any]:
        """Build and test staging and intermediate models; a retry builds only what failed."""
        from include.jobs.pipeline.transform import build

        return build("staging", dsn=_dsn(), run_id=ti.run_id)

    @task
    def marts(ti: Any = None) -> dict[str, Any]:
        """Build and test the marts; a retry builds only what failed."""
        from include.jobs.pipeline.transform import build

        return build("marts", dsn=_dsn(), run_id=ti.run_id)

    @task
    def publish() -> str:
        """Publish the dbt docs to S3, where the plugin serves them. Returns their address."""
        from include.jobs.pipeline.transform import generate_docs

        return generate_docs(dsn=_dsn(), lake=_lake())

    @task
    def freshness() -> list[dict[str, Any]]:
        """When each source was last checked, and whether it is late."""
        from include.jobs.pipeline.transform import freshness

        return freshness(dsn=_dsn())

    staging() >> marts() >> publish()
    freshness()


def _dsn() -> str:
    from airflow.providers.postgres.hooks.postgres import PostgresHook

    return PostgresHook("wandle_transformer", sqlalchemy_scheme="postgresql").get_uri()


def _lake() -> Lake:
    from airflow.providers.amazon.aws.hooks.s3 import S3Hook

    from include.jobs.lake import S3_CONFIG, Lake

    hook = S3Hook("wandle_s3", config=S3_CONFIG)
    bucket = hook.service_config["bucket_name"]
    return Lake(s3=hook.conn, bucket=bucket, session=hook.get_session())


transform()
