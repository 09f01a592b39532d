"""One DAG for each contract: fetch and load it, then build the models. Nothing else is here."""

from __future__ import annotations

from datetime import datetime, timedelta

from airflow.sdk import DAG, dag, task

from new_project.contract import Contract, contracts


def ingest_dag(contract: Contract) -> DAG:
    """The DAG of a dataset."""

    @dag(
        dag_id=f"ingest_{contract.name}",
        description=contract.title,
        doc_md=f"{contract.description} Owner: {contract.owner}.\n\nOn failure: `docs/runbook.md`.",
        schedule=contract.schedule,
        start_date=datetime(2026, 1, 1),
        catchup=False,
        max_active_runs=1,
        default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
        tags=["ingest"],
    )
    def ingest() -> None:
        @task(execution_timeout=timedelta(minutes=30))
        def load() -> None:
            from new_project import jobs
            from new_project.settings import Settings

            jobs.ingest(Settings(), contract)

        @task(execution_timeout=timedelta(hours=1))
        def transform() -> None:
            from new_project import jobs
            from new_project.settings import Settings

            jobs.transform(Settings())

        load() >> transform()

    return ingest()


for each in contracts().values():
    ingest_dag(each)
