"""The values of an API's parameters: given, asked for, or likely."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from include.jobs.author.address import MEANT
from include.jobs.author.metadata.described import Asking
from include.jobs.author.questions import Question, answered
from include.jobs.author.samples.answer import OFFSETS, PAGES, SIZES

_PAGE_SIZE = 100
_MOST = 1_000


def value_of(parameter: Mapping[str, Any], schema: Mapping[str, Any], asking: Asking) -> str:
    """The value to send; empty for a parameter that may be left out.

    A required parameter that options do not give is asked for; those of
    paging are sent, so that pages can be followed.
    """
    name = str(parameter.get("name"))
    if name in asking.parameters:
        return asking.parameters[name]
    if parameter.get("in") == "query" and (paged := _of_paging(name, schema)):
        return paged
    if not (parameter.get("required") or parameter.get("in") == "path"):
        return ""
    question = Question(
        f"new-source: the API needs the parameter {name!r}",
        f"--parameter {name}=VALUE",
        suggestion=_likely(name, parameter, schema),
    )
    return answered(question, "", asking.ask)


def _of_paging(name: str, schema: Mapping[str, Any]) -> str:
    lower = name.lower()
    if lower in SIZES:
        most = schema.get("maximum")
        most = most if isinstance(most, int) and 0 < most <= _MOST else _PAGE_SIZE
        return str(most)
    if lower in (*OFFSETS, *PAGES):
        first = schema.get("default", schema.get("minimum", 0 if lower in OFFSETS else 1))
        return str(first)
    return ""


def _likely(name: str, parameter: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    for known in (parameter.get("example"), schema.get("example"), schema.get("default")):
        if isinstance(known, str | int | float) and str(known):
            return str(known)
    choices = schema.get("enum")
    if isinstance(choices, list) and choices:
        return str(choices[0])
    if schema.get("format") == "date":
        return "{period:%Y-%m-%d}"
    return MEANT.get(name.lower(), "").partition(" or ")[0]
