"""The contract of a source. DDL, dbt sources, docs and the DAG are derived from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from include.definitions import (
    NAME_PATTERN,
    Definition,
    Folder,
    Text,
    WrongField,
    did_you_mean,
    raise_for_broken,
    read_folder,
    wrong_field,
)
from include.errors import UnknownName, WrongDefinition
from include.sources import consistency, syntax
from include.sources.alerts import Alerts
from include.sources.columns import Column
from include.sources.evidence import evidence_of, evidence_of_features
from include.sources.extract.database import DatabaseExtract
from include.sources.extract.http import Extract
from include.sources.extract.kinds import AnyExtract
from include.sources.extract.templates import BATCH, placeholders
from include.sources.formats import Format
from include.sources.limits import Approval, Checks, Limits
from include.sources.partition import FirstDay, Grain, Partition, Period
from include.sources.paths import parts

FOLDER = Path(__file__).parent

# A century; the calendar ends in the year 9999.
_MOST_DAYS = 36_525


class Contract(Definition):
    """One `include/sources/<source>.yaml`."""

    name: str = Field(
        pattern=NAME_PATTERN.pattern, description="Same as the file name without .yaml."
    )
    title: Text = Field(min_length=1, description="Display name.")
    description: Text = Field(
        min_length=1, description="Shown in the Airflow UI and the dbt docs. Markdown."
    )
    publisher: Text = Field(min_length=1, max_length=100, description="A tag in the Airflow UI.")
    licence: Text = Field(min_length=1, description="Licence of the data.")
    access: Literal["public", "internal"] = Field(
        default="internal",
        description="Whether data derived from it may be published as open data.",
    )
    attribution: Text = Field(
        default="",
        description="The sentence that the licence asks users of the data to repeat; by default, "
        "one that names publisher and licence.",
    )
    owner: Text = Field(min_length=1, description="Who is responsible when it breaks.")
    alerts: Alerts = Alerts()

    period: Grain = Field(
        description="Size of a partition: `hour` (of UTC), `day`, `week` (ISO 8601), `month`, "
        "`quarter`, `year`, `financial_year` (April to March), or `all`: the whole table each time."
    )
    snapshot: bool = Field(default=False, description="The API returns only the current state.")
    councils: Literal["each", "uk"] = Field(
        default="each", description="`each`: one partition per council. `uk`: no council."
    )
    start: FirstDay = Field(description="First day with data.")
    schedule: str = Field(
        default="",
        pattern=r"^(\S+( \S+){4})?$",
        description="Cron expression, in UTC. None for `kind: landing`, which runs when its parent "
        "has landed.",
    )
    publication_lag_days: int = Field(
        default=0,
        ge=0,
        le=_MOST_DAYS,
        description="Days after the end of a period by which it must be published.",
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
        le=_MOST_DAYS,
        description="Days to keep superseded landings and, counted from the end of the period (of "
        "`all`: from the newest fetch), all personal data. 0: keep forever.",
    )

    extract: AnyExtract
    format: Format = Format()
    columns: tuple[Column, ...] = Field(min_length=1)
    key: tuple[str, ...] = Field(default=(), description="Columns that identify a record.")
    checks: Checks = Checks()
    limits: Limits = Limits()
    approval: Approval | None = None

    @field_validator("schedule")
    @classmethod
    def _is_a_schedule(cls, value: str) -> str:
        return value and syntax.schedule(value)

    @model_validator(mode="after")
    def _fields_fit_together(self) -> Contract:
        consistency.check(self)
        return self

    def layout(self, way: str = "api") -> Format:
        """The format of the bodies fetched in this way, and what they must contain."""
        if isinstance(self.extract, DatabaseExtract):
            found = Format(kind="jsonl")
        else:
            extract = self.extract if isinstance(self.extract, Extract) else None
            archive = extract.archive if extract and way == "archive" else None
            found = archive.format if archive else self.format
            selected_by = parts(found.select.field) if found.select else ()
            of = evidence_of_features if found.kind == "geojson" else evidence_of
            evidence = of(self.columns_of(way), selected_by, self.personal)
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

    def values_used(self, way: str = "api") -> tuple[str, ...]:
        """The names of the values that a way's requests use and their records need, in order."""
        if not isinstance(self.extract, Extract):
            return ()
        found = self.extract.ways[way]
        used = [name for text in found.request.texts() for name in placeholders(text)]
        used += [*self.values_kept(way), *filter(None, [found.split])]
        for label, parent in self.extract.parents.items():
            if label in (*used, *found.for_each):
                used += [name for _, text in parent.texts() for name in placeholders(text)]
        return tuple(dict.fromkeys(used))

    def values_kept(self, way: str = "api") -> tuple[str, ...]:
        """The names of the request's values that columns and the selection need."""
        select = self.layout(way).select
        names = [column.request for column in self.columns_of(way) if column.request]
        return (*names, *(select.names if select else ()))

    def items_of(self, way: str = "api") -> dict[str, tuple[str, ...]]:
        """What a way's requests are made for each of: the values that name an item."""
        if not isinstance(self.extract, Extract):
            return {}
        named = {"ward": ("ward.code",), "point": ("point.name",)}
        batched = (name for name, parent in self.extract.parents.items() if parent.batch)
        named |= {name: (f"{name}.{BATCH}",) for name in batched}
        used = self.values_used(way)
        return {
            loop: named.get(loop)
            or (
                tuple(name for name in used if name.startswith(f"{loop}."))
                if loop in self.extract.parents
                else (loop,)
            )
            for loop in self.extract.ways[way].for_each
        }

    def raw_columns(self, way: str = "api") -> tuple[Column, ...]:
        """The columns of the raw table: all except dropped ones."""
        return tuple(column for column in self.columns_of(way) if column.personal != "drop")

    @property
    def personal(self) -> bool:
        """Whether any column holds personal data."""
        return any(column.personal != "no" for column in self.columns)

    def is_past_limit(self, period: Period, today: date) -> bool:
        """Whether a period's personal data are past retention."""
        return self.personal and today - period.last_day > timedelta(days=self.retention_days)

    def column(self, name: str) -> Column:
        """The column with that name."""
        return next(column for column in self.columns if column.name == name)

    def partition(self, council: str, period: str) -> Partition:
        """The partition of a council and a period given as text. Raises `UnknownName`."""
        return Partition(self.name, council, self.parse_period(period))

    def parse_period(self, text: str) -> Period:
        """Parse a period, e.g. `2017-05`. Raises `UnknownName`."""
        return Period.parse(text, self.period)

    def may_be_unpublished(self, period: Period, now: datetime) -> bool:
        """Whether the period is younger than the publication lag."""
        return now - period.end < timedelta(days=self.publication_lag_days)

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
            column.pop("access", None)
            column.pop("renamed_from", None)
        if isinstance(self.extract, Extract) and self.extract.archive:
            archive = self.extract.archive.model_dump(
                mode="json", include={"format", "paths"}, exclude_defaults=True
            )
            decides["archive"] = archive
        return _digest(decides)

    @property
    def as_recorded(self) -> str:
        """The whole contract as JSON that reads back as it is, without fields at their default."""
        return json.dumps(self.model_dump(mode="json", exclude_defaults=True, by_alias=True))

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
def _read(folder: Path) -> Folder[Contract]:
    return read_folder(folder, Contract)


