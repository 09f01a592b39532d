"""The files of a drafted contract: itself, its staging model, and what is generated from both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from include.definitions import NAME_PATTERN, yaml_text
from include.errors import PermanentError, UnknownName
from include.sources.model import Contract
from include.sources.partition import Grain
from include.transform.staging import model_files

SCHEDULES: dict[Grain, str] = {
    "hour": "15 * * * *",
    "day": "0 6 * * *",
    "week": "0 6 * * 2",
    "month": "0 6 3 * *",
    "quarter": "0 6 3 1,4,7,10 *",
    "year": "0 6 3 1 *",
    "financial_year": "0 6 3 4 *",
    "all": "0 6 * * *",
}
_EDITOR = "# yaml-language-server: $schema=contract.schema.json\n"


@dataclass(frozen=True)
class Drafted:
    """The files that were written, and remarks on what was guessed."""

    files: list[Path]
    remarks: list[str]


def free_path(name: str, folder: Path) -> Path:
    """Where the contract of a new source is written.

    Raises `UnknownName` for a name that no source can have, and `PermanentError` if there is one.
    """
    if not NAME_PATTERN.fullmatch(name):
        raise UnknownName(
            f"{name!r} is not a valid name. Use up to 48 of a-z, 0-9 and underscores, with a "
            "letter first."
        )
    path = folder / f"{name}.yaml"
    if path.exists():
        raise PermanentError(f"{path} exists. Edit it, or choose another name.")
    return path


def write_draft(
    contract: Contract,
    content: dict[str, Any],
    path: Path,
    heading: str,
    sync: Callable[[], list[Path]],
) -> list[Path]:
    """Write contract and staging model, then `sync`. Raises `PermanentError` if a model exists."""
    models = model_files(contract)
    for model in models:
        if model.exists():
            raise PermanentError(f"{model} exists. Move it away, or choose another name.")
    path.write_text(_EDITOR + heading + yaml_text(content), encoding="utf-8")
    for model, text in models.items():
        model.parent.mkdir(parents=True, exist_ok=True)
        model.write_text(text, encoding="utf-8")
    return [path, *models, *sync()]
