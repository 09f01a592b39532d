"""Placeholders in a contract, and the parents that they take values from."""

from __future__ import annotations

import math
import re
from calendar import timegm
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from string import Formatter
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, field_validator, model_validator

from include.definitions import NAME_PATTERN, Definition, WrongField
from include.errors import UnexpectedPayload

# Placeholders of a request: its council, its period, and its ward or point.
COUNCIL_VALUES = (
    "council.name",
    "council.title",
    "council.gss_code",
    "council.police_force",
    "council.latitude",
    "council.longitude",
    "council.radius_km",
)
PERIOD_VALUES = ("period", "period.last", "period.next")
WARD_VALUES = ("ward.code", "ward.name", "ward.police_neighbourhood")
POINT_VALUES = ("point.name", "point.latitude", "point.longitude")
WINDOW_VALUES = ("window.start", "window.end")
# Followed by a name under `names` in the council's file.
COUNCIL_NAMES = "council.names."

# What names an item of `for_each` that is several records of a parent: the number of the batch.
BATCH = "batch"

# How a date may be written: any text with one or more of Python's directives.
_DIRECTIVE = "%-?[aAbBdfGHIjmMpSuUVwWyYzZ]"
_DATE_FORMAT = re.compile(f"(?:[^%]|%%)*{_DIRECTIVE}(?:[^%]|%%|{_DIRECTIVE})*")
# Or a moment, of a date midnight in UTC, as a number since 1970; its parts of a second.
EPOCHS = {"epoch": 1, "epoch_ms": 1000}
# Wide enough for any field; a format can ask for gigabytes of blanks.
_TOO_WIDE = re.compile(r"\d{4}")
# A double has at most 309 digits before its point, and begins at most 324 places after it.
_MOST_PLACES = 400


