"""The text of a query: where its literals, quoted names and comments are, and its placeholders."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, get_args

# What a query may bind, written as `%(period_start)s` for every server.
PLACEHOLDERS = ("period_start", "period_end", "council")
Dialect = Literal["postgresql", "mysql", "mssql", "oracle"]

_DOUBLED = {quote: rf"{quote}(?:[^{quote}]|{quote}{quote})*{quote}" for quote in "'\"`"}
_ESCAPED = {quote: rf"{quote}(?:[^{quote}\\]|\\.|{quote}{quote})*{quote}" for quote in "'\""}
_BRACKETS = r"\[(?:[^\]]|\]\])*\]"
# PostgreSQL's `$tag$`, and Oracle's `q'[`.
_DOLLARS = r"(?P<tag>\$(?:[A-Za-z_][A-Za-z_0-9]*)?\$).*?(?P=tag)"
_Q_QUOTES = (
    r"(?<![A-Za-z0-9_])[nN]?[qQ]'(?:\[.*?\]|\{.*?\}|\(.*?\)|<.*?>|(?P<mark>[^\s]).*?(?P=mark))'"
)
_E_QUOTES = rf"(?<![A-Za-z0-9_])[eE]{_ESCAPED[chr(39)]}"
# Servers differ in comments within comments: there are none.
_BLOCK = r"/\*(?:(?!\*/|/\*).)*\*/"
_LINE = r"--[^\n]*"

_QUOTED = {
    "postgresql": (_E_QUOTES, _DOLLARS, _DOUBLED["'"], _DOUBLED['"']),
    "mysql": (_ESCAPED["'"], _ESCAPED['"'], _DOUBLED["`"]),
    "mssql": (_DOUBLED["'"], _DOUBLED['"'], _BRACKETS),
    "oracle": (_Q_QUOTES, _DOUBLED["'"], _DOUBLED['"']),
}
_COMMENTS = {
    # Two hyphens that no space follows are two minus signs there.
    "mysql": (_BLOCK, r"--(?=[\s\x00-\x1f]|\Z)[^\n]*", r"\#[^\n]*"),
}
# What is left of one that does not end.
_OPEN = {
    "postgresql": r"['\"]|/\*|\*/",
    "mysql": r"['\"`]|/\*|\*/",
    "mssql": r"['\"\[]|/\*|\*/",
    "oracle": r"['\"]|/\*|\*/",
}
# MySQL runs what is in such a comment.
_HINT = re.compile(r"/\*M?!")
_MARK = re.compile(r"%(?:\((?P<name>[^)]*)\)s|(?P<percent>%)|.{0,8})", re.DOTALL)
_FIRST_WORD = re.compile(r"[\s(]*(\w+)")


class Part(NamedTuple):
    """A part of a query; `quoted` for literals, quoted names and comments."""

    text: str
    quoted: bool


def parts(query: str, dialect: Dialect) -> Iterator[Part]:
    """The parts of a query in order. Raises `ValueError` for a quote or comment without an end."""
    pattern = _PATTERNS[dialect]
    place = 0
    for found in pattern.finditer(query):
        if found.start() > place:
            yield Part(query[place : found.start()], quoted=False)
        if found["open"]:
            raise ValueError(f"expected an end of what {found['open']} begins, found none")
        if dialect == "mysql" and _HINT.match(found[0]):
            raise ValueError("expected no comment that MySQL runs (/*!)")
        yield Part(found[0], quoted=True)
        place = found.end()
    if place < len(query):
        yield Part(query[place:], quoted=False)


def _pattern(dialect: Dialect) -> re.Pattern[str]:
    whole = (*_COMMENTS.get(dialect, (_BLOCK, _LINE)), *_QUOTED[dialect])
    return re.compile(f"(?:{'|'.join(whole)})|(?P<open>{_OPEN[dialect]})", re.DOTALL)


_PATTERNS: dict[Dialect, re.Pattern[str]] = {
    dialect: _pattern(dialect) for dialect in get_args(Dialect)
}


def with_markers(
    query: str, dialect: Dialect, marker: Callable[[str], str], percent: str = "%"
) -> str:
    """The query with its placeholders as a driver takes them, and with `percent` for each `%%`.

    Raises `ValueError` for a placeholder in quotes or in a comment, where no
    server would see one, and for more or less than one select.
    """
    _check(query, dialect)
    return "".join(
        _MARK.sub(lambda mark: marker(mark["name"]) if mark["name"] else percent, part.text)
        for part in parts(query, dialect)
    )


def check(query: str) -> None:
    """Raise `ValueError` for what is wrong with a query whichever server it is for."""
    for mark in _MARK.finditer(query):
        if not mark["percent"] and mark["name"] not in PLACEHOLDERS:
            raise ValueError(
                "expected only %(period_start)s, %(period_end)s and %(council)s, and other "
                f"percent signs as %%, found {mark[0]!r}"
            )
    failures = []
    for dialect in get_args(Dialect):
        try:
            return _check(query, dialect)
        except ValueError as error:
            failures.append(error)
    raise failures[0]


def _check(query: str, dialect: Dialect) -> None:
    """One select, with placeholders only where a server looks for them."""
    code = []
    for part in parts(query, dialect):
        if part.quoted:
            _refuse_placeholders(part.text)
        # What is quoted separates words.
        code.append(" " if part.quoted else part.text)
    _check_select("".join(code))


def _check_select(code: str) -> None:
    """One select, which does not leave the parentheses that it is put in."""
    if ";" in code.rstrip("; \n"):
        raise ValueError("expected one select: it is used as a subquery")
    first = _FIRST_WORD.match(code)
    if first is None or first[1].lower() not in ("select", "with", "values", "table"):
        raise ValueError(f"expected a select, found {first[1] if first else code.strip()!r}")
    depth = 0
    for sign in re.findall("[()]", code):
        depth += 1 if sign == "(" else -1
        if depth < 0:
            break
    if depth:
        raise ValueError("expected as many ) as (, each after its (: it is used as a subquery")


def _refuse_placeholders(text: str) -> None:
    found = [mark[0] for mark in _MARK.finditer(text) if mark["name"]]
    if found:
        raise ValueError(f"expected no placeholder in quotes or in a comment, found {found[0]}")
