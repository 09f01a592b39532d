"""How a source is fetched: requests, paging, the meaning of its answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from include.definitions import Definition, WrongField
from include.sources.addresses import base_url, host_name, host_of, is_loopback
from include.sources.formats import Format
from include.sources.paging import Paging, Status
from include.sources.paths import BodyPath
from include.sources.templates import (
    COUNCIL_VALUES,
    PERIOD_VALUES,
    POINT_VALUES,
    WARD_VALUES,
    WINDOW_VALUES,
    check_formats,
    parent_name,
    placeholders,
)

# A window is no longer than the longest period.
_MOST_MINUTES = 31 * 24 * 60


BaseUrl = Annotated[str, AfterValidator(base_url)]
ParentName = Annotated[str, AfterValidator(parent_name)]


class Rate(Definition):
    """The rate limit of the API's host for one client, all sources together."""

    per_second: float = Field(gt=0, description="Requests a second, sustained.")
    burst: int = Field(ge=1, description="Requests that may be sent at once.")


class Request(Definition):
    """One request; every text may contain placeholders."""

    method: Literal["GET", "POST"] = "GET"
    path: str = Field(pattern=r"^/", description="Below `base_url`.")
    query: dict[str, str] = Field(default_factory=dict, description="Query parameters.")
    form: dict[str, str] = Field(default_factory=dict, description="Form fields of a POST.")

    @model_validator(mode="after")
    def _a_form_is_posted(self) -> Request:
        if self.form and self.method != "POST":
            raise WrongField("`form` needs `method: POST`", "form")
        return self

    def places(self) -> Iterator[tuple[tuple[str, ...], str]]:
        """Every text that may contain placeholders, and where it is."""
        yield ("path",), self.path
        for field, texts in (("query", self.query), ("form", self.form)):
            for name, text in texts.items():
                yield (field, name), text

    def texts(self) -> Iterator[str]:
        """Every text that may contain placeholders."""
        return (text for _, text in self.places())


class Parent(Definition):
    """Values made from the records of another source's latest landing.

    With `each`, a single value: the matching records, formatted and joined.
    With `for_each: <its name>` in the request, one request per record, whose
    columns are placeholders: `{station.station_reference}`.
    """

    source: str = Field(description="The source whose latest landing of the same council is read.")
    match: dict[str, str] = Field(
        default_factory=dict, description="Columns of the parent that must equal these values."
    )
    each: str = Field(
        default="", description="Format of one record, with its columns as placeholders."
    )
    join: str = Field(default=",", description="Separator between records.")

    @field_validator("each")
    @classmethod
    def _is_a_template(cls, value: str) -> str:
        # Its placeholders are columns of the parent.
        check_formats(value, of_parent=True)
        return value


class Answers(Definition):
    """What a status other than 200 means, and what a field of an answer does not mean.

    By default, 408, 429 and 5xx are retried and all others fail. 202 is
    polled, and 206 is read if it holds the whole body or a whole page.
    """

    not_published: tuple[Status, ...] = Field(
        default=(), description="The period is not available (yet): 404, 204."
    )
    empty: tuple[Status, ...] = Field(
        default=(), description="There are no records for this request: 204."
    )
    empty_is_not_published: bool = Field(
        default=False, description="A recent period without any record is not available yet."
    )
    too_large: tuple[Status, ...] = Field(
        default=(), description="The area has too many records: split it and request its parts."
    )
    unknown_ward: tuple[Status, ...] = Field(
        default=(), description="The API does not know this ward."
    )
    fail_at_once: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=(),
        description="Texts in a 429's body that mean: no more today. The task fails at once.",
    )
    ignore: tuple[BodyPath, ...] = Field(
        default=(),
        description="Paths of fields that do not name another page, or a total of the records, "
        "although they are called so: `links.next`, `count`; or `header` for headers.",
    )