class _Strict(Formatter):
    """`str.format` over whole dotted names: no attribute access, no positions."""

    _name = ""

    def get_field(self, field_name: str, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        self._name = field_name
        return kwargs[field_name], field_name

    def format_field(self, value: Any, format_spec: str) -> str:
        if isinstance(value, date) and format_spec in EPOCHS:
            return str(timegm(value.timetuple()) * EPOCHS[format_spec])
        try:
            if format_spec and _is_beyond_doubles(value):
                raise OverflowError
            return str(format(value, format_spec))
        except (ValueError, TypeError, OverflowError):
            if isinstance(value, date) or self._name.startswith("council."):
                raise
            raise UnexpectedPayload(
                f"{{{self._name}:{format_spec}}}: the value, from the landing of another source, "
                f"does not fit this format: it is {type(value).__name__}. Retrying will not help. "
                "Correct the format in the contract, or fetch that source again."
            ) from None


def _is_beyond_doubles(value: Any) -> bool:
    """Whether a number may have far more digits, once it is written out, than were sent."""
    if isinstance(value, Decimal):
        return not value.is_finite() or abs(value.adjusted()) > _MOST_PLACES
    return isinstance(value, float) and not math.isfinite(value)


def is_council_value(name: str) -> bool:
    """Whether a placeholder stands for something in the council's file."""
    of_names = name.startswith(COUNCIL_NAMES)
    return name in COUNCIL_VALUES or (
        of_names and bool(NAME_PATTERN.fullmatch(name.removeprefix(COUNCIL_NAMES)))
    )


def placeholders(template: str) -> Iterator[str]:
    """The placeholder names of a template. Raises `ValueError` if it is malformed."""
    for _, name, _, _ in Formatter().parse(template):
        if name is not None:
            yield name


def fill(template: str, values: Mapping[str, Any]) -> str:
    """The template with its placeholders replaced.

    Raises `KeyError` for a name that is not in `values`; contracts are checked
    for this when they are read. Raises `UnexpectedPayload` for a value of a
    parent's record that cannot be written as its placeholder says.
    """
    return _Strict().vformat(template, (), values)


def check_formats(template: str, *, of_parent: bool = False) -> None:
    """Raise `ValueError` for a format that the value of its placeholder does not take.

    `of_parent` says that the placeholders are columns of a parent.
    """
    for _, name, form, conversion in Formatter().parse(template):
        if name is None or not (form or conversion):
            continue
        values = _OF_RECORD if of_parent else _samples(name)
        if conversion or not any(_takes(value, form or "") for value in values):
            shown = f"!{conversion}" if conversion else f":{form}"
            raise ValueError(f"{{{name}{shown}}}: its value cannot be written like that")


# What a field of a record may be.
_OF_RECORD = ("a", 1, 1.5)


def _samples(name: str) -> tuple[Any, ...]:
    """What the value of a placeholder may be."""
    if name.startswith(COUNCIL_NAMES):
        return ("a",)
    if name in PERIOD_VALUES:
        return (date(2017, 1, 31),)
    if name in WINDOW_VALUES:
        return (datetime(2017, 1, 31, tzinfo=UTC),)
    if name.endswith((".latitude", ".longitude", ".radius_km")):
        return (51.4,)
    known = (*COUNCIL_VALUES, *WARD_VALUES, *POINT_VALUES)
    return ("a",) if name in known or "." not in name else _OF_RECORD


def _takes(value: Any, form: str) -> bool:
    if isinstance(value, date):
        return form in EPOCHS or bool(_DATE_FORMAT.fullmatch(form))
    if "{" in form or _TOO_WIDE.search(form):
        return False
    try:
        format(value, form)
    except ValueError:
        return False
    return True


def date_format(value: str) -> str:
    """A format that Python reads dates with. Raises `ValueError`."""
    sample = date(2017, 1, 31)
    try:
        if datetime.strptime(sample.strftime(value), value).date() == sample:
            return value
    except ValueError:
        pass
    raise ValueError("expected the format of a whole date, like %d/%m/%Y")


def as_tuple(value: Any) -> Any:
    """One value as a list of one; a list as it is."""
    return tuple(value) if isinstance(value, list | tuple) else (value,)


# Texts with placeholders, or null; one stands for a list of one.
Wanted = Annotated[
    tuple[str | None, ...],
    Field(min_length=1),
    BeforeValidator(as_tuple, json_schema_input_type=str | None | tuple[str | None, ...]),
]


class Parent(Definition):
    """Values made from the records of another source's latest landing.

    With `each`, a single value: the matching records, formatted and joined.
    With its name in `for_each`, one request per record, whose columns are
    placeholders: `{station.station_reference}`. With both, and `batch`, one
    request for so many records, whose placeholder is `{station}`.
    """

    source: str = Field(description="The source whose latest landing of the same council is read.")
    match: dict[str, Wanted] = Field(
        default_factory=dict,
        description="Columns of the parent that must equal this value, or one of these; null "
        "matches no value: `{closed_on: null}`.",
    )
    unlike: dict[str, Wanted] = Field(
        default_factory=dict,
        alias="not",
        description="Columns of the parent that must not equal this value or any of these.",
    )
    each: str = Field(
        default="", description="Format of one record, with its columns as placeholders."
    )
    join: str = Field(default=",", description="Separator between records.")
    batch: int = Field(
        default=0,
        ge=0,
        description="How many records one request asks for, formatted by `each` and joined, with "
        "the parent's name in `for_each`: `ids={station}`. A part is then a batch, by its number.",
    )

    @model_validator(mode="after")
    def _batches_are_joined(self) -> Parent:
        if self.batch and not self.each:
            raise WrongField("`batch` needs `each`", "batch")
        return self

    @field_validator("each")
    @classmethod
    def _is_a_template(cls, value: str) -> str:
        # Its placeholders are columns of the parent.
        check_formats(value, of_parent=True)
        return value

    @property
    def compared(self) -> tuple[str, ...]:
        """The columns that decide which records match."""
        return (*self.match, *self.unlike)

    def texts(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every text that columns are compared with, and where it is."""
        for field, wanted in (("match", self.match), ("not", self.unlike)):
            for column, texts in wanted.items():
                for place, text in enumerate(texts):
                    if text is not None:
                        yield (field, column, *((place,) if len(texts) > 1 else ())), text
