"""An API of pages that is a function of the query, and fetching from it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import responses

from include.extract.client import Client
from include.extract.fetched import Landed, Page, Withdrawn
from include.extract.pages import fetch_pages
from include.sources.extract.http import Rate
from include.sources.model import Contract
from tests.samples import BASE_URL, contract, council, extracting, partition

LIVE = "https://api.test/v1"
SANDBOX = "http://127.0.0.1:8082/api.test/v1"
OFFSET = {"kind": "offset", "size": 2, "size_parameter": "_limit", "parameter": "_offset"}
PAGE = {"kind": "page", "size": 2, "parameter": "page", "first": 1}
CURSOR = {"kind": "cursor", "next": "meta.cursor", "parameter": "after"}
LINK = {"kind": "link", "next": "links.next"}
HEADER = {"kind": "link", "next": "header", "size": 2, "size_parameter": "per_page"}

Respond = Callable[[dict[str, str]], Any]


class NoParents:
    """For sources that need none."""

    def value(self, name: str, values: Any) -> str:
        raise AssertionError(name)

    def records(self, name: str, columns: list[str], values: Any) -> Iterator[Any]:
        raise AssertionError(name)


class Api:
    """An API that is a function of the query; `asked` are the URLs that were asked for.

    The function gives a body, a body with headers and perhaps a status, or only a status.
    """

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.asked: list[str] = []
        self._mock = mock

    def answers(self, respond: Respond, path: str = f"{BASE_URL}/gauges") -> None:
        def callback(request: Any) -> tuple[int, dict[str, str], str]:
            self.asked.append(request.url)
            found = respond(dict(parse_qsl(urlsplit(request.url).query)))
            if isinstance(found, int):
                return found, {}, ""
            body, headers, status = (
                (*found, 200)[:3] if isinstance(found, tuple) else (found, {}, 200)
            )
            return status, headers, body if isinstance(body, str) else json.dumps(body)

        self._mock.add_callback(responses.GET, path, callback)

    @property
    def queries(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(urlsplit(url).query)) for url in self.asked]


def paged(paging: dict[str, Any], records: str = "items", **more: Any) -> Contract:
    extract = extracting(paging=paging, attempts=2, **more.pop("extract", {}))
    return contract(extract=extract, format={"records": records} | more.pop("format", {}), **more)


def fetch(
    source: Contract,
    landed: Landed | None = None,
    base_url: str = BASE_URL,
    found: list[Page] | None = None,
) -> list[Page]:
    """The pages that would be landed; in `found` also if the fetch fails."""
    client = Client(source.extract, Rate(per_second=1000, burst=1000))
    found = [] if found is None else found
    for page in fetch_pages(
        source,
        partition(),
        council(),
        client=client,
        base_url=base_url,
        parents=NoParents(),
        landed=landed,
    ):
        if isinstance(page, Withdrawn):
            del found[-page.pages :]
        else:
            found.append(page)
    return found


def landed(pages: list[Page]) -> Landed:
    """The same pages as an interrupted attempt left them."""
    facts = [page.facts.model_copy(update={"context": {}}) for page in pages]
    return Landed(facts, lambda number: io.BytesIO(body_of(pages[number - 1])))


def body_of(page: Page) -> bytes:
    assert page.body is not None
    page.body.seek(0)
    return page.body.read()


def records(pages: list[Page]) -> list[Any]:
    found: list[Any] = []
    for page in pages:
        found += json.loads(body_of(page))["items"]
    return found


def slices(query: dict[str, str], rows: list[Any], extra: Any = None) -> Any:
    start, size = int(query["_offset"]), int(query["_limit"])
    return {"items": rows[start : start + size]} | (extra or {})


ROWS = [{"id": number} for number in range(1, 6)]
