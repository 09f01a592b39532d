"""Which fault applies to which request: the rules of `faults.json` and of the header."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from sandbox.middleware.rewriting import extended, page_number, retyped

Fault = Literal[
    "429", "429-retry-after-seconds", "429-retry-after-date", "500", "502", "503", "503-html",
    "404", "slow", "cut", "truncated", "empty", "empty-list",
    "wrong-type", "extra-field", "missing-page", "duplicate-page",
]  # fmt: skip
DEFAULT_PAGE = 2
PAGES_LATER = {"missing-page": 1, "duplicate-page": -1}
REWRITES = {"wrong-type": retyped, "extra-field": extended}


class Match(BaseModel):
    """Which requests a rule applies to."""

    model_config = ConfigDict(extra="forbid")

    path: str = ""
    form: dict[str, str] = Field(default_factory=dict)

    @field_validator("path")
    @classmethod
    def _is_a_regular_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"expected a regular expression: {error}") from error
        return value

    def fits(self, path: str, fields: dict[str, str]) -> bool:
        """Whether a request to `path` with these fields matches."""
        return bool(re.search(self.path, path)) and self.form.items() <= fields.items()


class Rule(BaseModel):
    """One rule of `faults.json`."""

    model_config = ConfigDict(extra="forbid")

    match: Match = Match()
    fault: Fault
    times: int | None = Field(default=None, ge=0)
    seconds: float | None = Field(default=None, ge=0)
    field: str | None = None
    page: int | None = Field(default=None, ge=2)

    def reaches(self, query: bytes) -> bool:
        """Whether a paging fault applies to the requested page; other faults always apply."""
        if self.fault not in PAGES_LATER:
            return True
        asked = page_number(query)
        return asked is not None and asked >= (self.page or DEFAULT_PAGE)


RULES = TypeAdapter(list[Rule])


def rule_of_header(text: str) -> Rule | None:
    """Parse the rule `<fault>` or `<fault>=<argument>`; None if invalid."""
    name, _, taken = text.strip().partition("=")
    takes = "field" if name in REWRITES else "page" if name in PAGES_LATER else "seconds"
    try:
        return Rule.model_validate({"fault": name, takes: taken or None})
    except ValidationError:
        return None
