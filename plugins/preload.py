"""Import once what every task needs, before task processes are forked.

The LocalExecutor forks task processes from the scheduler, a Celery worker from
itself. Without this, each task spends about a second of CPU time on the same
imports. List only third-party modules that start no threads (a fork does not
copy threads), and nothing from `include`: the next task must run edited code.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from airflow.configuration import conf
from airflow.listeners import hookimpl
from airflow.plugins_manager import AirflowPlugin
from airflow.sdk.api.client import Client

MODULES = (
    "airflow.dag_processing.dagbag",
    "airflow.providers.amazon.aws.hooks.s3",
    "airflow.providers.postgres.hooks.postgres",
    "airflow.providers.standard.decorators.python",
    "airflow.sdk.api.client",
    "airflow.sdk.definitions.decorators",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_mapping",
    "airflow.sdk.execution_time.task_runner",
    "boto3",
    "ijson",
    "msgspec",
    "openlineage.client.client",
    "orjson",
    "psycopg",
    "pydantic_settings",
    "pyrate_limiter",
    "requests",
    "shapely",
    "sqlglot.optimizer.qualify",
    "tenacity",
    "yaml",
)


def __getattr__(name: str) -> dict[str, Any]:
    """`CELERY_CONFIG`, for `[celery] celery_config_options`; Celery is imported only for it."""
    if name != "CELERY_CONFIG":
        raise AttributeError(name)
    from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG

    return {**DEFAULT_CELERY_CONFIG, "imports": MODULES}


class Preload:
    """Imports `MODULES` when a scheduler with the LocalExecutor starts."""

    @hookimpl
    def on_starting(self, component: object) -> None:
        """Called before the executor starts its workers."""
        if "scheduler" in sys.argv[1:] and conf.get("core", "executor") == "LocalExecutor":
            for module in MODULES:
                importlib.import_module(module)
            # Loads the CA certificates, which the clients of all tasks then share.
            Client(base_url="http://127.0.0.1", token="")


class PreloadPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "preload"
    listeners = [Preload()]  # noqa: RUF012
