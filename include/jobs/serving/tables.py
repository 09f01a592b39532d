"""The tables that people look at: how they are named, who reads them, which columns are hidden.

A column of a raw table is hidden if its contract says that it is personal. A model may rename,
combine or copy what it reads: of one that is built from personal data, only columns are shown
that carry the name of a column that is not personal, or that its YAML file calls `personal: no`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from include.definitions import did_you_mean
from include.errors import UnknownName
from include.jobs.pipeline.known_sources import readable_contract
from include.settings import Settings
from include.sources.model import Contract, contracts, every_contract
from include.sources.raw_table import EXTRA, LINEAGE, SCHEMA, STAGED
from include.transform.mart_rows import Described, described_models

PERSONAL = "personal"
UNCLASSIFIED = "unclassified"

# The role that may do least of those that read a schema, as a field of `Settings`.
READERS = {
    SCHEMA: "transformer_dsn",
    "staging": "transformer_dsn",
    "intermediate": "transformer_dsn",
    "marts": "reader_dsn",
}


@dataclass(frozen=True)
class Named:
    """A table, the contract that its columns follow, if any, and its model's description.

    `contract` is that of a raw table, or of the one source of a staging model.
    """

    schema: str
    name: str
    contract: Contract | None = None
    model: Described | None = None
    sources: tuple[str, ...] = field(default=())

    @property
    def full_name(self) -> str:
        """As in SQL: `marts.weather_daily`."""
        return f"{self.schema}.{self.name}"

    @property
    def about(self) -> str:
        """Its description, in one line."""
        found = self.model.description if self.model else ""
        if self.schema == SCHEMA and self.contract:
            found = self.contract.description
        return " ".join(found.split())

    def dsn(self, settings: Settings) -> str:
        """The address of the database for the role that may do least of those that read it."""
        return settings.need(READERS[self.schema])

    def hidden(self, columns: Mapping[str, str]) -> dict[str, str]:
        """Those of its columns whose values must not be shown, and why."""
        if self.schema == SCHEMA:
            return self._hidden_in_raw(columns)
        return self._hidden_in_model(columns)

    def _hidden_in_raw(self, columns: Mapping[str, str]) -> dict[str, str]:
        known = {} if self.contract is None else {c.name: c for c in self.contract.columns}
        found = {EXTRA: UNCLASSIFIED}
        for name in columns.keys() - LINEAGE.keys() - {EXTRA}:
            if name not in known:
                found[name] = UNCLASSIFIED
            elif known[name].personal != "no":
                found[name] = PERSONAL
        return {name: found[name] for name in columns if name in found}

    def _hidden_in_model(self, columns: Mapping[str, str]) -> dict[str, str]:
        if self.model is None:
            return dict.fromkeys(columns, UNCLASSIFIED)
        known = [every_contract().get(source) for source in self.model.sources]
        is_harmless = all(contract and not contract.personal for contract in known)
        personal: set[str] = set()
        shown = {*STAGED.values(), "hour", "week", "quarter", "year"}
        for contract in filter(None, known):
            for column in contract.columns:
                (shown if column.personal == "no" else personal).add(column.name)
        found = {}
        for name in columns:
            said = self.model.columns.get(name, {}).get("personal")
            # YAML reads `no` as false.
            if said in ("no", False):
                continue
            if said is not None or name in personal:
                found[name] = PERSONAL
            elif not is_harmless and name not in shown:
                found[name] = UNCLASSIFIED
        return found


def named(text: str, settings: Settings, doing: str) -> Named:
    """The table that `text` names: with its schema, or a source, or a model.

    Raises `UnknownName` for any other, and what `readable_contract` raises of a
    source whose file is gone.
    """
    schema, dot, name = text.rpartition(".")
    models = described_models()
    if dot and schema not in READERS:
        raise UnknownName(
            f"{doing}: unknown schema in {text!r}. Choose one of {', '.join(READERS)}: "
            "raw.<source>, marts.<mart>."
        )
    if schema == SCHEMA or (not dot and name not in models):
        if not dot and name not in contracts() and name not in every_contract():
            known = [*models, *contracts()]
            raise UnknownName(
                f"{doing}: unknown table {text!r}.{did_you_mean(name, known)} Name a source "
                f"(`wandle sources`), or one of {', '.join(_marts(models))}."
            )
        contract = contracts().get(name)
        if contract is None:
            contract = readable_contract(name, settings.need("loader_dsn"), doing)
        return Named(SCHEMA, name, contract, sources=(name,))
    if name not in models or (dot and models[name].schema != schema):
        known = [f"{model.schema}.{name}" for name, model in models.items()]
        of_schema = [item for item in known if item.startswith(f"{schema}.")]
        raise UnknownName(
            f"{doing}: unknown table {text!r}.{did_you_mean(text, known)} "
            f"Choose one of {', '.join(of_schema or known)}."
        )
    model = models[name]
    sources = tuple(sorted(model.sources))
    contract_of_one = every_contract().get(sources[0]) if len(sources) == 1 else None
    is_staging = model.schema == "staging"
    return Named(model.schema, name, contract_of_one if is_staging else None, model, sources)


def _marts(models: Mapping[str, Described]) -> list[str]:
    return [f"marts.{name}" for name, model in models.items() if model.schema == "marts"]
