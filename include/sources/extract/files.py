"""How a source is fetched from files that somebody puts somewhere."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import parse_qsl, urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from include.definitions import Definition, WrongField
from include.sources import syntax
from include.sources.extract import file_pattern
from include.sources.extract.addresses import host_name, host_of, split
from include.sources.extract.auth import Auth
from include.sources.extract.http import Extract, Rate
from include.sources.extract.request import Request
from include.sources.extract.templates import Parent, is_council_value

# Where files of the source are in the bucket.
INBOX = "inbox"

_HTTP = ("url", "hosts", "private_hosts", "auth", "rate", "timeout_seconds", "attempts")
# Which fields each place has, and which of them it needs.
_PLACES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "inbox": ((), ()),
    "sftp": (("connection", "folder", "settle_seconds"), ("connection",)),
    "page": ((*_HTTP, "named_by"), ("url", "rate")),
    "ckan": ((*_HTTP, "named_by"), ("url", "rate")),
}


def inbox_prefix(source: str) -> str:
    """The prefix of a source's inbox in the bucket."""
    return f"{INBOX}/{source}/"


def _address(value: str) -> str:
    parts = split(value)
    if not value or parts.fragment:
        raise ValueError("expected an address: https://www.example.org/spending")
    return value


class FilesExtract(Definition):
    """How partitions are fetched from files: an inbox, an SFTP folder, a page's links or CKAN."""

    kind: Literal["files"]
    place: Literal["inbox", "sftp", "page", "ckan"] = Field(
        alias="from",
        description="`inbox`: `inbox/<source>/` in the bucket. `sftp`: a folder of an SFTP server. "
        "`page`: the links of a web page. `ckan`: the resources of a CKAN package.",
    )
    pattern: Annotated[str, Field(min_length=1), AfterValidator(file_pattern.check)] = Field(
        description="The whole name of a file, below the inbox or folder, as a regular expression "
        "of RE2 with placeholders: {council.name} or another value of the council, and "
        "{period}, written as everywhere (2017-05, 2017-Q2), or {period:%Y-%m}, with `%Y %y %m %-m "
        "%b %B %d %-d %j`, and `%H %M %S` in UTC. Files of one partition differ in (?P<part>...), "
        "and are loaded together; of those that differ in (?P<version>...), a number, the "
        "highest counts. A name "
        "of a longer span than one period, {period:%Y}, needs `format.select.period`.",
    )
    ignore: Annotated[str, AfterValidator(lambda value: value and syntax.pattern(value))] = Field(
        default="",
        description="Names of files that are not data, as a regular expression of RE2: "
        "`README.*`. Other files that `pattern` does not match fail the run, which names them.",
    )
    period_from: Literal["name", "records", "modified"] = Field(
        default="name",
        description="Where the period comes from: {period} in `pattern`; the records, by "
        "`format.select.period`; or the time at which the file was last modified.",
    )
    named_by: Literal["address", "text"] = Field(
        default="address",
        description="What `pattern` is compared with on a page or in CKAN: the file's name in its "
        "address, or the text of the link or name of the resource.",
    )
    connection: str = Field(
        default="",
        pattern=r"^([a-z][a-z0-9_]*)?$",
        description="The Airflow Connection of the SFTP server. It has the server's `host_key`, "
        "and a password or `private_key`.",
    )
    folder: str = Field(default="", description="The folder on the SFTP server.")
    settle_seconds: float = Field(
        default=60,
        ge=0,
        le=3600,
        description="A file on an SFTP server that was modified less than this many seconds ago "
        "may still be being written, and is left alone.",
    )
    url: Annotated[str, AfterValidator(lambda value: value and _address(value))] = Field(
        default="",
        description="The page, or CKAN's answer about the package: "
        "`https://data.example.org/api/3/action/package_show?id=spending`.",
    )
    hosts: tuple[Annotated[str, AfterValidator(host_name)], ...] = Field(
        default=(), description="Other hosts that the links may lead to."
    )
    private_hosts: tuple[Annotated[str, AfterValidator(host_name)], ...] = Field(
        default=(), description="The hosts among them that are in your own network."
    )
    auth: Auth | None = None
    rate: Rate | None = None
    timeout_seconds: float = Field(
        default=30, gt=0, le=600, description="Seconds without data before a request fails."
    )
    attempts: int = Field(default=5, ge=1, le=10, description="Attempts per request in a task.")
    parallel: int = Field(
        default=2, ge=1, le=16, description="Partitions to fetch at the same time."
    )
    parents: dict[str, Parent] = Field(default_factory=dict, max_length=0)

    @field_validator("folder")
    @classmethod
    def _leads_down(cls, value: str) -> str:
        if ".." in value.split("/") or not value.isprintable():
            raise ValueError("expected a folder without `..`")
        return value.rstrip("/") or value

    @model_validator(mode="after")
    def _place_has_what_it_needs(self) -> FilesExtract:
        used, needed = _PLACES[self.place]
        for field in needed:
            if not getattr(self, field):
                raise WrongField(f"`from: {self.place}` needs `{field}`", field)
        every = {field for fields, _ in _PLACES.values() for field in fields}
        for field in sorted((every - {*used}) & self.model_fields_set):
            raise WrongField(f"`{field}` does not apply to `from: {self.place}`", field)
        if self.place == "page" and self.period_from == "modified":
            raise WrongField("a page does not say when its files were modified", "period_from")
        if self.url:
            try:
                _ = self.http
            except ValueError as error:
                raise WrongField(str(error), "url") from error
        return self

    @property
    def host(self) -> str:
        """The host of the page or of CKAN; empty for other places."""
        return host_of(self.url) if self.url else ""

    @property
    def http(self) -> Extract | None:
        """How the page or CKAN is requested; None for other places."""
        if not self.url or self.rate is None:
            return None
        parts = urlsplit(self.url)
        return Extract(
            base_url=f"{parts.scheme}://{parts.netloc}",
            hosts=self.hosts,
            private_hosts=self.private_hosts,
            auth=self.auth,
            rate=self.rate,
            parallel=self.parallel,
            timeout_seconds=self.timeout_seconds,
            attempts=self.attempts,
            request=Request(
                path=_without_placeholders(parts.path or "/"),
                query={
                    name: _without_placeholders(text)
                    for name, text in parse_qsl(parts.query, keep_blank_values=True)
                },
            ),
        )

    @property
    def council_values(self) -> tuple[str, ...]:
        """The values of the council in names: `council.gss_code`."""
        names = (item.name for item in file_pattern.placeholders(self.pattern))
        return tuple(dict.fromkeys(name for name in names if is_council_value(name)))

    @property
    def is_dated(self) -> bool:
        """Whether names have dates."""
        return any(item.name == "period" for item in file_pattern.placeholders(self.pattern))


def _without_placeholders(text: str) -> str:
    if "{" in text or "}" in text:
        raise ValueError("expected an address without placeholders")
    return text
