"""The rows that a mart's rows are made of, as the mart's YAML file declares: `made_of`.

A row is made of the rows of a staging or intermediate model that have its primary key, or that its
`where` selects. That model has the lineage columns, which lead to the raw rows. A key column that
is computed in the mart names its `expression` over the model's columns. Under `dimensions` are the
models that it is joined with for further columns, and by what. A mart whose rows are made of no
records, such as a calendar, says why instead: `computed`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from include.errors import UnknownName, WrongDefinition
from include.sources.raw_table import quoted
from include.transform.project import FOLDER

LINEAGE = ("council", "landing_id", "record_no")

_UNSAID = (
    "it is joined with {0}, which it does not say. Add to the model: `config: {{meta: "
    "{{dimensions: [{{model: {0}, where: <SQL over its columns and the row's, mart.council>}}]}}}}`"
)
# The sources, which `wandle sync` writes.
_GENERATED = "models/staging/_sources.yml"
_REF = re.compile(r"""\bref\(\s*['"](\w+)['"]\s*\)""")
_SOURCE = re.compile(r"""\bsource\(\s*['"]raw['"]\s*,\s*['"](\w+)['"]\s*\)""")


@dataclass(frozen=True)
class MadeOf:
    """A model of one source; `where` is SQL over its columns and those of the row, `mart`."""

    schema: str
    model: str
    source: str
    where: str


@dataclass(frozen=True)
class Dimension:
    """A model of one source that a mart's rows are joined with.

    `where` is SQL over the model's columns and the row, `mart`; of several
    snapshots, the one with the newest value in the column `newest` counts.
    """

    schema: str
    model: str
    source: str
    where: str
    newest: str


@dataclass(frozen=True)
class MartRows:
    """A mart; `key` maps the columns of its primary key to their SQL types.

    `computed` says why it is made of nothing; empty if it is.
    """

    name: str
    key: dict[str, str]
    made_of: tuple[MadeOf, ...]
    dimensions: tuple[Dimension, ...] = ()
    computed: str = ""


@dataclass(frozen=True)
class _Model:
    """A model of the project: its description, and what its SQL reads."""

    folder: Path
    path: Path
    described: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.described["name"])

    @property
    def columns(self) -> dict[str, dict[str, Any]]:
        return {column["name"]: column for column in self.described.get("columns", ())}

    @property
    def schema(self) -> str:
        """The folder below `models`, which is the schema that dbt builds it in."""
        return self.path.parts[1]

    @property
    def meta(self) -> dict[str, Any]:
        """`config.meta`."""
        return _meta(self.described)

    def reads(self, pattern: re.Pattern[str]) -> set[str]:
        sql = (self.folder / self.path).with_name(f"{self.name}.sql")
        return set(pattern.findall(sql.read_text(encoding="utf-8"))) if sql.exists() else set()


def marts(folder: Path = FOLDER) -> list[str]:
    """The names of all marts."""
    return [name for name, model in _models(folder)[0].items() if model.schema == "marts"]


def mart_rows(name: str, folder: Path = FOLDER) -> MartRows:
    """What a mart's rows are made of.

    Raises `UnknownName` for another name, and `WrongDefinition` with the line
    to add if the mart does not say it.
    """
    models, broken = _models(folder)
    mart = models.get(name)
    if mart is None and (own := [path for path in broken if path.stem == name]):
        raise WrongDefinition(f"{own[0]}: {broken[own[0]]}.")
    if mart is None or mart.schema != "marts":
        known = ", ".join(f"marts.{mart}" for mart in marts(folder))
        raise UnknownName(f"unknown mart {name!r}. Choose one of {known}.")
    keys = [rule for rule in mart.described.get("constraints", ()) if rule["type"] == "primary_key"]
    if not keys:
        raise _wrong(mart, "it has no primary key. Add a `primary_key` to `constraints`")
    key = {}
    for column in keys[0]["columns"]:
        if column not in mart.columns:
            raise _wrong(mart, f"its key column {column} is not under `columns`. Describe it")
        key[column] = str(mart.columns[column].get("data_type", "text"))
    named, computed = mart.meta.get("made_of"), mart.meta.get("computed")
    if computed and not named:
        return MartRows(name, key, (), computed=str(computed).rstrip("."))
    if not named:
        likely = sorted(ref for ref in mart.reads(_REF) if _leads_back(models.get(ref)))
        lines = " or ".join(f"`config: {{meta: {{made_of: {model}}}}}`" for model in likely)
        raise _wrong(
            mart,
            "it does not say which rows its rows are made of. Add to the model: "
            + (lines or "`config: {meta: {made_of: <a model with its lineage columns>}}`"),
        )
    parts = named if isinstance(named, list) else [named]
    made_of = tuple(_made_of(models, mart, part, list(key)) for part in parts)
    joined = mart.meta.get("dimensions", [])
    dimensions = tuple(_dimension(models, mart, described) for described in joined)
    said = {model.model for model in made_of} | {model.model for model in dimensions}
    for ref in sorted(mart.reads(_REF) - said):
        if _leads_back(models.get(ref)):
            raise _wrong(mart, _UNSAID.format(ref))
    return MartRows(name, key, made_of, dimensions)


