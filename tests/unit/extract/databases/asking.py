"""What a reader is asked for in these tests."""

from __future__ import annotations

from typing import Any

from include.extract.databases.reader import Asked
from include.sources.extract.database import DatabaseExtract
from include.sources.partition import Partition, Period

QUERY = "select * from t where opened >= %(period_start)s and council = %(council)s"


def asked(**changes: Any) -> Asked:
    """The rows of a day."""
    fields = {"kind": "database", "connection": "cases", "query": QUERY, "key": "id"} | changes
    extract = DatabaseExtract.model_validate(fields)
    where = Partition("gauges", "kingston", Period.parse("2026-11-02", "day"))
    return Asked(where, extract, 8 * 1024 * 1024, 60)
