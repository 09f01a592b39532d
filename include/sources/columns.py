"""The columns of a contract: the path of a value, its type and its rules."""

from __future__ import annotations

import math
import re
import sys
from datetime import UTC, date, datetime
from decimal import (
    MAX_EMAX,
    MIN_EMIN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    Context,
    Decimal,
    InvalidOperation,
)
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, PlainSerializer, field_validator, model_validator

from include.definitions import NAME_PATTERN, Definition, Text, WrongField
from include.sources import syntax
from include.sources.conversions.conversion import (
    Conversion,
    Step,
    check_conversion,
    cleaned,
    conversion_of,
)
from include.sources.conversions.numbers import NumberFormat
from include.sources.extract.templates import as_tuple
from include.sources.paths import parts

NUMERIC = re.compile(r"numeric\((\d{1,2}),\s*(\d{1,2})\)")
# Up to here, a double represents every whole number.
MOST_EXACT = 2**53
# Every PostgreSQL table has columns of these names already.
SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
TYPES = ("text", "integer", "double", "boolean", "date", "timestamptz", "jsonb")

_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)

Scalar = str | int | float | bool
# A single one means a list of one, and is dumped as one.
Formats = Annotated[
    tuple[str, ...],
    BeforeValidator(as_tuple, json_schema_input_type=str | tuple[str, ...]),
    PlainSerializer(lambda formats: formats[0] if len(formats) == 1 else formats),
]


def is_kept_by_double(number: Decimal) -> bool:
    """Whether the nearest double, written with as many digits, is the number.

    Programs write a double with the fewest digits that distinguish it, which
    for 46 powers of two are not those of the rounded double: 2^-24 is written
    5.960464477539063e-08. Those that round write a tie in either direction.
    """
    double = float(number)
    digits = len("".join(map(str, number.as_tuple().digits)).strip("0"))
    if not digits or not math.isfinite(double):
        return not digits
    written = (
        Context(digits, rounding, MIN_EMIN, MAX_EMAX).create_decimal(double)
        for rounding in (ROUND_HALF_EVEN, ROUND_HALF_UP)
    )
    return number in written or Decimal(repr(double)) == number


