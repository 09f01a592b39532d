"""The local Airflow: its settings, four processes and metadata database."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Collection
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from dotenv import dotenv_values

from include.jobs.logins import FILE
from include.local import processes
from include.local.home import HOST, port, write_private
from include.local.processes import PlatformFailed, Service
from include.local.services.airflow_api import AirflowApi
from include.local.services.object_store import python_environment
from include.local.services.postgres import airflow_migrated_for, note_airflow_migrated
from include.local.state import (
    as_variables,
    own_connections,
    read_secrets,
    server_of,
    source_connections,
)
from include.settings import CHECKOUT, Settings
from include.sources.model import contracts

# Tasks get what the jobs need, never the superuser's DSN.
FOR_TASKS = (
    *("home", "port_base", "sandbox_url", "sandbox_hosts", "bucket", "s3_endpoint"),
    *(
        "s3_access_key",
        "s3_secret_key",
        "region",
        "loader_dsn",
        "transformer_dsn",
        "portal_dsn",
        "reader_dsn",
        "publisher_dsn",
    ),
    *("airflow_url", "pseudonym_key"),
)

# Time for a new platform to parse its DAGs.
DAGS_SECONDS = 60.0

PROCESSES = ("api-server", "scheduler", "dag-processor", "triggerer")
HEALTH_NAMES = {
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}


# Settings for every environment; the others are below and in docker-compose.yaml.
SHARED = Path(__file__).parents[1] / "airflow.env"


def airflow_environment(settings: Settings) -> dict[str, str]:
    """All environment variables of Airflow: its own settings and those of the jobs."""
    environment = shared_environment() | as_variables(settings, FOR_TASKS)
    environment["AIRFLOW_HOME"] = str(settings.home / "airflow")
    if settings.live:
        environment["WANDLE_LIVE"] = "1"
    if settings.given_code_version:
        environment["WANDLE_CODE_VERSION"] = settings.given_code_version
    for name, connection in connections(settings).items():
        environment[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection)
    for name, url in own_connections(settings).items():
        # Airflow reads such a URL, too.
        environment[f"AIRFLOW_CONN_{name.upper()}"] = url
    for found in (_configuration(settings), secret_configuration(settings)):
        for section, options in found.items():
            for option, value in options.items():
                environment[f"AIRFLOW__{section}__{option}".upper()] = value
    return environment


def shared_environment() -> dict[str, str]:
    """Airflow's settings for every environment."""
    return {name: value or "" for name, value in dotenv_values(SHARED).items()}


def _configuration(settings: Settings) -> dict[str, dict[str, str]]:
    url = settings.need("airflow_url")
    folder = settings.home / "airflow"
    return {
        "core": {
            "executor": "LocalExecutor",
            "parallelism": "8",
            "dags_folder": str(CHECKOUT / "dags"),
            "plugins_folder": str(CHECKOUT / "plugins"),
            "execution_api_server_url": f"{url}/execution/",
            "simple_auth_manager_passwords_file": str(folder / "passwords.json"),
        },
        "api": {
            "host": HOST,
            "port": str(port(settings.port_base, "airflow")),
            "base_url": url,
        },
        "logging": {"base_log_folder": str(folder / "logs")},
        # The secrets of sources, which may change while Airflow runs.
        "secrets": {
            "backend": "airflow.secrets.local_filesystem.LocalFilesystemBackend",
            "backend_kwargs": json.dumps({"connections_file_path": str(settings.home / FILE)}),
        },
    }


def secret_configuration(settings: Settings) -> dict[str, dict[str, str]]:
    """Airflow's secret options, by section."""
    secrets = read_secrets(settings.home)
    database = f"airflow:{secrets['airflow_database']}@{server_of(settings)}/airflow"
    return {
        "core": {"fernet_key": secrets["airflow_fernet_key"]},
        "database": {"sql_alchemy_conn": f"postgresql+psycopg2://{database}"},
        "api": {"secret_key": secrets["airflow_api_secret_key"]},
        "api_auth": {"jwt_secret": secrets["airflow_jwt_secret"]},
    }


def connections(settings: Settings) -> dict[str, dict[str, Any]]:
    """The connections of the tasks, by name."""
    s3 = {
        "conn_type": "aws",
        "login": settings.need("s3_access_key"),
        "password": settings.need("s3_secret_key"),
        "extra": {
            "endpoint_url": settings.need("s3_endpoint"),
            "region_name": settings.region,
            "service_config": {"s3": {"bucket_name": settings.bucket}},
        },
    }
    databases = source_connections(settings) | {
        "wandle_loader": settings.loader_dsn,
        "wandle_transformer": settings.transformer_dsn,
        "wandle_publisher": settings.publisher_dsn,
        "wandle_portal": settings.portal_dsn,
    }
    return {name: _postgres_connection(dsn) for name, dsn in databases.items()} | {"wandle_s3": s3}


