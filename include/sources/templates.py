"""Placeholders in a contract: `{period:%Y-%m}`, `{ward.code}`, `{polygon}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from string import Formatter
from typing import Any


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
