"""`renamed_from`: what is accepted, and the contract as it was before."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from include.sources.raw_table import before_renames, renames
from tests.samples import column, contract

OLD = contract(column("id"), column("value", "double"), key=["id", "value"])
NEW = contract(
    column("id"),
    column("concentration", "double", path="value", renamed_from="value"),
    key=["id", "concentration"],
)


def test_a_rename_is_not_a_rule():
    without = contract(
        column("id"), column("concentration", "double", path="value"), key=["id", "concentration"]
    )

    assert NEW.rules_hash == without.rules_hash
    assert renames(NEW) == {"concentration": "value"}


def test_the_contract_before_has_the_rules_that_loaded_the_same_values():
    hashes = [item.rules_hash for item in before_renames(NEW)]

    assert OLD.rules_hash in hashes
    assert NEW.rules_hash not in hashes


def test_a_field_that_the_source_renamed_too_had_other_rules():
    of_another_field = contract(
        column("id"),
        column("concentration", "double", renamed_from="value"),
        key=["id", "concentration"],
    )

    assert OLD.rules_hash not in {item.rules_hash for item in before_renames(of_another_field)}


@pytest.mark.parametrize(
    "columns",
    [
        [column("id"), column("a", renamed_from="id")],
        [column("a", renamed_from="x"), column("b", renamed_from="x")],
    ],
)
def test_a_name_that_another_column_uses_is_refused(columns):
    with pytest.raises(ValidationError, match="which another column uses"):
        contract(*columns)


def test_a_name_that_no_column_can_have_had_is_refused():
    with pytest.raises(ValidationError, match="lower-case letters"):
        contract(column("a", renamed_from="B c"))