@cache
def _checked(folder: Path) -> Folder[Contract]:
    """The enabled contracts, checked against each other."""
    read = _read(folder)
    enabled = {name: item for name, item in read.valid.items() if item.enabled}
    found: Folder[Contract] = Folder({}, dict(read.broken))
    for name, item in enabled.items():
        try:
            consistency.check_parents(item, enabled, read.broken)
            found.valid[name] = item
        except WrongField as error:
            found.broken[name] = wrong_field(folder / f"{name}.yaml", error)
    return found


def every_contract(folder: Path | None = None) -> dict[str, Contract]:
    """Every contract that can be read, by name, including disabled ones."""
    return _read(folder or FOLDER).valid


def contracts(folder: Path | None = None) -> dict[str, Contract]:
    """Every enabled contract by name, checked against its parents; without the broken ones."""
    return _checked(folder or FOLDER).valid


def broken_contracts(folder: Path | None = None) -> dict[str, WrongDefinition]:
    """The error of each contract that is not valid, by name."""
    return _checked(folder or FOLDER).broken


def read_again() -> None:
    """Forget the contracts that were read."""
    _read.cache_clear()
    _checked.cache_clear()


def contract(name: str) -> Contract:
    """One contract. Raises `UnknownName` with the names that exist, and `WrongDefinition`."""
    if name in contracts():
        return contracts()[name]
    if name in broken_contracts():
        raise WrongDefinition(str(broken_contracts()[name]))
    if name in every_contract():
        raise UnknownName(
            f"{name} is switched off: include/sources/{name}.yaml has `enabled: false`. Change it."
        )
    raise UnknownName(
        f"unknown source {name!r}. Known: {', '.join(contracts())}."
        f"{did_you_mean(name, contracts())} "
        f"Add include/sources/{name}.yaml, or choose one of these."
    )


def require_every_contract(who: str, but: Container[str] = ()) -> None:
    """Raise `WrongDefinition` if a contract is broken, after `who` is done with all others."""
    raise_for_broken(who, (e for name, e in broken_contracts().items() if name not in but))
