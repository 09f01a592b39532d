"""The conversion that a column declares, and whether it fits the column."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from include.definitions import WrongField
from include.sources.conversions.dates import OF_TIMES, date_format
from include.sources.conversions.numbers import NumberFormat

if TYPE_CHECKING:
    from include.sources.columns import Column

# Formats that are not made of directives: how many of their last digits are a fraction of a second.
EPOCHS = {"epoch": 0, "epoch_ms": 3}

Step = Literal["trim", "upper", "lower", "nfc", "nfkc"]


@dataclass(frozen=True)
class Conversion:
    """What turns the texts of a column into those that its type reads."""

    formats: tuple[str, ...] = ()
    years_from: int | None = None
    number: NumberFormat | None = None
    true_values: tuple[str, ...] = ()
    false_values: tuple[str, ...] = ()

    @property
    def epoch(self) -> int | None:
        """How many digits of a whole number are a fraction of a second; None if not an epoch."""
        return EPOCHS.get(self.formats[0]) if self.formats else None

    def wanted(self, type_name: str) -> str:
        """How values of this type must be written, for messages."""
        if self.number:
            return f"written like {self.number.example(whole=type_name == 'integer')}"
        if self.formats:
            return f"written as {' or '.join(self.formats)}"
        return f"written as {' or '.join((*self.true_values, *self.false_values))}"


def conversion_of(column: Column) -> Conversion | None:
    """The conversion that a column declares, if any."""
    if column.format:
        return Conversion(formats=column.format, years_from=column.two_digit_years_from)
    if column.number:
        return Conversion(number=column.number)
    if column.true_values or column.false_values:
        return Conversion(true_values=column.true_values, false_values=column.false_values)
    return None


def cleaned(text: str, steps: Sequence[Step]) -> str:
    """A text after these steps, in order."""
    for step in steps:
        match step:
            case "trim":
                text = text.strip()
            case "upper":
                text = text.upper()
            case "lower":
                text = text.lower()
            case "nfc":
                text = unicodedata.normalize("NFC", text)
            case "nfkc":
                text = unicodedata.normalize("NFKC", text)
    return text


def check_conversion(column: Column) -> None:
    """Raise `WrongField` for a conversion that does not fit its column."""
    kinds = {
        "format": ("date", "timestamptz"),
        "number": ("integer", "double", "numeric"),
        "true_values": ("boolean",),
        "false_values": ("boolean",),
    }
    kind = column.type.partition("(")[0]
    for field, fitting in kinds.items():
        if getattr(column, field) and kind not in fitting:
            raise WrongField(f"`{field}` needs `type: {' or '.join(fitting)}`", field)
    if column.clean:
        _check_clean(column)
    for field in ("clean", "number"):
        if column.position and getattr(column, field):
            raise WrongField(f"`{field}` does not apply to the record's number", field)
    if column.format or column.two_digit_years_from is not None:
        _check_format(column)
    _check_words(column)
    number, separator = column.number, column.list_separator
    if number and separator and separator in (number.thousands, number.decimal, *number.symbols):
        raise WrongField("`list_separator` is part of a number", "list_separator")


def _check_clean(column: Column) -> None:
    if column.type == "jsonb":
        raise WrongField("`clean` does not apply to `type: jsonb`", "clean")
    for place, step in enumerate(column.clean):
        if step in column.clean[:place]:
            raise WrongField(f"{step!r} appears twice", "clean", place)
    for one, other in (("upper", "lower"), ("nfc", "nfkc")):
        if {one, other} <= set(column.clean):
            raise WrongField(f"expected either {one} or {other}", "clean")


def _check_format(column: Column) -> None:
    """The formats are complete, of one kind, and say which time is meant."""
    epochs = [text for text in column.format if text in EPOCHS]
    if epochs:
        if len(column.format) > 1:
            raise WrongField(f"{epochs[0]!r} does not combine with another format", "format")
        if column.zone and column.type == "timestamptz":
            raise WrongField("`zone` does not apply to epochs, which count from UTC", "zone")
    used: set[str] = set()
    for place, text in enumerate(column.format):
        if text in EPOCHS:
            continue
        at = ("format", place) if len(column.format) > 1 else ("format",)
        if text in column.format[:place]:
            raise WrongField(f"{text!r} appears twice", *at)
        try:
            directives = date_format(text).directives
        except ValueError as error:
            raise WrongField(str(error), *at) from error
        _check_directives(column, text, directives, at)
        used |= directives
    if ("y" in used) != (column.two_digit_years_from is not None):
        if "y" in used:
            raise WrongField(
                "%y needs `two_digit_years_from`, the first of the hundred years that it can mean",
                "format",
            )
        raise WrongField("`two_digit_years_from` needs %y in `format`", "two_digit_years_from")


def _check_directives(
    column: Column, text: str, directives: frozenset[str], at: tuple[str | int, ...]
) -> None:
    if column.type == "date":
        if times := sorted(directives & OF_TIMES):
            raise WrongField(
                f"{text!r}: a date has no %{times[0]}. Write a midnight as it is, like "
                "`%d/%m/%Y 00:00`, or use `type: timestamptz`",
                *at,
            )
        return
    if "M" not in directives:
        raise WrongField(f"{text!r} has no hour and minute. Use `type: date`", *at)
    if "z" in directives and column.zone:
        raise WrongField("`zone` does not apply: the format has %z", "zone")
    if "z" not in directives and not column.zone:
        raise WrongField(f"{text!r} has no %z: say which `zone` the times are in", *at)


def _check_words(column: Column) -> None:
    for field, other in (("true_values", "false"), ("false_values", "true")):
        words = getattr(column, field)
        for place, word in enumerate(words):
            if word in words[:place] or (
                field == "false_values" and word in (*column.true_values, "true")
            ):
                raise WrongField(f"{word!r} appears twice", field, place)
            if word == other:
                raise WrongField(f"{word!r} always means {other}", field, place)
            if word in column.null_values:
                raise WrongField(f"{word!r} is also one of `null_values`", field, place)
            if cleaned(word, column.clean) != word:
                raise WrongField(f"`clean` turns {word!r} into another text", field, place)
