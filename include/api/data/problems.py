"""What a client did wrong, as `application/problem+json` (RFC 9457)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

MEDIA_TYPE = "application/problem+json"
TITLES = {
    400: "Bad request",
    401: "Unknown key",
    404: "Not found",
    405: "Method not allowed",
    410: "The data have changed",
    414: "The address is too long",
    416: "Range not satisfiable",
    429: "Too many requests",
    500: "Server error",
    503: "Not available",
}
# What is quoted of a request is cut.
_MOST_QUOTED = 100
# Of what exists, so many are named.
_MOST_NAMED = 60


class Problem(Exception):
    """A request that gets an error; `detail` says what is wrong and what to do.

    `members` are added to the answer, `headers` to its headers.
    """

    def __init__(
        self,
        status: int,
        detail: str,
        headers: tuple[tuple[str, str], ...] = (),
        **members: Any,
    ) -> None:
        super().__init__(detail)
        self.status, self.detail = status, _utf8(detail)
        self.headers, self.members = headers, members

    def body(self) -> bytes:
        """The problem as JSON."""
        said = {
            "type": "about:blank",
            "title": TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }
        return orjson.dumps(said)


def quoted(text: str) -> str:
    """What a client sent, for a message: cut, and without control characters."""
    shown = text if len(text) <= _MOST_QUOTED else f"{text[:_MOST_QUOTED]}…"
    return repr(_utf8(shown))


def _utf8(text: str) -> str:
    """The text without what UTF-8 has no bytes for."""
    return text.encode("utf-8", "replace").decode()


def unknown(what: str, name: str, known: Iterable[str], parameter: str = "") -> Problem:
    """The problem with a name that does not exist; names those that do."""
    named = list(known)
    shown = ", ".join(named[:_MOST_NAMED]) + (", …" if len(named) > _MOST_NAMED else "")
    members: dict[str, Any] = {"known": named[:_MOST_NAMED]}
    if parameter:
        members["parameter"] = _utf8(parameter[:_MOST_QUOTED])
    detail = f"Unknown {what} {quoted(name)}. Known: {shown or 'none'}."
    return Problem(404 if what == "dataset" else 400, detail, **members)
