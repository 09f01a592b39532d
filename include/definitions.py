"""Read a YAML definition (contract or council) into its model, with clear error messages."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from include.errors import WrongDefinition

Model = TypeVar("Model", bound="Definition")

# Values of `kind`, which decide the fields of a section.
KINDS = ("http", "database")

NAME_PATTERN = re.compile(r"^[a-z][a-z0-9_]{0,47}$")


class Definition(BaseModel):
    """A section of a definition file; unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# No definition comes near; more is a mistake, or an attack on whoever reads it.
MOST_LEVELS = 50
MOST_NODES = 100_000


class UniqueKeyLoader(yaml.SafeLoader):
    """A YAML loader that rejects duplicate keys, deep nesting, and aliases that multiply."""

    def __init__(self, stream: str) -> None:
        super().__init__(stream)
        self._level = self._nodes = 0
        self._sizes: dict[int, int] = {}

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        alias = self.check_event(yaml.AliasEvent)
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
        self._level += 1
        if self._level > MOST_LEVELS:
            raise _refused(f"nested deeper than {MOST_LEVELS} levels", mark)
        before = self._nodes
        node = super().compose_node(parent, index)
        if alias and id(node) not in self._sizes:
            raise _refused("an alias within what it stands for", mark)
        self._nodes = before + self._sizes[id(node)] if alias else self._nodes + 1
        if self._nodes > MOST_NODES:
            raise _refused(f"more than {MOST_NODES:,} values, with aliases written out", mark)
        self._sizes.setdefault(id(node), self._nodes - before)
        self._level -= 1
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.constructor.ConstructorError(
                    None, None, f"expected a plain key, found {key!r}", key_node.start_mark
                )
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"duplicate key {key!r}", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


def _refused(what: str, mark: Any) -> yaml.YAMLError:
    return yaml.constructor.ConstructorError(None, None, what, mark)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """` Did you mean a or b?` with the known names like this one; empty if there are none."""
    parts: dict[str, list[str]] = {}
    for each in known:
        for part in (each, *each.split("_")):
            parts.setdefault(part, []).append(each)
    found = get_close_matches(name, parts, cutoff=0.7)
    close = dict.fromkeys(each for part in found for each in parts[part])
    return f" Did you mean {' or '.join(close)}?" if close else ""


def read_definition(path: Path, model: type[Model]) -> Model:
    """Read one file; its `name` must match the file name.

    Raises `WrongDefinition` with the file, each wrong field, what was
    expected there and what was found.
    """
    try:
        content = yaml.load(path.read_text(encoding="utf-8"), Loader=UniqueKeyLoader)  # noqa: S506, a SafeLoader
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an impossible date
        raise WrongDefinition(f"{path}: invalid YAML: {error}") from error
    if not isinstance(content, dict):
        raise WrongDefinition(
            f"{path}: expected a mapping of fields, found {type(content).__name__}."
        )
    definition = validated(content, model, str(path))
    name = content.get("name")
    if name != path.stem:
        raise WrongDefinition(
            f"{path}: field `name`: expected {path.stem!r}, the file name, found {name!r}."
        )
    return definition


def validated(content: dict[str, Any], model: type[Model], where: str) -> Model:
    """The model of a definition's content. Raises `WrongDefinition` that begins with `where`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise WrongDefinition(f"{where}: {_sentences(error)}") from error


def read_folder(folder: Path, model: type[Model]) -> dict[str, Model]:
    """Every `*.yaml` of a folder by name, in alphabetical order. An empty folder is an error."""
    found = {path.stem: read_definition(path, model) for path in sorted(folder.glob("*.yaml"))}
    if not found:
        raise WrongDefinition(f"{folder}: expected at least one *.yaml file, found none.")
    return found


def json_schema(model: type[Definition]) -> str:
    """The JSON Schema of a definition file, for completion and validation in editors."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(by_alias=True),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _sentences(error: ValidationError) -> str:
    return " ".join(
        f"field `{_field(item['loc'])}`: {_expected(item)}{_found(item)}" for item in error.errors()
    )


def _field(location: tuple[int | str, ...]) -> str:
    # pydantic inserts the chosen `kind` between a field and its parts.
    named = [part for part in location if part not in KINDS]
    return ".".join(str(part) for part in named) or "(whole file)"


def _expected(item: Any) -> str:
    if item["type"] == "extra_forbidden":
        return "unknown field; check the spelling."
    if item["type"] == "missing":
        return "required, but missing."
    return str(item["msg"]).removeprefix("Value error, ").rstrip(".") + "."


def _found(item: Any) -> str:
    found = item.get("input")
    if item["type"] == "string_type" and isinstance(found, bool):
        return f" Found {found}; YAML reads on, off, yes and no as true or false: put it in quotes."
    if item["type"] == "missing" or not isinstance(found, str | int | float | bool | date):
        return ""
    return f" Found {found!r}."


def yaml_text(content: Any) -> str:
    """Content as YAML that reads back as it is.

    PyYAML leaves some line breaks of Unicode, such as NEL, unescaped and reads
    them as spaces: texts with those are written in ASCII.
    """
    for unicode in (True, False):
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=unicode, width=96)
        if yaml.safe_load(text) == content:
            return text
    raise ValueError("a value cannot be written as YAML")
