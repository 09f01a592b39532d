"""The reference page of contracts, generated from the model: every section, field and choice."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from include.definitions import Definition
from include.jobs.author.reference.examples import EXAMPLES
from include.jobs.author.reference.kinds import kinds_of_fields
from include.sources.extract import templates
from include.sources.model import Contract

PATH = Path(__file__).parents[4] / "docs" / "contract-reference.md"

_TOP = """\
# Contract reference

<!-- Generated from the model by `wandle sync`. Change the descriptions there. -->

Every field of `include/sources/<source>.yaml`. For the way from an answer to a table, see
[Adding a dataset](adding-a-dataset.md). Editors complete and check the same fields with
`contract.schema.json`; `wandle validate` checks what a schema cannot.

A field without a default is required. Unknown fields are errors.
"""
_MIB = 1024 * 1024
_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
}
_LIMITS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "maxLength": "at most {} in length",
}


@dataclass
class _Section:
    """A model of the schema, and every place of a contract that holds one."""

    schema: dict[str, Any]
    name: str
    places: list[str] = field(default_factory=list)

    @property
    def heading(self) -> str:
        """Its first place, with the kind where a place holds one of several."""
        if not self.places[0]:
            return "The contract"
        kind = self.schema.get("properties", {}).get("kind", {}).get("const")
        return f"`{self.places[0]}`" + (f" with `kind: {kind}`" if kind else "")

    @property
    def anchor(self) -> str:
        """The heading as in links."""
        return re.sub(r"[^\w -]", "", self.heading.lower()).replace(" ", "-")


def reference(model: type[Definition] = Contract) -> str:
    """The page: a section for each model, in the order in which a contract leads to them."""
    schema = model.model_json_schema(by_alias=True)
    sections = _sections(schema)
    classes = {known.__name__: known for known in subclasses(Definition)}
    listed = "\n".join(f"- [{item.heading}](#{item.anchor})" for item in sections.values())
    parts = [_TOP, f"{listed}\n- [Placeholders](#placeholders)\n"]
    for name, section in sections.items():
        kinds = kinds_of_fields(classes[name], section.schema) if name in classes else {}
        parts.append("\n".join(_lines(section, sections, kinds)))
    return "\n".join([*parts, _placeholders()])


def reference_files() -> dict[Path, str]:
    """The page by its path; nothing where the code runs without the docs, as in an image."""
    return {PATH: reference()} if PATH.parent.is_dir() else {}


def subclasses(model: type[Definition]) -> Iterator[type[Definition]]:
    """Every model below this one."""
    for found in model.__subclasses__():
        yield found
        yield from subclasses(found)


def _sections(schema: dict[str, Any]) -> dict[str, _Section]:
    """Every model by its name, those within a model right after it."""
    root = _Section(schema, str(schema["title"]), [""])
    found = {root.name: root}
    below: dict[str, list[str]] = {}
    waiting = [root]
    while waiting:
        above = waiting.pop(0)
        below[above.name] = []
        for name, value in above.schema.get("properties", {}).items():
            for model, more in dict.fromkeys(_models(value)):
                place = ".".join(filter(None, (above.places[0], name))) + more
                if model not in found:
                    found[model] = _Section(schema["$defs"][model], model)
                    below[above.name].append(model)
                    waiting.append(found[model])
                if place not in found[model].places:
                    found[model].places.append(place)

    def ordered(name: str) -> Iterator[str]:
        yield name
        for inner in below[name]:
            yield from ordered(inner)

    return {name: found[name] for name in ordered(root.name)}


def _models(value: dict[str, Any], more: str = "") -> Iterator[tuple[str, str]]:
    """The models that a field may hold, and how a place of the field leads there."""
    if "$ref" in value:
        yield value["$ref"].rpartition("/")[2], more
    for word in ("anyOf", "oneOf", "allOf"):
        for choice in value.get(word, ()):
            yield from _models(choice, more)
    if isinstance(value.get("items"), dict):
        yield from _models(value["items"], f"{more}[]")
    if isinstance(value.get("additionalProperties"), dict):
        yield from _models(value["additionalProperties"], f"{more}.<name>")


def _lines(
    section: _Section, sections: dict[str, _Section], kinds: dict[str, list[str]]
) -> Iterator[str]:
    yield f"## {section.heading}\n"
    yield f"{section.schema.get('description', '').strip()}\n"
    if len(section.places) > 1:
        yield f"Also {_listed([f'`{place}`' for place in section.places[1:]])}.\n"
    fields = section.schema.get("properties", {})
    if fields:
        yield "| field | value | default | meaning |"
        yield "|---|---|---|---|"
    for name, value in fields.items():
        required = name in section.schema.get("required", ())
        cells = (
            f"`{name}`",
            _value(value, sections),
            "required" if required else _default(value),
            _meaning(value, sections, kinds.get(name, [])),
        )
        yield "| " + " | ".join(map(_cell, cells)) + " |"
    for example in EXAMPLES.get(section.name, ()):
        yield f"\n```yaml\n{example.strip()}\n```"
    yield ""


def _value(value: dict[str, Any], sections: dict[str, _Section]) -> str:
    """What a field takes, in words, with links to sections and all allowed values."""
    if "$ref" in value:
        found = sections[value["$ref"].rpartition("/")[2]]
        return f"[{found.heading}](#{found.anchor})"
    for word in ("anyOf", "oneOf", "allOf"):
        if word in value:
            choices = [_value(choice, sections) for choice in value[word]]
            known = [choice for choice in dict.fromkeys(choices) if choice != "null"]
            # null is the default of a section that may be left out.
            keeps_null = "null" in choices and value.get("default", "") is not None
            return _listed([*known, *(["null"] if keeps_null else [])], "or")
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return _listed([f"`{choice}`" if choice else '`""`' for choice in value["enum"]], "or")
    if "pattern" in value and "type" not in value:
        return f"text that matches `{value['pattern']}`"
    kind = value.get("type")
    if kind == "array":
        inner = _value(value.get("items", {}), sections)
        return f"list of ({inner})" if " or " in inner else f"list of {inner}"
    if kind == "object":
        return f"by name: {_value(value.get('additionalProperties', {}), sections)}"
    return str(value.get("format") or _WORDS.get(str(kind), "any"))


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    if isinstance(default, dict) or default in (None, "", []):
        return ""
    if isinstance(default, int) and default >= _MIB and default % _MIB == 0:
        return f"{default} ({default // _MIB} MiB)"
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def _meaning(value: dict[str, Any], sections: dict[str, _Section], kinds: list[str]) -> str:
    said = [str(value.get("description", "")).strip()]
    models = list(_models(value))
    if not said[0] and models:
        first = sections[models[0][0]].schema.get("description", "").strip().partition("\n")[0]
        said = [first if len(models) == 1 else "One of these, chosen by its `kind`."]
    if "const" in value and not said[0]:
        said = ["Says that the section is of this kind."]
    limits = [
        text.format(value[word])
        for word, text in _LIMITS.items()
        if value.get(word) is not None and value[word] != (0 if word == "minimum" else None)
    ]
    if limits:
        said.append(f"{_listed(limits).capitalize()}.")
    if kinds:
        said.append(f"Only with {_listed(kinds, 'or', '`{}`')}.")
    if value.get("examples"):
        shown = (json.dumps(example, ensure_ascii=False) for example in value["examples"])
        said.append(f"Such as {_listed([f'`{each}`' for each in shown])}.")
    return " ".join(filter(None, said))


def _placeholders() -> str:
    groups = {
        "any request": (*templates.PERIOD_VALUES,),
        "`councils: each`": (*templates.COUNCIL_VALUES, f"{templates.COUNCIL_NAMES}<name>"),
        "`for_each: ward`": templates.WARD_VALUES,
        "`for_each: point`": templates.POINT_VALUES,
        "`window_minutes`": templates.WINDOW_VALUES,
        "`for_each` a parent": ("<parent>.<column>",),
        "`parents` with `each`, or `constants`": ("<name>",),
    }
    lines = [
        "## Placeholders\n",
        "In texts of `request`, and in `match` and `not` of parents. A date takes a format of",
        "Python's `strftime`: `{period:%Y-%m-%d}`, or `epoch` or `epoch_ms`, of midnight in UTC;",
        "a number one of `format`:",
        "`{council.latitude:.3f}`. `{period.last:…}` is the last day, `{period.next:…}` the day",
        "after it.\n",
        "| with | placeholders |",
        "|---|---|",
    ]
    for where, names in groups.items():
        lines.append(f"| {where} | " + ", ".join(f"`{{{name}}}`" for name in names) + " |")
    return "\n".join(lines) + "\n"


def _listed(items: list[str], word: str = "and", form: str = "{}") -> str:
    shown = [form.format(item) for item in items]
    return f" {word} ".join(filter(None, [", ".join(shown[:-1]), shown[-1]])) if shown else ""


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|").strip()
