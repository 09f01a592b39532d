"""Generate the first staging model of a source, with descriptions and tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from include.definitions import yaml_text
from include.sources.model import Contract
from include.sources.raw_table import quoted, sql_type
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
        _period as {period},

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
    """The model and its YAML file, by path.

    No column of the contract may have a name of `STAGED`: it would occur twice.
    """
    path = model_path(contract.name)
    description = yaml_text({"models": [_described(contract, path.stem)]})
    return {path: _text(contract), path.with_suffix(".yml"): description}


def _text(contract: Contract) -> str:
    text = MODEL.format(
        columns=column_list(contract),
        source=contract.name,
        renamed="\n".join(f"        {quoted(column.name)}," for column in contract.raw_columns()),
        period=contract.period,
    )
    return text if contract.enabled else "{{ config(enabled=false) }}\n\n" + text


def _described(contract: Contract, name: str) -> dict[str, Any]:
    columns: list[dict[str, Any]] = []
    for column in contract.raw_columns():
        said = {
            "name": column.name,
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
        {
            "name": contract.period,
            "data_type": "date",
            "description": "The day of the row."
            if contract.period == "day"
            else "First day of the month of the row.",
        },
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
        together = ["council", contract.period, *contract.key]
        described["data_tests"] = [{"unique_together": {"arguments": {"columns": together}}}]
    return described | {"columns": columns}
