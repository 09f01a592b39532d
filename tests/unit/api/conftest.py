"""A dataset in memory, as the read API holds it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from include.api.data.columns import column_of
from include.api.data.dataset import Dataset
from include.api.data.values import type_of
from include.publish.types import kind_of
from tests.api_tables import every_type
from tests.published_version import Table


def in_memory(table: Table) -> Dataset:
    """The dataset of a table."""
    rows: pa.Table = table.arrow
    columns = {
        name: column_of(
            name,
            type_of(rows.schema.field(name).type, is_json=kind_of("t", name, type_).is_json),
            f"Its {name}.",
            rows.column(name),
        )
        for name, type_ in table.types.items()
    }
    about = {"title": "T", "description": "T", "key": table.key, "files": {"csv": "x"}}
    return Dataset("things", "c" * 64, rows.num_rows, columns, about)


@pytest.fixture(scope="session")
def table() -> Table:
    return every_type()


@pytest.fixture(scope="session")
def dataset(table) -> Dataset:
    return in_memory(table)
