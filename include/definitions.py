"""Read a YAML definition (contract or council) into its model, with clear error messages."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from include.errors import WrongDefinition

Model = TypeVar("Model", bound="Definition")

# Values of `kind`, which decide the fields of a section.
KINDS = ("http", "database", "files")
# What pydantic adds to the place of a field of several types.
_TYPES = ("str", "int", "float", "bool")

NAME_PATTERN = re.compile(r"^[a-z][a-z0-9_]{0,47}$")


# What PostgreSQL and UTF-8 cannot hold: NUL, and half a pair of surrogates.
_NOT_TEXT = re.compile("[\0\ud800-\udfff]")


def _can_be_stored(value: str) -> str:
    if _NOT_TEXT.search(value):
        raise ValueError("expected text without NUL and without half a character")
    return value


# A text that people read; it is stored in PostgreSQL.
Text = Annotated[str, AfterValidator(_can_be_stored)]


class Definition(BaseModel):
    """A section of a definition file; unknown fields, infinity and NaN are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class WrongField(ValueError):
    """A field that contradicts others; `place` leads to it from the section that is checked."""

    def __init__(self, what: str, *place: str | int) -> None:
        super().__init__(what)
        self.place = place


@dataclass(frozen=True)
class Folder(Generic[Model]):
    """The definitions of a folder by name: the valid ones, and the error of each broken file."""

    valid: dict[str, Model]
    broken: dict[str, WrongDefinition]


# Of definitions; all but the first are mistakes.
_ENDINGS = (".yaml", ".yml")

# No definition comes near; more is a mistake, or an attack on whoever reads it.
MOST_BYTES = 1024 * 1024
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

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:
            # An impossible date, or a number of too many digits.
            raise _refused(f"not a valid value: {error}", node.start_mark) from error

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


class _FastLoader(UniqueKeyLoader):
    """The same with the parser of libyaml, which is four times as fast; its errors say less."""

    def __init__(self, stream: str) -> None:
        from yaml._yaml import CParser

        super().__init__("")
        parser = CParser(stream)
        for name in ("check_event", "peek_event", "get_event"):
            setattr(self, name, getattr(parser, name))


def _loaded(text: str) -> Any:
    if yaml.__with_libyaml__:
        with suppress(yaml.YAMLError, ValueError):
            return yaml.load(text, Loader=_FastLoader)  # noqa: S506, a SafeLoader
    return yaml.load(text, Loader=UniqueKeyLoader)  # noqa: S506, a SafeLoader


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

    Raises `WrongDefinition` with the file, each wrong field with its line,
    what was expected there and what was found.
    """
    text = _text(path)
    try:
        content = _loaded(text)
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise WrongDefinition(f"{path}: line {line}: invalid YAML: {error.reason}.") from error
    except yaml.YAMLError as error:
        raise WrongDefinition(f"{path}: invalid YAML: {error}") from error
    if content is None:
        raise WrongDefinition(f"{path}: the file is empty.")
    if not isinstance(content, dict):
        raise WrongDefinition(
            f"{path}: expected a mapping of fields, found {type(content).__name__}."
        )
    name = content.get("name")
    try:
        definition = model.model_validate(content)
        if name != path.stem:
            raise WrongField(f"expected {path.stem!r}, the file name, found {name!r}.", "name")
    except (ValidationError, WrongField) as error:
        raise WrongDefinition(f"{path}: {_sentences(error, text)}") from error
    return definition


def _text(path: Path) -> str:
    try:
        if path.exists() and not path.is_file():
            raise WrongDefinition(f"{path}: cannot be read: it is not a file.")
        if path.stat().st_size > MOST_BYTES:
            raise WrongDefinition(f"{path}: larger than {MOST_BYTES:,} bytes.")
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise WrongDefinition(f"{path}: line {line}: not UTF-8: {error.reason}.") from error
    except OSError as error:
        raise WrongDefinition(f"{path}: cannot be read: {error.strerror or error}.") from error


def wrong_field(path: Path, error: WrongField) -> WrongDefinition:
    """The error of a definition that is valid by itself, but contradicts another file."""
    return WrongDefinition(f"{path}: {_sentences(error, _text(path))}")


def validated(content: dict[str, Any], model: type[Model], where: str) -> Model:
    """The model of a definition's content. Raises `WrongDefinition` that begins with `where`."""
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise WrongDefinition(f"{where}: {_sentences(error)}") from error


