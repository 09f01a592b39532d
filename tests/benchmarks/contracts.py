"""The contracts that are measured, by name; `<name>/<variant>` is a variant of one."""

from __future__ import annotations

from typing import Any

from include.sources.conversions.numbers import NumberFormat
from include.sources.model import Contract, every_contract

# How readings are written out.
_IN_WORDS: dict[str, dict[str, Any]] = {
    "date_time": {"format": ("%d/%m/%Y %H:%M:%S",)},
    "measure": {"clean": ("trim",)},
    "value": {"number": NumberFormat(thousands=",", symbols=("m",))},
}


def contract_of(name: str) -> Contract:
    """A contract, as it is or as a variant.

    `any_share` takes as many broken records as there are; `ward_in_record`
    finds in each record what its request knew; `in_words` converts what people
    write.
    """
    source, _, variant = name.partition("/")
    found = every_contract()[source]
    if variant == "any_share":
        return found.model_copy(
            update={"checks": found.checks.model_copy(update={"max_quarantined_share": 1.0})}
        )
    if variant == "in_words":
        columns = tuple(
            column.model_copy(update=_IN_WORDS.get(column.name, {})) for column in found.columns
        )
        return found.model_copy(update={"columns": columns})
    if variant == "ward_in_record":
        columns = tuple(column.model_copy(update={"request": ""}) for column in found.columns)
        return found.model_copy(update={"columns": columns})
    return found
