"""What the bodies of a source look like."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, PrivateAttr, model_validator

from include.definitions import Definition


class Selection(Definition):
    """Which records of a body belong to the partition, where it holds those of others too."""

    field: str = Field(description="Dotted path in the record.")
    among: str = Field(description="The request value, comma-separated, that it must be one of.")


class Format(Definition):
    """From a body to its records."""

    kind: Literal["json", "jsonl", "csv", "columnar"] = Field(
        default="json", description="`columnar`: one array for each field, aligned by position."
    )
    records: str = Field(
        default="",
        description="Dotted path to the records; empty: the body is the list. A part `*` goes "
        "through every field of an object, or every item of a list: `*.events`.",
    )
    inherit: tuple[str, ...] = Field(
        default=(),
        description="Fields of the objects above that a record takes along, where `records` has "
        "a `*` and the record has no such field itself: `division`.",
    )
    one_or_many: bool = Field(
        default=False,
        description="A single record may stand as an object instead of a list, none as nothing.",
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="Of CSV.")
    null_values: tuple[str, ...] = Field(
        default=(), description="Texts that stand for null in every column: ''."
    )
    select: Selection | None = None

    _as_sent: bool = PrivateAttr(default=False)

    @property
    def as_sent(self) -> bool:
        """Whether the contract's columns need numbers as sent: 12.50, not 12.5."""
        return self._as_sent

    def with_numbers_as_sent(self) -> Format:
        """The same layout, read with numbers as sent."""
        found = self.model_copy()
        found._as_sent = True
        return found

    @model_validator(mode="after")
    def _what_is_above_is_gone_through(self) -> Format:
        if self.inherit and "*" not in self.records.split("."):
            raise ValueError("`inherit` needs a `*` in `records`")
        if "*" in self.records.split(".") and self.kind != "json":
            raise ValueError("a `*` in `records` needs `kind: json`")
        return self

    @model_validator(mode="after")
    def _csv_has_no_path(self) -> Format:
        if self.kind in ("csv", "jsonl") and self.records:
            raise ValueError(f"`records` has no meaning for `kind: {self.kind}`")
        return self
