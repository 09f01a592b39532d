"""The paging fields of an answer: the next cursor or link, whether more follows, the total."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from typing import Any

from include.errors import UnexpectedPayload
from include.extract.answer import Answer
from include.records.json.values import at, parsed, written
from include.records.read import value_in
from include.sources.extract import paging as words
from include.sources.extract.paging import Paging
from include.sources.formats import EVERY, Format
from include.sources.paths import joined, parts

HEADER = "header"

# Names of fields, without anything but letters, that tell of another page, or that
# records are missing: of OData, HAL, JSON:API, Elasticsearch, ArcGIS, Stripe, Slack, Google,
# GraphQL, GitHub, Django.
NEXT_PAGE = {
    *("next", "nextlink", "odatanextlink", "nextpage", "nextpageurl", "nextpagelink", "nexturl"),
    *("nexthref", "nextcursor", "nextpagetoken", "nexttoken", "nextoffset", "continuationtoken"),
}
MORE = {
    *("more", "hasmore", "hasnext", "hasnextpage", "exceededtransferlimit", "istruncated"),
    *("morerecords", "moreresults", "moreavailable"),
}
TOTALS = {
    *("count", "total", "totalcount", "totalrecords", "totalresults", "totalitems", "totalhits"),
    *("totalrows", "totalelements", "numfound", "numbermatched", "recordstotal"),
    *("hitcount", "recordcount", "resultcount", "totalmatches"),
}
# Objects that tell of the records, beside those on the way to them.
AROUND_TOTALS = {"meta", "metadata", "pagination", "paging", "page", "pageinfo", "info"}
# Of Elasticsearch and GitHub: a part of the records was not found in time.
PARTS = {"timedout", "incompleteresults"}
# Lists of links: of OGC API, STAC, FHIR, HATEOAS.
LINKS = {"links", "link"}
# Objects in objects of the envelope that are looked into.
DEPTH = 2
_LETTERS = re.compile(r"[^a-z]")
# A number of records as text.
_WHOLE = re.compile(r"\s*[0-9]{1,19}\s*")

# A longer cursor or link is not an address: servers accept 8 KB, and each is kept.
MOST_CHARACTERS = 16 * 1024

# Before a cursor that is JSON, such as a list of Elasticsearch's `search_after`.
_AS_JSON = "json:"

# A link with its parameters; a value in quotes can hold any separator.
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_VALUE = rf'(?:{_QUOTED}|[^\s;,"]*)'
_LINK = re.compile(rf'[\s,]*<([^>]*)>((?:\s*;\s*(?:[^\s=;,"]+(?:\s*=\s*{_VALUE})?)?)*)')
_PARAMETER = re.compile(rf';\s*([^\s=;,"]+)\s*=\s*({_VALUE})')

# Fields beside a total that say that it is not exact, and the value that says so: Elasticsearch
# (`hits.total`), CKAN's DataStore.
INEXACT_TOTALS: dict[str, Any] = {"relation": "gte", "total_was_estimated": True}


class Signals:
    """The paging fields of an answer; `more`, `total` and `total_pages` are None if absent.

    `last` is its last record, if it has any.

    Raises `UnexpectedPayload` for an invalid value.
    """

    def __init__(self, paging: Paging, answer: Answer, last: Any = None) -> None:
        self.link = _next(paging, answer, last)
        self.more = _flag(_value(answer, paging.more), paging.more)
        self.total = _number(_total(answer, paging.total), paging.total)
        self.total_pages = _number(_value(answer, paging.total_pages), paging.total_pages)
        self.part = answer.part
        # One that the contract does not name: where it stands, and the number.
        self.told: tuple[str, int] | None = None
        if self.total is not None:
            _refuse_estimate(answer, paging.total)

    def compare_pages(self, number: int, before: int | None, count: int) -> str:
        """How the declared number of pages contradicts this page, or an earlier one; or nothing.

        Of a page that it fits, it says whether more follow. `before` is the number that the first
        page declared, `count` that of the records.
        """
        total = self.total_pages
        if total is None:
            return ""
        if before not in (None, total):
            return f"page {number} declares {total} pages, page 1 {before}"
        if count and number > total:
            return f"page {number} of {total} has records"
        if not count and number < total:
            return f"page {number} of {total} has no records"
        self.more = number < total
        return ""


def next_link(header: str) -> str:
    """The target of the relation `next` in a header `Link` (RFC 8288); empty if it has none.

    Raises `UnexpectedPayload` for a header that is not well-formed, or has two.
    """
    found: set[str] = set()
    header = header.strip(" \t,")
    place = 0
    while place < len(header):
        match = _LINK.match(header, place)
        if match is None:
            rest = header[place : place + 60].lstrip(" \t,")
            raise UnexpectedPayload(f"expected links in the header Link, found {rest!r:.60}")
        place = match.end()
        relations = {name.lower(): value.strip('"') for name, value in _PARAMETER.findall(match[2])}
        if "next" in relations.get("rel", "").lower().split():
            found.add(match[1].strip())
    if len(found) > 1:
        raise UnexpectedPayload(f"expected one next page in the header Link, found {len(found)}")
    return found.pop() if found else ""


def sign_of_more(answer: Answer, around: Any, layout: Format, ignored: Collection[str]) -> str:
    """Where an answer names another page, or says that there is one; empty if nowhere.

    `around` is what stands around its records, `ignored` are paths that do not
    count.
    """
    if HEADER not in ignored and _may_link_next(answer.links):
        return "the header Link"
    for names, value in _members(around, layout.path):
        name = _flat(names[-1])
        follows = name in NEXT_PAGE and bool(value) and not isinstance(value, bool | list)
        if isinstance(value, dict):
            follows = follows and bool(value.get("href"))
        follows |= name in LINKS and isinstance(value, list) and bool(_related(value))
        if (follows or (name in MORE and value in (True, "true"))) and joined(names) not in ignored:
            return repr(joined(names))
    return ""


def _may_link_next(header: str) -> bool:
    """Whether a header that nobody declared names a next page; if it cannot be read, it may."""
    try:
        return bool(next_link(header))
    except UnexpectedPayload:
        return "next" in header.lower()


def undeclared_total(
    answer: Answer, around: Any, layout: Format, ignored: Collection[str]
) -> tuple[str, int] | None:
    """The largest total in an answer that the contract does not name, and where it stands.

    None where records are not counted as they are sent: below others, by position.
    """
    path = layout.path
    if EVERY in path or layout.kind in ("columnar", "rows"):
        return None
    found: list[tuple[int, str]] = []
    for names, value in _members(around, path):
        *above, name = names
        near = tuple(above) == path[: len(above)] or _flat(above[-1]) in AROUND_TOTALS
        if near and _flat(name) in TOTALS and joined(names) not in ignored:
            number = _count(value.get("value") if isinstance(value, dict) else value)
            found.append((number, repr(joined(names))))
    if HEADER not in ignored:
        found += [(_count(value), f"the header {name}") for name, value in answer.totals.items()]
    number, where = max(found, default=(0, ""))
    return (where, number) if number else None


def _count(value: Any) -> int:
    """A number of records, also as text; 0 for anything else."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _flat(name: str) -> str:
    return _LETTERS.sub("", name.lower())