def _postgres_connection(dsn: str) -> dict[str, Any]:
    parts = urlsplit(dsn)
    return {
        "conn_type": "postgres",
        "host": parts.hostname,
        "port": parts.port,
        "login": parts.username,
        "password": parts.password,
        "schema": parts.path.removeprefix("/"),
    }


def stop(home: Path, seconds: float) -> list[str]:
    """Stop the scheduler first: running tasks need the API server to finish."""
    stopped = processes.stop(home, PROCESSES[1:], signal.SIGTERM, seconds)
    return stopped + processes.stop(home, PROCESSES[:1], signal.SIGTERM, seconds)


def write_login(settings: Settings) -> None:
    """Set the login password before Airflow generates and prints one."""
    path = settings.home / "airflow" / "passwords.json"
    text = json.dumps({settings.airflow_user: settings.airflow_password}) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_private(path, text)


def installed() -> str:
    """The version of the installed Airflow."""
    return version("apache-airflow-core")


def migrate_metadata(settings: Settings) -> bool:
    """Migrate the metadata database to the installed Airflow; False if already up to date.

    Raises `PlatformFailed`, for example if a newer Airflow has migrated it before.
    """
    before = airflow_migrated_for(settings)
    if before == installed():
        return False
    done = subprocess.run(
        (sys.executable, "-m", "airflow", "db", "migrate"),
        env=python_environment() | airflow_environment(settings),
        cwd="/",
        capture_output=True,
        text=True,
        timeout=300,
    )
    if done.returncode != 0:
        end = "\n".join((done.stderr or done.stdout).splitlines()[-15:])
        raise PlatformFailed(
            f"airflow: `airflow db migrate` from {before or 'nothing'} to {installed()} failed. "
            "To go back to an older version, see docs/tutorials/upgrade-airflow.md. Last lines "
            f"of the output:\n{end}"
        )
    note_airflow_migrated(settings, installed())
    return True


def services(settings: Settings) -> list[Service]:
    """Airflow's processes. The health of the three without a port comes from the API server."""
    environment = python_environment() | airflow_environment(settings)
    return [_service(settings, name, environment) for name in PROCESSES]


def _service(settings: Settings, name: str, environment: dict[str, str]) -> Service:
    has_log_server = name in ("scheduler", "triggerer")
    # Logs are read from the folder; Airflow's log servers would listen on all addresses.
    options = ("--skip-serve-logs",) if has_log_server else ()
    url = settings.need("airflow_url")
    return Service(
        name=name,
        command=(sys.executable, "-m", "airflow", name, *options),
        environment=environment,
        address=url if name == "api-server" else "",
        answers=_is_up(url, name),
        port=port(settings.port_base, "airflow") if name == "api-server" else None,
        start_seconds=120,
        poll_seconds=0.25,
    )


def _is_up(url: str, name: str) -> Callable[[datetime], bool]:
    def answers(began: datetime) -> bool:
        try:
            health = _get(f"{url}/api/v2/monitor/health").json()
            if name == "api-server":
                # The first request to the execution API builds it, which takes seconds.
                tasks = _get(f"{url}/execution/health").ok
                return tasks and health["metadatabase"]["status"] == "healthy"
        except (requests.RequestException, ValueError):
            return False
        part = HEALTH_NAMES[name]
        beat = health[part][f"latest_{part}_heartbeat"]
        return beat is not None and datetime.fromisoformat(beat) >= began

    return answers


def open_schedules(
    settings: Settings, sources: Collection[str] | None = None, left_out: Collection[str] = ()
) -> None:
    """Unpause the DAGs of `sources` from their next run on, without catching up.

    By default every new DAG but `housekeeping`, which deletes, and those of the
    sources `left_out`. Raises `AirflowRefused` with the first import error, if
    there is one.
    """
    api = _api(settings)
    names = [f"ingest_{name}" for name in sources or contracts() if name not in left_out]
    if sources is None:
        names += ["transform", "freshness_watch", "replay_quarantine"]
    api.wait_for_dags(names, DAGS_SECONDS)
    for name in names:
        api.unpause(name, if_new=sources is None)


def paused_dags(settings: Settings) -> list[str]:
    """The DAGs that are paused. Raises `ServiceUnavailable` or `AirflowRefused`."""
    found = _api(settings).listed("/dags", "dags", paused=True)
    return sorted(dag["dag_id"] for dag in found)


def _api(settings: Settings) -> AirflowApi:
    return AirflowApi(
        settings.need("airflow_url"), settings.airflow_user, settings.airflow_password
    )


def _get(url: str) -> requests.Response:
    return requests.get(url, timeout=30, proxies={"no_proxy": HOST})
