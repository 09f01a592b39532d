"""What a dataset is: one YAML file in `contracts/`."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, HttpUrl, model_validator

FOLDER = Path(__file__).parent / "contracts"
NAME = r"^[a-z][a-z0-9_]{0,47}$"
Value = str | int | bool | Decimal | date | None


class Column(BaseModel):
    """A column of the raw table, and what its values must be."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME)
    type: Literal["text", "integer", "numeric", "boolean", "date"]
    description: str = Field(min_length=1)
    required: bool = False

    def cast(self, value: object) -> Value:
        """The value as the column's type. Raises `ValueError`, which names the rule."""
        if value is None or value == "":
            if self.required:
                raise ValueError("required")
            return None
        try:
            return self._cast(value)
        except (ArithmeticError, TypeError, ValueError):
            raise ValueError(f"not of type {self.type}") from None

    def _cast(self, value: object) -> Value:
        if self.type == "boolean":
            if not isinstance(value, bool):
                raise TypeError
            return value
        if isinstance(value, bool | list | dict):
            raise TypeError
        if self.type == "date":
            return date.fromisoformat(str(value))
        if self.type == "integer":
            return int(str(value))
        return Decimal(str(value)) if self.type == "numeric" else str(value)


class Contract(BaseModel):
    """A dataset: where it comes from, what its columns are, and when it is fetched."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=NAME)
    title: str
    description: str
    publisher: str
    licence: str
    owner: str
    personal_data: bool
    url: HttpUrl
    # The path to the list of records in the response: `result.records`; empty for the top.
    records: str
    schedule: str
    columns: tuple[Column, ...] = Field(min_length=1)
    key: tuple[str, ...] = Field(min_length=1)
    # A response with fewer records is not loaded.
    min_records: int = Field(ge=1)

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        names = [column.name for column in self.columns]
        if len(names) != len(set(names)):
            raise ValueError(f"{self.name}: a column appears twice")
        if unknown := set(self.key) - set(names):
            raise ValueError(f"{self.name}: no such column in key: {', '.join(sorted(unknown))}")
        return self


def contracts(folder: Path = FOLDER) -> dict[str, Contract]:
    """Every contract by name. Raises `ValueError` for a file that is not one, and names it."""
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        try:
            contract = Contract.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if contract.name != path.stem:
            raise ValueError(f"{path}: name is {contract.name}. Name the file after the dataset.")
        found[contract.name] = contract
    return found
