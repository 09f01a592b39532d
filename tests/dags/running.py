"""A run of a DAG in this process, and its result."""

from __future__ import annotations

from contextlib import redirect_stdout
from io import StringIO
from typing import Any


class Run:
    """A finished run: its state, those of its tasks by name and partition, and what it said."""

    def __init__(self, dag: Any, conf: dict[str, Any], create_session: Any) -> None:
        with redirect_stdout(StringIO()) as said:
            run = dag.test(logical_date=None, run_conf=conf)
        self.run_id, self.state, self.said = run.run_id, str(run.state), said.getvalue()
        self.states: dict[str, str] = {}
        self.tries: dict[str, int] = {}
        for ti in run.get_task_instances():
            name = ti.task_id.removeprefix("partition.")
            name += f" {ti.rendered_map_index}" if ti.map_index >= 0 else ""
            self.states[name], self.tries[name] = str(ti.state), ti.try_number
        self.announced = _announced(create_session, self.run_id)


def _announced(create_session: Any, run_id: str) -> list[str]:
    from airflow.models.asset import AssetEvent, AssetModel
    from sqlalchemy import select

    of_run = (
        select(AssetModel.name)
        .join(AssetEvent, AssetEvent.asset_id == AssetModel.id)
        .where(AssetEvent.source_run_id == run_id)
    )
    with create_session() as session:
        return list(session.scalars(of_run))
