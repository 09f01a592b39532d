"""What dlt's two ways have in common."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.benchmarks.contenders import SCHEMA, Task
from tests.benchmarks.contenders.rows import COLUMNS
from tests.benchmarks.contracts import contract_of
from tests.benchmarks.readings import SOURCE

TYPES: dict[str, dict[str, Any]] = {
    "text": {"data_type": "text"},
    "bigint": {"data_type": "bigint"},
    "date": {"data_type": "date"},
    "timestamptz": {"data_type": "timestamp"},
    "numeric(16,6)": {"data_type": "decimal", "precision": 16, "scale": 6},
}


def hints() -> dict[str, Any]:
    """The raw table's types in dlt's terms."""
    from include.sources.raw_table import expected_columns

    types = expected_columns(contract_of(SOURCE))
    return {name: TYPES[types[name]] for name in COLUMNS}


def warm_up(task: Task, data: Any, file_format: Any = None) -> None:
    """Load one row elsewhere: dlt imports the half of itself when it is first used."""
    made = pipeline(f"{task.contender}_warm_up")
    made.run(data, table_name="warm_up", loader_file_format=file_format).raise_on_failed_jobs()


def pipeline(name: str) -> Any:
    """A pipeline without a past, in the state folder."""
    import dlt

    from include.settings import Settings

    settings = Settings.read()
    os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
    os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
    made = dlt.pipeline(
        name,
        pipelines_dir=str(Path(settings.home) / "dlt"),
        destination=dlt.destinations.postgres(settings.admin_dsn),
        dataset_name=SCHEMA,
    )
    made.drop()
    return made
