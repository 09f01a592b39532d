"""What an answer says of its paging: the next cursor or link, whether more follows, the total."""

from __future__ import annotations

import re
from typing import Any

from include.errors import UnexpectedPayload
from include.extract.client import Answer
from include.records.read import value_in
from include.sources.paging import Paging
from include.sources.paths import joined, parts

HEADER = "header"

# A link with its parameters; a value in quotes can hold any separator.
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_VALUE = rf'(?:{_QUOTED}|[^\s;,"]*)'
_LINK = re.compile(rf'[\s,]*<([^>]*)>((?:\s*;\s*(?:[^\s=;,"]+(?:\s*=\s*{_VALUE})?)?)*)')
_PARAMETER = re.compile(rf';\s*([^\s=;,"]+)\s*=\s*({_VALUE})')

# Fields beside a total that say that it is not exact, and the value that says so: Elasticsearch
# (`hits.total`), CKAN's DataStore.
INEXACT_TOTALS: dict[str, Any] = {"relation": "gte", "total_was_estimated": True}


class Signals:
    """What an answer says of its paging; `more` and `total` are None where it says nothing.

    Raises `UnexpectedPayload` for a value that cannot be one.
    """

    def __init__(self, paging: Paging, answer: Answer) -> None:
        self.link = _next(paging, answer)
        self.more = _flag(_value(answer, paging.more), paging.more)
        self.total = _number(_value(answer, paging.total), paging.total)
        self.part = answer.part
        if self.total is not None:
            _refuse_estimate(answer, paging.total)


def next_link(header: str) -> str:
    """The target of the relation `next` in a header `Link` (RFC 8288); empty if it has none.

    Raises `UnexpectedPayload` for a header that is not well-formed, or has two.
    """
    found: set[str] = set()
    place = 0
    while rest := header[place:].strip(" \t,"):
        match = _LINK.match(header, place)
        if match is None:
            raise UnexpectedPayload(f"expected links in the header Link, found {rest!r:.60}")
        place = match.end()
        relations = {name.lower(): value.strip('"') for name, value in _PARAMETER.findall(match[2])}
        if "next" in relations.get("rel", "").lower().split():
            found.add(match[1].strip())
    if len(found) > 1:
        raise UnexpectedPayload(f"expected one next page in the header Link, found {len(found)}")
    return found.pop() if found else ""


def _refuse_estimate(answer: Answer, path: str) -> None:
    """Raise where an answer says that its total is not exact."""
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
    """The value at a path of the body; None if there is none.

    Raises `UnexpectedPayload` where a field stands there whose name has the
    path's dots in it.
    """
    if not path:
        return None
    found = value_in(answer.body, answer.size, path)
    names = parts(path)
    if found is None and len(names) > 1:
        for name in (joined([".".join(names)]), joined([names[0], ".".join(names[1:])])):
            if name != path and value_in(answer.body, answer.size, name) is not None:
                raise UnexpectedPayload(
                    f"expected {path!r}, found a field whose name has a dot (write it `{name}`)"
                )
    return found


def _next(paging: Paging, answer: Answer) -> str:
    if paging.next == HEADER:
        return next_link(answer.links)
    found = _value(answer, paging.next)
    if found is None or found is False or found == "":
        return ""
    if isinstance(found, bool | dict | list | float):
        raise UnexpectedPayload(
            f"expected the next {paging.kind} at {paging.next!r}, found {type(found).__name__}"
        )
    return str(found)


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
    try:
        if not isinstance(found, bool | float) and int(found) >= 0:
            return int(found)
    except (TypeError, ValueError, OverflowError):
        pass
    raise UnexpectedPayload(f"expected a number of records at {path!r}, found {found!r:.40}")
