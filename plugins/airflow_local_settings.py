"""Airflow's cluster policy: the tasks of backfills start after those of all other runs.

Airflow imports it by this name. The scheduler otherwise starts the tasks of the oldest logical
date first, so that scheduled and triggered runs would wait until a backfill has ended.
"""

from __future__ import annotations

from typing import Any

__all__ = ["task_instance_mutation_hook"]


def task_instance_mutation_hook(task_instance: Any, dag_run: Any) -> None:
    """Give a backfill's tasks the lowest weight; all others have at least 1.

    By the type of the run, not by its ID: a backfill can take over a scheduled run. Airflow calls
    it again for the same task, at times without the run.
    """
    if dag_run is not None and dag_run.run_type == "backfill":
        task_instance.priority_weight = 0