@dataclass(frozen=True)
class Described:
    """A model as its YAML file describes it, and the sources that it is built from.

    `columns` maps each column to its `config.meta`.
    """

    schema: str
    description: str
    sources: frozenset[str]
    columns: dict[str, dict[str, Any]]


def described_models(folder: Path = FOLDER) -> dict[str, Described]:
    """Every described model by name. A file that cannot be read takes down no other."""
    models, _ = _models(folder)
    return {
        name: Described(
            model.schema,
            " ".join(str(model.described.get("description") or "").split()),
            frozenset(_sources(models, model)),
            {column: _meta(described) for column, described in model.columns.items()},
        )
        for name, model in models.items()
    }


def undeclared(folder: Path = FOLDER) -> Iterator[str]:
    """What keeps marts from being explained, one sentence for each."""
    for path, why in _models(folder)[1].items():
        yield f"{path}: {why}"
    for name in marts(folder):
        try:
            mart_rows(name, folder)
        except WrongDefinition as error:
            yield str(error)


def _with_lineage(
    models: dict[str, _Model], mart: _Model, word: str, name: object
) -> tuple[_Model, str]:
    """A model that leads back to raw rows, and its source."""
    model = models.get(str(name))
    if model is None or not _leads_back(model):
        raise _wrong(
            mart, f"`{word}: {name}`: expected a model with the columns {', '.join(LINEAGE)}"
        )
    sources = _sources(models, model)
    if len(sources) != 1:
        found = ", ".join(sorted(sources)) or "none"
        raise _wrong(
            mart,
            f"`{word}: {name}`: expected a model of one source, found {found}. List its parts",
        )
    return model, sources.pop()


def _dimension(models: dict[str, _Model], mart: _Model, described: Any) -> Dimension:
    known = {"model", "where", "newest"}
    if not isinstance(described, dict) or not {"model", "where"} <= described.keys() <= known:
        raise _wrong(
            mart,
            f"`dimensions`: expected `model`, `where` and, optionally, `newest`, "
            f"found {described!r}",
        )
    model, source = _with_lineage(models, mart, "dimensions", described["model"])
    newest = str(described.get("newest", ""))
    if newest and newest not in model.columns:
        raise _wrong(mart, f"`dimensions`: {model.name} has no column {newest}")
    return Dimension(model.schema, model.name, source, str(described["where"]), newest)


def _made_of(models: dict[str, _Model], mart: _Model, part: Any, key: list[str]) -> MadeOf:
    if isinstance(part, dict):
        if part.keys() != {"model", "where"}:
            raise _wrong(mart, f"`made_of`: expected `model` and `where`, found {part!r}")
        model, source = _with_lineage(models, mart, "made_of", part["model"])
        return MadeOf(model.schema, model.name, source, str(part["where"]))
    name = str(part)
    model, source = _with_lineage(models, mart, "made_of", name)
    expressions = {}
    for column in key:
        own = _meta(mart.columns[column]).get("expression")
        if own is None and column not in model.columns:
            raise _wrong(
                mart,
                f"{name} has no column {column}. Add to that column of the mart: "
                f"`config: {{meta: {{expression: <SQL over columns of {name}>}}}}`, or name "
                f"the rows: `made_of: {{model: {name}, where: <SQL over its columns and mart's>}}`",
            )
        expressions[column] = own or quoted(column)
    same_key = " and ".join(f"({own}) = mart.{quoted(name)}" for name, own in expressions.items())
    return MadeOf(model.schema, name, source, same_key)


def _sources(models: dict[str, _Model], model: _Model) -> set[str]:
    """The sources of a model and of all models that it reads."""
    found: set[str] = set()
    waiting, seen = [model.name], set()
    while waiting:
        name = waiting.pop()
        if name in models and name not in seen:
            found |= models[name].reads(_SOURCE)
            waiting += models[name].reads(_REF)
        seen.add(name)
    return found


def _leads_back(model: _Model | None) -> bool:
    return model is not None and all(column in model.columns for column in LINEAGE)


def _models(folder: Path) -> tuple[dict[str, _Model], dict[Path, str]]:
    """The described models, and why a file cannot be read: it takes down no other."""
    found: dict[str, _Model] = {}
    broken: dict[Path, str] = {}
    for path in sorted({*folder.glob("models/*/**/*.yml")} - {folder / _GENERATED}):
        here = path.relative_to(folder)
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
            models = [_Model(folder, here, described) for described in content.get("models") or ()]
            found |= {model.name: model for model in models if model.columns.keys() is not None}
        except (yaml.YAMLError, ValueError) as error:
            broken[here] = f"not valid YAML: {' '.join(str(error).split())}"
        except (AttributeError, KeyError, TypeError):
            broken[here] = "expected `models`, each with its name and a list of columns"
    return found, broken


def _meta(described: dict[str, Any]) -> dict[str, Any]:
    """`config.meta` of a model or column; empty if it is something else than a mapping."""
    config = described.get("config")
    meta = config.get("meta") if isinstance(config, dict) else None
    return meta if isinstance(meta, dict) else {}


def _wrong(mart: _Model, what: str) -> WrongDefinition:
    return WrongDefinition(f"{mart.path}: {mart.name}: {what}.")
