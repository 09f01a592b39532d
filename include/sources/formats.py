"""The format of a source's bodies."""

from __future__ import annotations

import codecs
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PrivateAttr,
    field_validator,
    model_validator,
)

from include.definitions import Definition, WrongField
from include.sources.evidence import Evidence
from include.sources.extract.templates import as_tuple, date_format
from include.sources.limits import DEFAULT, Limits
from include.sources.paths import BodyPath, joined, parts

Compression = Literal["gzip", "zip"]
Kind = Literal[
    "json", "jsonl", "csv", "columnar", "rows", "geojson", "spreadsheet", "xml", "parquet"
]
# Those whose bodies are not text.
FILES = ("spreadsheet", "parquet")
# The Content-Type of a page that was written as JSON lines when records were removed from it:
# formats such as .xlsx have no bytes that can be left out.
LINES_TYPE = "application/vnd.wandle.records+jsonl"
# Names of a request's values, or null; one stands for a list of one, and is dumped as one.
Listed = Annotated[
    tuple[str | None, ...],
    BeforeValidator(as_tuple, json_schema_input_type=str | None | tuple[str | None, ...]),
    PlainSerializer(lambda listed: listed[0] if len(listed) == 1 else listed),
]

# The part of a path that matches every field of an object, or every item of a list.
EVERY = "*"


# What every answer is made of.
_SOME_TEXT = '{"a..1": [0]};,\n'


def is_text_encoding(name: str) -> bool:
    """Whether Python knows it, and it turns bytes into text: base64 does not, nor does idna."""
    try:
        decoder = codecs.getincrementaldecoder(name)()
        return decoder.decode(_SOME_TEXT.encode(name), final=True) == _SOME_TEXT
    except (LookupError, ValueError, TypeError, AssertionError):
        return False


class Selection(Definition):
    """Which records belong to the partition, if a body also has those of others."""

    field: BodyPath = Field(min_length=1, description="Dotted path in the record.")
    among: Listed = Field(
        default=(),
        description="The values that belong: a value of the request, or a list of these, by name. "
        "A name without a dot (one of `parents` or `constants`) is a list with commas. null: no "
        "value.",
    )
    unlike: Listed = Field(
        default=(), alias="not", description="The values that do not belong, written the same way."
    )

    period: Annotated[str, AfterValidator(lambda value: value and date_format(value))] = Field(
        default="",
        description="The field is a date in this format, `%d/%m/%Y`, and records of the "
        "partition's period belong. One whose date cannot be read belongs everywhere, so that it "
        "is not lost: its column quarantines it.",
    )

    @model_validator(mode="after")
    def _says_one_thing(self) -> Selection:
        if sum(map(bool, (self.among, self.unlike, self.period))) != 1:
            raise WrongField(
                "expected one of `among`, `not` and `period`, with at least one value", "among"
            )
        return self

    @property
    def excludes(self) -> bool:
        """Whether the values are those that do not belong."""
        return bool(self.unlike)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the request's values that the field is compared with."""
        if self.period:
            return ("period", "period.last")
        return tuple(item for item in (*self.among, *self.unlike) if item is not None)

    @property
    def null(self) -> bool:
        """Whether no value is one of the values."""
        return None in (*self.among, *self.unlike)


