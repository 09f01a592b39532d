"""What the bodies of a source look like."""

from __future__ import annotations

import codecs
from typing import Literal

from pydantic import Field, PrivateAttr, field_validator, model_validator

from include.definitions import Definition
from include.sources.evidence import Evidence
from include.sources.limits import DEFAULT, Limits
from include.sources.paths import parts

Compression = Literal["gzip", "zip"]

# The part of a path that goes through every field of an object, or every item of a list.
EVERY = "*"


def is_text_encoding(name: str) -> bool:
    """Whether Python knows it, and it turns bytes into text: base64 does not."""
    try:
        b"a".decode(name)
    except LookupError:
        return False
    except UnicodeError:
        return True
    return True


class Selection(Definition):
    """Which records of a body belong to the partition, where it holds those of others too."""

    field: str = Field(description="Dotted path in the record.")
    among: str = Field(description="The request value, comma-separated, that it must be one of.")


class Format(Definition):
    """From a body to its records."""

    kind: Literal["json", "jsonl", "csv", "columnar", "rows"] = Field(
        default="json",
        description="`columnar`: JSON, one array for each field, aligned by position. `rows`: "
        "JSON, one array for each record, below a first one with the names of the fields.",
    )
    records: str = Field(
        default="",
        description="Dotted path to the records; empty: the body is the list. A part `*` goes "
        "through every field of an object, or every item of a list: `*.events`; at the end, "
        "each of them is a record: `stations.*`.",
    )
    inherit: tuple[str, ...] | dict[str, str] = Field(
        default=(),
        description="Fields of the objects above that a record takes along, where `records` has "
        "a `*` and the record has no such field itself: `[division]`; under another name: "
        "`{division_name: name}`; the name that `*` stands for: `{station_id: '*'}`.",
    )
    one_or_many: bool = Field(
        default=False,
        description="A single record may stand as an object instead of a list, none as null or "
        "as an empty object around it.",
    )
    envelope: tuple[str, ...] = Field(
        default=(),
        description="Dotted paths that every JSON answer has besides its records: `[meta]`. An "
        "answer that has them and no `records` holds none; one without them is an error.",
    )
    encoding: str = Field(
        default="",
        description="Such as `windows-1252` or `utf-16`. Left out: what the byte order mark says, "
        "then the charset in Content-Type, then UTF-8.",
    )
    compression: Compression | tuple[Compression, ...] = Field(
        default=(),
        description="`gzip` or `zip`; from the outermost if there are several: `[gzip, gzip]`. "
        "Left out: recognised by the first bytes, once.",
    )
    zip_member: str = Field(
        default="",
        description="The file in the zip, or a pattern: `data/*.csv`. Left out: its only one.",
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="Of CSV.")
    quote: str = Field(
        default='"',
        max_length=1,
        description="What stands around CSV fields that contain the delimiter or line breaks; "
        "empty: nothing does, and quotes are text.",
    )
    skip_rows_before_header: int = Field(
        default=0, ge=0, description="Lines above the header of CSV, empty ones too."
    )
    skip_rows_at_end: int = Field(
        default=0, ge=0, description="Lines below the last record of CSV, empty ones too."
    )
    null_values: tuple[str, ...] = Field(
        default=(), description="Texts that stand for null in every column: ''."
    )
    select: Selection | None = None

    _as_sent: bool = PrivateAttr(default=False)
    _evidence: Evidence = PrivateAttr(default=Evidence())
    _limits: Limits = PrivateAttr(default=DEFAULT)

    @property
    def as_sent(self) -> bool:
        """Whether the contract's columns need numbers as sent: 12.50, not 12.5."""
        return self._as_sent

    def with_numbers_as_sent(self) -> Format:
        """The same layout, read with numbers as sent."""
        found = self.model_copy()
        found._as_sent = True
        return found

    @property
    def evidence(self) -> Evidence:
        """What shows that an answer is the source's; nothing unless a contract says so."""
        return self._evidence

    def with_evidence(self, evidence: Evidence) -> Format:
        """The same format, for answers that must contain this."""
        found = self.model_copy()
        found._evidence = evidence
        return found

    @property
    def limits(self) -> Limits:
        """How large answers and records may be."""
        return self._limits

    def with_limits(self, limits: Limits) -> Format:
        """The same format, for answers and records within these limits."""
        found = self.model_copy()
        found._limits = limits
        return found

    @property
    def path(self) -> tuple[str, ...]:
        """The names on the way to the records."""
        return parts(self.records)

    @property
    def inherited(self) -> dict[str, str]:
        """The field of an object above, or `*`, by the name that records have it under."""
        if isinstance(self.inherit, dict):
            return self.inherit
        return {name: name for name in self.inherit}

    @property
    def layers(self) -> tuple[Compression, ...]:
        """How it is compressed, from the outermost."""
        return (self.compression,) if isinstance(self.compression, str) else self.compression

    @property
    def in_place(self) -> bool:
        """Whether each record stands in one place of the body, as it is."""
        return self.kind not in ("columnar", "rows") and EVERY not in self.path

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value and not is_text_encoding(value):
            raise ValueError("expected the name of an encoding, like windows-1252")
        return codecs.lookup(value).name if value else value

    @field_validator("records")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        parts(value)
        return value

    @field_validator("envelope")
    @classmethod
    def _are_paths(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for path in value:
            if not parts(path):
                raise ValueError("expected dotted paths, found an empty one")
        return value

    @model_validator(mode="after")
    def _what_is_above_is_gone_through(self) -> Format:
        if self.inherit and EVERY not in self.path:
            raise ValueError("`inherit` needs a `*` in `records`")
        if EVERY in self.path and self.kind != "json":
            raise ValueError("a `*` in `records` needs `kind: json`")
        return self

    @model_validator(mode="after")
    def _words_fit_the_kind(self) -> Format:
        if self.kind in ("csv", "jsonl") and self.records:
            raise ValueError(f"`records` has no meaning for `kind: {self.kind}`")
        if self.kind in ("csv", "jsonl") and self.envelope:
            raise ValueError(f"`envelope` has no meaning for `kind: {self.kind}`")
        if self.kind != "csv" and (self.skip_rows_before_header or self.skip_rows_at_end):
            raise ValueError("skipping rows needs `kind: csv`")
        if self.zip_member and self.layers and "zip" not in self.layers:
            raise ValueError("`zip_member` needs `compression: zip`")
        return self
