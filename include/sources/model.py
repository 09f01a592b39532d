"""The contract of a source. DDL, dbt sources, docs and the DAG are derived from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from include.definitions import NAME_PATTERN, Definition, did_you_mean, read_folder
from include.errors import PermanentError, UnknownName, WrongDefinition
from include.sources.checks import Checks
from include.sources.columns import NUMERIC, Column
from include.sources.evidence import evidence_of
from include.sources.extract import DatabaseExtract, Extract, Rate, Way
from include.sources.formats import Format
from include.sources.limits import Limits
from include.sources.partition import Grain, Partition, Period
from include.sources.paths import parts
from include.sources.templates import placeholders

__all__ = ["NUMERIC", "Column", "Contract", "Extract", "Format", "Rate", "contract", "contracts"]

FOLDER = Path(__file__).parent


def _kind_of(extract: Any) -> str:
    """The kind of `extract`; an API by default."""
    kind = (
        extract.get("kind", "http") if isinstance(extract, dict) else getattr(extract, "kind", "")
    )
    return str(kind)


class Contract(Definition):
    """One `include/sources/<source>.yaml`."""

    name: str = Field(
        pattern=NAME_PATTERN.pattern, description="Same as the file name without .yaml."
    )
    title: str = Field(min_length=1)
    description: str = Field(
        min_length=1, description="Shown in the Airflow UI and the dbt docs. Markdown."
    )
    publisher: str = Field(min_length=1)
    licence: str = Field(min_length=1, description="Licence of the data.")
    owner: str = Field(min_length=1, description="Who is responsible if it breaks.")

    period: Grain = Field(description="Size of a partition: `day` or `month`.")
    snapshot: bool = Field(default=False, description="The API returns only the current state.")
    councils: Literal["each", "uk"] = Field(
        default="each", description="`each`: one partition per council. `uk`: no council."
    )
    start: date = Field(description="First day with data.")
    schedule: str = Field(pattern=r"^\S+( \S+){4}$", description="Cron expression, in UTC.")
    publication_lag_days: int = Field(
        default=0, ge=0, description="Days after the end of a period until it must be published."
    )
    lookback: int = Field(
        default=0,
        ge=0,
        le=500,
        description="Number of earlier periods that a scheduled run also fetches.",
    )
    lookback_monthly: int = Field(
        default=0,
        ge=0,
        le=500,
        description="`lookback` of the run on the first day of a month, for data revised late.",
    )
    enabled: bool = Field(
        default=True,
        description="If false, the contract is validated, but has no DAG and no table.",
    )
    retention_days: int = Field(
        default=0,
        ge=0,
        description="Days to keep superseded landings and, counted from the end of the period, all "
        "personal data. 0: keep forever.",
    )

    extract: Annotated[
        Annotated[Extract, Tag("http")] | Annotated[DatabaseExtract, Tag("database")],
        Discriminator(_kind_of),
    ]
    format: Format = Format()
    columns: tuple[Column, ...] = Field(min_length=1)
    key: tuple[str, ...] = Field(default=(), description="Columns that identify a record.")
    checks: Checks = Checks()
    limits: Limits = Limits()

    @model_validator(mode="after")
    def _columns_fit_together(self) -> Contract:
        names = [column.name for column in self.columns]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"columns must be unique, but {name!r} appears twice")
        before = [column.renamed_from for column in self.columns if column.renamed_from]
        for name in before:
            if name in names or before.count(name) > 1:
                raise ValueError(f"`renamed_from` names {name!r}, which another column uses")
        for name in self.key:
            if name not in names:
                raise ValueError(f"`key` names {name!r}; columns: {', '.join(names)}")
            if self.column(name).personal == "drop":
                raise ValueError(f"`key` names {name!r}, which is dropped")
        self._sources_of_columns_are_known()
        if self.snapshot and (self.lookback or self.lookback_monthly):
            raise ValueError(
                "a snapshot cannot have `lookback`: the API returns only the current state"
            )
        if self.personal and not self.retention_days:
            raise ValueError("personal data requires `retention_days`")
        return self

    def _sources_of_columns_are_known(self) -> None:
        if not isinstance(self.extract, Extract):
            wanted = next((column for column in self.columns if column.request), None)
            if wanted:
                raise ValueError(f"column {wanted.name!r}: `request` does not apply to a database")
            keys = {
                column.path or column.name for column in self.columns if column.personal != "no"
            }
            if self.extract.key in keys:
                raise ValueError(
                    f"`extract.key` names the personal column {self.extract.key!r}, but keys "
                    "appear in manifests and logs"
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
            parts(path.removeprefix("request:"))
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
                    f"`paging` names a path in the body, which `format.kind: {kind}` does not have"
                )

    def _check_request(self, column: Column, value: str, way: Way) -> None:
        if value and isinstance(self.extract, Extract) and not self.extract.is_value(way, value):
            raise ValueError(
                f"column {column.name!r}: `request` must be one of "
                f"{', '.join(self.extract.values_of(way))}, found {value!r}"
            )

    def layout(self, way: str = "api") -> Format:
        """The format of the bodies fetched in this way, and what they must contain."""
        if isinstance(self.extract, DatabaseExtract):
            found = Format(kind="jsonl")
        else:
            archive = self.extract.archive if way == "archive" else None
            found = archive.format if archive else self.format
            selected_by = parts(found.select.field) if found.select else ()
            evidence = evidence_of(self.columns_of(way), selected_by, self.personal)
            found = found.with_evidence(evidence)
        found = found.with_limits(self.limits)
        needed = any(column.type == "jsonb" or column.accept_numbers for column in self.columns)
        return found.with_numbers_as_sent() if needed else found

    def columns_of(self, way: str = "api") -> tuple[Column, ...]:
        """The columns, with their paths in the records fetched in this way."""
        if way != "archive" or not isinstance(self.extract, Extract) or not self.extract.archive:
            return self.columns
        paths = self.extract.archive.paths
        return tuple(_moved(column, paths.get(column.name)) for column in self.columns)

    def raw_columns(self, way: str = "api") -> tuple[Column, ...]:
        """The columns of the raw table: all except dropped ones."""
        return tuple(column for column in self.columns_of(way) if column.personal != "drop")

    @property
    def personal(self) -> bool:
        """Whether any column holds personal data."""
        return any(column.personal != "no" for column in self.columns)

    def is_past_limit(self, period: Period, today: date) -> bool:
        """Whether a period's personal data are past retention."""
        return self.personal and today > period.last_day + timedelta(days=self.retention_days)

    def column(self, name: str) -> Column:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    def partition(self, council: str, period: str) -> Partition:
        """The partition of a council and a period given as text. Raises `UnknownName`."""
        return Partition(self.name, council, self.parse_period(period))

    def parse_period(self, text: str) -> Period:
        """Parse a period, e.g. `2017-05`. Raises `UnknownName`."""
        return Period.parse(text, self.period)

    def may_be_unpublished(self, period: Period, today: date) -> bool:
        """Whether the period is younger than the publication lag."""
        return today <= period.last_day + timedelta(days=self.publication_lag_days)

    @property
    def may_empty(self) -> bool:
        """Whether a partition with records may be replaced by an empty one."""
        if self.checks.partition_may_empty is not None:
            return self.checks.partition_may_empty
        # A row that changes again moves to a later period.
        extract = self.extract
        return isinstance(extract, DatabaseExtract) and extract.follows_changes

    @property
    def rules_hash(self) -> str:
        """Hash of the fields that decide what is loaded, without descriptions or schedules.

        Fields at their default are excluded, so that a field added later does
        not change the hashes of contracts that do not use it.
        """
        decides = self.model_dump(
            mode="json", include={"format", "columns", "key", "checks"}, exclude_defaults=True
        )
        for column in decides["columns"]:
            del column["description"]
            column.pop("responsible", None)
            column.pop("renamed_from", None)
        if isinstance(self.extract, Extract) and self.extract.archive:
            archive = self.extract.archive.model_dump(
                mode="json", include={"format", "paths"}, exclude_defaults=True
            )
            decides["archive"] = archive
        return _digest(decides)

    @property
    def contract_hash(self) -> str:
        """Hash of the whole contract."""
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
    """Every contract by name, including disabled ones. Raises `WrongDefinition`."""
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
    """The columns of a parent that the child's requests use."""
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
            f"unknown source {name!r}. Known: {', '.join(contracts())}."
            f"{did_you_mean(name, contracts())} "
            f"Add include/sources/{name}.yaml, or choose one of these."
        ) from None


def rate_for(
    contract: Contract, all_contracts: Iterable[Contract], sharing: Container[str] = ()
) -> Rate:
    """The share of its host's rate limit for the clients in `sharing` together, or for one client.

    `sharing` names the sources whose clients take turns in one place. Every
    other client, one for each of a contract's `parallel` tasks, keeps to an
    equal part of its own, so that all together never exceed the host's rate.
    Raises `PermanentError` for a source that is a database.
    """
    if not isinstance(contract.extract, Extract):
        raise PermanentError(f"{contract.name}: rate limits do not apply to a database.")
    clients = {
        other.name: other.extract
        for other in (*all_contracts, contract)
        if isinstance(other.extract, Extract) and other.extract.host == contract.extract.host
    }
    parts = sum(item.parallel for item in clients.values())
    shared = sum(item.parallel for name, item in clients.items() if name in sharing) or 1
    per_second = min(item.rate.per_second for item in clients.values())
    burst = min(item.rate.burst for item in clients.values())
    return Rate(per_second=per_second * shared / parts, burst=max(1, burst * shared // parts))
