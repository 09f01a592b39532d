"""The columns of a draft, and types that hold every record of its answer."""

from __future__ import annotations

from typing import Any

from include.definitions import validated
from include.jobs.author.draft_files import SCHEDULES
from include.jobs.author.metadata.described import Described, Known
from include.jobs.author.samples.answer import Sample
from include.jobs.author.samples.fields import Field
from include.jobs.author.samples.fit import KEY, misfits, wider
from include.sources import paths
from include.sources.model import Contract
from include.sources.partition import Grain
from include.sources.raw_table import column_name


def first_words(name: str, where: str, publisher: str, period: Grain) -> dict[str, Any]:
    """What a contract begins with; most of it is to be written by hand."""
    return {
        "name": name,
        "title": name.replace("_", " ").capitalize(),
        "description": f"Records of {where}. Describe what one row is, how late it is published "
        "and whether it is revised.",
        "publisher": publisher,
        "licence": "unknown; find out before you publish anything",
        "owner": "data-team",
        "period": period,
        "schedule": SCHEDULES[period],
    }


def drafted_columns(
    fields: list[Field], described: Described, remarks: list[str]
) -> list[dict[str, Any]]:
    """A column for each field; what is known of it counts more than what its values look like."""
    taken: set[str] = set()
    columns = []
    for item in fields:
        name = column_name(item.path, taken)
        taken.add(name)
        known = described.fields.get(item.path, Known())
        column: dict[str, Any] = {"name": name}
        if (name,) != item.path:
            column["path"] = paths.joined(item.path)
        column["type"] = item.type
        if item.without_zone:
            column["zone"] = "UTC"
        if item.null_values:
            column["null_values"] = [*item.null_values]
        if item.notation and not described.is_typed:
            column |= item.notation.words
        elif known.words:
            column |= known.words
            if known.words["type"] != "timestamptz":
                column.pop("zone", None)
            if known.words["type"] in ("text", "jsonb"):
                column.pop("null_values", None)
        column["description"] = (
            known.description or f"Field `{item.shown}` of the record; describe what it means."
        )
        columns.append(column)
        remarks += _remarks_on(item, column, described)
    return columns


def _remarks_on(item: Field, column: dict[str, Any], described: Described) -> list[str]:
    said = [item.notation.remark] if item.notation and not described.is_typed else []
    if words := [f"`{word}`" for word in column.get("null_values", ()) if word]:
        said.append(f"{' and '.join(words)} {'mean' if len(words) > 1 else 'means'} null")
    return [f"`{column['name']}`: {text}." for text in said if text]


def fitted(
    content: dict[str, Any], sample: Sample, fields: list[Field], remarks: list[str]
) -> dict[str, Any]:
    """The contract with types that hold every record of the answer. Raises `UnexpectedPayload`."""
    all_text = {
        column["name"]: field.all_text
        for column, field in zip(content["columns"], fields, strict=True)
    }
    while True:
        for column in content["columns"]:
            column.pop("required", None)
            if column["name"] in content["key"]:
                column["required"] = True
        contract = validated(content, Contract, "new-source: the draft")
        counts, found = misfits(contract, sample.content, len(sample.records))
        if not found:
            break
        if found.keys() == {KEY}:
            content = {**content, "key": []}
            continue
        content["columns"] = [
            wider(column, all_text[column["name"]], found[column["name"]])
            if column["name"] in found
            else column
            for column in content["columns"]
        ]
    if counts.duplicates:
        remarks.append(f"{counts.duplicates} records are exact duplicates: loaded once.")
    if counts.drift.fields:
        names = ", ".join(name or "(no name)" for name in counts.drift.fields)
        remarks.append(f"No column for {names}: kept in `_extra`.")
    return content
