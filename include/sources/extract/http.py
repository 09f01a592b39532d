"""How a source is fetched: requests, paging, the meaning of its answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from include.definitions import NAME_PATTERN, Definition, Text, WrongField
from include.sources.extract.addresses import base_url, host_name, host_of, is_loopback
from include.sources.extract.auth import Auth
from include.sources.extract.paging import Answers, Paging
from include.sources.extract.request import Request
from include.sources.extract.templates import (
    COUNCIL_NAMES,
    COUNCIL_VALUES,
    PERIOD_VALUES,
    POINT_VALUES,
    WARD_VALUES,
    WINDOW_VALUES,
    Parent,
    as_tuple,
    check_formats,
    is_council_value,
    placeholders,
)
from include.sources.formats import Format

# Other names mean something else in `for_each` or in a placeholder.
_TAKEN = ("partition", "ward", "point", "council", "period", "window")
# A window is at most as long as the longest period.
_MOST_MINUTES = 31 * 24 * 60


def _value_name(value: str) -> str:
    if value in _TAKEN or not NAME_PATTERN.fullmatch(value):
        raise ValueError(f"expected a name in lower case other than {', '.join(_TAKEN)}")
    return value


BaseUrl = Annotated[str, AfterValidator(base_url)]
ValueName = Annotated[str, AfterValidator(_value_name)]


def _loops(value: Any) -> Any:
    return () if value == "partition" else as_tuple(value)


def _distinct(value: tuple[str, ...]) -> tuple[str, ...]:
    for place, item in enumerate(value):
        if item in value[:place]:
            raise ValueError(f"{item!r} appears twice")
    return value


class Rate(Definition):
    """The rate limit of the API's host for one client, all sources together."""

    per_second: float = Field(gt=0, description="Sustained requests per second.")
    burst: int = Field(ge=1, description="Requests that may be sent at once.")


