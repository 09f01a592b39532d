"""What a table holds, whatever loaded it: how many rows, and a sum over their typed values."""

from __future__ import annotations

from include.settings import Settings
from include.sources.model import Contract
from include.sources.raw_table import expected_columns
from tests.benchmarks.platform import run_sql

# Unknown fields, and which landing it was: the same records may be landed in several ways.
UNCOMPARED = {"_extra", "_landing_id"}

Contents = tuple[int, int]


def contents(settings: Settings, contract: Contract, table: str) -> Contents:
    """Rows, and the sum of their hashes: equal for the same rows in any order.

    Each column is cast to its type in the raw table; one that the table does
    not have counts as null.
    """
    schema, _, name = table.partition(".")
    found = run_sql(
        settings,
        "select attname from pg_attribute a where a.attnum > 0 and not a.attisdropped "
        f"and a.attrelid = to_regclass('{schema}.{name}')",
    )
    there = {str(row[0]) for row in found}
    values = ", ".join(
        f"{column if column in there else 'null'}::{type_name}"
        for column, type_name in expected_columns(contract).items()
        if column not in UNCOMPARED
    )
    summed = f"coalesce(sum(hashtextextended(row({values})::text, 0)::numeric), 0)"
    rows, total = run_sql(settings, f"select count(*), {summed} from {table}")[0]
    return int(rows), int(total)  # type: ignore[call-overload]
