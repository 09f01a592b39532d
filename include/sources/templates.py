"""Placeholders in a contract: `{period:%Y-%m}`, `{ward.code}`, `{polygon}`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from string import Formatter
from typing import Any

from include.definitions import NAME_PATTERN

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

# How a date may be written: any text with one or more of Python's directives.
_DIRECTIVE = "%-?[aAbBdfGHIjmMpSuUVwWyYzZ]"
_DATE_FORMAT = re.compile(f"(?:[^%]|%%)*{_DIRECTIVE}(?:[^%]|%%|{_DIRECTIVE})*")
# Wide enough for any field; a format can ask for gigabytes of blanks.
_TOO_WIDE = re.compile(r"\d{4}")


# Names that a parent cannot have: they mean something else in `for_each` or in a placeholder.
_TAKEN = ("partition", "ward", "point", "council", "period", "window")


def parent_name(value: str) -> str:
    """The name of a parent, as placeholders begin with it. Raises `ValueError`."""
    if value in _TAKEN or not NAME_PATTERN.fullmatch(value):
        raise ValueError(f"expected a name in lower case other than {', '.join(_TAKEN)}")
    return value


class _Strict(Formatter):
    """`str.format` over whole dotted names: no attribute access, no positions."""

    def get_field(self, field_name: str, args: Any, kwargs: Mapping[str, Any]) -> tuple[Any, str]:
        return kwargs[field_name], field_name


def placeholders(template: str) -> Iterator[str]:
    """The placeholder names of a template. Raises `ValueError` if it is malformed."""
    for _, name, _, _ in Formatter().parse(template):
        if name is not None:
            yield name


def fill(template: str, values: Mapping[str, Any]) -> str:
    """The template with its placeholders replaced.

    Raises `KeyError` for a name that is not in `values`; contracts are checked
    for this when they are read.
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
        return bool(_DATE_FORMAT.fullmatch(form))
    if "{" in form or _TOO_WIDE.search(form):
        return False
    try:
        format(value, form)
    except ValueError:
        return False
    return True
