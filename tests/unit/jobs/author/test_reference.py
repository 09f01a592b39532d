"""The reference page: complete, with links that lead somewhere and examples that are right."""

from __future__ import annotations

import re
from typing import Any, Literal

import pytest
import yaml
from pydantic import Field, ValidationError, model_validator

from include.definitions import Definition, WrongField
from include.jobs.author.reference.examples import EXAMPLES
from include.jobs.author.reference.page import reference, subclasses
from include.sources.model import Contract

CLASSES = {model.__name__: model for model in subclasses(Definition)}


def rows(page: str) -> dict[str, list[str]]:
    """The cells of each field's line, by section and field."""
    found, section = {}, ""
    for line in page.splitlines():
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif field := re.match(r"\| `(\w+)` \|", line):
            found[f"{section}: {field[1]}"] = re.split(r"(?<!\\)\|", line)[1:-1]
    return found


def test_every_field_of_a_contract_has_a_meaning():
    without = [place for place, cells in rows(reference()).items() if not cells[-1].strip()]

    assert without == [], "give these fields a `description` in the model"


def test_every_link_leads_to_a_heading():
    page = reference()
    anchors = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.*)$", page, re.MULTILINE)
    }

    assert set(re.findall(r"\]\(#([^)]*)\)", page)) == anchors


@pytest.mark.parametrize(
    ("model", "text"), [(model, text) for model, texts in EXAMPLES.items() for text in texts]
)
def test_every_example_is_one_of_its_section(model, text):
    content: Any = yaml.safe_load(text)
    if model == "Contract":
        CLASSES[model].model_validate(content)
        return
    # The names of the fields that lead to the section are shown, too.
    while not _is_valid(CLASSES[model], content):
        assert isinstance(content, dict | list), f"no example of {model}"
        content = next(iter(content.values() if isinstance(content, dict) else content))


def _is_valid(model: type[Definition], content: Any) -> bool:
    try:
        return isinstance(content, dict) and bool(model.model_validate(content))
    except ValidationError:
        return False


class Locker(Definition):
    """A way in that nobody has thought of yet."""

    kind: Literal["key", "code"] = Field(description="How it is opened.")
    digits: int = Field(default=0, ge=0, description="Length of the code.")

    @model_validator(mode="after")
    def _fits(self) -> Locker:
        if self.digits and self.kind != "code":
            raise WrongField("`digits` needs `kind: code`", "digits")
        return self


class WithLocker(Contract):
    """A contract with one more field."""

    locker: Locker | None = None


def test_a_new_field_is_in_the_page_with_the_kinds_it_applies_to():
    found = rows(reference(WithLocker))

    assert "[`locker`](#locker)" in found["The contract: locker"][1]
    assert found["`locker`: kind"][1].strip() == "`key` or `code`"
    assert found["`locker`: digits"][3].strip() == "Length of the code. Only with `kind: code`."


@pytest.mark.parametrize(
    ("place", "only"),
    [
        ("`format`: skip_rows_at_end", "`kind: csv` or `kind: spreadsheet`"),
        ("`columns[]`: zone", "`type: timestamptz`"),
        ("`extract.paging`: next", "`kind: cursor` or `kind: link`"),
    ],
)
def test_a_field_says_which_kinds_take_it(place, only):
    assert f"Only with {only}." in rows(reference())[place][-1]


def test_a_field_that_every_kind_takes_with_some_value_is_not_limited():
    assert "Only with" not in rows(reference())["`extract.paging`: last_page"][-1]
