"""Connections of HTTP that keep to a deadline and to allowed addresses."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import requests
import requests.adapters
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError, NewConnectionError
from urllib3.util.connection import create_connection

from include.extract.network.addresses import NotAllowed, forbidden, resolve
from include.extract.network.credentials import Credentials, present
from include.extract.network.deadline import Deadline


@dataclass(frozen=True)
class Guard:
    """What the connections of one request keep to; `may_be_private` says so of a host."""

    deadline: Deadline
    may_be_private: Callable[[str], bool]


_GUARD: ContextVar[Guard] = ContextVar("guard")


@contextmanager
def guarded(guard: Guard) -> Iterator[None]:
    """Within it, requests keep to `guard`."""
    token = _GUARD.set(guard)
    try:
        with guard.deadline:
            yield
    finally:
        _GUARD.reset(token)


class Session(requests.Session):
    """Sends requests within `guarded` alone, and leaves redirects to its user.

    Also malformed ones, which it would parse and raise for. A connection that
    is refused raises `NotAllowed`. Logins come from `logged_in` alone, not from
    a person's `.netrc`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.auth = _no_login
        for scheme in ("https://", "http://"):
            self.mount(scheme, _Adapter())

    def get_redirect_target(self, resp: requests.Response) -> None:
        """None: nothing is followed."""


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _connect(connection: HTTPConnection) -> socket.socket:
    """A connection to an allowed address of its host, watched from the beginning."""
    guard = _GUARD.get()
    host = connection._dns_host
    try:
        addresses = resolve(host, connection.port)
    except socket.gaierror as error:
        raise NameResolutionError(connection.host, connection, error) from error
    # What a proxy may connect to is the proxy's to decide.
    if connection.proxy is None and not guard.may_be_private(connection.host):
        refused = forbidden(addresses)
        if refused:
            raise NotAllowed(f"{connection.host} is at {refused}, which is not a public address")
    failure: OSError = OSError("it has no address")
    for address in addresses:
        if guard.deadline.is_over:
            break
        try:
            found = create_connection(
                (address, connection.port),
                connection.timeout,
                source_address=connection.source_address,
                socket_options=connection.socket_options,
            )
        except OSError as error:
            failure = error
            continue
        guard.deadline.watch(found.fileno())
        return found
    raise NewConnectionError(connection, f"no connection: {failure}") from failure


class _Http(HTTPConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)

    def request(
        self, method: str, url: str, body: Any = None, headers: Any = None, **named: Any
    ) -> None:
        _watch_again(self)
        credentials = present()
        if credentials and self.proxy is not None:
            raise NotAllowed("a secret is not sent to a proxy without TLS; set NO_PROXY")
        super().request(method, *_logged_in(credentials, url, headers, body), **named)


class _Https(HTTPSConnection):
    def _new_conn(self) -> socket.socket:
        return _connect(self)

    def request(
        self, method: str, url: str, body: Any = None, headers: Any = None, **named: Any
    ) -> None:
        _watch_again(self)
        super().request(method, *_logged_in(present(), url, headers, body), **named)


def _logged_in(
    credentials: Credentials, url: str, headers: Any, body: Any
) -> tuple[str, Any, dict[str, str]]:
    target, all_headers = credentials.added_to(url, headers)
    return target, body, all_headers


def _watch_again(connection: HTTPConnection) -> None:
    """Watch a connection that an earlier request has left open."""
    if connection.sock is not None:
        _GUARD.get().deadline.watch(connection.sock.fileno())


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _Http


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _Https


_POOLS = {"http": _HttpPool, "https": _HttpsPool}


class _Adapter(requests.adapters.HTTPAdapter):
    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *arguments: Any, **named: Any) -> Any:
        manager = super().proxy_manager_for(*arguments, **named)
        manager.pool_classes_by_scheme = _POOLS
        return manager
