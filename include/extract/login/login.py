"""The login of a source: what its requests are sent with, and what a refusal means."""

from __future__ import annotations

import base64

from include.errors import SourceRejected
from include.extract.login.secret import ReadSecret, Secret, checked, how_to_set
from include.extract.login.tokens import Token, TokenEndpoint
from include.extract.network.credentials import Credentials
from include.extract.network.deadline import Deadline
from include.redact import keep_secret
from include.sources.extract.auth import Auth


class Login:
    """The login of one source.

    `read` reads the secret, again whenever the API refuses it: it may have
    been changed meanwhile. `token_url` is where the token endpoint is
    requested, `timeout_seconds` how long it may be silent.
    """

    def __init__(
        self, auth: Auth, read: ReadSecret, *, token_url: str = "", timeout_seconds: float = 30
    ) -> None:
        self.auth = auth
        self._read = read
        self._secret: Secret | None = None
        self._token: Token | None = None
        self._endpoint = (
            TokenEndpoint(auth, token_url or auth.access_token_url, timeout_seconds)
            if auth.type == "oauth2_client_credentials"
            else None
        )

    @property
    def is_made_up(self) -> bool:
        """Whether it is the sandbox's own, which protects nothing."""
        return self._secret is not None and self._secret.made_up

    def credentials(self, who: str, deadline: Deadline) -> Credentials:
        """What the next request is sent with; within `guarded`, as it may ask for a token.

        Raises `PermanentError` if the secret is not set, and what
        `TokenEndpoint.token` raises.
        """
        if self._secret is None:
            self._secret = self._current(who)
        if self._endpoint:
            try:
                self._token = self._endpoint.token(who, self._secret, deadline)
            except SourceRejected:
                before, self._secret = self._secret, self._current(who)
                if before == self._secret:
                    raise
                self._token = self._endpoint.token(who, self._secret, deadline)
        return self._sent(self._secret)

    def renewed(self, who: str, deadline: Deadline) -> bool:
        """Whether another request may be accepted after one was refused (401, 403).

        It may with a new token, or with a secret that was changed.
        """
        before, self._secret = self._secret, self._current(who)
        if self._endpoint:
            self._token = self._endpoint.token(who, self._secret, deadline, self._token)
            return True
        return before != self._secret

    def refusal(self, told: str) -> SourceRejected:
        """The failure of a request that the API refused although it was logged in."""
        name = self.auth.secret
        return SourceRejected(
            f"{told}: the API refuses the secret `{name}`, sent as {self._how}. Retrying will not "
            f"help; set the right one with {how_to_set(name)}, and check with the publisher that "
            "it may read this."
        )

    @property
    def _how(self) -> str:
        auth = self.auth
        if auth.type == "api_key":
            if auth.location == "user_name":
                return "the user name of Basic authentication"
            where = "header" if auth.location == "header" else "query parameter"
            return f"the {where} {auth.name}"
        return {
            "bearer": "a bearer token",
            "http_basic": "user name and password",
            "oauth2_client_credentials": "a token of the token endpoint",
        }[auth.type]

    def _current(self, who: str) -> Secret:
        auth = self.auth
        return checked(who, auth.secret, self._read(), needs_login=auth.needs_login)

    def _sent(self, secret: Secret) -> Credentials:
        auth = self.auth
        if auth.type == "api_key":
            keep_secret(secret.password, secret.name, sent_as=auth.name)
            if auth.location == "query":
                return Credentials(query={auth.name: secret.password})
            if auth.location == "user_name":
                return _basic(secret, f"{secret.password}:")
            return Credentials(headers={auth.name: _in_header(secret.password)})
        if auth.type == "http_basic":
            return _basic(secret, f"{secret.login}:{secret.password}")
        value = self._token.value if self._token else _in_header(secret.password)
        keep_secret(value, secret.name, sent_as="Bearer")
        return Credentials(headers={"Authorization": f"Bearer {value}"})


def _basic(secret: Secret, pair: str) -> Credentials:
    """A user name and a password, joined by a colon, as RFC 7617 sends them."""
    sent = base64.b64encode(pair.encode()).decode()
    keep_secret(sent, secret.name)
    return Credentials(headers={"Authorization": f"Basic {sent}"})


def _in_header(text: str) -> str:
    """A text that http.client, which writes headers in Latin-1, sends in UTF-8."""
    return text.encode().decode("latin-1")
