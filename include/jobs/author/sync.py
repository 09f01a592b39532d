"""Files generated from contracts and their model: dbt sources, staging columns, schemas, docs."""

from __future__ import annotations

from pathlib import Path

from include.jobs.author.reference.page import reference_files
from include.jobs.author.schemas import schemas
from include.sources.model import broken_contracts, contracts, every_contract, read_again
from include.transform.descriptions import synced_description
from include.transform.sources import PATH, render, staging_models, synced_model, tables_of
from include.transform.staging import first_model


def made_files() -> dict[Path, str]:
    """Each generated file and its expected content.

    A contract that no staging model reads has the first one, to be edited by
    hand; files that exist stay, and so does what a broken contract generated.
    Raises `WrongDefinition` for a staging model without a place for its
    columns, and where the first one cannot be.
    """
    read_again()
    models = {}
    missing = every_contract().copy()
    for contract, path in staging_models(every_contract()):
        del missing[contract.name]
        models[path] = synced_model(contract, path.read_text(encoding="utf-8"))
        described = path.with_suffix(".yml")
        if described.exists():
            text = described.read_text(encoding="utf-8")
            models[described] = synced_description(contract, path.stem, models[path], text)
    for contract in missing.values():
        models |= first_model(contract)
    broken = broken_contracts()
    kept = [table for table in tables_of(PATH) if table["name"] in broken] if broken else []
    return {**schemas(), **reference_files(), PATH: render(contracts(), kept), **models}


def stale_files() -> dict[Path, str]:
    """The files whose content differs, with their expected content."""
    return {
        path: text
        for path, text in made_files().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    }


def sync() -> list[Path]:
    """Write the files that are stale; returns which."""
    stale = stale_files()
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return list(stale)