class Way(Definition):
    """One way to request a partition."""

    for_each: Annotated[
        tuple[str, ...],
        BeforeValidator(_loops, json_schema_input_type=str | tuple[str, ...]),
        AfterValidator(_distinct),
    ] = Field(
        default=(),
        description="A single request (`partition`), or one for each `ward` or weather `point` of "
        "the council, record of a parent or constant, by the name in `parents` or `constants`. A "
        "list: one for each combination, `[site, pollutant]`.",
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
        if self.paging and self.paging.location == "body":
            self.request.check_body_takes(self.paging.parameter, self.paging.size_parameter)
        if self.answers.unknown_ward and "ward" not in self.for_each:
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

    kind: Literal["http"] = Field(default="http", description="An API.")
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
        description="The hosts among them that are in your own network. All others must be at "
        "public addresses: not private, loopback or link-local ones.",
    )
    rate: Rate
    parallel: int = Field(ge=1, le=16, description="Partitions to fetch at the same time.")
    timeout_seconds: float = Field(
        default=30, gt=0, le=600, description="Seconds without data before a request fails."
    )
    attempts: int = Field(default=5, ge=1, le=10, description="Attempts per request in a task.")
    parents: dict[ValueName, Parent] = Field(
        default_factory=dict, description="Values from other sources' landings, by name."
    )
    constants: dict[
        ValueName, Annotated[tuple[Text, ...], Field(min_length=1), AfterValidator(_distinct)]
    ] = Field(
        default_factory=dict,
        description="Lists of values, by name: `{pollutant: [NO2, PM10]}`. {pollutant} is one of "
        "them where `for_each` names it, else all of them with commas.",
    )
    auth: Auth | None = None
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
        """The hosts that may be at private addresses, without ports: listed, or this machine."""
        names = [urlsplit(f"https://{host}").hostname or "" for host in self.private_hosts]
        own = [self.base_url, *([self.auth.access_token_url] if self.auth else [])]
        hosts = [urlsplit(url).hostname or "" for url in own]
        return frozenset(names + [host for host in hosts if is_loopback(host)])

    @property
    def ways(self) -> dict[str, Way]:
        """Each way to request the source, by its name in manifests."""
        return {"api": self} | ({"archive": self.archive} if self.archive else {})

    def base_url_of(self, way: str) -> str:
        """The base URL of a way, by its name."""
        return (self.archive.base_url if self.archive and way == "archive" else "") or self.base_url

    def values_of(self, way: Way) -> tuple[str, ...]:
        """The placeholders that a way's requests may use, except columns and councils' names."""
        items = {"ward": WARD_VALUES, "point": POINT_VALUES}
        of_items = (name for loop in way.for_each for name in items.get(loop, ()))
        window = WINDOW_VALUES if way.window_minutes else ()
        joined = (name for name, parent in self.parents.items() if parent.each)
        return (
            *(*PERIOD_VALUES, *COUNCIL_VALUES),
            *(*of_items, *window, *joined, *self.constants),
        )

    def is_value(self, way: Way, name: str) -> bool:
        """Whether a request may use it: also a column of a parent in `for_each`."""
        loop, dot, _ = name.partition(".")
        of_record = bool(dot) and loop in way.for_each and loop in self.parents
        return name in self.values_of(way) or is_council_value(name) or of_record

    def known_values(self, way: Way) -> str:
        """What a request may use, for messages."""
        records = (f"{loop}.<column>" for loop in way.for_each if loop in self.parents)
        return ", ".join((*self.values_of(way), f"{COUNCIL_NAMES}<name>", *records))

    @model_validator(mode="after")
    def _private_hosts_are_asked(self) -> Extract:
        hosts = self.known_hosts
        if self.auth and self.auth.access_token_url:
            hosts = (*hosts, host_of(self.auth.access_token_url))
        for host in self.private_hosts:
            if host not in hosts:
                raise WrongField(
                    f"`private_hosts` names {host!r}; hosts: {', '.join(hosts)}", "private_hosts"
                )
        return self

    @model_validator(mode="after")
    def _the_login_is_sent_once(self) -> Extract:
        for name, way in self.ways.items() if self.auth else ():
            if self.auth and host_of(self.base_url_of(name)) == self.host:
                where = () if name == "api" else (name,)
                self.auth.check_request(way.request, way.paging, way.answers, where)
        return self

    @model_validator(mode="after")
    def _batches_are_requested(self) -> Extract:
        for name, parent in self.parents.items():
            if parent.batch and not any(name in way.for_each for way in self.ways.values()):
                raise WrongField("`batch` needs the name in `for_each`", "parents", name, "batch")
        return self

    @model_validator(mode="after")
    def _names_are_known(self) -> Extract:
        for name in self.constants:
            if name in self.parents:
                raise WrongField(f"{name!r} is also the name of a parent", "constants", name)
        for name, way in self.ways.items():
            where = () if name == "api" else (name,)
            for loop in way.for_each:
                if loop not in ("ward", "point", *self.parents, *self.constants):
                    raise WrongField(
                        "`for_each` must be partition, ward, point or one of `parents` and "
                        f"`constants`, found {loop!r}",
                        *(*where, "for_each"),
                    )
            if way.split is not None and way.split not in self.parents:
                raise WrongField(
                    f"`split` must name one of `parents`, found {way.split!r}", *where, "split"
                )
            for place, text in way.request.places():
                self._check_placeholders((way,), text, (*where, "request", *place))
        for label, parent in self.parents.items():
            for found_at, text in parent.texts():
                self._check_placeholders(
                    tuple(self.ways.values()), text, ("parents", label, *found_at)
                )
        return self

    def _check_placeholders(
        self, ways: tuple[Way, ...], text: str, place: tuple[str | int, ...]
    ) -> None:
        try:
            names = list(placeholders(text))
            check_formats(text)
        except ValueError as error:
            raise WrongField(str(error), *place) from error
        for name in names:
            if not any(self.is_value(way, name) for way in ways):
                known = self.known_values(ways[0])
                raise WrongField(f"unknown placeholder {{{name}}}; known: {known}", *place)
