"""Contracts are complete, and a wrong one is named."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from new_project.contract import FOLDER, Column, contracts


def test_there_is_a_contract_and_each_has_what_people_ask_for():
    found = contracts()

    assert found
    for contract in found.values():
        assert contract.description
        assert contract.licence
        assert contract.owner


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("type: date", "type: day", "type"),
        ("key: [date]", "key: [day]", "no such column in key: day"),
        ("min_records: 1", "min_record: 1", "min_record"),
        ("name: bank_holidays", "name: other", "Name the file after the dataset"),
    ],
)
def test_a_wrong_contract_is_named(tmp_path: Path, before: str, after: str, said: str):
    text = (FOLDER / "bank_holidays.yaml").read_text(encoding="utf-8")
    (tmp_path / "bank_holidays.yaml").write_text(text.replace(before, after), encoding="utf-8")

    with pytest.raises(ValueError, match=r"bank_holidays\.yaml.*") as error:
        contracts(tmp_path)

    assert said in str(error.value)


@pytest.mark.parametrize(
    ("type_", "given", "value"),
    [("date", "2026-11-01", date(2026, 11, 1)), ("integer", 3, 3), ("boolean", False, False)],
)
def test_a_value_gets_the_type_of_its_column(type_: str, given: object, value: object):
    column = Column.model_validate({"name": "a", "type": type_, "description": "A."})

    assert column.cast(given) == value
    with pytest.raises(ValueError, match=f"not of type {type_}"):
        column.cast({"nested": 1})
