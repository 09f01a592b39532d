"""A contract: what one source promises. DDL, dbt sources, docs and the DAG are derived from it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from include.definitions import NAME_PATTERN, Definition, read_folder
from include.errors import UnknownName, WrongDefinition
from include.sources.partition import Grain, Period
from include.sources.templates import placeholders

FOLDER = Path(__file__).parent

# What a request may say about its council, its period and the ward it is for.
COUNCIL_VALUES = ("council.name", "council.title", "council.gss_code", "council.police_force")
WARD_VALUES = ("ward.code", "ward.name", "ward.police_neighbourhood")

NUMERIC = re.compile(r"numeric\((\d{1,2}),\s*(\d{1,2})\)")
TYPES = ("text", "integer", "double", "boolean", "date", "timestamptz", "jsonb")

Scalar = str | int | float | bool
Status = Annotated[int, Field(ge=400, le=599)]


class Rate(Definition):
    """What the API's host allows one client, all sources together."""

    per_second: float = Field(gt=0, description="Requests a second, sustained.")
    burst: int = Field(ge=1, description="Requests that may come at once.")


class Request(Definition):
    """One request; every text may hold placeholders."""

    method: Literal["GET", "POST"] = "GET"
    path: str = Field(pattern=r"^/", description="Below `base_url`.")
    query: dict[str, str] = Field(default_factory=dict, description="Query parameters.")
    form: dict[str, str] = Field(default_factory=dict, description="Form fields of a POST.")

    @model_validator(mode="after")
    def _a_form_is_posted(self) -> Request:
        if self.form and self.method != "POST":
            raise ValueError("`form` needs `method: POST`")
        return self

    def texts(self) -> Iterable[str]:
        """Every text that may hold placeholders."""
        return (self.path, *self.query.values(), *self.form.values())


class Parent(Definition):
    """A value made from the records of another source's latest landing."""

    source: str = Field(description="The source whose latest landing of the same council is read.")
    match: dict[str, str] = Field(
        default_factory=dict, description="Columns of the parent that must equal these values."
    )
    each: str = Field(description="How one record is written, with its columns as placeholders.")
    join: str = Field(default=",", description="What stands between two records.")

    @field_validator("each")
    @classmethod
    def _is_a_template(cls, value: str) -> str:
        list(placeholders(value))
        return value


class Answers(Definition):
    """What this API means by a status that is not 200. Others: 408, 429, 5xx retry; 4xx fail."""

    not_published: tuple[Status, ...] = Field(
        default=(), description="The period is not there (yet)."
    )
    empty_is_not_published: bool = Field(
        default=False, description="A young period without a single record is not there yet."
    )
    too_large: tuple[Status, ...] = Field(
        default=(), description="The area holds too much: split it and ask for its parts."
    )
    unknown_ward: tuple[Status, ...] = Field(
        default=(), description="The API does not know this ward."
    )


class Extract(Definition):
    """How a partition is fetched."""

    base_url: str = Field(pattern=r"^https://", description="The live API, without a last slash.")
    rate: Rate
    parallel: int = Field(ge=1, le=16, description="Partitions that are fetched at a time.")
    timeout_seconds: float = Field(
        default=30, gt=0, le=600, description="Longest silence in an answer."
    )
    attempts: int = Field(default=5, ge=1, le=10, description="Tries of one request in a task.")
    for_each: Literal["partition", "ward"] = Field(
        default="partition", description="One request in all, or one for each ward of the council."
    )
    parents: dict[str, Parent] = Field(
        default_factory=dict, description="Values from other sources' landings, by name."
    )
    request: Request
    answers: Answers = Answers()
    split: str | None = Field(
        default=None, description="The parent value, a polygon `lat,lng:...`, that can be split."
    )

    @property
    def host(self) -> str:
        """The API's host: sources of one host share its rate."""
        return urlsplit(self.base_url).netloc

    @property
    def values(self) -> tuple[str, ...]:
        """The placeholders that the request may use."""
        ward = WARD_VALUES if self.for_each == "ward" else ()
        return ("period", *COUNCIL_VALUES, *ward, *self.parents)

    @model_validator(mode="after")
    def _names_are_known(self) -> Extract:
        of_parents = [text for parent in self.parents.values() for text in parent.match.values()]
        for text in (*self.request.texts(), *of_parents):
            for name in placeholders(text):
                if name not in self.values:
                    raise ValueError(
                        f"unknown placeholder {{{name}}}; known: {', '.join(self.values)}"
                    )
        if self.split is not None and self.split not in self.parents:
            raise ValueError(f"`split` must name one of `parents`, found {self.split!r}")
        if bool(self.answers.too_large) != bool(self.split):
            raise ValueError("`answers.too_large` and `split` need each other")
        if self.answers.unknown_ward and self.for_each != "ward":
            raise ValueError("`answers.unknown_ward` needs `for_each: ward`")
        return self


class Format(Definition):
    """What a body looks like."""

    kind: Literal["json"] = "json"
    records: str = Field(
        default="", description="Dotted path to the list of records; empty: the body is the list."
    )


