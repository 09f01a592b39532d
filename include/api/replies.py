"""Replies: an answer or a file as a client takes it, and problems."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from include.api.answers import OF_ALL, Answer, Headers, encoding_for, matches
from include.api.data.problems import MEDIA_TYPE, Problem, quoted, unknown
from include.api.data.query import parse_none
from include.api.files import headers_of, part_of
from include.api.fixed import FORMATS
from include.api.limits import Verdict
from include.api.version import File, Version

_METHODS = "GET, HEAD, OPTIONS"


class Reply:
    """What to send: headers and a body, or a part of a file."""

    __slots__ = ("body", "end", "file", "headers", "route", "start", "status")

    def __init__(self, route: str, status: int, headers: Headers, body: bytes = b"") -> None:
        self.route, self.status, self.headers, self.body = route, status, headers, body
        self.file: Path | None = None
        self.start = self.end = 0

    @property
    def size(self) -> int:
        """The bytes of its body."""
        return self.end - self.start if self.file else len(self.body)


def sent(route: str, answer: Answer, headers: Any) -> Reply:
    """An answer as this client takes it: encoded, or a 304."""
    encoding = encoding_for(headers.get("accept-encoding") or "")
    asked_before = headers.get("if-none-match")
    if asked_before and matches(asked_before, answer.etag):
        return Reply(route, 304, answer.unchanged(encoding))
    return Reply(route, answer.status, *answer.encoded(encoding))


def _with_format(version: Version, last: str) -> tuple[str, str]:
    name, dot, kind = last.rpartition(".")
    if not dot or kind not in FORMATS:
        raise unknown("dataset", last, version.datasets)
    if name not in version.datasets:
        raise unknown("dataset", name, version.datasets)
    return name, kind


def file_reply(version: Version, last: str, query: str, headers: Any) -> Reply:
    """A published file, or the part of it that is asked for. Raises `Problem`."""
    name, kind = _with_format(version, last)
    route = f"/v1/datasets/{{name}}.{kind}"
    parse_none(query)
    file: File | None = version.files[name].get(kind)
    if file is None:
        raise Problem(
            404,
            f"The dataset {name!r} has no {kind} file, only {', '.join(version.files[name])}.",
            known=list(version.files[name]),
        )
    if not file.place.exists():
        raise Problem(503, "The file is being fetched again. Try again.", (("retry-after", "5"),))
    download = f"{name}.{kind}"
    asked_before = headers.get("if-none-match")
    if asked_before and matches(asked_before, file.sha256[:32]):
        unchanged = [one for one in headers_of(file, download) if one[0] != "content-type"]
        return Reply(route, 304, unchanged)
    wanted, if_range = headers.get("range") or "", headers.get("if-range") or ""
    part = part_of(file, download, wanted, if_range)
    reply = Reply(route, part.status, part.headers)
    reply.file, reply.start, reply.end = file.place, part.start, part.end
    return reply


def other_method(method: str) -> Reply:
    """What OPTIONS answers. Raises `Problem` for other methods."""
    if method == "OPTIONS":
        headers = [
            ("allow", _METHODS),
            ("access-control-allow-methods", _METHODS),
            ("access-control-allow-headers", "Authorization, X-API-Key, If-None-Match, Range"),
            ("access-control-max-age", "86400"),
            *OF_ALL,
        ]
        return Reply("options", 204, headers)
    raise Problem(
        405, f"{quoted(method)} is not allowed. Allowed: {_METHODS}.", (("allow", _METHODS),)
    )


def not_found(path: str) -> Problem:
    """The problem with an address that does not exist."""
    return Problem(
        404,
        f"There is nothing at {quoted(path)}. Start at /v1/datasets; /v1/openapi.json describes "
        "all addresses.",
    )


def refusal(problem: Problem, path: str) -> Reply:
    """A problem as a reply."""
    body = problem.body()
    headers = [
        ("content-type", MEDIA_TYPE),
        ("cache-control", "no-store"),
        ("content-length", str(len(body))),
        *OF_ALL,
        *problem.headers,
    ]
    last = path.rpartition("/")[2]
    route = f"/v1/datasets/{{name}}/{last}" if last in ("rows", "aggregate") else "other"
    return Reply(route, problem.status, headers, body)


def rate_headers(verdict: Verdict) -> Headers:
    """What a client is told of its rate."""
    return [
        ("ratelimit-limit", str(verdict.limit)),
        ("ratelimit-remaining", str(verdict.remaining)),
        ("ratelimit-reset", str(verdict.reset)),
    ]


def too_many(verdict: Verdict) -> Problem:
    """The problem with a request that is beyond the rate."""
    return Problem(
        429,
        f"More than {verdict.limit} requests at once, or more than the rate allows. Wait "
        f"{verdict.reset} s; an API key has its own limits.",
        (("retry-after", str(verdict.reset)),),
    )
