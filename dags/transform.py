"""Raw tables -> staging -> marts -> dbt docs, whenever a raw table has changed.

Loads that are announced during a run wait for its end and then share the
next one. `freshness` reports, beside it, which source has not been looked at
for too long; it holds nothing back.
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

# Named as the tasks `announce` name them.
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
    description="raw -> staging -> marts -> dbt docs, by one dbt build a layer",
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
        """Build and test staging and intermediate models; a retry builds what failed."""
        from include.jobs.pipeline.transform import build

        return build("staging", dsn=_dsn(), run_id=ti.run_id)

    @task
    def marts(ti: Any = None) -> dict[str, Any]:
        """Build and test what people query; a retry builds what failed."""
        from include.jobs.pipeline.transform import build

        return build("marts", dsn=_dsn(), run_id=ti.run_id)

    @task
    def publish() -> str:
        """Put dbt's documentation where the plugin serves it from: its address."""
        from include.jobs.pipeline.transform import generate_docs

        return generate_docs(dsn=_dsn(), lake=_lake())

    @task
    def freshness() -> list[dict[str, Any]]:
        """When each source was last looked at, and whether it is late."""
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
    return Lake(s3=hook.conn, bucket=hook.service_config["bucket_name"])


transform()