class Column(Definition):
    """One column of the raw table."""

    name: str = Field(
        json_schema_extra={"pattern": NAME_PATTERN.pattern},
        description="At most 48 lower-case letters, digits and underscores. If the field's name "
        "is different, put it in `path`.",
    )
    type: str = Field(
        json_schema_extra={"anyOf": [{"enum": [*TYPES]}, {"pattern": f"^{NUMERIC.pattern}$"}]},
        examples=["numeric(10,2)"],
        description="A number that the type cannot hold exactly breaks the rule `type`; "
        "numeric(p,s) has p digits, s of them after the point; a double accepts any number whose "
        "digits it preserves.",
    )
    description: Text = Field(min_length=1, description="What it means, with its unit.")
    path: str = Field(
        default="",
        description="Dotted path in the record, `\\.` for a dot within a name; the column's "
        "name if left out.",
    )
    renamed_from: str = Field(
        default="",
        json_schema_extra={"pattern": f"{NAME_PATTERN.pattern}|^$"},
        description="The column's previous name: `wandle migrate` moves its values. Keep the "
        "field's name in `path`.",
    )
    request: str = Field(default="", description="Value of the request to use: `ward.code`.")
    position: bool = Field(default=False, description="The record's number in its page, from 1.")
    required: bool = Field(
        default=False, description="A null or missing value breaks the contract."
    )
    optional: bool = Field(
        default=False,
        description="Whether a file's header may lack the field. Otherwise such a file is "
        "rejected.",
    )
    allowed: tuple[Scalar, ...] = Field(
        default=(),
        examples=[["burglary", "robbery"], [1, 2], [True], ["2026-01-31"], ["2026-01-31T09:00Z"]],
        description="The permitted values.",
    )
    pattern: str = Field(
        default="", description="Regular expression that the whole text must match."
    )
    minimum: int | float | None = Field(default=None, description="The smallest permitted number.")
    maximum: int | float | None = Field(default=None, description="The largest permitted number.")
    null_values: tuple[Scalar, ...] = Field(
        default=(), description="Values that mean null: 32768.47, -32.767, 'n/a'."
    )
    list_value: Literal["quarantine", "first", "last", "explode"] = Field(
        default="quarantine",
        description="What to do with a value that is a list, is inside the objects of a list on "
        "its path, or is joined by `list_separator`: break the rule, take the first or last, or "
        "load one row for each.",
    )
    list_separator: str = Field(
        default="", description="The separator of the values of a list in text: `|`."
    )
    clean: tuple[Step, ...] = Field(
        default=(),
        description="Steps applied to a text before anything else, in this order: "
        "`trim` (spaces and line breaks at both ends, including no-break spaces), `upper`, "
        "`lower`, `nfc` (accents and letters as one character), `nfkc` (also full-width "
        "digits as digits).",
    )
    format: Formats = Field(
        default=(),
        description="How a date or a timestamptz is written instead of YYYY-MM-DD: `%d/%m/%Y`; a "
        "list if it is written in several ways; a text that means different dates in them breaks "
        "the rule `type`. %d %m %H %I take one or two digits, but two where a digit is next to "
        "them; %Y four; %M %S two; %b %B %a %A English names in any case; also %y (with "
        "`two_digit_years_from`), %p, %f and %z. Or `epoch` or `epoch_ms`: seconds or milliseconds "
        "since 1970 in UTC; as a date, midnights in UTC or in `zone`.",
    )
    two_digit_years_from: int | None = Field(
        default=None,
        ge=1,
        le=9900,
        description="The first of the hundred years that %y can mean: with 1970, 70 is 1970 and 69 "
        "is 2069.",
    )
    number: NumberFormat | None = Field(
        default=None,
        description="How an integer, a numeric or a double is written in text: `{thousands: ',', "
        "symbols: [£], negative: ['(#)']}` reads £1,234.50 and (12.00).",
    )
    true_values: tuple[str, ...] = Field(
        default=(),
        description="Texts that mean true in a boolean, in addition to `true`: `['Y', "
        "'yes']`. Case "
        "matters unless `clean` changes it.",
    )
    false_values: tuple[str, ...] = Field(
        default=(), description="Texts that mean false, in addition to `false`: `['N', 'no']`."
    )
    zone: str = Field(
        default="",
        examples=["Europe/London"],
        description="The time zone of a timestamptz whose text has none.",
    )
    accept_numbers: bool = Field(
        default=False,
        description="Whether a text column also accepts JSON numbers, as text: 12 as '12', 12.50 "
        "as '12.50'. Otherwise they break the rule `type`.",
    )
    fraction: Literal["quarantine", "truncate", "round"] = Field(
        default="quarantine",
        description="What to do with a timestamptz that has more than six fractional digits, "
        "other than zeros: break the rule `fraction`, truncate, or round half up.",
    )
    personal: Literal["no", "keep", "pseudonymise", "drop"] = Field(
        default="no",
        description="Whether the values are personal data, and if so whether to keep, pseudonymise "
        "or drop them.",
    )
    access: Literal["public", "internal"] = Field(
        default="public",
        description="`internal`: never published as open data, even if the source is public.",
    )
    responsible: Literal["publisher", "us"] = Field(
        default="publisher", description="Who must fix a value that breaks a rule."
    )

    @field_validator("name")
    @classmethod
    def _is_a_column_name(cls, value: str) -> str:
        if not NAME_PATTERN.fullmatch(value):
            raise ValueError(
                "expected at most 48 lower-case letters, digits and underscores, a letter first; "
                "put another field name in `path`"
            )
        if value in SYSTEM_COLUMNS:
            raise ValueError(
                "every PostgreSQL table has a system column with this name; choose another one and "
                "put the field's name in `path`"
            )
        return value

    @field_validator("renamed_from")
    @classmethod
    def _was_a_column_name(cls, value: str) -> str:
        return cls._is_a_column_name(value) if value else value

    @field_validator("type")
    @classmethod
    def _is_a_known_type(cls, value: str) -> str:
        numeric = NUMERIC.fullmatch(value)
        if numeric:
            precision, scale = int(numeric[1]), int(numeric[2])
            if not 1 <= precision <= 38 or scale > precision:
                raise ValueError("numeric(p,s) needs 1 <= p <= 38 and s <= p")
            return f"numeric({precision},{scale})"
        if value not in TYPES:
            raise ValueError(f"expected one of {', '.join(TYPES)} or numeric(p,s)")
        return value

    @field_validator("pattern")
    @classmethod
    def _is_a_regular_expression(cls, value: str) -> str:
        return syntax.pattern(value) if value else value

    @field_validator("minimum", "maximum")
    @classmethod
    def _is_exact(cls, value: float | None) -> float | None:
        """Whole numbers that no double represents stay as they are."""
        if value is None:
            return None
        if abs(value) > sys.float_info.max:
            raise ValueError("expected a number of up to 1.8e308, the largest double")
        return float(value) if abs(value) <= MOST_EXACT else value

    @field_validator("zone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        return syntax.zone(value) if value else value

    @field_validator("path")
    @classmethod
    def _is_a_path(cls, value: str) -> str:
        parts(value)
        return value

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> Column:
        if sum(bool(origin) for origin in (self.path, self.request, self.position)) > 1:
            raise ValueError("only one of `path`, `request` and `position` is allowed")
        if self.position and self.type != "integer":
            raise WrongField("`position` needs `type: integer`", "position")
        return self

    @model_validator(mode="after")
    def _conversion_fits(self) -> Column:
        check_conversion(self)
        return self

    @model_validator(mode="after")
    def _rules_fit_the_type(self) -> Column:
        number = self.type in ("integer", "double") or self.type.startswith("numeric")
        epoch = self.conversion is not None and self.conversion.epoch is not None
        needs = {
            "pattern": (self.pattern, "text"),
            "zone": (self.zone and not (epoch and self.type == "date"), "timestamptz"),
            "accept_numbers": (self.accept_numbers, "text"),
            "fraction": (self.fraction != "quarantine", "timestamptz"),
            "personal": (self.personal == "pseudonymise", "text"),
        }
        for field, (used, kind) in needs.items():
            if used and self.type != kind:
                shown = "`personal: pseudonymise`" if field == "personal" else f"`{field}`"
                raise WrongField(f"{shown} needs `type: {kind}`", field)
        for field in ("minimum", "maximum"):
            if getattr(self, field) is not None and not number:
                raise WrongField(f"`{field}` needs a number", field)
        if None not in (self.minimum, self.maximum) and self.minimum > self.maximum:  # type: ignore[operator]
            raise WrongField(f"below `minimum: {self.minimum:g}`: no value is allowed", "maximum")
        for place, value in enumerate(self.allowed):
            if not self._can_be(value):
                raise WrongField(
                    f"no value of `type: {self.type}`: {value!r}. Put text in quotes",
                    *("allowed", place),
                )
        return self

    def _can_be(self, value: Scalar) -> bool:
        """Whether a value of this column can equal `value`."""
        if self.type == "text":
            if isinstance(value, str):
                return cleaned(value, self.clean) == value
            return self.accept_numbers and not isinstance(value, bool)
        if self.type == "boolean" or isinstance(value, bool):
            return self.type == "boolean" and isinstance(value, bool)
        try:
            if self.type == "date":
                return date.fromisoformat(str(value)).isoformat() == value
            if self.type == "timestamptz":
                moment = _MOMENT.fullmatch(str(value))
                return bool(moment and datetime.fromisoformat(str(value)).astimezone(UTC))
            if isinstance(value, str) and not _NUMBER.fullmatch(value):
                return False
            return self.type != "jsonb" and self._can_hold(Decimal(str(value)))
        except (ValueError, OverflowError, InvalidOperation):
            return False

    def _can_hold(self, number: Decimal) -> bool:
        if not number.is_finite():
            return False
        if numeric := NUMERIC.fullmatch(self.type):
            precision, scale = int(numeric[1]), int(numeric[2])
            # By default, a shift rounds to 28 digits.
            exact = Context(len(number.as_tuple().digits), Emin=MIN_EMIN, Emax=MAX_EMAX)
            whole = number.scaleb(scale, exact)
            return whole == whole.to_integral_value() and abs(whole) < 10**precision
        if self.type == "integer":
            return number == number.to_integral_value() and -(2**63) <= number < 2**63
        return is_kept_by_double(number)

    @property
    def conversion(self) -> Conversion | None:
        """What turns its texts into those that its type reads, if it declares anything."""
        return conversion_of(self)

    @property
    def record_path(self) -> tuple[str, ...]:
        """Its path in a record; empty if its value is not from the record."""
        if self.request or self.position:
            return ()
        return parts(self.path) if self.path else (self.name,)
