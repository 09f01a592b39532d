"""The DAG files can be read, and there is one DAG for each contract."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from pathlib import Path

# Airflow makes its folder when it is imported.
os.environ["AIRFLOW_HOME"] = tempfile.mkdtemp(prefix="airflow.")
os.environ["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"

from airflow.sdk import DAG

from new_project.contract import contracts

FILE = Path(__file__).parents[2] / "dags" / "ingest.py"


def test_each_contract_has_a_dag_that_loads_before_it_transforms(monkeypatch):
    found: dict[str, DAG] = {}
    spec = importlib.util.spec_from_file_location("ingest", FILE)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for contract in contracts().values():
        dag = module.ingest_dag(contract)
        found[dag.dag_id] = dag

    assert found
    for dag in found.values():
        assert dag.doc_md
        assert [task.task_id for task in dag.topological_sort()] == ["load", "transform"]
