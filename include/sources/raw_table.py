"""The raw table of a contract: its columns, their PostgreSQL types, and valid names for them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from itertools import product

from include.definitions import NAME_PATTERN
from include.sources.columns import SYSTEM_COLUMNS, Column
from include.sources.extract.http import Extract
from include.sources.model import Contract

SCHEMA = "raw"
# Fields that the contract does not name, as one JSON object.
EXTRA = "_extra"

# Columns that trace a row to its bytes in S3.
LINEAGE = {
    "_council": "text",
    "_period": "date",
    "_landing_id": "text",
    "_record_no": "bigint",
}
LINEAGE_NOTES = {
    EXTRA: "Fields not in the contract; always empty for sources with personal data.",
    "_council": "The council of the row; `uk` for sources without a council.",
    "_period": "First day of the period of the row.",
    "_landing_id": "The landing in S3 that the row was loaded from.",
    "_record_no": "The record's number in that landing, from 1.",
}

# Names in staging models of the columns that every raw table has; `_period` by its grain.
STAGED = {
    "_council": "council",
    "_period of a day": "day",
    "_period of a month": "month",
    "_landing_id": "landing_id",
    "_record_no": "record_no",
}

_SQL_TYPES = {"integer": "bigint", "double": "double precision"}


def sql_type(type_name: str) -> str:
    """The PostgreSQL type of a contract's type."""
    return _SQL_TYPES.get(type_name, type_name)


def lineage(contract: Contract) -> dict[str, str]:
    """The columns that trace a row, and their types: `_period` of an hour is a moment."""
    return LINEAGE | ({"_period": "timestamptz"} if contract.period == "hour" else {})


def lineage_notes(contract: Contract) -> dict[str, str]:
    """The descriptions of the columns that every raw table has."""
    of_hour = {"_period": "The hour of the row, in UTC."} if contract.period == "hour" else {}
    return LINEAGE_NOTES | of_hour


def expected_columns(contract: Contract) -> dict[str, str]:
    """Every column of the raw table and its PostgreSQL type, in order."""
    return {
        **{column.name: sql_type(column.type) for column in contract.raw_columns()},
        EXTRA: "jsonb",
        **lineage(contract),
    }


def renames(contract: Contract) -> dict[str, str]:
    """The columns of the raw table that had another name before: name to earlier name."""
    return {
        column.name: column.renamed_from for column in contract.raw_columns() if column.renamed_from
    }


def before_renames(contract: Contract) -> Iterator[Contract]:
    """The contract with the earlier names, but loading the same values.

    There are several: a path that is the column's name need not be written.
    """
    before = renames(contract)
    update: dict[str, object] = {"key": tuple(before.get(name, name) for name in contract.key)}
    if before and isinstance(contract.extract, Extract) and contract.extract.archive:
        archive = contract.extract.archive
        paths = {before.get(name, name): path for name, path in archive.paths.items()}
        moved = archive.model_copy(update={"paths": paths})
        update["extract"] = contract.extract.model_copy(update={"archive": moved})
    for columns in product(*(_before(column) for column in contract.columns)):
        yield contract.model_copy(update=update | {"columns": columns})


def _before(column: Column) -> list[Column]:
    if not column.renamed_from:
        return [column]
    path = column.path or ("" if column.request or column.position else column.name)
    earlier = {"name": column.renamed_from, "renamed_from": ""}
    paths = [path, ""] if path == column.renamed_from else [path]
    return [column.model_copy(update=earlier | {"path": path}) for path in paths]


def quoted(name: str) -> str:
    """An identifier as quoted SQL text, so that `user` and `order` are columns.

    For drivers that accept only text; elsewhere use `psycopg.sql.Identifier`.
    """
    return '"' + name.replace('"', '""') + '"'


def table_of(source: str) -> str:
    """The raw table of a source as SQL text."""
    return f"{SCHEMA}.{quoted(source)}"


def qualified(contract: Contract) -> str:
    """The raw table of a contract as SQL text."""
    return table_of(contract.name)


def of_partition(contract: Contract, verb: str) -> str:
    """`verb` the rows of one partition of the raw table; `$1` its council, `$2` its first day."""
    return of_place(contract.name, verb)


def of_place(source: str, verb: str) -> str:
    """The same of a source that may have no contract."""
    return f"{verb} from {table_of(source)} where _council = $1 and _period = $2"


# Leaves room for a number after a name that is taken.
_BASE = 40


def column_name(field: Sequence[str], taken: Collection[str]) -> str:
    """A name for the field at this path, given as its parts, that is not in `taken`.

    The last part in snake case; if that is taken or reserved, preceded by the
    other parts, then followed by a number. `field` for a name without ASCII
    letters.
    """
    unusable = {*taken, *STAGED.values(), *SYSTEM_COLUMNS}
    parts = [found for found in map(_snake_case, field) if found]
    for count in range(1, len(parts) + 1):
        name = "_".join(parts[-count:])
        if NAME_PATTERN.fullmatch(name) and name not in unusable:
            return name
    base = "_".join(parts)
    base = base if base[:1].isalpha() else f"field_{base}"
    base = base[:_BASE].strip("_")
    for name in (base, f"{base}_field"):
        if name not in unusable:
            return name
    number = 2
    while f"{base}_{number}" in unusable:
        number += 1
    return f"{base}_{number}"


def _snake_case(part: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", part)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