def sign_of_part(around: Any, layout: Format, ignored: Collection[str]) -> str:
    """The field of an answer that says that records are missing; empty if there is none."""
    for name, value in around.items() if layout.path and isinstance(around, dict) else ():
        if _flat(name) in PARTS and value is True and joined([name]) not in ignored:
            return f"{joined([name])!r} is true"
    return ""


def _members(
    found: Any, records: tuple[str, ...], above: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The members of the envelope, those of objects in it included, but not of the records."""
    if not isinstance(found, dict) or above == records or len(above) > DEPTH:
        return
    for name, value in found.items():
        names = (*above, name)
        if names == records or (len(above) < len(records) and records[len(above)] == EVERY):
            continue
        yield names, value
        yield from _members(value, records, names)


def _refuse_estimate(answer: Answer, path: str) -> None:
    """Raise where an answer says that its total is not exact."""
    if path.startswith(words.HEADER):
        return
    above = parts(path)[:-1]
    for mark, inexact in INEXACT_TOTALS.items():
        beside = joined([*above, mark])
        if value_in(answer.body, answer.size, beside) == inexact:
            raise UnexpectedPayload(
                f"expected the exact number of records at {path!r}, found that {beside!r} is "
                f"{inexact!r}: it is an estimate or a lower bound. Request an exact one, or "
                "remove `paging.total`"
            )


def _value(answer: Answer, path: str) -> Any:
    """The value at a path of the body; None if absent.

    Raises `UnexpectedPayload` if the body has a field whose name is the whole
    path, dots included.
    """
    if not path:
        return None
    if path.startswith(words.HEADER):
        return answer.received.get(path.removeprefix(words.HEADER).lower())
    found = value_in(answer.body, answer.size, path)
    names = parts(path)
    if found is None and len(names) > 1:
        for name in (joined([".".join(names)]), joined([names[0], ".".join(names[1:])])):
            if name != path and value_in(answer.body, answer.size, name) is not None:
                raise UnexpectedPayload(
                    f"expected {path!r}, found a field whose name has a dot (write it `{name}`)"
                )
    return found


def _total(answer: Answer, path: str) -> Any:
    """The total at a path; of `Content-Range: 0-24/3573`, what is behind the slash."""
    found = _value(answer, path)
    if path.lower() == f"{words.HEADER}content-range" and isinstance(found, str):
        return found.rpartition("/")[2]
    return found


def cursor_of(state: str) -> Any:
    """The cursor that `Signals.link` holds: a text, or what JSON a body is to repeat."""
    return json.loads(state.removeprefix(_AS_JSON)) if state.startswith(_AS_JSON) else state


def _next(paging: Paging, answer: Answer, last: Any) -> str:
    if paging.next == HEADER:
        return _usable(next_link(answer.links), paging)
    if paging.next.startswith(words.RECORD):
        found = at(last, paging.next.removeprefix(words.RECORD))
        if last is not None and found in (None, "", []):
            raise UnexpectedPayload(
                f"expected the next cursor at {paging.next!r}, found none in the page's last record"
            )
    elif paging.next.startswith(words.RELATION):
        found = _related_in(answer, paging.next.removeprefix(words.RELATION))
    else:
        found = _value(answer, paging.next)
    if found is None or found is False or found == "":
        return ""
    repeated = paging.kind == "cursor" and paging.location == "body"
    if repeated and (isinstance(found, int | list) or str(found).startswith(_AS_JSON)):
        return _usable(_AS_JSON + written(found).decode(), paging)
    if isinstance(found, bool | dict | list | float):
        raise UnexpectedPayload(
            f"expected the next {paging.kind} at {paging.next!r}, found {type(found).__name__}"
        )
    return _usable(str(found), paging)


def _related(links: list[Any]) -> set[bytes]:
    """The addresses, in a list of links, of the relation `next`."""
    objects = (link for link in links if isinstance(link, dict))
    following = (link for link in objects if "next" in (link.get("rel"), link.get("relation")))
    return {written(link.get("href") or link.get("url")) for link in following}


def _related_in(answer: Answer, path: str) -> str:
    """The one next page that a list of links names; empty if it names none."""
    links = _value(answer, path)
    if links is None:
        return ""
    if not isinstance(links, list):
        raise UnexpectedPayload(
            f"expected a list of links at {path!r}, found {type(links).__name__}"
        )
    found = _related(links)
    address = parsed(found.pop()) if found else ""
    if found or not isinstance(address, str):
        raise UnexpectedPayload(f"expected one address of the next page at {path!r}")
    return address


def _usable(found: str, paging: Paging) -> str:
    """A cursor or link, if it can be sent."""
    if len(found) > MOST_CHARACTERS:
        raise UnexpectedPayload(
            f"expected the next {paging.kind} at {paging.next!r}, found {len(found)} characters"
        )
    try:
        found.encode()
    except UnicodeEncodeError:
        raise UnexpectedPayload(
            f"expected the next {paging.kind} at {paging.next!r}, found a text that is not Unicode"
        ) from None
    return found


def _flag(found: Any, path: str) -> bool | None:
    if found is None or isinstance(found, bool):
        return found
    if isinstance(found, int) and found >= 0:
        return found > 0
    if isinstance(found, str) and found.lower() in ("true", "false"):
        return found.lower() == "true"
    raise UnexpectedPayload(f"expected true or false at {path!r}, found {type(found).__name__}")


def _number(found: Any, path: str) -> int | None:
    if found is None:
        return None
    whole = isinstance(found, int) and not isinstance(found, bool)
    if isinstance(found, str):
        whole = _WHOLE.fullmatch(found) is not None
    if whole and int(found) >= 0:
        return int(found)
    raise UnexpectedPayload(f"expected a number of records at {path!r}, found {found!r:.40}")
