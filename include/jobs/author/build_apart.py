"""Build the models into schemas of a developer's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from include.sources.model import contracts
from include.transform.diff.apart import BuiltApart, build_apart
from include.transform.diff.own_schemas import locked
from include.transform.history import connection
from include.transform.process import Dbt
from include.transform.project import FOLDER


def transform(
    *, dsn: str, prefix: str, home: Path, report: Callable[[str], None], project: Path = FOLDER
) -> dict[str, Any]:
    """Build every model into the schemas of a prefix; returns the counts of each layer.

    Publishes and records nothing. Raises `BuildFailed` naming what failed,
    `PermanentError` if the role may not create these schemas, and
    `ServiceUnavailable` if something is being built there.
    """
    with (
        Dbt(dsn=dsn, home=home, progress=report, project=project, schema_prefix=prefix) as dbt,
        locked(dsn, prefix),
        connection(dsn) as opened,
    ):
        return {built.layer: _summary(built) for built in build_apart(dbt, opened, contracts())}


def _summary(built: BuiltApart) -> dict[str, Any]:
    return {
        "layer": built.layer,
        "nodes": len(built.results),
        "kept": 0,
        **Counter(result.status for result in built.results),
        "warnings": [
            f"{result.unique_id.split('.')[2]}: {result.message}"
            for result in built.results
            if result.status == "warn"
        ],
        "seconds": round(built.seconds, 1),
    }
