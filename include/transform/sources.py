"""Generate dbt sources and the columns of staging models from the contracts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from include.definitions import yaml_text
from include.errors import WrongDefinition
from include.sources.columns import Column
from include.sources.followers import schedule_of
from include.sources.model import Contract
from include.sources.raw_table import (
    EXTRA,
    expected_columns,
    lineage,
    lineage_notes,
    quoted,
    renames,
    sql_type,
)
from include.transform.project import FOLDER

STAGING = FOLDER / "models" / "staging"
PATH = STAGING / "_sources.yml"

HEADING = """\
# Generated from the contracts, include/sources/*.yaml. Do not edit: change the contract, then run
# `wandle sync`. `make lint` checks that this file is up to date.
"""

# The lines between these markers are generated; the rest of a model is edited by hand.
BEGIN = "-- from the contract, by `wandle sync`"
END = "-- to here"
_REGION = re.compile(
    rf"^(?P<indent> *){re.escape(BEGIN)}\n.*?^ *{re.escape(END)}$", re.DOTALL | re.MULTILINE
)
# A line of a select that takes a column as it is, under its own name or another.
TAKEN = re.compile(
    r'^ *"?(?P<column>[a-z][a-z0-9_]*)"?(?: +as +"?(?P<name>[a-z_][a-z0-9_]*)"?)?,? *(?:--.*)?$',
    re.MULTILINE,
)
_LISTED = re.compile(r'^ *"(?P<column>[a-z_][a-z0-9_]*)",?$', re.MULTILINE)
_FROM_SOURCE = re.compile(r"\bfrom\s+source\b")
DISABLED = "{{ config(enabled=false) }}\n\n"


def tables_of(path: Path) -> list[dict[str, Any]]:
    """The tables of a file that `render` has written; none if there is no such file."""
    if not path.exists():
        return []
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    return [table for source in content["sources"] for table in source["tables"]]


def render(contracts: Mapping[str, Contract], kept: Iterable[dict[str, Any]] = ()) -> str:
    """The text of `_sources.yml`: every contract as a table, with its columns described.

    `kept` are tables to leave as they are.
    """
    tables = [*map(_table, contracts.values()), *kept]
    source = {
        "name": "raw",
        "schema": "raw",
        "description": "Data as the APIs returned it, one table per contract. Query staging.",
        "tables": sorted(tables, key=lambda table: str(table["name"])),
    }
    return HEADING + yaml_text({"sources": [source]})


def staging_model(contract: Contract) -> Path | None:
    """The staging model that reads a contract's table, if any.

    Raises `WrongDefinition` if two models read it, or if it is not UTF-8.
    """
    reads = re.compile(rf"source\('raw', '{contract.name}'\)".encode())
    found = [path for path in sorted(STAGING.rglob("*.sql")) if reads.search(path.read_bytes())]
    if len(found) > 1:
        raise WrongDefinition(
            f"{contract.name}: {' and '.join(path.stem for path in found)} read its table; "
            "expected one staging model. Let the others select from the first."
        )
    for path in found:
        try:
            path.read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise WrongDefinition(
                f"{path}: not UTF-8: {error.reason}. Save it as UTF-8."
            ) from error
        return path
    return None


def synced_model(contract: Contract, text: str) -> str:
    """The staging model, updated with the current columns of the contract.

    Where its first select takes a renamed column, it takes the new one and
    keeps its own name for it, so that what selects from the model keeps working.

    Raises `WrongDefinition` if the model lacks the markers.
    """
    if not _REGION.search(text):
        raise WrongDefinition(
            f"the staging model of {contract.name} has no lines {BEGIN!r} and {END!r} in its "
            "`source`. Put them around the columns, then run `wandle sync`."
        )
    body = text.removeprefix(DISABLED)
    body = _REGION.sub(lambda place: column_list(contract, place["indent"]), body)
    for new, old in renames(contract).items():
        body = _with_renamed(body, new, old)
    return body if contract.enabled else DISABLED + body


def _with_renamed(text: str, new: str, old: str) -> str:
    """The text with `new as old` for `old` in the select from the generated columns."""
    start = text.index(END) + len(END)
    found = _FROM_SOURCE.search(text, start)
    if not found:
        return text
    word = re.compile(rf"""(?<!['"\w.])"?\b{old}\b"?(?!['\w(])""")
    lines = [
        line if line.lstrip().startswith("--") else _line_with_renamed(line, word, new, old)
        for line in text[start : found.start()].split("\n")
    ]
    return text[:start] + "\n".join(lines) + text[found.start() :]


def _line_with_renamed(line: str, word: re.Pattern[str], new: str, old: str) -> str:
    taken = TAKEN.fullmatch(line)
    if taken and taken["column"] == old and not taken["name"]:
        return word.sub(f"{quoted(new)} as {quoted(old)}", line, count=1)
    expression, alias, name = line.rpartition(" as ")
    return (
        word.sub(quoted(new), expression) + alias + name if alias else word.sub(quoted(new), line)
    )


def outside_generated(text: str) -> str:
    """A staging model without the lines that `wandle sync` generates."""
    return _REGION.sub("", text)


def generated_columns(text: str) -> list[str]:
    """The columns of the raw table that the generated lines of a staging model take."""
    return [
        found["column"]
        for region in _REGION.finditer(text)
        for found in _LISTED.finditer(region[0])
    ]


def column_list(contract: Contract, indent: str = " " * 8) -> str:
    """The columns of the raw table, one per line, between the markers."""
    names = [quoted(name) for name in expected_columns(contract)]
    lines = [BEGIN, *(f"{name}," for name in names[:-1]), names[-1], END]
    return "\n".join(indent + line for line in lines)


def plain(description: str) -> str:
    """A description as dbt prints it back: dbt reads `{{`, `{%` and `{#` in one as Jinja."""
    return re.sub(r"\{(?=[{%#])", "{{ '{' }}", description.strip())


def _table(contract: Contract) -> dict[str, Any]:
    columns = [_column(column) for column in contract.raw_columns()]
    columns += [
        {
            "name": name,
            "quote": True,
            "data_type": {EXTRA: "jsonb", **lineage(contract)}[name],
            "description": note,
        }
        for name, note in lineage_notes(contract).items()
    ]
    return {
        "name": contract.name,
        "description": plain(contract.description),
        "config": {
            "meta": {
                "title": contract.title,
                "publisher": contract.publisher,
                "licence": contract.licence,
                "access": contract.access,
                "owner": contract.owner,
                "period": contract.period,
                "schedule": schedule_of(contract),
            }
        },
        "columns": columns,
    }


def _column(column: Column) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": column.name,
        "quote": True,
        "data_type": sql_type(column.type),
        "description": plain(column.description),
    }
    if column.personal != "no":
        described["config"] = {"meta": {"personal": column.personal}}
    return described
