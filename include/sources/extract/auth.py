"""How a source logs in: by a secret that the contract names and does not hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from include.definitions import NAME_PATTERN, Definition, WrongField
from include.sources.extract.addresses import base_url, host_of

if TYPE_CHECKING:
    from include.sources.extract.paging import Answers, Paging
    from include.sources.extract.request import Request

# A token of RFC 9110, 5.6.2.
HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
# Headers that the client or the connection sets.
NOT_SET_BY_CONTRACTS = frozenset(
    {
        *("accept-encoding", "connection", "content-length", "cookie", "expect", "host"),
        *("keep-alive", "proxy-authorization", "proxy-connection", "te", "trailer"),
        *("transfer-encoding", "upgrade", "user-agent"),
    }
)
# The statuses of a login that is refused.
REFUSED = frozenset({401, 403})
# Connections of the platform itself.
_OF_THE_PLATFORM = ("wandle_", "airflow")

AuthType = Literal["api_key", "bearer", "http_basic", "oauth2_client_credentials"]


def header_name(value: str) -> str:
    """The name of a header that a contract may set. Raises `ValueError`."""
    if not HEADER_NAME.fullmatch(value):
        raise ValueError("expected the name of a header: letters, digits and hyphens")
    if value.lower() in NOT_SET_BY_CONTRACTS:
        raise ValueError("this header is set by the client")
    return value


def secret_name(value: str) -> str:
    """The name of a source's secret. Raises `ValueError` for one of the platform's connections."""
    if not NAME_PATTERN.fullmatch(value) or value.startswith(_OF_THE_PLATFORM):
        raise ValueError(
            "expected the name of a secret, never its value: at most 48 lower-case letters, digits "
            f"and underscores, not beginning with {' or '.join(_OF_THE_PLATFORM)}"
        )
    return value


def _token_url(value: str) -> str:
    if not value:
        return value
    base_url(value)  # Raises, as for the API itself.
    return f"{urlsplit(value).scheme}://{host_of(value)}{urlsplit(value).path}"


class Auth(Definition):
    """How the source logs in.

    The secret is sent to the host of `base_url` alone, over TLS, and not along
    with redirects and links to other hosts. `wandle secrets set NAME` sets it.
    """

    type: AuthType = Field(
        description="`api_key`: the secret alone, where `location` says. `bearer`: the secret as "
        "a bearer token. `http_basic`: user name and password. `oauth2_client_credentials`: client "
        "ID and client secret are exchanged for a token, which is renewed before it expires."
    )
    secret: Annotated[str, AfterValidator(secret_name)] = Field(
        description="Name of the secret: an Airflow Connection, whose password is the value and "
        "whose login is the user name or client ID."
    )
    name: str = Field(
        default="",
        description="For `api_key`: the header or query parameter, `X-Api-Key`. The secret is "
        "sent as it is set, with its prefix if there is one: `Token 1234`.",
    )
    location: Literal["header", "query", "user_name"] = Field(
        default="header",
        description="For `api_key`: where it is sent. `user_name`: as the user name of Basic "
        "authentication, with an empty password, and without `name`.",
    )
    access_token_url: Annotated[str, AfterValidator(_token_url)] = Field(
        default="",
        description="For `oauth2_client_credentials`: the token endpoint. https://, or http:// on "
        "this machine. Its redirects are not followed. A host in your own network is listed under "
        "`private_hosts`.",
    )
    scope: str = Field(
        default="", description="For `oauth2_client_credentials`: the scopes, separated by spaces."
    )
    access_token_request_data: dict[str, str] = Field(
        default_factory=dict,
        description="For `oauth2_client_credentials`: further fields of the token request, "
        "`{audience: https://api.example.org}`.",
    )
    token_endpoint_auth_method: Literal["client_secret_basic", "client_secret_post"] = Field(
        default="client_secret_basic",
        description="For `oauth2_client_credentials`: how the client ID and secret are sent, as "
        "Basic authentication or as form fields.",
    )

    @property
    def header(self) -> str:
        """The header that carries the login, in lower case; empty for a query parameter."""
        if self.type != "api_key" or self.location == "user_name":
            return "authorization"
        return self.name.lower() if self.location == "header" else ""

    @property
    def parameter(self) -> str:
        """The query parameter that carries the login; empty for a header."""
        return self.name if self.location == "query" else ""

    @property
    def needs_login(self) -> bool:
        """Whether the secret is two values: a user name or client ID, and a password."""
        return self.type in ("http_basic", "oauth2_client_credentials")

    def check_request(
        self, request: Request, paging: Paging | None, answers: Answers, place: tuple[str, ...]
    ) -> None:
        """Raise `WrongField` if a request sets what carries the login, or reads a refusal as data.

        `place` leads to the way of the request.
        """
        for name in request.headers:
            if name.lower() == self.header:
                raise WrongField("`auth` sends this header", *place, "request", "headers", name)
        for name in request.query:
            if name == self.parameter:
                raise WrongField("`auth` sends this parameter", *place, "request", "query", name)
        if (
            paging
            and self.parameter
            and self.parameter
            in (
                paging.parameter,
                paging.size_parameter,
            )
        ):
            raise WrongField(f"`auth` sends the parameter {self.parameter!r}", *place, "paging")
        for field in ("not_published", "empty", "too_large", "unknown_ward"):
            for status in set(getattr(answers, field)) & REFUSED:
                raise WrongField(
                    f"HTTP {status} says that the login is refused, and nothing about the data",
                    *(*place, "answers", field),
                )
        for status in set(paging.end_status if paging else ()) & REFUSED:
            raise WrongField(
                f"HTTP {status} says that the login is refused, and nothing about the data",
                *(*place, "paging", "end_status"),
            )

    @model_validator(mode="after")
    def _fields_belong_to_the_type(self) -> Auth:
        self._refuse_of_others("api_key", "name", "location")
        self._refuse_of_others(
            "oauth2_client_credentials",
            *("access_token_url", "scope", "access_token_request_data"),
            "token_endpoint_auth_method",
        )
        if self.type == "api_key":
            if self.location == "user_name" and self.name:
                raise WrongField("`location: user_name` has no `name`", "name")
            if not self.name and self.location != "user_name":
                raise WrongField("`type: api_key` needs `name`, the header or parameter", "name")
            if self.location == "header":
                try:
                    header_name(self.name)
                except ValueError as error:
                    raise WrongField(str(error), "name") from None
        if self.type == "oauth2_client_credentials" and not self.access_token_url:
            raise WrongField(f"`type: {self.type}` needs `access_token_url`", "access_token_url")
        for name in self.access_token_request_data:
            if name in ("grant_type", "scope", "client_id", "client_secret"):
                raise WrongField(
                    f"{name!r} is set by other fields", "access_token_request_data", name
                )
        return self

    def _refuse_of_others(self, kind: AuthType, *names: str) -> None:
        for name in names:
            if self.type != kind and getattr(self, name) != type(self).model_fields[
                name
            ].get_default(call_default_factory=True):
                raise WrongField(f"`{name}` needs `type: {kind}`", name)


def of_sandbox(secret: str) -> tuple[str, str]:
    """User name and value that the sandbox takes for a secret; they protect nothing."""
    return f"sandbox-{secret}", f"made-up-for-the-sandbox-{secret}"
