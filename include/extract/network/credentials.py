"""What logs one request in. It is added where the request is written to its connection.

So no address, header or error above the connection holds it: not the request
that `requests` prepares, not what urllib3 logs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote


@dataclass(frozen=True)
class Credentials:
    """Headers and query parameters that hold a secret."""

    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __bool__(self) -> bool:
        return bool(self.headers or self.query)

    def added_to(self, url: str, headers: Any) -> tuple[str, dict[str, str]]:
        """A request's target and headers, with these."""
        before, mark, fragment = url.partition("#")
        for name, value in self.query.items():
            joint = "&" if "?" in before else "?"
            before = f"{before}{joint}{quote(name, safe='')}={quote(value, safe='')}"
        return before + mark + fragment, {**(headers or {}), **self.headers}


NONE = Credentials()
_CREDENTIALS: ContextVar[Credentials] = ContextVar("credentials", default=NONE)


@contextmanager
def logged_in(credentials: Credentials) -> Iterator[None]:
    """Within it, requests are sent with these."""
    token = _CREDENTIALS.set(credentials)
    try:
        yield
    finally:
        _CREDENTIALS.reset(token)


def present() -> Credentials:
    """Those that requests are sent with now."""
    return _CREDENTIALS.get()
