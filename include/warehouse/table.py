"""The raw table of a contract: its columns, their SQL, and whether the database has them."""

from __future__ import annotations

from collections.abc import Mapping

from include.errors import TableOutdated
from include.sources.model import Contract
from include.sources.partition import Partition
from include.warehouse.batch import EXTRA
from include.warehouse.typed import sql_type

SCHEMA = "raw"

# What leads a row back to its byte in S3, besides the contract's columns.
LINEAGE = {
    "_council": "text",
    "_period": "date",
    "_landing_id": "text",
    "_record_no": "bigint",
}
LINEAGE_NOTES = {
    EXTRA: "Fields that the contract does not name; none of personal data.",
    "_council": "The council that was asked for.",
    "_period": "First day of the period that was asked for.",
    "_landing_id": "The landing in S3 that the row was loaded from.",
    "_record_no": "The record's number in that landing, from 1.",
}


def lock_name(partition: Partition) -> str:
    """What the advisory lock is named after that whoever changes a partition holds."""
    return f"{SCHEMA}.{partition}"


def of_partition(contract: Contract, verb: str) -> str:
    """`verb` the rows of one partition of the raw table; `$1` its council, `$2` its first day.

    A contract's name is a plain identifier, checked when it is read.
    """
    return f"{verb} from {SCHEMA}.{contract.name} where _council = $1 and _period = $2"


def expected_columns(contract: Contract) -> dict[str, str]:
    """Every column of the raw table and its PostgreSQL type, in order."""
    return {
        **{column.name: sql_type(column.type) for column in contract.raw_columns()},
        EXTRA: "jsonb",
        **LINEAGE,
    }


def differences(contract: Contract, found: Mapping[str, str]) -> list[str]:
    """What the table `found` (column to type) lacks or has otherwise, in sentences."""
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
    """Raise `TableOutdated` unless the table is as the contract says."""
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

# What this session deletes from a table in this transaction; the driver does not tell.
DELETED_QUERY = """
select n_tup_del as deleted from pg_stat_xact_user_tables where relid = to_regclass($1)
"""
