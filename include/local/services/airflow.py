"""Airflow on one machine: its settings, its four processes, its metadata database."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from dotenv import dotenv_values

from include.local import processes
from include.local.home import HOST, port, write_private
from include.local.processes import PlatformFailed, Service
from include.local.services.airflow_api import AirflowApi
from include.local.services.object_store import python_environment
from include.local.services.postgres import airflow_migrated_for, note_airflow_migrated
from include.local.state import as_variables, read_secrets, server_of, source_connections
from include.settings import CHECKOUT, Settings
from include.sources.model import contracts

# Tasks see what the jobs need, never the superuser's DSN.
FOR_TASKS = (
    *("home", "port_base", "sandbox_url", "bucket", "s3_endpoint", "s3_access_key"),
    *(
        "s3_secret_key",
        "region",
        "loader_dsn",
        "transformer_dsn",
        "portal_dsn",
        "reader_dsn",
    ),
    *("airflow_url", "pseudonym_key"),
)

# Until a fresh platform has read its DAGs.
DAGS_SECONDS = 60.0

PROCESSES = ("api-server", "scheduler", "dag-processor", "triggerer")
HEALTH_NAMES = {
    "scheduler": "scheduler",
    "dag-processor": "dag_processor",
    "triggerer": "triggerer",
}


# What Airflow is told in every environment; here and in docker-compose.yaml stands the rest.
SHARED = Path(__file__).parents[1] / "airflow.env"


def airflow_environment(settings: Settings) -> dict[str, str]:
    """Every variable that makes Airflow the platform's: its settings, and those of the jobs."""
    environment = shared_environment() | as_variables(settings, FOR_TASKS)
    environment["AIRFLOW_HOME"] = str(settings.home / "airflow")
    if settings.live:
        environment["WANDLE_LIVE"] = "1"
    if "code_version" in settings.model_fields_set:
        environment["WANDLE_CODE_VERSION"] = settings.code_version
    for name, connection in connections(settings).items():
        environment[f"AIRFLOW_CONN_{name.upper()}"] = json.dumps(connection)
    for found in (_configuration(settings), secret_configuration(settings)):
        for section, options in found.items():
            for option, value in options.items():
                environment[f"AIRFLOW__{section}__{option}".upper()] = value
    return environment


def shared_environment() -> dict[str, str]:
    """What Airflow is told in every environment."""
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
    }


def secret_configuration(settings: Settings) -> dict[str, dict[str, str]]:
    """The options of Airflow that are secret, by section."""
    secrets = read_secrets(settings.home)
    database = f"airflow:{secrets['airflow_database']}@{server_of(settings)}/airflow"
    return {
        "core": {"fernet_key": secrets["airflow_fernet_key"]},
        "database": {"sql_alchemy_conn": f"postgresql+psycopg2://{database}"},
        "api": {"secret_key": secrets["airflow_api_secret_key"]},
        "api_auth": {"jwt_secret": secrets["airflow_jwt_secret"]},
    }


def connections(settings: Settings) -> dict[str, dict[str, Any]]:
    """The connections that the tasks take, by name."""
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
    """Stop what schedules first: a task that is still running needs the API server to end well."""
    stopped = processes.stop(home, PROCESSES[1:], signal.SIGTERM, seconds)
    return stopped + processes.stop(home, PROCESSES[:1], signal.SIGTERM, seconds)


def write_login(settings: Settings) -> None:
    """Give the login its password before Airflow would make one up and print it."""
    path = settings.home / "airflow" / "passwords.json"
    text = json.dumps({settings.airflow_user: settings.airflow_password}) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_private(path, text)


def migrate_metadata(settings: Settings) -> bool:
    """Bring the metadata database to the installed Airflow's version; False if it already is."""
    installed = version("apache-airflow-core")
    if airflow_migrated_for(settings) == installed:
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
        raise PlatformFailed(f"airflow: `airflow db migrate` failed. Its last lines:\n{end}")
    note_airflow_migrated(settings, installed)
    return True


def services(settings: Settings) -> list[Service]:
    """Airflow's processes. The three without a port are asked for through the API server."""
    environment = python_environment() | airflow_environment(settings)
    return [_service(settings, name, environment) for name in PROCESSES]


def _service(settings: Settings, name: str, environment: dict[str, str]) -> Service:
    has_log_server = name in ("scheduler", "triggerer")
    # Logs are read from the folder; Airflow's log servers would listen on every address.
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
                # The first request to the tasks' API builds it, which takes seconds.
                tasks = _get(f"{url}/execution/health").ok
                return tasks and health["metadatabase"]["status"] == "healthy"
        except (requests.RequestException, ValueError):
            return False
        part = HEALTH_NAMES[name]
        beat = health[part][f"latest_{part}_heartbeat"]
        return beat is not None and datetime.fromisoformat(beat) >= began

    return answers


def open_schedules(settings: Settings) -> None:
    """Let every DAG run from its next time on; what a fresh platform missed is not made up for.

    Raises `AirflowRefused` with the first import error, if there is one.
    """
    api = AirflowApi(settings.need("airflow_url"), settings.airflow_user, settings.airflow_password)
    names = [f"ingest_{name}" for name in contracts()] + ["transform", "freshness_watch"]
    api.wait_for_dags(names, DAGS_SECONDS)
    for name in names:
        api.unpause(name)


def _get(url: str) -> requests.Response:
    return requests.get(url, timeout=30, proxies={"no_proxy": HOST})
