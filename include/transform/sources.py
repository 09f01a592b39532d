"""Render dbt's sources from the contracts: each is one table of the schema `raw`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from include.sources.model import Column, Contract
from include.transform.project import FOLDER

PATH = FOLDER / "models" / "staging" / "_sources.yml"

HEADING = """\
# Made from the contracts, include/sources/*.yaml; a test compares. Do not edit: change the
# contract, then run `python -m include.transform.sources`.
"""

SQL_TYPES = {"integer": "bigint", "double": "double precision"}

LINEAGE = (
    ("_extra", "jsonb", "Fields of the record that the contract does not name."),
    ("_council", "text", "The council that was asked for."),
    ("_period", "date", "First day of the period that was asked for."),
    ("_landing_id", "text", "The landing in S3 that the row was loaded from."),
    ("_record_no", "bigint", "The record's number in that landing, from 1."),
)


def render(contracts: Mapping[str, Contract]) -> str:
    """The text of `_sources.yml`: every contract as a table, with its columns described."""
    source = {
        "name": "raw",
        "schema": "raw",
        "description": "What the APIs returned, one table for each contract. Read it in staging.",
        "tables": [_table(contract) for contract in contracts.values()],
    }
    body = yaml.safe_dump(
        {"sources": [source]}, sort_keys=False, allow_unicode=True, width=96, indent=2
    )
    return HEADING + body


def _table(contract: Contract) -> dict[str, Any]:
    columns = [_column(column) for column in contract.columns]
    columns += [
        {"name": name, "data_type": data_type, "description": description}
        for name, data_type, description in LINEAGE
    ]
    return {
        "name": contract.name,
        "description": contract.description.strip(),
        "config": {
            "meta": {
                "title": contract.title,
                "publisher": contract.publisher,
                "licence": contract.licence,
                "owner": contract.owner,
                "period": contract.period,
                "schedule": contract.schedule,
            }
        },
        "columns": columns,
    }


def _column(column: Column) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": column.name,
        "data_type": SQL_TYPES.get(column.type, column.type),
        "description": column.description.strip(),
    }
    if column.personal:
        described["config"] = {"meta": {"personal": True}}
    return described


if __name__ == "__main__":
    from include.sources.model import contracts

    PATH.write_text(render(contracts()), encoding="utf-8")
