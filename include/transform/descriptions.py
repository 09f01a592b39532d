"""The descriptions of staging models: their types follow the contract, all else is by hand."""

from __future__ import annotations

import yaml

from include.sources.model import Contract
from include.sources.raw_table import sql_type
from include.transform.sources import END, TAKEN


def synced_description(contract: Contract, name: str, model: str, text: str) -> str:
    """The `.yml` of the staging model `name` with the types that the contract has now.

    Only the `data_type` of columns that the text of the model takes as they
    are is changed: what it casts or computes has a type of its own.
    """
    types = {column.name: sql_type(column.type) for column in contract.raw_columns()}
    expected = {
        taken["name"] or taken["column"]: types[taken["column"]]
        for taken in TAKEN.finditer(model.partition(END)[2])
        if taken["column"] in types
    }
    for start, end, new in reversed(_changes(text, name, expected)):
        text = text[:start] + new + text[end:]
    return text


def _changes(text: str, model: str, wanted: dict[str, str]) -> list[tuple[int, int, str]]:
    """In order, where the types of these columns stand that are not as wanted, and the new text."""
    found = []
    for described in _items(_member(yaml.compose(text, yaml.SafeLoader), "models")):
        if _value(described, "name") != model:
            continue
        for column in _items(_member(described, "columns")):
            name, node = _value(column, "name"), _member(column, "data_type")
            if name in wanted and isinstance(node, yaml.ScalarNode):
                if "".join(node.value.split()) == "".join(wanted[name].split()):
                    continue
                # The comma of numeric(12,2) would end the value between braces.
                new = f'"{wanted[name]}"' if column.flow_style else wanted[name]
                found.append((node.start_mark.index, node.end_mark.index, new))
    return found


def _items(node: yaml.Node | None) -> list[yaml.MappingNode]:
    items = node.value if isinstance(node, yaml.SequenceNode) else []
    return [item for item in items if isinstance(item, yaml.MappingNode)]


def _member(node: yaml.Node | None, name: str) -> yaml.Node | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return next((value for key, value in pairs if key.value == name), None)


def _value(node: yaml.Node, name: str) -> str:
    found = _member(node, name)
    return str(found.value) if isinstance(found, yaml.ScalarNode) else ""