class Way(Definition):
    """One way to request a partition."""

    for_each: str = Field(
        default="partition",
        description="A single request (`partition`), one for each `ward` or weather `point` of "
        "the council, or one for each record of a parent, by the parent's name.",
    )
    window_minutes: int = Field(
        default=0,
        ge=0,
        le=_MOST_MINUTES,
        description="Request the period in windows of this many minutes: {window.start:...}, "
        "{window.end:...} (exclusive).",
    )
    request: Request
    paging: Paging | None = None
    answers: Answers = Answers()
    split: str | None = Field(
        default=None, description="The parent value to split, a polygon `lat,lng:...`."
    )

    @model_validator(mode="after")
    def _answers_fit_the_way(self) -> Way:
        if bool(self.answers.too_large) != bool(self.split):
            raise WrongField(
                "`answers.too_large` and `split` need each other",
                *(("split",) if self.split else ("answers", "too_large")),
            )
        if self.answers.unknown_ward and self.for_each != "ward":
            raise WrongField(
                "`answers.unknown_ward` needs `for_each: ward`", "answers", "unknown_ward"
            )
        self._statuses_mean_one_thing()
        return self

    def _statuses_mean_one_thing(self) -> None:
        answers = self.answers
        meanings = (
            *answers.not_published,
            *answers.empty,
            *answers.too_large,
            *answers.unknown_ward,
        )
        for status in meanings:
            if meanings.count(status) > 1:
                raise WrongField(f"`answers` gives HTTP {status} two meanings", "answers")


class Archive(Way):
    """Where older periods are requested: age decides the address, never the content."""

    from_age_days: int = Field(
        ge=1, description="For periods that ended at least this many days ago."
    )
    base_url: Annotated[str, AfterValidator(lambda value: value and base_url(value))] = Field(
        default="", description="If different from the source's own."
    )
    format: Format = Format()
    paths: dict[str, str] = Field(
        default_factory=dict,
        description="Columns with another path in the archive's records; `request:` and a "
        "value's name for those that come from the request.",
    )


