"""Import once what every task needs, before task processes are forked.

The LocalExecutor forks task processes from the scheduler, a Celery worker from
itself. Without this, each task spends more than a second of CPU time on the same
imports. List only modules that start no threads but those of jemalloc, which
survive a fork: polars and Arrow start theirs when they first compute.

A task must run edited code: if a file of the project has changed since it was
imported, what is forked forgets all of the project's modules, and imports them again.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
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
    "obstore",
    "openlineage.client.client",
    "orjson",
    "polars",
    "psycopg",
    "pyarrow.compute",
    "pydantic_settings",
    "pyrate_limiter",
    "requests",
    "shapely",
    "sqlglot.optimizer.qualify",
    "tenacity",
    "xxhash",
    "yaml",
)
# What tasks import of the project. Reads no contract, council or setting.
OURS = (
    "dags._form",
    "include.jobs.alerts.check",
    "include.jobs.aws.serverless",
    "include.jobs.pipeline.extract",
    "include.jobs.pipeline.load",
    "include.jobs.pipeline.plan",
    "include.jobs.pipeline.reconcile",
    "include.jobs.pipeline.removed",
    "include.jobs.pipeline.transform",
    "plugins.inbox_events",
    "plugins.period_timetable",
)
_PACKAGES = ("dags", "include", "plugins")


def __getattr__(name: str) -> dict[str, Any]:
    """`CELERY_CONFIG`, for `[celery] celery_config_options`; Celery is imported only for it."""
    if name != "CELERY_CONFIG":
        raise AttributeError(name)
    from airflow.providers.celery.executors.default_celery import DEFAULT_CELERY_CONFIG

    return {**DEFAULT_CELERY_CONFIG, "imports": MODULES}


class Preload:
    """Imports `MODULES` and `OURS` when a scheduler with the LocalExecutor starts."""

    @hookimpl
    def on_starting(self, component: object) -> None:
        """Called before the executor starts its workers, and again in each task."""
        if "scheduler" not in sys.argv[1:] or conf.get("core", "executor") != "LocalExecutor":
            return
        for module in MODULES:
            importlib.import_module(module)
        from airflow.sdk.execution_time.task_runner import TaskRunnerMarker

        if not isinstance(component, TaskRunnerMarker):
            # Loads the CA certificates, which the clients of all tasks then share.
            Client(base_url="http://127.0.0.1", token="")
            import_ours()


def import_ours() -> None:
    """Import what tasks need of the project; what is forked later forgets it if it was edited.

    Also if a file is broken: what it had imported until then may be edited, too.
    """
    try:
        for module in OURS:
            importlib.import_module(module)
    finally:
        files = {file: _version(file) for name in _ours() if (file := sys.modules[name].__file__)}
        os.register_at_fork(after_in_child=lambda: _forget_edited(files))


def _forget_edited(files: Mapping[str, tuple[int, int] | None]) -> None:
    """Drop all of the project's modules if one of these files is not as it was imported."""
    if any(_version(file) != version for file, version in files.items()):
        for name in _ours():
            del sys.modules[name]


def _ours() -> list[str]:
    return [name for name in sys.modules if name.partition(".")[0] in _PACKAGES]


def _version(file: str) -> tuple[int, int] | None:
    try:
        found = os.stat(file)  # noqa: PTH116, a sixth of the time of a Path
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


class PreloadPlugin(AirflowPlugin):
    """Registers the listener."""

    name = "preload"
    listeners = [Preload()]  # noqa: RUF012
