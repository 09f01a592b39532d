"""Files generated from contracts and their model: dbt sources, staging columns, schemas, docs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from include.errors import WrongDefinition
from include.jobs.author.reference.page import reference_files
from include.jobs.author.schemas import schemas
from include.sources.model import Contract, broken_contracts, contracts, every_contract, read_again
from include.sources.raw_table import renames
from include.transform.descriptions import synced_description
from include.transform.sources import PATH, render, staging_model, synced_model, tables_of
from include.transform.staging import first_model, is_as_drafted, model_files


def made_files(wrong: list[WrongDefinition] | None = None) -> dict[Path, str]:
    """Each generated file and its expected content.

    A contract that no staging model reads has the first one, to be edited by
    hand. It is generated again until somebody edits it or selects from it; from
    then on it stays, and so does what a broken contract generated.
    A staging model that cannot be followed (without a place for its columns,
    unreadable, or another one's name) is added to `wrong`, and holds back no
    other; without that list, `WrongDefinition` is raised.
    """
    read_again()
    models: dict[Path, str] = {}
    synced = _synced_tables()
    for contract in every_contract().values():
        try:
            made = _of_contract(contract, synced.get(contract.name))
            if taken := models.keys() & made.keys():
                raise WrongDefinition(
                    f"{contract.name}: its staging model would be {min(taken)}, the same as "
                    "another contract's. Write one of them by hand, under a different name."
                )
            models |= made
        except WrongDefinition as error:
            if wrong is None:
                raise
            wrong.append(error)
    broken = broken_contracts()
    kept = [table for name, table in synced.items() if name in broken]
    return {**schemas(), **reference_files(), PATH: render(contracts(), kept), **models}


def _synced_tables() -> dict[str, dict[str, Any]]:
    """The tables that were written last; none if the file is not one of those."""
    try:
        return {table["name"]: table for table in tables_of(PATH)}
    except (yaml.YAMLError, ValueError, TypeError, KeyError):
        return {}


def _of_contract(contract: Contract, synced: Mapping[str, Any] | None) -> dict[Path, str]:
    """The staging model of a contract, whose table was `synced` before."""
    path = staging_model(contract)
    if path is None:
        return first_model(contract)
    if synced and not renames(contract) and is_as_drafted(path, synced):
        return model_files(contract)
    models = {path: synced_model(contract, path.read_text(encoding="utf-8"))}
    described = path.with_suffix(".yml")
    if described.exists():
        text = _text(described)
        try:
            models[described] = synced_description(contract, path.stem, models[path], text)
        except yaml.YAMLError as error:
            why = " ".join(str(error).split())
            raise WrongDefinition(f"{described}: not valid YAML: {why}. Correct it.") from error
    return models


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise WrongDefinition(f"{path}: not UTF-8: {error.reason}. Save it as UTF-8.") from error


def stale_files(wrong: list[WrongDefinition] | None = None) -> dict[Path, str]:
    """The files whose content differs, with their expected content; `wrong` as in `made_files`."""
    return {
        path: text
        for path, text in made_files(wrong).items()
        if not path.exists() or path.read_bytes() != text.encode()
    }


def sync(wrong: list[WrongDefinition] | None = None) -> list[Path]:
    """Write the files that are stale; returns which. `wrong` as in `made_files`."""
    stale = stale_files(wrong)
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(stale)
