"""A contract: what one source promises. DDL, dbt sources, docs and the DAG are derived from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from include.definitions import NAME_PATTERN, Definition, read_folder
from include.errors import PermanentError, UnknownName, WrongDefinition
from include.sources.columns import NUMERIC, Column
from include.sources.extract import DatabaseExtract, Extract, Rate, Way
from include.sources.formats import Format
from include.sources.partition import Grain, Period
from include.sources.templates import placeholders

__all__ = ["NUMERIC", "Column", "Contract", "Extract", "Format", "Rate", "contract", "contracts"]

FOLDER = Path(__file__).parent


def _kind_of(extract: Any) -> str:
    """What `extract` asks; an API where it does not say."""
    kind = (
        extract.get("kind", "http") if isinstance(extract, dict) else getattr(extract, "kind", "")
    )
    return str(kind)


class Checks(Definition):
    """What must hold before a load is committed."""

    min_records: int = Field(default=0, ge=0, description="Fewer records in the landing: refused.")
    min_share_of_previous: float = Field(
        default=0,
        ge=0,
        le=1,
        description="Fewer records than this share of the partition's current load: refused.",
    )
    null_columns_may_appear: bool = Field(
        default=False,
        description="Whether a column may turn entirely null that was not so in the current load.",
    )
    max_quarantined_share: float = Field(
        default=0.05, ge=0, le=1, description="A larger share of quarantined records: refused."
    )


class Contract(Definition):
    """One `include/sources/<source>.yaml`."""

    name: str = Field(pattern=NAME_PATTERN.pattern, description="The file's name without .yaml.")
    title: str = Field(min_length=1)
    description: str = Field(min_length=1, description="Markdown; what the Airflow UI shows.")
    publisher: str = Field(min_length=1)
    licence: str = Field(min_length=1, description="Under which the publisher gives the data.")
    owner: str = Field(min_length=1, description="Who is asked when it breaks.")

    period: Grain = Field(description="Whether a partition holds a day or a month.")
    snapshot: bool = Field(default=False, description="The API answers only for now.")
    councils: Literal["each", "uk"] = Field(default="each", description="`uk`: of no council.")
    start: date = Field(description="The first day there is data for.")
    schedule: str = Field(pattern=r"^\S+( \S+){4}$", description="Cron, in UTC.")
    publication_lag_days: int = Field(
        default=0, ge=0, description="Days after its end by which a period is surely published."
    )
    lookback: int = Field(
        default=0, ge=0, le=500, description="Earlier periods that a scheduled run fetches again."
    )
    lookback_monthly: int = Field(
        default=0,
        ge=0,
        le=500,
        description="The same for the run of a month's first day, where data are revised late.",
    )
    enabled: bool = Field(default=True, description="Off: validated, but without DAG and table.")
    retention_days: int = Field(
        default=0,
        ge=0,
        description="Days to keep superseded landings; of personal data everything, counted from "
        "the period's end. 0: for ever.",
    )

    extract: Annotated[
        Annotated[Extract, Tag("http")] | Annotated[DatabaseExtract, Tag("database")],
        Discriminator(_kind_of),
    ]
    format: Format = Format()
    columns: tuple[Column, ...] = Field(min_length=1)
    key: tuple[str, ...] = Field(default=(), description="Columns that tell two records apart.")
    checks: Checks = Checks()

    @model_validator(mode="after")
    def _columns_fit_together(self) -> Contract:
        names = [column.name for column in self.columns]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"each column must stand once, {name!r} stands twice")
        for name in self.key:
            if name not in names:
                raise ValueError(f"`key` names {name!r}; columns: {', '.join(names)}")
            if self.column(name).personal == "drop":
                raise ValueError(f"`key` names {name!r}, which is dropped")
        self._sources_of_columns_are_known()
        if self.snapshot and (self.lookback or self.lookback_monthly):
            raise ValueError("a snapshot has no `lookback`: the API answers only for now")
        if self.personal and not self.retention_days:
            raise ValueError("personal data needs `retention_days`: how long they are kept")
        return self

    def _sources_of_columns_are_known(self) -> None:
        if not isinstance(self.extract, Extract):
            wanted = next((column for column in self.columns if column.request), None)
            if wanted:
                raise ValueError(f"column {wanted.name!r}: a database has no `request`")
            keys = {
                column.path or column.name for column in self.columns if column.personal != "no"
            }
            if self.extract.key in keys:
                raise ValueError(
                    f"`extract.key` names {self.extract.key!r}, which is personal: keys stand in "
                    "manifests and logs"
                )
            return
        for way in self.extract.ways.values():
            if self.councils == "uk" and way.for_each in ("ward", "point"):
                raise ValueError(f"`for_each: {way.for_each}` needs `councils: each`")
        self._paging_fits_the_format(self.extract)
        archived = self.extract.archive.paths if self.extract.archive else {}
        for column in self.columns:
            self._check_request(column, column.request, self.extract)
        for name, path in archived.items():
            if name not in {column.name for column in self.columns}:
                raise ValueError(f"`archive.paths` names the unknown column {name!r}")
            if self.extract.archive and path.startswith("request:"):
                self._check_request(
                    self.column(name), path.removeprefix("request:"), self.extract.archive
                )

    def _paging_fits_the_format(self, extract: Extract) -> None:
        for name, way in extract.ways.items():
            paging, kind = way.paging, self.layout(name).kind
            if paging is None or kind not in ("csv", "jsonl"):
                continue
            if paging.total or paging.more or paging.next not in ("", "header"):
                raise ValueError(
                    f"`paging` names a path in the body, which `format.kind: {kind}` has not"
                )

    def _check_request(self, column: Column, value: str, way: Way) -> None:
        if value and isinstance(self.extract, Extract) and not self.extract.is_value(way, value):
            raise ValueError(
                f"column {column.name!r}: `request` must be one of "
                f"{', '.join(self.extract.values_of(way))}, found {value!r}"
            )

    def layout(self, way: str = "api") -> Format:
        """What the bodies look like that this way brings."""
        found = self.format
        if way == "archive" and isinstance(self.extract, Extract) and self.extract.archive:
            found = self.extract.archive.format
        elif isinstance(self.extract, DatabaseExtract):
            found = Format(kind="jsonl")
        needed = any(column.type == "jsonb" or column.accept_numbers for column in self.columns)
        return found.with_numbers_as_sent() if needed else found

    def columns_of(self, way: str = "api") -> tuple[Column, ...]:
        """The columns, standing where this way's records have them."""
        if way != "archive" or not isinstance(self.extract, Extract) or not self.extract.archive:
            return self.columns
        paths = self.extract.archive.paths
        return tuple(_moved(column, paths.get(column.name)) for column in self.columns)

    def raw_columns(self, way: str = "api") -> tuple[Column, ...]:
        """The columns of the raw table: all but those that are dropped on the way to it."""
        return tuple(column for column in self.columns_of(way) if column.personal != "drop")

    @property
    def personal(self) -> bool:
        """Whether its records say something of living persons."""
        return any(column.personal != "no" for column in self.columns)

    def is_past_limit(self, period: Period, today: date) -> bool:
        """Whether nothing may be kept of a period any more, because its data are personal."""
        return self.personal and today > period.last_day + timedelta(days=self.retention_days)

    def column(self, name: str) -> Column:
        """One column by name."""
        return next(column for column in self.columns if column.name == name)

    def parse_period(self, text: str) -> Period:
        """A period of this source from `2017-05`. Raises `UnknownName`."""
        return Period.parse(text, self.period)

    def may_be_unpublished(self, period: Period, today: date) -> bool:
        """Whether the period is younger than the publication lag."""
        return today <= period.last_day + timedelta(days=self.publication_lag_days)

    @property
    def rules_hash(self) -> str:
        """Over the fields that decide what is loaded, not over descriptions or schedules.

        A field at its default does not count: a field that a later version
        adds leaves the hashes of contracts that do not use it as they are.
        """
        decides = self.model_dump(
            mode="json", include={"format", "columns", "key", "checks"}, exclude_defaults=True
        )
        for column in decides["columns"]:
            del column["description"]
            column.pop("responsible", None)
        if isinstance(self.extract, Extract) and self.extract.archive:
            archive = self.extract.archive.model_dump(
                mode="json", include={"format", "paths"}, exclude_defaults=True
            )
            decides["archive"] = archive
        return _digest(decides)

    @property
    def contract_hash(self) -> str:
        """Over the whole contract."""
        return _digest(self.model_dump(mode="json"))