class Column(Definition):
    """One column of the raw table and the rules that its values keep."""

    name: str = Field(pattern=NAME_PATTERN.pattern)
    type: str = Field(
        description="text, integer, numeric(p,s), double, boolean, date, timestamptz, jsonb"
    )
    description: str = Field(min_length=1)
    path: str = Field(default="", description="Dotted path in the record; the name if left out.")
    request: str = Field(default="", description="Taken from the request instead: `ward.code`.")
    position: bool = Field(default=False, description="The record's number in its page, from 1.")
    required: bool = Field(default=False, description="Null or absent breaks the contract.")
    allowed: tuple[Scalar, ...] = Field(default=(), description="The only values there may be.")
    pattern: str = Field(default="", description="Regular expression for the whole text.")
    minimum: float | None = None
    maximum: float | None = None
    personal: bool = Field(default=False, description="Says something of a living person.")

    @field_validator("type")
    @classmethod
    def _is_a_known_type(cls, value: str) -> str:
        numeric = NUMERIC.fullmatch(value)
        if numeric:
            precision, scale = int(numeric[1]), int(numeric[2])
            if not 1 <= precision <= 38 or scale > precision:
                raise ValueError("numeric(p,s) needs 1 <= p <= 38 and s <= p")
            return f"numeric({precision},{scale})"
        if value not in TYPES:
            raise ValueError(f"expected one of {', '.join(TYPES)} or numeric(p,s)")
        return value

    @field_validator("pattern")
    @classmethod
    def _is_a_regular_expression(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"expected a regular expression: {error}") from error
        return value

    @model_validator(mode="after")
    def _comes_from_one_place(self) -> Column:
        if sum(bool(origin) for origin in (self.path, self.request, self.position)) > 1:
            raise ValueError("`path`, `request` and `position` exclude each other")
        if self.position and self.type != "integer":
            raise ValueError("`position` needs `type: integer`")
        if self.pattern and self.type != "text":
            raise ValueError("`pattern` needs `type: text`")
        if (self.minimum is not None or self.maximum is not None) and not (
            self.type in ("integer", "double") or self.type.startswith("numeric")
        ):
            raise ValueError("`minimum` and `maximum` need a number")
        return self

    @property
    def record_path(self) -> tuple[str, ...]:
        """Where it stands in a record; empty if it does not come from there."""
        if self.request or self.position:
            return ()
        return tuple((self.path or self.name).split("."))


class Checks(Definition):
    """What must hold before a load is committed."""

    min_records: int = Field(default=0, ge=0, description="Fewer records in the landing: refused.")
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

    extract: Extract
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
        for column in self.columns:
            if column.request and column.request not in self.extract.values:
                raise ValueError(
                    f"column {column.name!r}: `request` must be one of "
                    f"{', '.join(self.extract.values)}, found {column.request!r}"
                )
        if self.snapshot and self.lookback:
            raise ValueError("a snapshot has no `lookback`: the API answers only for now")
        if self.councils == "uk" and self.extract.for_each == "ward":
            raise ValueError("`for_each: ward` needs `councils: each`")
        return self

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
        """Over the fields that decide what is loaded, not over descriptions or schedules."""
        decides = self.model_dump(mode="json", include={"format", "columns", "key", "checks"})
        for column in decides["columns"]:
            del column["description"]
        return _digest(decides)

    @property
    def contract_hash(self) -> str:
        """Over the whole contract."""
        return _digest(self.model_dump(mode="json"))


def _digest(content: Any) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(canonical.encode()).hexdigest()


@cache
def contracts(folder: Path = FOLDER) -> dict[str, Contract]:
    """Every contract by name, each checked against the others. Raises `WrongDefinition`."""
    found = read_folder(folder, Contract)
    for name, contract in found.items():
        for label, parent in contract.extract.parents.items():
            where = f"{folder / name}.yaml: field `extract.parents.{label}"
            if parent.source not in found:
                raise WrongDefinition(
                    f"{where}.source`: expected one of {', '.join(found)}, found {parent.source!r}."
                )
            columns = {column.name for column in found[parent.source].columns}
            for column in {*parent.match, *placeholders(parent.each)} - columns:
                raise WrongDefinition(
                    f"{where}`: {parent.source} has no column {column!r}; "
                    f"it has {', '.join(sorted(columns))}."
                )
    return found


def contract(name: str) -> Contract:
    """One contract. Raises `UnknownName` with the names that exist."""
    try:
        return contracts()[name]
    except KeyError:
        raise UnknownName(
            f"{name!r} is no source. Known: {', '.join(contracts())}. "
            f"Add include/sources/{name}.yaml, or choose one of these."
        ) from None


def rate_for(contract: Contract, all_contracts: Iterable[Contract]) -> Rate:
    """What one client of this source may use of its host's rate.

    The host's rate divided by the sum of `parallel` over the contracts of
    that host, so that all of them together never exceed it.
    """
    of_host = [other for other in all_contracts if other.extract.host == contract.extract.host]
    clients = sum(other.extract.parallel for other in of_host) or contract.extract.parallel
    per_second = min((other.extract.rate.per_second for other in of_host), default=1.0)
    burst = min((other.extract.rate.burst for other in of_host), default=1)
    return Rate(per_second=per_second / clients, burst=max(1, burst // clients))