class Format(Definition):
    """How to read records from a body."""

    kind: Kind = Field(
        default="json",
        description="`columnar`: JSON, one array for each field, aligned by position. `rows`: "
        "JSON, one array for each record, after a first one with the names of the fields. "
        "`geojson`: features, with `properties.name`, `geometry`, and `geometry#wkt`, which is "
        "well-known text. `spreadsheet`: .xlsx or .ods. `xml`: elements, with `@name` for an "
        "attribute and `#text` for text beside attributes. `parquet`.",
    )
    records: BodyPath = Field(
        default="",
        description="Dotted path to the records. Empty: the body is the list; for `geojson`, the "
        "field `features`. A part `*` matches every field of an object, or every item of a list: "
        "`*.events`; at the end, each match is a record: `stations.*`. For `xml`, the names of the "
        "elements from the root to the records, as written: `feed.entry`.",
    )
    inherit: tuple[str, ...] | dict[str, BodyPath] = Field(
        default=(),
        description="Fields that a record inherits from the objects around it, if `records` has "
        "a `*` and the record has no such field: `[division]`; under another name, by its "
        "dotted path: `{division: name, day: period.start}`; the name that `*` matches: "
        "`{station_id: '*'}`.",
    )
    one_or_many: bool = Field(
        default=False,
        description="A single record, or a single item above one, may be an object instead "
        "of a list; where there are no records, null or an empty parent object may be sent.",
    )
    envelope: tuple[str, ...] = Field(
        default=(),
        description="Dotted paths that every JSON or XML answer has beside its records: `[meta]`. "
        "An "
        "answer with them but without `records` is empty; one without them is an error.",
    )
    encoding: str = Field(
        default="",
        description="Such as `windows-1252` or `utf-16`. Default: the byte order mark, "
        "then the charset of Content-Type, then what XML declares, then UTF-8.",
    )
    compression: Compression | tuple[Compression, ...] = Field(
        default=(),
        description="`gzip` or `zip`; a list from the outermost, if several: `[gzip, gzip]`. "
        "Default: one layer, recognised by its first bytes.",
    )
    zip_member: str = Field(
        default="",
        description="The file in the zip, or a pattern: `data/*.csv`. Default: the only file.",
    )
    sheet: str | Annotated[int, Field(strict=True, ge=1)] = Field(
        default="",
        description="The sheet of a spreadsheet: its name, a pattern (`Payments *`), or its "
        "number among the visible ones, from 1. Default: the only visible one.",
    )
    delimiter: str = Field(default=",", min_length=1, max_length=1, description="Of CSV.")
    quote: str = Field(
        default='"',
        max_length=1,
        description="The quote around CSV fields that contain the delimiter or line breaks; "
        "empty: no quoting, quotes are text.",
    )
    header: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        description="The names of all fields of CSV without a header line, in order. A line "
        "that the file has for it anyway is left out by `skip_rows_before_header`.",
    )
    header_rows: int = Field(
        default=1,
        ge=1,
        le=5,
        description="Lines or rows that the header of CSV or of a sheet takes. A field's name has "
        "the texts of all of them, from the top, with spaces between. A text above the last row "
        "also counts for the fields to the right of it that have none, as in merged cells.",
    )
    skip_rows_before_header: int = Field(
        default=0,
        ge=0,
        description="Lines before the header of CSV (with `header`, before the first record), or "
        "rows of a sheet, including empty ones.",
    )
    skip_rows_at_end: int = Field(
        default=0,
        ge=0,
        description="Lines after the last record of CSV, including empty ones; of a sheet, rows "
        "with values.",
    )
    null_values: tuple[str, ...] = Field(
        default=(), description="Texts that mean null in every column: ''."
    )
    select: Selection | None = None

    _as_sent: bool = PrivateAttr(default=False)
    _evidence: Evidence = PrivateAttr(default=Evidence())
    _limits: Limits = PrivateAttr(default=DEFAULT)

    def _private(self, name: str) -> Any:
        # Three of these are read for every page: as an attribute each takes 50 times as long.
        return (self.__pydantic_private__ or {})[name]

    @property
    def as_sent(self) -> bool:
        """Whether the contract's columns need numbers as sent: 12.50, not 12.5."""
        return self._private("_as_sent")  # type: ignore[no-any-return]

    def with_numbers_as_sent(self) -> Format:
        """The same layout, but numbers are read as sent."""
        found = self.model_copy()
        found._as_sent = True
        return found

    @property
    def evidence(self) -> Evidence:
        """What an answer must contain; nothing unless set from a contract."""
        return self._private("_evidence")  # type: ignore[no-any-return]

    def with_evidence(self, evidence: Evidence) -> Format:
        """The same format for answers that must contain this."""
        found = self.model_copy()
        found._evidence = evidence
        return found

    @property
    def limits(self) -> Limits:
        """How large answers and records may be."""
        return self._private("_limits")  # type: ignore[no-any-return]

    def with_limits(self, limits: Limits) -> Format:
        """The same format, for answers and records within these limits."""
        found = self.model_copy()
        found._limits = limits
        return found

    @property
    def path(self) -> tuple[str, ...]:
        """The parts of the path to the records."""
        return parts(self.records or ("features" if self.kind == "geojson" else ""))

    @property
    def has_envelope(self) -> bool:
        """Whether records are a part of a document, which can say more than them."""
        return self.kind not in ("csv", "jsonl", *FILES)

    @property
    def is_table(self) -> bool:
        """Whether the names of all fields are in a header, and none is within another."""
        return self.kind in ("csv", "spreadsheet")

    @property
    def is_rewritten(self) -> bool:
        """Whether a body is written as JSON lines when records are removed from it."""
        return self.kind in ("xml", *FILES)

    def received_as(self, content_type: str) -> Format:
        """The format of a body with this Content-Type: another one if it was rewritten."""
        if content_type != LINES_TYPE:
            return self
        lines: dict[str, Any] = {"kind": "jsonl", "records": "", "envelope": (), "sheet": ""}
        skipped = {"skip_rows_before_header": 0, "skip_rows_at_end": 0}
        named = {"header": (), "header_rows": 1}
        packed = {"compression": (), "zip_member": "", "encoding": ""}
        return self.model_copy(update=lines | skipped | named | packed)

    @property
    def inherited(self) -> dict[str, str]:
        """The path of the inherited field, or `*`, by its name in the records."""
        if isinstance(self.inherit, dict):
            return self.inherit
        return {name: joined([name]) for name in self.inherit}

    @property
    def layers(self) -> tuple[Compression, ...]:
        """The layers of compression, from the outermost."""
        return (self.compression,) if isinstance(self.compression, str) else self.compression

    @property
    def in_place(self) -> bool:
        """Whether each record is a contiguous, unchanged part of the body."""
        return self.kind in ("json", "geojson", "jsonl", "csv") and EVERY not in self.path

    @field_validator("encoding")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value and not is_text_encoding(value):
            raise ValueError("expected the name of an encoding, like windows-1252")
        return codecs.lookup(value).name if value else value

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
            raise WrongField("`inherit` needs a `*` in `records`", "inherit")
        if EVERY in self.path and self.kind not in ("json", "geojson"):
            raise WrongField("a `*` in `records` needs `kind: json`", "records")
        return self

    @model_validator(mode="after")
    def _is_a_document(self) -> Format:
        if self.kind == "xml" and not self.records:
            raise WrongField(
                "`kind: xml` needs `records`: the elements that are records, from the root",
                "records",
            )
        if self.kind == "xml" and self.one_or_many:
            raise WrongField("XML has no lists: an element is there once or more", "one_or_many")
        if self.kind in FILES and self.encoding:
            raise WrongField(f"`kind: {self.kind}` is not a text format", "encoding")
        if self.sheet != "" and self.kind != "spreadsheet":
            raise WrongField("needs `kind: spreadsheet`", "sheet")
        return self

    @model_validator(mode="after")
    def _header_is_of_csv(self) -> Format:
        if self.header and self.kind != "csv":
            raise WrongField("`header` needs `kind: csv`", "header")
        if len(set(self.header)) < len(self.header):
            raise WrongField("expected different names", "header")
        return self

    @model_validator(mode="after")
    def _words_fit_the_kind(self) -> Format:
        for field in ("records", "envelope"):
            if not self.has_envelope and getattr(self, field):
                raise WrongField(f"`{field}` does not apply to `kind: {self.kind}`", field)
        for field in ("skip_rows_before_header", "skip_rows_at_end"):
            if self.kind not in ("csv", "spreadsheet") and getattr(self, field):
                raise WrongField("skipping rows needs `kind: csv` or `kind: spreadsheet`", field)
        if self.header_rows > 1 and (not self.is_table or self.header):
            raise WrongField("needs a header, in `kind: csv` or `kind: spreadsheet`", "header_rows")
        if self.zip_member and self.layers and "zip" not in self.layers:
            raise WrongField("`zip_member` needs `compression: zip`", "zip_member")
        for field in ("delimiter", "quote"):
            if getattr(self, field) in ("\n", "\r"):
                raise WrongField("lines end with it", field)
        if self.quote == self.delimiter:
            raise WrongField("the same as `delimiter`", "quote")
        return self
