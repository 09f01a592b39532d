"""Whether the raw table in the database matches its contract."""

from __future__ import annotations

from collections.abc import Mapping

from include.errors import TableOutdated
from include.sources.model import Contract
from include.sources.raw_table import expected_columns


def differences(contract: Contract, found: Mapping[str, str]) -> list[str]:
    """How the table `found` (column to type) differs, in sentences."""
    said = []
    for name, type_name in expected_columns(contract).items():
        if name not in found:
            said.append(f"column {name} ({type_name}) is missing")
        elif found[name] != normal_type(type_name):
            said.append(f"column {name} is {found[name]}, expected {normal_type(type_name)}")
    return said


def normal_type(type_name: str) -> str:
    """A type as PostgreSQL's `format_type` writes it."""
    return {"timestamptz": "timestamp with time zone"}.get(type_name, type_name)


def require(contract: Contract, found: Mapping[str, str]) -> None:
    """Raise `TableOutdated` unless the table matches the contract."""
    said = differences(contract, found)
    if said:
        raise TableOutdated(
            f"raw.{contract.name}: {'; '.join(said)}. Run `wandle migrate`, then load again."
        )


COLUMNS_QUERY = """
select a.attname, format_type(a.atttypid, a.atttypmod)
from pg_attribute a
where a.attrelid = to_regclass($1) and a.attnum > 0 and not a.attisdropped
order by a.attnum
"""

# The rows that this session deleted in this transaction; the driver does not report them.
DELETED_QUERY = """
select n_tup_del as deleted from pg_stat_xact_user_tables where relid = to_regclass($1)
"""
