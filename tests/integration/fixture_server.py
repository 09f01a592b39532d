"""APIs made for tests: answers as a test gives them, and one API of an odd shape."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from tests.integration.conftest import serving


@dataclass(frozen=True)
class Asked:
    """A request that came; `values` are its query parameters and form fields."""

    path: str
    values: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Reply:
    """An answer: JSON, unless it says otherwise."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json"


Answering = Callable[[Asked], Reply]


class FixtureServer:
    """An ASGI app that answers as configured, and remembers what it was asked.

    A path for which nothing was said is answered with 404.
    """

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self._answers: list[tuple[re.Pattern[str], list[Reply | Answering]]] = []

    def on(self, path: str, *answers: Reply | Answering | bytes | Any) -> FixtureServer:
        """Answer a path, a regular expression, with each in turn, and then with the last forever.

        Bytes are a body; anything but a reply is written as JSON.
        """
        self._answers.insert(0, (re.compile(path), [_reply(answer) for answer in answers]))
        return self

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        request = Request(scope, receive)
        body = (await request.body()).decode()
        fields = parse_qsl(f"{request.url.query}&{body}", keep_blank_values=True)
        headers = dict(request.headers.items())
        asked = Asked(request.url.path, dict(fields), headers, body.encode())
        self.asked.append(asked)
        answer = self._answer(asked)
        response = Response(answer.body, answer.status, answer.headers, answer.media_type)
        await response(scope, receive, send)

    def _answer(self, asked: Asked) -> Reply:
        for path, answers in self._answers:
            if path.search(asked.path):
                answer = answers.pop(0) if len(answers) > 1 else answers[0]
                return answer if isinstance(answer, Reply) else answer(asked)
        return Reply(b"not found", 404, media_type="text/plain")


def _reply(answer: Any) -> Reply | Answering:
    if isinstance(answer, bytes):
        return Reply(answer)
    return (
        answer
        if isinstance(answer, Reply) or callable(answer)
        else Reply(json.dumps(answer).encode())
    )


LOANS_PATH = re.compile(r"/open/(?P<area>E09\d{6})/loans/(?P<first>[\d-]{10})/(?P<end>[\d-]{10})")
BOM = b"\xef\xbb\xbf"


def loans_api(loans: dict[date, list[dict[str, Any]]]) -> Answering:
    """A library's API: parameters in the path, an exclusive end, and XML turned into JSON.

    One loan is an object, many as a list, none not at all; the same
    holds for the items of a loan. Every value is text, blank where there is
    none, and a byte order mark comes first.
    """

    def answer(asked: Asked) -> Reply:
        where = LOANS_PATH.search(asked.path)
        if where is None:
            return Reply(b"<html>Bad request</html>", 400, media_type="text/html")
        first, end = date.fromisoformat(where["first"]), date.fromisoformat(where["end"])
        if first >= end:
            return Reply(b"<html>Nothing lies before its beginning</html>", 400)
        found = [loan for day, of_day in loans.items() if first <= day < end for loan in of_day]
        body = {"Reply": {"Area": where["area"], "Loans": child("Loan", found)}}
        return Reply(BOM + json.dumps(body).encode())

    return answer


def child(name: str, items: list[Any]) -> dict[str, Any]:
    """Children as a converter from XML writes them: none, one or many."""
    return {} if not items else {name: items[0] if len(items) == 1 else items}


@contextmanager
def serving_fixture(server: FixtureServer) -> Iterator[str]:
    """Its address while it runs."""
    with serving(server) as url:
        yield url