def _moved(column: Column, path: str | None) -> Column:
    if path is None:
        return column
    place = (
        {"request": path.removeprefix("request:"), "path": ""}
        if path.startswith("request:")
        else {"request": "", "path": path}
    )
    return column.model_copy(update=place)


def _digest(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


@cache
def every_contract(folder: Path = FOLDER) -> dict[str, Contract]:
    """Every contract by name, those that are not enabled too. Raises `WrongDefinition`."""
    return read_folder(folder, Contract)


@cache
def contracts(folder: Path = FOLDER) -> dict[str, Contract]:
    """Every enabled contract by name, checked against the others. Raises `WrongDefinition`."""
    found = {name: item for name, item in every_contract(folder).items() if item.enabled}
    for name, contract in found.items():
        for label, parent in contract.extract.parents.items():
            where = f"{folder / name}.yaml: field `extract.parents.{label}"
            if parent.source not in found:
                raise WrongDefinition(
                    f"{where}.source`: expected one of {', '.join(found)}, found {parent.source!r}."
                )
            columns = {column.name for column in found[parent.source].columns}
            asked = {*parent.match, *placeholders(parent.each), *_columns_asked(contract, label)}
            for column in asked - columns:
                raise WrongDefinition(
                    f"{where}`: {parent.source} has no column {column!r}; "
                    f"it has {', '.join(sorted(columns))}."
                )
    return found


def _columns_asked(contract: Contract, label: str) -> Iterable[str]:
    """The columns of a parent that requests made for each of its records use."""
    if not isinstance(contract.extract, Extract):
        return
    for way in contract.extract.ways.values():
        names = [name for text in way.request.texts() for name in placeholders(text)]
        names += [column.request for column in contract.columns if column.request]
        for name in names:
            if name.startswith(f"{label}."):
                yield name.removeprefix(f"{label}.")


def contract(name: str) -> Contract:
    """One contract. Raises `UnknownName` with the names that exist."""
    try:
        return contracts()[name]
    except KeyError:
        raise UnknownName(
            f"unknown source {name!r}. Known: {', '.join(contracts())}. "
            f"Add include/sources/{name}.yaml, or choose one of these."
        ) from None


def rate_for(contract: Contract, all_contracts: Iterable[Contract]) -> Rate:
    """What one client of this source may use of its host's rate.

    The host's rate divided by the sum of `parallel` over the contracts of
    that host, so that all of them together never exceed it. Raises
    `PermanentError` for a source that asks no host.
    """
    if not isinstance(contract.extract, Extract):
        raise PermanentError(f"{contract.name}: is read from a database, which has no rate.")
    asked = [other.extract for other in all_contracts if isinstance(other.extract, Extract)]
    of_host = [other for other in asked if other.host == contract.extract.host]
    of_host = of_host or [contract.extract]
    clients = sum(other.parallel for other in of_host)
    per_second = min(other.rate.per_second for other in of_host)
    burst = min(other.rate.burst for other in of_host)
    return Rate(per_second=per_second / clients, burst=max(1, burst // clients))
