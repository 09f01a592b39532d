"""The history of a DAG in a running Airflow, and its deletion."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from include.errors import ServiceUnavailable
from include.local.services.airflow_api import FINISHED, AirflowApi

# A file is parsed again every 30 seconds at most; a busy machine takes longer.
PARSED_SECONDS = 120.0
# All DAGs that one parse of a file finds are written together.
SAME_PARSE = timedelta(seconds=1)


@dataclass(frozen=True)
class DagRuns:
    """The number of a DAG's runs, and the IDs of those that have not finished."""

    dag_id: str
    runs: int
    active: tuple[str, ...]


class AirflowDags:
    """The DAGs of one Airflow."""

    def __init__(self, api: AirflowApi) -> None:
        self._api = api

    def history(self, dag_id: str) -> DagRuns | None:
        """What Airflow has of the DAG; None if it does not know it. Raises as the API does."""
        if self._dag(dag_id) is None:
            return None
        # Of all DAGs, since Airflow may have forgotten the structure of one that is gone.
        found = self._api.listed("/dags/~/dagRuns", "dag_runs", dag_id_pattern=dag_id)
        runs = [run for run in found if run["dag_id"] == dag_id]
        active = [run["dag_run_id"] for run in runs if run["state"] not in FINISHED]
        return DagRuns(dag_id, len(runs), tuple(active))

    def pause(self, dag_id: str) -> None:
        """Start no further scheduled runs."""
        self._api.patch(f"/dags/{quote(dag_id, safe='')}", {"is_paused": True})

    def delete(self, dag_id: str, seconds: float = PARSED_SECONDS) -> None:
        """Delete a DAG whose definition is gone, once Airflow has noticed that.

        Otherwise, a parse that is under way would bring it back. Raises
        `ServiceUnavailable` if its file still defines it after so many seconds.
        """
        end = time.monotonic() + seconds
        while (dag := self._dag(dag_id)) and self._is_defined(dag):
            if time.monotonic() > end:
                raise ServiceUnavailable(
                    f"airflow: the DAG {dag_id} is still there after {seconds:.0f} s, although its "
                    "contract is gone. Check the dag-processor (`wandle status`, and its log), "
                    "then run the same command again."
                )
            time.sleep(1)
        if dag:
            self._api.delete(f"/dags/{quote(dag_id, safe='')}")

    def _dag(self, dag_id: str) -> dict[str, Any] | None:
        found = self._api.listed("/dags", "dags", dag_id_pattern=dag_id, exclude_stale=False)
        return next((dag for dag in found if dag["dag_id"] == dag_id), None)

    def _is_defined(self, dag: dict[str, Any]) -> bool:
        """Whether the newest parse of the DAG's file found it."""
        if dag["is_stale"]:
            return False
        of_file = [
            datetime.fromisoformat(other["last_parsed_time"])
            for other in self._api.listed("/dags", "dags", exclude_stale=False)
            if other["fileloc"] == dag["fileloc"] and other["last_parsed_time"]
        ]
        parsed = dag["last_parsed_time"]
        return bool(parsed) and max(of_file) - datetime.fromisoformat(parsed) <= SAME_PARSE
