"""Generate the first staging model of a source, with descriptions and tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from include.definitions import yaml_text
from include.errors import WrongDefinition
from include.sources.model import Contract
from include.sources.partition import grain_label
from include.sources.raw_table import column_name, lineage, quoted, sql_type
from include.transform.sources import STAGING, column_list, plain

MODEL = """\
with

source as (

    select
{columns}

    from {{{{ source('raw', '{source}') }}}}

),

renamed as (

    select
        -- what
{renamed}

        -- whose and when
        _council as council,
{period}
        -- where the row comes from
        _landing_id as landing_id,
        _record_no as record_no

    from source

)

select * from renamed
"""


def model_path(source: str) -> Path:
    """The path of a source's model: `police_crime` in `police/stg_police__crime.sql`."""
    group, _, rest = source.partition("_")
    return STAGING / group / f"stg_{group}__{rest or group}.sql"


def model_files(contract: Contract) -> dict[Path, str]:
    """The model and its YAML file, by path."""
    path = model_path(contract.name)
    description = yaml_text({"models": [_described(contract, path.stem)]})
    return {path: _text(contract), path.with_suffix(".yml"): description}


def first_model(contract: Contract) -> dict[Path, str]:
    """The same without the files that exist, for a contract whose table no model reads.

    Raises `WrongDefinition` if another model has the name.
    """
    path = model_path(contract.name)
    for taken in STAGING.rglob(path.name):
        raise WrongDefinition(
            f"{contract.name}: no staging model reads its table, and {taken} is another one. Let "
            f"it read `source('raw', '{contract.name}')`, or rename it; then run `wandle sync`."
        )
    return {file: text for file, text in model_files(contract).items() if not file.exists()}


def _staged_name(contract: Contract, name: str) -> str:
    """The name of a column in the model; another one if the model's own columns use it."""
    if name not in ("council", period_column(contract), "landing_id", "record_no"):
        return name
    return column_name((name,), {column.name for column in contract.columns})


def _renamed(contract: Contract, name: str) -> str:
    staged = _staged_name(contract, name)
    return f"        {quoted(name)}{'' if staged == name else f' as {staged}'},"


def _text(contract: Contract) -> str:
    text = MODEL.format(
        columns=column_list(contract),
        source=contract.name,
        renamed="\n".join(_renamed(contract, column.name) for column in contract.raw_columns()),
        period=f"        _period as {name},\n" if (name := period_column(contract)) else "",
    )
    return text if contract.enabled else "{{ config(enabled=false) }}\n\n" + text


def period_column(contract: Contract) -> str:
    """The name of `_period` in the model; none if the table is one partition."""
    return "" if contract.period == "all" else contract.period


def _described_period(contract: Contract) -> list[dict[str, Any]]:
    said = {"hour": "The hour of the row, in UTC.", "day": "The day of the row."}
    of_others = f"First day of the {grain_label(contract.period)} of the row."
    column = {
        "name": contract.period,
        "data_type": lineage(contract)["_period"],
        "description": said.get(contract.period, of_others),
    }
    return [column] if period_column(contract) else []


def _described(contract: Contract, name: str) -> dict[str, Any]:
    columns: list[dict[str, Any]] = []
    for column in contract.raw_columns():
        said = {
            "name": _staged_name(contract, column.name),
            "quote": True,
            "data_type": sql_type(column.type),
            "description": plain(column.description),
        }
        columns.append(said | ({"data_tests": ["not_null"]} if column.required else {}))
    columns += [
        {
            "name": "council",
            "data_type": "text",
            "description": "The council of the row; `uk` for sources without a council.",
        },
        *_described_period(contract),
        {
            "name": "landing_id",
            "data_type": "text",
            "description": "The landing in S3 that the row was loaded from.",
        },
        {
            "name": "record_no",
            "data_type": "bigint",
            "description": "The record's number in that landing, from 1.",
        },
    ]
    described: dict[str, Any] = {"name": name, "description": plain(contract.description)}
    if contract.key:
        key = [_staged_name(contract, name) for name in contract.key]
        together = ["council", *filter(None, [period_column(contract)]), *key]
        described["data_tests"] = [{"unique_together": {"arguments": {"columns": together}}}]
    return described | {"columns": columns}