def read_folder(folder: Path, model: type[Model]) -> Folder[Model]:
    """Every `*.yaml` of a folder, in alphabetical order; a broken file affects no other.

    Hidden files, such as those of editors, do not count. A file `*.yml` or
    `*.YAML` is broken: it would be overlooked. Raises `WrongDefinition` for a
    folder that cannot be read, or without any file.
    """
    found: Folder[Model] = Folder({}, {})
    files = list(_files(folder))
    for path in files:
        if path.suffix == ".yaml":
            try:
                found.valid[path.stem] = read_definition(path, model)
            except WrongDefinition as error:
                found.broken[path.stem] = error
    for path in files:
        if path.suffix != ".yaml":
            name = path.name if path.stem in found.valid else path.stem
            wrong = WrongDefinition(f"{path}: expected the ending .yaml. Rename it.")
            found.broken.setdefault(name, wrong)
    if not files:
        raise WrongDefinition(f"{folder}: expected at least one *.yaml file, found none.")
    return found


def files_of(folder: Path, name: str) -> list[Path]:
    """The files that define `name`, or would if they were valid: also with a wrong ending."""
    return [path for path in _files(folder) if path.stem == name]


def _files(folder: Path) -> Iterator[Path]:
    try:
        listed = sorted(folder.iterdir())
    except OSError as error:
        raise WrongDefinition(f"{folder}: cannot be read: {error.strerror or error}.") from error
    for path in listed:
        if path.suffix.lower() in _ENDINGS and not path.name.startswith("."):
            yield path


def raise_for_broken(who: str, broken: Iterable[WrongDefinition]) -> None:
    """Raise `WrongDefinition` after `who` has done what it can without the broken files, if any."""
    said = " ".join(map(str, broken))
    if said:
        raise WrongDefinition(
            f"{who}: done, but without what broken files define. {said} "
            "Correct them, then run it again."
        )


def json_schema(model: type[Definition]) -> str:
    """The JSON Schema of a definition file, for completion and validation in editors."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **model.model_json_schema(by_alias=True),
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _sentences(error: ValidationError | WrongField, text: str = "") -> str:
    """Each wrong field, with its line in `text`, what was expected and what was found."""
    root = yaml.compose(text, yaml.SafeLoader) if text else None
    if isinstance(error, WrongField):
        return f"{_where(error.place, root)}: {str(error).rstrip('.')}."
    # For a field of several types, pydantic lists an error of each: one says enough.
    items = list({_place(item): item for item in reversed(error.errors())}.values())[::-1]
    wrong = {item["loc"][:length] for item in items for length in range(len(item["loc"]))}
    return " ".join(
        f"{_where(_place(item), root)}: {_expected(item)}{_found(item)}"
        for item in items
        # A list is too short for pydantic, too, if its items are wrong.
        if not (item["type"] == "too_short" and item["loc"] in wrong)
    )


def _place(item: Any) -> tuple[int | str, ...]:
    # pydantic inserts the chosen `kind` between a field and its parts, and marks a wrong name.
    place = tuple(part for part in item["loc"] if part not in (*KINDS, "[key]"))
    place = place[:-1] if place and place[-1] in _TYPES else place
    cause = item.get("ctx", {}).get("error")
    return (*place, *cause.place) if isinstance(cause, WrongField) else place


def _where(place: tuple[int | str, ...], root: yaml.Node | None) -> str:
    field = f"field `{'.'.join(map(str, place)) or '(whole file)'}`"
    return f"line {_line(root, place)}, {field}" if root else field


def _line(node: yaml.Node, place: tuple[int | str, ...]) -> int:
    """The line of a field, or of the section that lacks it."""
    line = node.start_mark.line + 1
    for part in place:
        if isinstance(node, yaml.SequenceNode) and part in range(len(node.value)):
            node = node.value[part]
            line = node.start_mark.line + 1
        elif isinstance(node, yaml.MappingNode):
            for key, value in node.value:
                if key.value == str(part):
                    node, line = value, key.start_mark.line + 1
    return int(line)


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
    if item["type"] == "string_type" and isinstance(found, int | float | date):
        return f" Found {found}: put it in quotes."
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
