"""How a source is asked: requests, paging, what its answers mean."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from include.definitions import Definition
from include.sources.formats import Format
from include.sources.templates import placeholders

# What a request may say about its council, its period, and the ward or point that it is for.
COUNCIL_VALUES = (
    "council.name",
    "council.title",
    "council.gss_code",
    "council.police_force",
    "council.latitude",
    "council.longitude",
    "council.radius_km",
)
PERIOD_VALUES = ("period", "period.last", "period.next")
WARD_VALUES = ("ward.code", "ward.name", "ward.police_neighbourhood")
POINT_VALUES = ("point.name", "point.latitude", "point.longitude")
WINDOW_VALUES = ("window.start", "window.end")

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
    """Values made from the records of another source's latest landing.

    With `each`, one value: the matching records, written and joined. With
    `for_each: <its name>` of the request, one request for each of them, whose
    columns are placeholders: `{station.station_reference}`.
    """

    source: str = Field(description="The source whose latest landing of the same council is read.")
    match: dict[str, str] = Field(
        default_factory=dict, description="Columns of the parent that must equal these values."
    )
    each: str = Field(
        default="", description="How one record is written, with its columns as placeholders."
    )
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
    fail_at_once: tuple[str, ...] = Field(
        default=(),
        description="Texts in a 429's body that mean: not today. The task fails at once.",
    )


class Paging(Definition):
    """How the next page is asked for, and how the last one is known.

    `offset` and `page` end with a page of fewer than `size` records, `cursor`
    and `link` when there is no next one.
    """

    kind: Literal["offset", "page", "cursor", "link"]
    size: int = Field(default=0, ge=0, description="Records of a full page.")
    size_parameter: str = Field(default="", description="The query parameter that asks for it.")
    parameter: str = Field(
        default="", description="The query parameter of the offset, page number or cursor."
    )
    first: int = Field(default=0, ge=0, description="The first offset or page number.")
    next: str = Field(
        default="",
        description="Where the cursor or link stands: a dotted path in the body, or `header` for "
        "the header Link with rel=next.",
    )
    total: str = Field(
        default="", description="Dotted path in the body to the declared total of records."
    )
    until_two_agree: bool = Field(
        default=False,
        description="The order can move while paging: read again until two passes agree.",
    )

    @model_validator(mode="after")
    def _has_what_its_kind_needs(self) -> Paging:
        if self.kind in ("offset", "page") and not (self.size and self.parameter):
            raise ValueError(f"`kind: {self.kind}` needs `size` and `parameter`")
        if self.kind == "cursor" and not (self.next and self.parameter):
            raise ValueError("`kind: cursor` needs `next` and `parameter`")
        if self.kind == "link" and not self.next:
            raise ValueError("`kind: link` needs `next`")
        return self


class Way(Definition):
    """One way to ask for a partition."""

    for_each: str = Field(
        default="partition",
        description="One request in all (`partition`), one for each `ward` or weather `point` of "
        "the council, or one for each record of a parent, by the parent's name.",
    )
    window_minutes: int = Field(
        default=0,
        ge=0,
        description="Ask for the period in windows of so many minutes: {window.start:...}, "
        "{window.end:...} (exclusive).",
    )
    request: Request
    paging: Paging | None = None
    answers: Answers = Answers()
    split: str | None = Field(
        default=None, description="The parent value, a polygon `lat,lng:...`, that can be split."
    )

    @model_validator(mode="after")
    def _answers_fit_the_way(self) -> Way:
        if bool(self.answers.too_large) != bool(self.split):
            raise ValueError("`answers.too_large` and `split` need each other")
        if self.answers.unknown_ward and self.for_each != "ward":
            raise ValueError("`answers.unknown_ward` needs `for_each: ward`")
        return self


class Archive(Way):
    """Where older periods are asked for: the clock decides where, never what."""

    from_age_days: int = Field(ge=1, description="Periods that ended so many days ago, or more.")
    base_url: str = Field(default="", description="Where it differs from the source's own.")
    format: Format = Format()
    paths: dict[str, str] = Field(
        default_factory=dict,
        description="Columns that stand elsewhere in the archive's records; `request:` and a "
        "value's name where they come from the request.",
    )


class Extract(Way):
    """How partitions are fetched from an API."""

    kind: Literal["http"] = "http"
    base_url: str = Field(pattern=r"^https://", description="The live API, without a last slash.")
    rate: Rate
    parallel: int = Field(ge=1, le=16, description="Partitions that are fetched at a time.")
    timeout_seconds: float = Field(
        default=30, gt=0, le=600, description="Longest silence in an answer."
    )
    attempts: int = Field(default=5, ge=1, le=10, description="Tries of one request in a task.")
    parents: dict[str, Parent] = Field(
        default_factory=dict, description="Values from other sources' landings, by name."
    )
    archive: Archive | None = None

    @property
    def host(self) -> str:
        """The API's host: sources of one host share its rate."""
        return urlsplit(self.base_url).netloc

    @property
    def ways(self) -> dict[str, Way]:
        """Each way to ask, by the name that the manifest keeps."""
        return {"api": self} | ({"archive": self.archive} if self.archive else {})

    def values_of(self, way: Way) -> tuple[str, ...]:
        """The placeholders that a way's requests may use, but for a parent's columns."""
        item = {"ward": WARD_VALUES, "point": POINT_VALUES}.get(way.for_each, ())
        window = WINDOW_VALUES if way.window_minutes else ()
        joined = (name for name, parent in self.parents.items() if parent.each)
        return (*PERIOD_VALUES, *COUNCIL_VALUES, *item, *window, *joined)

    def is_value(self, way: Way, name: str) -> bool:
        """Whether `name` is one of them, or a column of the parent that the way goes through."""
        return name in self.values_of(way) or (
            way.for_each in self.parents and name.startswith(f"{way.for_each}.")
        )

    @model_validator(mode="after")
    def _names_are_known(self) -> Extract:
        for way in self.ways.values():
            if way.for_each not in ("partition", "ward", "point", *self.parents):
                raise ValueError(
                    "`for_each` must be partition, ward, point or one of `parents`, "
                    f"found {way.for_each!r}"
                )
            if way.split is not None and way.split not in self.parents:
                raise ValueError(f"`split` must name one of `parents`, found {way.split!r}")
            self._placeholders_are_known(way)
        return self

    def _placeholders_are_known(self, way: Way) -> None:
        of_parents = [text for parent in self.parents.values() for text in parent.match.values()]
        for text in (*way.request.texts(), *of_parents):
            for name in placeholders(text):
                if not self.is_value(way, name):
                    raise ValueError(
                        f"unknown placeholder {{{name}}}; known: {', '.join(self.values_of(way))}"
                    )


class DatabaseExtract(Definition):
    """How partitions are fetched from a database: a query, read in pages by its key."""

    kind: Literal["database"]
    connection: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", description="The Airflow Connection, read-only."
    )
    query: str = Field(
        min_length=1,
        description="A select; `%(period_start)s` and `%(period_end)s` (exclusive) are bound.",
    )
    key: str = Field(min_length=1, description="The unique column that pages follow.")
    changed: str = Field(default="", description="The column that says when a row changed.")
    page_size: int = Field(default=10_000, ge=1, le=1_000_000)
    parallel: int = Field(default=1, ge=1, le=16)
    parents: dict[str, Parent] = Field(default_factory=dict, max_length=0)