class Extract(Way):
    """How partitions are fetched from an API."""

    kind: Literal["http"] = "http"
    base_url: BaseUrl = Field(
        description="The live API, without a trailing slash: https://, or http:// for a server on "
        "this machine."
    )
    hosts: tuple[Annotated[str, AfterValidator(host_name)], ...] = Field(
        default=(),
        description="Other hosts that redirects and links to the next page may lead to: "
        "`files.example.org`.",
    )
    private_hosts: tuple[Annotated[str, AfterValidator(host_name)], ...] = Field(
        default=(),
        description="Those of the hosts that are in your own network. All others must be at "
        "public addresses: not private, loopback or link-local ones.",
    )
    rate: Rate
    parallel: int = Field(ge=1, le=16, description="Partitions to fetch at the same time.")
    timeout_seconds: float = Field(
        default=30, gt=0, le=600, description="Seconds without data before a request fails."
    )
    attempts: int = Field(default=5, ge=1, le=10, description="Attempts per request in a task.")
    parents: dict[ParentName, Parent] = Field(
        default_factory=dict, description="Values from other sources' landings, by name."
    )
    archive: Archive | None = None

    @property
    def host(self) -> str:
        """The API's host: sources of one host share its rate."""
        return host_of(self.base_url)

    @property
    def known_hosts(self) -> tuple[str, ...]:
        """Every host that may be contacted: those of the base URLs, and `hosts`."""
        urls = [self.base_url, *([self.archive.base_url] if self.archive else [])]
        return tuple(dict.fromkeys((*(host_of(url) for url in urls if url), *self.hosts)))

    @property
    def private_names(self) -> frozenset[str]:
        """The names of the hosts that may be at private addresses, without ports.

        Those listed, and this machine where it is the API.
        """
        names = (urlsplit(f"https://{host}").hostname or "" for host in self.private_hosts)
        own = urlsplit(self.base_url).hostname or ""
        return frozenset((*names, *([own] if is_loopback(own) else [])))

    @property
    def ways(self) -> dict[str, Way]:
        """Each way to request the source, by its name in manifests."""
        return {"api": self} | ({"archive": self.archive} if self.archive else {})

    def base_url_of(self, way: str) -> str:
        """The base URL of a way, by its name."""
        return (self.archive.base_url if self.archive and way == "archive" else "") or self.base_url

    def values_of(self, way: Way) -> tuple[str, ...]:
        """The placeholders that a way's requests may use, except a parent's columns."""
        item = {"ward": WARD_VALUES, "point": POINT_VALUES}.get(way.for_each, ())
        window = WINDOW_VALUES if way.window_minutes else ()
        joined = (name for name, parent in self.parents.items() if parent.each)
        return (*PERIOD_VALUES, *COUNCIL_VALUES, *item, *window, *joined)

    def is_value(self, way: Way, name: str) -> bool:
        """Whether `name` is one of them, or a column of the parent in `for_each`."""
        return name in self.values_of(way) or (
            way.for_each in self.parents and name.startswith(f"{way.for_each}.")
        )

    @model_validator(mode="after")
    def _private_hosts_are_asked(self) -> Extract:
        for host in self.private_hosts:
            if host not in self.known_hosts:
                raise WrongField(
                    f"`private_hosts` names {host!r}; hosts: {', '.join(self.known_hosts)}",
                    "private_hosts",
                )
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Extract:
        for name, way in self.ways.items():
            where = () if name == "api" else (name,)
            if way.for_each not in ("partition", "ward", "point", *self.parents):
                raise WrongField(
                    "`for_each` must be partition, ward, point or one of `parents`, "
                    f"found {way.for_each!r}",
                    *(*where, "for_each"),
                )
            if way.split is not None and way.split not in self.parents:
                raise WrongField(
                    f"`split` must name one of `parents`, found {way.split!r}", *where, "split"
                )
            for place, text in way.request.places():
                self._check_placeholders(way, text, (*where, "request", *place))
            for label, parent in self.parents.items():
                for column, text in parent.match.items():
                    self._check_placeholders(way, text, ("parents", label, "match", column))
        return self

    def _check_placeholders(self, way: Way, text: str, place: tuple[str, ...]) -> None:
        try:
            names = list(placeholders(text))
            check_formats(text)
        except ValueError as error:
            raise WrongField(str(error), *place) from error
        for name in names:
            if not self.is_value(way, name):
                raise WrongField(
                    f"unknown placeholder {{{name}}}; known: {', '.join(self.values_of(way))}",
                    *place,
                )


# A value to bind, or whatever else begins with a percent sign.
_BOUND = re.compile(r"%(?:\([^)]*\)s|.{0,8})", re.DOTALL)


class DatabaseExtract(Definition):
    """How partitions are fetched from a database: a query, paged by its key."""

    kind: Literal["database"]
    connection: str = Field(
        pattern=r"^[a-z][a-z0-9_]*$", description="The Airflow Connection, read-only."
    )
    query: str = Field(
        min_length=1,
        description="A select; `%(period_start)s` and `%(period_end)s` (exclusive) are bound.",
    )
    key: str = Field(min_length=1, description="The unique column to page by.")
    changed: str = Field(default="", description="The column that says when a row changed.")
    page_size: int = Field(default=10_000, ge=1, le=1_000_000)
    parallel: int = Field(default=1, ge=1, le=16)
    parents: dict[str, Parent] = Field(default_factory=dict, max_length=0)

    @field_validator("query")
    @classmethod
    def _binds_what_is_known(cls, value: str) -> str:
        for bound in _BOUND.findall(value.replace("%%", "")):
            if bound not in ("%(period_start)s", "%(period_end)s", "%(council)s"):
                raise ValueError(
                    "expected only %(period_start)s, %(period_end)s and %(council)s, and other "
                    f"percent signs as %%, found {bound!r}"
                )
        if ";" in value.rstrip("; \n"):
            raise ValueError("expected one select: it is used as a subquery")
        return value

    @property
    def follows_changes(self) -> bool:
        """Whether a partition holds the rows whose last change was in its period."""
        return bool(self.changed) and "%(period_start)s" not in self.query
