"""The JSON Schemas of contracts and councils, committed beside them for editors."""

from __future__ import annotations

from pathlib import Path

from include.councils import model as councils
from include.definitions import json_schema
from include.sources import model as sources


def schemas() -> dict[Path, str]:
    """Each schema file and its expected content."""
    return {
        sources.FOLDER / "contract.schema.json": json_schema(sources.Contract),
        councils.FOLDER / "council.schema.json": json_schema(councils.Council),
    }


def write_schemas() -> None:
    """Rewrite the files: `python -m include.jobs.author.schemas`."""
    for path, text in schemas().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
