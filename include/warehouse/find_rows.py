"""Find single rows: in a raw table by its columns, in a mart by its grain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import psycopg

from include.errors import PermanentError
from include.sources.model import Contract
from include.sources.raw_table import expected_columns, qualified, quoted
from include.warehouse.connection import Cursor, rows


def raw_rows(
    cursor: Cursor, contract: Contract, wanted: Mapping[str, str], most: int
) -> tuple[int, list[dict[str, Any]]]:
    """How many rows of a raw table have these values, and the first of them.

    Raises `PermanentError` for an unknown column, and for a value that does
    not fit its type.
    """
    types = expected_columns(contract)
    where = _where(f"raw.{contract.name}", types, wanted)
    values = tuple(wanted.values())
    of_table = f"from {qualified(contract)} where {where}"
    query = f"select * {of_table} order by _council, _period, _landing_id, _record_no limit {most}"
    return _count(cursor, of_table, wanted, values), rows(cursor, query, *values)


def mart_row(
    cursor: Cursor, mart: str, grain: Mapping[str, str], wanted: Mapping[str, str]
) -> dict[str, Any]:
    """The single matching row of a mart. Raises `PermanentError` for none or several.

    `grain` are the columns that identify its rows, with their SQL types.
    """
    name = f"marts.{mart}"
    if not rows(cursor, "select to_regclass($1) is not null as there", name)[0]["there"]:
        raise PermanentError(f"explain: {name} is not built yet. Build it: `wandle transform`.")
    of_mart = f"from marts.{quoted(mart)} where {_where(name, grain, wanted)}"
    values = tuple(wanted.values())
    found = _count(cursor, of_mart, wanted, values)
    if found != 1:
        missing = ", ".join(column for column in grain if column not in wanted)
        more = f"Add `--key` for {missing}." if missing else "Check the value."
        raise PermanentError(f"explain: {found} rows of {name} match, expected 1. {more}")
    return rows(cursor, f"select * {of_mart}", *values)[0]


class Model(Protocol):
    """A model that a mart's rows are made of, as the mart's YAML file declares it."""

    @property
    def schema(self) -> str:
        """The schema that dbt builds it in."""

    @property
    def model(self) -> str:
        """Its name."""

    @property
    def where(self) -> str:
        """SQL that selects its rows, given the row `mart`."""


class Dimension(Model, Protocol):
    """A model that a mart's rows are joined with."""

    @property
    def newest(self) -> str:
        """The column by which the newest of them count; empty if all do."""


# A mart's row that is joined with more rows of a dimension would be several rows.
_MOST_JOINED = 10


def rows_of_model(
    cursor: Cursor,
    model: Model,
    mart: str,
    types: Mapping[str, str],
    row: Mapping[str, Any],
    most: int,
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """The rows of a model that a mart's row is made of: how many, and the first places.

    `types` are those of the mart's key. The rows are counted by landing; each place is
    `council`, `landing_id` and `record_no`. Raises `PermanentError` for a `where` that the
    database refuses.
    """
    values = tuple(str(row[name]) for name in types)
    found = f"from ({_selected(model, mart, types, '*')}) as found"
    with _declared(mart, "made_of", model):
        landings = rows(
            cursor,
            f"select landing_id, count(*) as records {found} group by landing_id order by 1",
            *values,
        )
        first = rows(
            cursor,
            f"select council, landing_id, record_no {found} "
            f"order by landing_id, record_no limit {most}",
            *values,
        )
    return {item["landing_id"]: item["records"] for item in landings}, first


def rows_of_dimension(
    cursor: Cursor,
    dimension: Dimension,
    mart: str,
    types: Mapping[str, str],
    row: Mapping[str, Any],
) -> list[dict[str, Any]]:
    """The places of the rows of a dimension that belong to a mart's row; `types` are of its key.

    `where` is SQL of the dbt project over the model's columns and those of the row, as
    `mart.<column>`. Of what it selects, only the rows with the newest value of the
    column `newest` count, if one is named. Raises `PermanentError` for a `where` that the
    database refuses.
    """
    rank = f"dense_rank() over (order by {quoted(dimension.newest)} desc)"
    columns = f"*, {rank if dimension.newest else 1} as place_of_newest"
    query = (
        f"select council, landing_id, record_no "  # noqa: S608, of the project
        f"from ({_selected(dimension, mart, types, columns)}) as found "
        f"where place_of_newest = 1 order by landing_id, record_no limit {_MOST_JOINED}"
    )
    with _declared(mart, "dimensions", dimension):
        return rows(cursor, query, *(str(row[name]) for name in types))


def _selected(model: Model, mart: str, types: Mapping[str, str], columns: str) -> str:
    """A select of the model's rows that belong to the mart's row with the key `$1`, `$2`, ..."""
    relation = ".".join(map(quoted, (model.schema, model.model)))
    return (
        f"select found.* "  # noqa: S608, of the project
        f"from (select * from marts.{quoted(mart)} where {_where(mart, types, types)}) as mart "
        f"cross join lateral (select {columns} from {relation} where {model.where}) as found"
    )


@contextmanager
def _declared(mart: str, word: str, model: Model) -> Iterator[None]:
    try:
        yield
    except psycopg.ProgrammingError as error:
        raise PermanentError(
            f"explain: marts.{mart}: `{word}`: {model.model}: "
            f"{str(error).splitlines()[0]}. Correct it in the mart's YAML file."
        ) from error


def _where(name: str, types: Mapping[str, str], wanted: Mapping[str, str]) -> str:
    """Compares each wanted column with `$1`, `$2`, ...; the names are those of `types`."""
    for column in wanted:
        if column not in types:
            raise PermanentError(
                f"explain: {name} has no column {column!r}. It has {', '.join(types)}."
            )
    return " and ".join(
        f"{quoted(column)} = ${number}::text::{types[column]}"
        for number, column in enumerate(wanted, start=1)
    )


def _count(cursor: Cursor, of_table: str, wanted: Mapping[str, str], values: Sequence[str]) -> int:
    try:
        return int(rows(cursor, f"select count(*) as found {of_table}", *values)[0]["found"])
    except psycopg.Error as error:
        # Class 22: a value that does not fit its column's type.
        if (error.sqlstate or "").startswith("22"):
            names = ", ".join(wanted)
            raise PermanentError(
                f"explain: a value of `--key` does not fit its column's type ({names}). Correct it."
            ) from None
        raise


def row_counts(cursor: Cursor) -> dict[str, int]:
    """The number of rows of each table in the schema `marts`, by name."""
    found = rows(
        cursor,
        "select table_name from information_schema.tables "
        "where table_schema = 'marts' and table_type = 'BASE TABLE' order by table_name",
    )
    counts = {}
    for row in found:
        query = f"select count(*) as count from marts.{quoted(row['table_name'])}"  # noqa: S608
        counted = rows(cursor, query)
        counts[row["table_name"]] = int(counted[0]["count"])
    return counts
