"""Check contracts, councils, dbt's sources and the database's tables against each other."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from include.councils.model import Council, broken_councils, councils
from include.errors import PipelineError, ServiceUnavailable
from include.extract.requests import lacking
from include.sources.model import Contract, broken_contracts, contracts, every_contract
from include.sources.raw_table import SCHEMA, expected_columns
from include.transform import mart_rows
from include.transform.leftovers import built_without_model
from include.transform.project import FOLDER as DBT_PROJECT
from include.warehouse.connection import connect, rows
from include.warehouse.schema import raw_table

# Of the differences of a table, which the same command settles.
_SHOWN = 3
_WITHOUT_DATABASE = "set WANDLE_LOADER_DSN, or run `wandle up`"

TABLES_QUERY = """
select c.relname as name
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where n.nspname = 'raw' and c.relkind in ('r', 'p')
order by 1
"""


@dataclass(frozen=True)
class Validation:
    """What was compared, each difference, and why the database was not checked."""

    looked_at: tuple[str, ...]
    differences: tuple[str, ...]
    without_database: str = ""


def validate(dsn: str, *, project: Path = DBT_PROJECT) -> Validation:
    """Compare everything that must match; without a `dsn`, the database is not checked.

    A broken definition is a difference, and is compared with nothing else.
    """
    every, enabled, known = every_contract(), contracts(), councils()
    names = {*every, *broken_contracts()}
    said = [
        *map(str, (*broken_contracts().values(), *broken_councils().values())),
        *(line for contract in enabled.values() for line in of_councils(contract, known.values())),
        *between_councils(known.values()),
        *of_dbt(enabled, every, names, project),
        *mart_rows.undeclared(project),
        *of_dashboard(project),
    ]
    looked_at = [
        f"{len(every)} contracts ({len(enabled)} enabled)",
        f"{len(known)} councils",
        "dbt's sources and marts",
    ]
    if not dsn:
        return Validation(tuple(looked_at), tuple(said), _WITHOUT_DATABASE)
    try:
        said.extend(of_database(enabled, names, dsn, project))
    except ServiceUnavailable as error:
        return Validation(tuple(looked_at), tuple(said), str(error))
    except PipelineError as error:
        said.append(f"database: {error}")
    return Validation((*looked_at, "the database's tables"), tuple(said))


def of_councils(contract: Contract, known: Iterable[Council]) -> Iterator[str]:
    """What a contract needs from councils that one of them lacks."""
    for council in known:
        for missing in lacking(contract, council):
            file = f"include/councils/{council.name}.yaml"
            group, _, name = missing.partition(".")
            added = f"{group}: {{{name}: ...}}" if name else group
            yield (
                f"{file}: no `{missing}`, but requests of {contract.name} need it; add `{added}`"
            )


def between_councils(known: Iterable[Council]) -> Iterator[str]:
    """What two councils claim, so that their data would be loaded and counted twice."""
    owners: dict[str, str] = {}
    for council in known:
        file = f"include/councils/{council.name}.yaml"
        wards = {ward.code for ward_set in council.ward_sets for ward in ward_set.wards}
        shared = [code for code in (council.gss_code, *sorted(wards)) if code in owners]
        if shared:
            more = f" and {len(shared) - 1} more codes" if len(shared) > 1 else ""
            yield (
                f"{file}: {shared[0]}{more} are those of {owners[shared[0]]}: correct one of them, "
                "or remove it"
            )
        owners |= dict.fromkeys((council.gss_code, *wards), file)


def of_dbt(
    enabled: Mapping[str, Contract],
    every: Mapping[str, Contract],
    names: Collection[str],
    project: Path,
) -> Iterator[str]:
    """Where dbt's sources differ from the contracts; `names` has those of broken ones, too."""
    tables: dict[str, tuple[Path, Mapping[str, str]]] = {}
    for file in sorted(project.glob("models/**/_sources.yml")):
        where = file.relative_to(project.parent)
        try:
            listed = list(_dbt_tables(file))
        except (yaml.YAMLError, ValueError, AttributeError, KeyError, TypeError):
            yield f"{where}: differs from what `wandle sync` writes; run it to write the file again"
            return
        for name, columns in listed:
            if name in tables:
                yield f"{where}: table {name} is also in {tables[name][0]}"
            tables[name] = (where, columns)
    for name, (where, columns) in tables.items():
        if name not in names:
            yield f"{where}: table {name} has no contract include/sources/{name}.yaml"
        elif name in every and (said := [*_column_differences(every[name], columns)]):
            yield f"{where}: table {name}: {_first_of(said)}; run `wandle sync`"
    for name in sorted(enabled.keys() - tables.keys()):
        yield f"dbt_project: no source table for {name}; run `wandle sync`"


def _first_of(differences: list[str]) -> str:
    """The first few, and how many more: one command settles all of them."""
    more = len(differences) - _SHOWN
    return "; ".join(differences[:_SHOWN]) + (f" and {more} more" if more > 0 else "")


def _column_differences(contract: Contract, columns: Mapping[str, str]) -> Iterator[str]:
    expected = expected_columns(contract)
    for column, kind in expected.items():
        if column not in columns:
            yield f"column {column} ({kind}) is missing"
        elif columns[column] != kind:
            yield f"column {column} is {columns[column]}, expected {kind}"
    for column in sorted(columns.keys() - expected.keys()):
        yield f"column {column} is not in the contract"


def _dbt_tables(file: Path) -> Iterator[tuple[str, Mapping[str, str]]]:
    content: Any = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
    for source in content.get("sources", []):
        if source.get("schema", source["name"]) == SCHEMA:
            for item in source.get("tables", []):
                columns = item.get("columns", [])
                yield item["name"], {one["name"]: one.get("data_type", "") for one in columns}


def of_dashboard(project: Path) -> Iterator[str]:
    """The marts that the dashboard shows, and no model builds."""
    # Loads data frames, which no other command of an author needs.
    from include.publish.site.tables import SCHEMAS

    built = {path.stem for path in project.glob("models/marts/**/*.sql")}
    for mart in sorted(SCHEMAS.keys() - built):
        yield (
            f"include/publish/site/tables.py: the dashboard shows marts.{mart}, and no model "
            "builds it; remove its topic, or restore the model"
        )


def of_database(
    enabled: Mapping[str, Contract], names: Collection[str], dsn: str, project: Path
) -> Iterator[str]:
    """Where the raw tables differ from the contracts, and what no model builds any more.

    Raises `ServiceUnavailable`.
    """
    with connect(dsn) as connection, connection.cursor() as cursor:
        present = {row["name"] for row in rows(cursor, TABLES_QUERY)}
        for name, contract in enabled.items():
            if name not in present:
                yield f"database: table raw.{name} is missing; run `wandle migrate`"
                continue
            found = rows(cursor, raw_table.COLUMNS_QUERY, f"{SCHEMA}.{name}")
            columns = {row["attname"]: row["format_type"] for row in found}
            if said := [*raw_table.differences(contract, columns)]:
                yield f"database: table raw.{name}: {_first_of(said)}; run `wandle migrate`"
    for name in sorted(present - {*names}):
        yield (
            f"database: table raw.{name} has no contract include/sources/{name}.yaml; restore it, "
            f"or run `wandle remove {name}`"
        )
    for schema, name, _ in built_without_model(dsn, project=project):
        yield f"database: no model builds {schema}.{name}; run `wandle remove {schema}.{name}`"
