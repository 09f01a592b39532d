"""A client for the parts of Airflow's REST API that the platform uses."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from include.errors import PermanentError, ServiceUnavailable

TIMEOUT_SECONDS = 30
PAGE = 100
FINISHED = ("success", "failed")
# The DAG file whose import error names broken contracts and councils.
DEFINITIONS = "definitions.py"
BEFORE_SCHEDULE = "before-the-first-scheduled-run"


class AirflowRefused(PermanentError):
    """Airflow returned an error; the message quotes it."""


class AirflowApi:
    """A logged-in session with one Airflow."""

    def __init__(self, url: str, user: str, password: str) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        retry = Retry(total=5, backoff_factor=0.3, status_forcelist=(502, 503, 504))
        self._session.mount("http://", HTTPAdapter(max_retries=retry))
        token = self._ask("POST", "/auth/token", {"username": user, "password": password})
        self._session.headers["Authorization"] = f"Bearer {token['access_token']}"

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at `/api/v2<path>`. Raises `AirflowRefused` or `ServiceUnavailable`."""
        return self._ask("GET", f"/api/v2{path}", None, query)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        """Create something. Raises as `get` does."""
        return self._ask("POST", f"/api/v2{path}", body)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        """Change something. Raises as `get` does."""
        return self._ask("PATCH", f"/api/v2{path}", body)

    def put(self, path: str, body: dict[str, Any]) -> Any:
        """Do something to a backfill. Raises as `get` does."""
        return self._ask("PUT", f"/api/v2{path}", body)

    def delete(self, path: str) -> None:
        """Delete something. Raises as `get` does."""
        self._ask("DELETE", f"/api/v2{path}", None)

    def listed(self, path: str, field: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every item of a paged listing."""
        offset = 0
        while True:
            page = self.get(path, limit=PAGE, offset=offset, **query)
            yield from page[field]
            offset += len(page[field])
            if offset >= page["total_entries"] or not page[field]:
                return

    def wait_for_dags(self, names: list[str], seconds: float) -> None:
        """Wait until every DAG is there. Raises with import errors or missing DAGs.

        Errors of contracts and councils do not count: the DAGs do without them.
        """
        end = time.monotonic() + seconds
        while True:
            found = {item["dag_id"] for item in self.listed("/dags", "dags")}
            missing = [name for name in names if name not in found]
            if not missing:
                return
            errors = [
                error
                for error in self.get("/importErrors")["import_errors"]
                if not error["filename"].endswith(DEFINITIONS)
            ]
            if errors:
                raise AirflowRefused(
                    f"airflow: {errors[0]['filename']} cannot be imported:\n"
                    f"{errors[0]['stack_trace']}"
                )
            if time.monotonic() > end:
                raise ServiceUnavailable(
                    f"airflow: DAGs missing after {seconds:.0f} s: {', '.join(missing)}. "
                    "Check the dag-processor (`wandle status`, and its log)."
                )
            time.sleep(0.3)

    def unpause(self, dag_id: str, *, if_new: bool = False) -> None:
        """Unpause a DAG from its next run on, without catching up.

        A DAG that is unpaused for the first time would at once run the newest
        complete interval. A finished run in its place prevents that. With
        `if_new`, a DAG that has runs stays paused: a person has paused it.
        """
        dag = self.get(f"/dags/{dag_id}/details")
        if not dag["is_paused"]:
            return
        new = not self.get(f"/dags/{dag_id}/dagRuns", limit=1)["total_entries"]
        if if_new and not new:
            return
        due = dag["next_dagrun_logical_date"]
        if due and new:
            self.post(
                f"/dags/{dag_id}/dagRuns",
                {
                    "dag_run_id": BEFORE_SCHEDULE,
                    "logical_date": due,
                    "data_interval_start": dag["next_dagrun_data_interval_start"],
                    "data_interval_end": dag["next_dagrun_data_interval_end"],
                    "note": "Created by `wandle up`: scheduled runs start after this one.",
                },
            )
            self.patch(f"/dags/{dag_id}/dagRuns/{BEFORE_SCHEDULE}", {"state": "success"})
        self.patch(f"/dags/{dag_id}", {"is_paused": False})

    def error_of(self, task: dict[str, Any]) -> str:
        """The error of a failed task instance."""
        run = quote(task["dag_run_id"], safe="")
        log = self.get(
            f"/dags/{task['dag_id']}/dagRuns/{run}/taskInstances/{task['task_id']}"
            f"/logs/{max(task['try_number'], 1)}",
            map_index=task["map_index"],
        )
        events = [item for item in log["content"] if isinstance(item, dict)]
        for item in reversed(events):
            for detail in item.get("error_detail") or ():
                return f"{detail['exc_type']}: {detail['exc_value']}"
        errors = [item["event"] for item in events if item.get("level") in ("error", "critical")]
        return errors[-1] if errors else "no error in its log; see the task in the UI"

    def _ask(
        self,
        method: str,
        path: str,
        body: dict[str, Any] | None,
        query: dict[str, Any] | None = None,
    ) -> Any:
        try:
            response = self._session.request(
                method, self._url + path, json=body, params=query, timeout=TIMEOUT_SECONDS
            )
        except requests.RequestException as error:
            raise ServiceUnavailable(
                f"airflow: no response from {self._url}{path} ({type(error).__name__}). "
                "Check that the platform is running (`wandle status`)."
            ) from error
        if not response.ok:
            raise AirflowRefused(
                f"airflow: HTTP {response.status_code} for {method} {path}: {response.text[:500]}"
            )
        return response.json() if response.content else None
