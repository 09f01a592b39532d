"""Run DAGs as a worker of an environment does: `python -m tests.aws.run_dag DAG_ID...`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

DAGS = Path(__file__).parents[2] / "dags"


def make_tables() -> Any:
    """Make Airflow's database, with the DAGs in it; the DAGs."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import DagBag, sync_bag_to_db
    from airflow.utils.db import initdb
    from airflow.utils.session import create_session

    initdb()
    bag = DagBag(dag_folder=DAGS)
    with create_session() as session:
        DagBundlesManager().sync_bundles_to_db(session=session)
    sync_bag_to_db(bag, "dags-folder", None)
    return bag


def main(dag_ids: list[str]) -> None:
    """Print the state of each DAG's run, as JSON, in the last line."""
    bag = make_tables()
    states = {
        dag_id: str(bag.get_dag(dag_id).test(logical_date=None, run_conf={}).state)
        for dag_id in dag_ids
    }
    print(json.dumps(states))  # noqa: T201


if __name__ == "__main__":
    main(sys.argv[1:])
