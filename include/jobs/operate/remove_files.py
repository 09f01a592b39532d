"""The files of a dataset and of a council, and what else in the checkout depends on them."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

import yaml

from include.councils import model as council_model
from include.definitions import NAME_PATTERN, files_of
from include.settings import Settings
from include.sources import model as source_model
from include.sources.extract.landing import LandingExtract
from include.sources.model import broken_contracts, contracts, every_contract
from include.transform import sources as dbt_sources
from include.transform.project import FOLDER as DBT_PROJECT
from include.transform.sources import STAGING, render, tables_of

CHECKOUT = DBT_PROJECT.parent
DBT_SOURCES = dbt_sources.PATH


def files_of_source(source: str) -> list[Path]:
    """The staging model with its description, the contract, and samples: what there is of them."""
    if not NAME_PATTERN.fullmatch(source):
        return []  # the name of a folder in S3, or a path: no file is its
    models = _staging_models(source)
    described = [path.with_suffix(".yml") for path in models]
    found = [path for path in (*models, *described) if path.exists()]
    return [*found, *files_of(source_model.FOLDER, source), *Settings.read().samples(source)]


def files_of_council(council: str) -> list[Path]:
    """The council's file, if there is one."""
    return files_of(council_model.FOLDER, council) if NAME_PATTERN.fullmatch(council) else []


def cannot_be_deleted(files: Iterable[Path]) -> Iterator[str]:
    """What keeps files from being deleted, or rewritten, as sentences."""
    for path in files:
        if path.is_dir() and not path.is_symlink():
            yield f"{shown(path)} is a folder. Delete it yourself."
        elif not os.access(path if path == DBT_SOURCES else path.parent, os.W_OK):
            yield (
                f"{shown(path)} cannot be changed here. Delete the dataset's or council's files in "
                "the repository, deploy that, then run this again."
            )


def is_dbt_source(source: str) -> bool:
    """Whether dbt's generated sources list the table."""
    return DBT_SOURCES.exists() and bool(
        re.search(rf"^ *-? *name: {re.escape(source)}$", DBT_SOURCES.read_text("utf-8"), re.M)
    )


def sync_dbt_sources() -> None:
    """Write dbt's sources again, from the contracts that are left."""
    forget_definitions()
    broken = broken_contracts()
    kept = [table for table in tables_of(DBT_SOURCES) if table["name"] in broken] if broken else []
    text = render(contracts(), kept)
    if not DBT_SOURCES.exists() or DBT_SOURCES.read_text("utf-8") != text:
        DBT_SOURCES.write_text(text, encoding="utf-8")


def drop_empty_folders(files: Collection[Path]) -> None:
    """Remove the folders of staging models that are left without a file."""
    for folder in {path.parent for path in files if STAGING in path.parent.parents}:
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def forget_definitions() -> None:
    """Read contracts and councils again, the next time."""
    source_model.read_again()
    council_model.read_again()


def depends_on_source(source: str) -> Iterator[str]:
    """What must go or change before the dataset can be removed, as sentences."""
    yield from _dependent_contracts(source)
    going = files_of_source(source)
    yield from _dependent_models(source, going)
    for path in going:
        yield from _also_described(path) if path.suffix == ".yml" else ()


def _dependent_contracts(source: str) -> Iterator[str]:
    for other in every_contract().values():
        labels = [
            label for label, parent in other.extract.parents.items() if parent.source == source
        ]
        if labels and other.name != source:
            needs = (
                f"reads the landings of {source}"
                if isinstance(other.extract, LandingExtract)
                else f"takes its requests from {source} (`extract.parents.{labels[0]}`)"
            )
            yield (
                f"{other.name} {needs}. Remove it first (`wandle remove {other.name}`), or change "
                "its contract."
            )
    for name in broken_contracts():
        for file in files_of(source_model.FOLDER, name):
            if name != source and re.search(rf"\bsource:.*\b{re.escape(source)}\b", _text(file)):
                yield f"{shown(file)} is broken, and names {source}. Correct or remove it first."
    if source in every_contract() and len(every_contract()) == 1:
        yield f"{source} is the only contract, and Wandle needs one."


def _dependent_models(source: str, going: Collection[Path]) -> Iterator[str]:
    reads = {model.stem: _reference("ref", model.stem) for model in _staging_models(source)}
    reads[f"raw.{source}"] = _reference("source", "raw", source)
    for folder in ("models", "tests", "macros"):
        for path in sorted(DBT_PROJECT.glob(f"{folder}/**/*")):
            if path in going or path == DBT_SOURCES or path.suffix not in (".sql", ".yml"):
                continue
            for name, read in reads.items():
                if read.search(_text(path)):
                    yield (
                        f"{shown(path)} reads {name}. Delete or change it, run `wandle "
                        "transform`, then run this again."
                    )


def depends_on_councils(councils: Collection[str]) -> Iterator[str]:
    """What must change before the councils can be removed, as sentences."""
    if not set(council_model.councils()) - set(councils):
        yield "No council would be left, and Wandle needs one."


def shown(path: Path) -> str:
    """A path within the checkout, as text."""
    return str(path.relative_to(CHECKOUT)) if path.is_relative_to(CHECKOUT) else str(path)


def _text(path: Path) -> str:
    """The text of a file; empty if it cannot be read, such as a folder with that name."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _reference(function: str, *names: str) -> re.Pattern[str]:
    """Matches dbt's `ref` or `source` with these names; before a model's, a package may stand."""
    quoted = r"\s*,\s*".join(rf"""['"]{re.escape(name)}['"]""" for name in names)
    package = r"""(?:['"]\w+['"]\s*,\s*)?""" if function == "ref" else ""
    return re.compile(rf"\b{function}\(\s*{package}{quoted}\s*[,)]")


def _staging_models(source: str) -> list[Path]:
    reads = _reference("source", "raw", source)
    return [path for path in sorted(STAGING.rglob("*.sql")) if reads.search(_text(path))]


def _also_described(path: Path) -> Iterator[str]:
    """A sentence if a description that would go is that of other models, too, or may be."""
    try:
        described = yaml.safe_load(_text(path)) or {}
        names = [str(item["name"]) for item in described.get("models") or ()]
    except (yaml.YAMLError, AttributeError, KeyError, TypeError):
        yield f"{shown(path)} is broken, and may describe other models. Correct or delete it."
        return
    if others := [name for name in names if name != path.stem]:
        yield f"{shown(path)} describes {', '.join(others)}, too. Move them to another file."
