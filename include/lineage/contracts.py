"""From the fields of a contract to the columns of its raw table."""

from __future__ import annotations

from collections.abc import Mapping

from include.lineage.graph import ROWS, Column, Graph, How, Table
from include.sources.columns import Column as Field
from include.sources.extract.templates import placeholders
from include.sources.model import Contract
from include.sources.raw_table import expected_columns, lineage_notes


def contract_graph(contract: Contract) -> Graph:
    """The fields of a contract, and the columns of its raw table that they fill.

    A column of which no record has a field, such as `_council`, says what it is.
    """
    fields, raw = f"contract.{contract.name}", f"raw.{contract.name}"
    made_of: dict[Column, Mapping[Column, How]] = {}
    says: dict[Column, str] = {}
    for column in contract.columns:
        says[Column(fields, column.name)] = place_of(column)
        if parent := _of_parent(contract, column.request):
            made_of[Column(fields, column.name)] = {parent: "request"}
    for column in contract.raw_columns():
        how: How = "copied"
        if column.personal == "pseudonymise":
            how = "pseudonymised"
        elif column.conversion or column.null_values:
            how = "calculated"
        made_of[Column(raw, column.name)] = {Column(fields, column.name): how}
    for name, note in lineage_notes(contract).items():
        says[Column(raw, name)] = note
    made_of[Column(raw, ROWS)] = {Column(fields, ROWS): "rows"}
    if parents := _parents(contract):
        made_of[Column(fields, ROWS)] = parents
    tables = (
        Table(fields, "contract", tuple(column.name for column in contract.columns)),
        Table(raw, "raw", tuple(expected_columns(contract))),
    )
    return Graph({table.name: table for table in tables}, made_of, says)


def place_of(column: Field) -> str:
    """Where the value of a field is: `field location.street.id`, or what stands for it."""
    if column.request:
        return f"value of the request: {column.request}"
    if column.position:
        return "the record's number in its page"
    return f"field {column.path or column.name}"


def _parents(contract: Contract) -> Mapping[Column, How]:
    """The fields of other sources that decide what is requested."""
    found: dict[Column, How] = {}
    for parent in contract.extract.parents.values():
        other = f"contract.{parent.source}"
        names = (ROWS, *parent.match, *parent.unlike, *placeholders(parent.each))
        found.update((Column(other, name), "request") for name in names)
    for value in contract.values_used():
        if field := _of_parent(contract, value):
            found[field] = "request"
    return found


def _of_parent(contract: Contract, value: str) -> Column | None:
    """The field of another source that a value of a request is, such as `station.reference`."""
    label, _, name = value.partition(".")
    parent = contract.extract.parents.get(label)
    return Column(f"contract.{parent.source}", name) if parent and name else None
