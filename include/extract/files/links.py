"""Files that a web page links to, or a CKAN package lists."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import IO, Any
from urllib.parse import unquote, urljoin, urlsplit

import orjson

from include.errors import BeyondLimit, UnexpectedPayload
from include.extract.answer import Answer
from include.extract.client import Client
from include.extract.files.listing import File, Received
from include.extract.hosts import Hosts, Refused
from include.sources.extract.files import FilesExtract
from include.sources.model import Contract
from include.sources.page import SentRequest

# A link that ends like this leads to data, whatever the contract's pattern; others may be pages.
_DATA = (
    *(".csv", ".tsv", ".txt", ".json", ".jsonl", ".geojson", ".xml", ".parquet"),
    *(".xls", ".xlsx", ".ods", ".zip", ".gz"),
)


class Links:
    """The links of a page, or the resources of a package, by `client`.

    `base_url` is where the host is asked: itself, or in the sandbox.
    """

    def __init__(self, contract: Contract, client: Client, base_url: str) -> None:
        extract = contract.extract
        http = extract.http if isinstance(extract, FilesExtract) else None
        if not isinstance(extract, FilesExtract) or http is None:
            raise TypeError(f"{contract.name} is not fetched from links")
        self._contract, self._extract, self._http = contract, extract, http
        self._client, self._base_url = client, base_url
        self.address = extract.url.partition("?")[0]

    def files(self) -> Iterator[File]:
        """Every link once, in order; those to hosts that the contract does not name in trouble."""
        who = f"{self._contract.name}: {self.address}"
        found: list[tuple[str, str, dict[str, Any]]] = []

        def check(answer: Answer) -> None:
            limit = self._contract.limits.whole_bytes
            if answer.size > limit:
                what = f"the page has {answer.size} bytes"
                raise BeyondLimit(what, "whole_bytes", limit, who)
            read = _package if self._extract.place == "ckan" else _anchors
            found[:] = read(who, answer.body)

        answer = self._client.ask(who, self._request(), check=check)
        page = self._request().url if not answer.redirects else answer.url
        hosts = Hosts(self._http.known_hosts, self._request().url)
        seen: set[str] = set()
        for link, text, facts in found:
            file = self._file(hosts, page, link, text, facts)
            if file and file.address + file.name not in seen:
                seen.add(file.address + file.name)
                yield file

    def _request(self) -> SentRequest:
        request = self._http.request
        return SentRequest(
            method="GET", url=self._base_url + request.path, query=dict(request.query)
        )

    def _file(
        self, hosts: Hosts, page: str, link: str, text: str, facts: dict[str, Any]
    ) -> File | None:
        key, trouble = "", ""
        try:
            key = hosts.follow_link(page, link, "")
        except Refused as error:
            trouble = str(error)
        try:
            path = urlsplit(urljoin(self._extract.url, link)).path
        except ValueError:
            return None
        last = unquote(path.rpartition("/")[2], errors="surrogateescape")
        is_data = self._extract.place == "ckan" or last.lower().endswith(_DATA)
        name = text if self._extract.named_by == "text" else last
        if not name:
            return None
        return File(
            name=name,
            address=_address(self._extract.url, link),
            key=key,
            size=_number(facts.get("size")),
            modified=_time(facts.get("last_modified")),
            etag=str(facts.get("hash") or ""),
            trouble=trouble,
            is_certain=is_data,
        )

    def read(self, who: str, file: File) -> Received:
        """The answer's bytes. Raises as `Client.ask` does."""
        request = SentRequest(method="GET", url=file.key)
        answer = self._client.ask(who, request, check=lambda answer: None)
        headers = answer.headers | file.headers
        return Received(answer.body, answer.sha256, answer.size, headers, answer.redirects)


def _address(page: str, link: str) -> str:
    """The address of a link, with a digest for its query, which may hold a key."""
    url, _, query = urljoin(page, link).partition("#")[0].partition("?")
    return f"{url}?{hashlib.sha256(query.encode()).hexdigest()[:12]}" if query else url


# What is not text of the page, from its beginning to its end.
_HIDDEN = (("<!--", "-->"), ("<script", "</script"), ("<style", "</style"))
# Possessive: without it, Python keeps 163 bytes per character to go back to.
_ATTRIBUTES = r"""(?:[^<>"']++|"[^"<]*+"|'[^'<]*+')*+"""
# Each part of a page is read once, whatever it is made of: none goes beyond the next `<`.
_LINK = re.compile(rf"<(a|base)\s({_ATTRIBUTES})>|</a\s*>", re.I)
_HREF = re.compile(r"""(?:^|\s)href\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))""", re.I)
_TAG = re.compile(r"<[^<>]*>")


def _anchors(who: str, body: IO[bytes]) -> list[tuple[str, str, dict[str, Any]]]:
    """The links of a page with their texts, in time linear to its size."""
    page = _without_hidden(body.read().decode("utf-8", "replace"))
    base, found = "", list[tuple[str, str]]()
    href, begins = "", 0
    for tag in _LINK.finditer(page):
        if href:
            found.append((href, _TAG.sub("", page[begins : tag.start()])))
        href, begins = "", tag.end()
        attribute = _HREF.search(tag[2]) if tag[1] else None
        value = _unescaped(next(filter(None, attribute.groups()), "")).strip() if attribute else ""
        if tag[1] and tag[1].lower() == "base":
            base = base or value
        else:
            href = value
    if href:
        found.append((href, ""))
    return [(_joined(base, href), " ".join(_unescaped(text).split()), {}) for href, text in found]


def _unescaped(text: str) -> str:
    """The text with its entities replaced; as it is if one is a number too long for Python."""
    try:
        return unescape(text)
    except ValueError:
        return text


def _without_hidden(page: str) -> str:
    """The page without comments, scripts and styles; one without an end hides the rest."""
    lower = page.lower()
    if len(lower) != len(page):
        lower = page
    for begin, end in _HIDDEN:
        kept, place = [], 0
        while (start := lower.find(begin, place)) >= 0:
            kept.append(slice(place, start))
            stop = lower.find(end, start)
            place = len(page) if stop < 0 else stop + len(end)
        kept.append(slice(place, None))
        page, lower = "".join(page[part] for part in kept), "".join(lower[part] for part in kept)
    return page


def _joined(base: str, href: str) -> str:
    try:
        return urljoin(base, href) if base else href
    except ValueError:
        return href


def _package(who: str, body: IO[bytes]) -> list[tuple[str, str, dict[str, Any]]]:
    try:
        answer = orjson.loads(body.read())
    except orjson.JSONDecodeError:
        answer = None
    result = answer.get("result") if isinstance(answer, dict) else None
    resources = result.get("resources") if isinstance(result, dict) else None
    if not isinstance(resources, list) or answer.get("success") is not True:
        raise UnexpectedPayload(
            f"{who}: expected CKAN's answer to `package_show`, with `success: true` and a list "
            "`result.resources`. Retrying will not help; check `extract.url` in the contract."
        )
    return [
        (str(item["url"]), str(item.get("name") or ""), item)
        for item in resources
        if isinstance(item, dict) and item.get("url") and item.get("state") != "deleted"
    ]


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _time(value: Any) -> datetime | None:
    """CKAN writes times in UTC, without saying so."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
