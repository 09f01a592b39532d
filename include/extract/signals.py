"""The paging fields of an answer: the next cursor or link, whether more follows, the total."""

from __future__ import annotations

from typing import Any

from include.errors import UnexpectedPayload
from include.extract.client import Answer
from include.records.read import value_in
from include.sources.paging import Paging
from include.sources.paths import joined, parts

HEADER = "header"


class Signals:
    """The paging fields of an answer; `more` and `total` are None if absent.

    Raises `UnexpectedPayload` for an invalid value.
    """

    def __init__(self, paging: Paging, answer: Answer) -> None:
        self.link = _next(paging, answer)
        self.more = _flag(_value(answer, paging.more), paging.more)
        self.total = _number(_value(answer, paging.total), paging.total)


def _value(answer: Answer, path: str) -> Any:
    """The value at a path of the body; None if absent.

    Raises `UnexpectedPayload` if the body has a field whose name is the whole
    path, dots included.
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
        return answer.next_link
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
