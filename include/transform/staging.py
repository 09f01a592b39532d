"""Generate the first staging model of a source, with descriptions and tests."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import yaml

from include.definitions import yaml_text
from include.errors import WrongDefinition
from include.sources.model import Contract
from include.sources.partition import Grain, grain_label
from include.sources.raw_table import column_name, quoted, sql_type
from include.transform.sources import (
    BEGIN,
    DISABLED,
    END,
    STAGING,
    column_list,
    outside_generated,
    plain,
)

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
_NO_COLUMNS = f"        {BEGIN}\n        {END}"
_REQUIRED = "not_null"


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


def is_as_drafted(path: Path, table: Mapping[str, Any]) -> bool:
    """Whether a model and its YAML file are as they were generated, and no other model reads it.

    `table` is its source as `_sources.yml` has it: the contract of the last `wandle sync`.
    """
    raw = [column for column in table["columns"] if not column["name"].startswith("_")]
    names, period = [column["name"] for column in raw], table["config"]["meta"]["period"]
    text = path.read_text(encoding="utf-8").removeprefix(DISABLED)
    generated = _model(table["name"], names, _period_name(period))
    if outside_generated(text) != outside_generated(generated):
        return False
    if path != model_path(table["name"]) or _is_read(path.stem):
        return False
    try:
        found = yaml.safe_load(path.with_suffix(".yml").read_text(encoding="utf-8"))["models"]
        return [_without_tests(model) for model in found] == [
            {
                "name": path.stem,
                "description": table["description"],
                "columns": [
                    *({**one, "name": _staged_name(one["name"], names, period)} for one in raw),
                    *_own_columns(period),
                ],
            }
        ]
    except (OSError, ValueError, yaml.YAMLError, TypeError, KeyError, AttributeError):
        return False


def _is_read(model: str) -> bool:
    ref = re.compile(rf"""\bref\(\s*['"]{model}['"]""")
    return any(
        ref.search(path.read_text(encoding="utf-8", errors="replace"))
        for path in STAGING.parent.rglob("*.sql")
    )


def _without_tests(model: Mapping[str, Any]) -> dict[str, Any]:
    """A described model without the tests that are generated; others stay."""
    tests = [*model.get("data_tests", ())]
    of_key = len(tests) == 1 and [*tests[0]] == ["unique_together"]
    columns = [
        {name: said for name, said in column.items() if (name, said) != ("data_tests", [_REQUIRED])}
        for column in model["columns"]
    ]
    left = {name: value for name, value in model.items() if not (name == "data_tests" and of_key)}
    return left | {"columns": columns}


def _staged_name(name: str, names: Collection[str], period: str) -> str:
    """The name of a column in the model; another one if the model's own columns use it."""
    if name not in ("council", _period_name(period), "landing_id", "record_no"):
        return name
    return column_name((name,), {*names})


def _model(source: str, names: Collection[str], period: str, columns: str = "") -> str:
    """The text of a model; `columns` are the generated lines."""
    renamed = []
    for name in names:
        staged = _staged_name(name, names, period)
        renamed.append(f"        {quoted(name)}{'' if staged == name else f' as {staged}'},")
    return MODEL.format(
        columns=columns or _NO_COLUMNS,
        source=source,
        renamed="\n".join(renamed),
        period=f"        _period as {period},\n" if period else "",
    )


def _text(contract: Contract) -> str:
    names = [column.name for column in contract.raw_columns()]
    text = _model(contract.name, names, period_column(contract), column_list(contract))
    return text if contract.enabled else DISABLED + text


def period_column(contract: Contract) -> str:
    """The name of `_period` in the model; none if the table is one partition."""
    return _period_name(contract.period)


def _period_name(period: str) -> str:
    return "" if period == "all" else period


def _described_period(period: Grain) -> list[dict[str, Any]]:
    said = {"hour": "The hour of the row, in UTC.", "day": "The day of the row."}
    of_others = f"First day of the {grain_label(period)} of the row."
    column = {
        "name": period,
        "data_type": "timestamptz" if period == "hour" else "date",
        "description": said.get(period, of_others),
    }
    return [column] if _period_name(period) else []


def _own_columns(period: Grain) -> list[dict[str, Any]]:
    """What the model adds to the columns of the contract."""
    return [
        {
            "name": "council",
            "data_type": "text",
            "description": "The council of the row; `uk` for sources without a council.",
        },
        *_described_period(period),
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


def _described(contract: Contract, name: str) -> dict[str, Any]:
    columns: list[dict[str, Any]] = []
    names = [column.name for column in contract.raw_columns()]
    for column in contract.raw_columns():
        said = {
            "name": _staged_name(column.name, names, contract.period),
            "quote": True,
            "data_type": sql_type(column.type),
            "description": plain(column.description),
        }
        columns.append(said | ({"data_tests": [_REQUIRED]} if column.required else {}))
    described: dict[str, Any] = {"name": name, "description": plain(contract.description)}
    if contract.key:
        key = [_staged_name(name, names, contract.period) for name in contract.key]
        together = ["council", *filter(None, [period_column(contract)]), *key]
        described["data_tests"] = [{"unique_together": {"arguments": {"columns": together}}}]
    return described | {"columns": [*columns, *_own_columns(contract.period)]}
