"""Which fields of a section apply to which of its kinds, found by trying them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml
from pydantic import ValidationError

from include.definitions import Definition, WrongField
from include.jobs.author.reference.examples import EXAMPLES

# The fields that decide which others apply.
_DECIDE = ("type", "from", "kind")


def kinds_of_fields(model: type[Definition], schema: dict[str, Any]) -> dict[str, list[str]]:
    """For each field that only some kinds of this section take: `kind: csv`, `type: text`.

    Each field is tried with each `kind`, or `type` of a column, in an example of it.
    """
    fields = schema.get("properties", {})
    decides = next((name for name in _DECIDE if len(_choices(fields.get(name, {}))) > 1), "")
    choices = _choices(fields.get(decides, {}))
    contents = {choice: _example(model, schema, decides, choice) for choice in choices}
    if not choices or any(_refused(model, content) for content in contents.values()):
        return {}
    found = {}
    for name, described in fields.items():
        if name == decides or name in schema.get("required", ()):
            continue
        values = [*_some_values(described)]
        taken = [
            choice
            for choice, content in contents.items()
            if any(name not in _refused(model, {**content, name: value}) for value in values)
        ]
        if taken and len(taken) < len(choices):
            found[name] = [f"{decides}: {choice}" for choice in taken]
    return found


def _choices(described: dict[str, Any]) -> list[str]:
    choices = [*described.get("enum", ())]
    choices = choices or [each for inner in described.get("anyOf", ()) for each in _choices(inner)]
    return [*choices, *described.get("examples", ())] if choices else []


def _example(
    model: type[Definition], schema: dict[str, Any], decides: str, choice: str
) -> dict[str, Any]:
    """The content of an example of this kind; else the required texts alone."""
    for text in EXAMPLES.get(model.__name__, ()):
        example = next(iter(yaml.safe_load(text).values()))
        if isinstance(example, dict) and example.get(decides) == choice:
            return dict(example)
    texts = {
        name: "x"
        for name in schema.get("required", ())
        if schema["properties"][name].get("type") == "string"
    }
    content: dict[str, Any] = {**texts, decides: choice}
    # What only this kind requires.
    for name in _refused(model, content) & schema["properties"].keys():
        if schema["properties"][name].get("type") == "string":
            content[name] = "x"
    return content


def _refused(model: type[Definition], content: dict[str, Any]) -> set[str]:
    """The fields of this content that the model refuses."""
    try:
        model.model_validate(content)
    except ValidationError as error:
        places = [_place(item) for item in error.errors()]
        return {str(place[0]) if place else "" for place in places}
    return set()


def _place(item: Any) -> tuple[str | int, ...]:
    cause = item.get("ctx", {}).get("error")
    return (*item["loc"], *(cause.place if isinstance(cause, WrongField) else ()))


def _some_values(described: dict[str, Any]) -> Iterator[Any]:
    """Values other than the default: the examples, else what its type suggests."""
    if described.get("examples"):
        yield from described["examples"]
        return
    if "enum" in described:
        yield from (each for each in described["enum"] if each != described.get("default"))
        return
    for choice in described.get("anyOf", ()):
        yield from _some_values(choice)
    match described.get("type"):
        case "boolean":
            yield not described.get("default", False)
        case "integer" | "number":
            yield max(1, described.get("minimum", 0), described.get("default") or 0)
        case "string":
            yield "x"
        case "array":
            yield from ([inner] for inner in _some_values(described.get("items", {})))
