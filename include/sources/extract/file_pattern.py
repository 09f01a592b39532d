r"""The pattern of a file's name: RE2 with placeholders for the council and the period.

`spend_{council.name}_{period:%Y-%m}(?:_v(?P<version>\d+))?\.csv` says of each
file to which partition it belongs. The groups `part` and `version` tell files
of one partition apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from include.sources import syntax
from include.sources.extract.templates import is_council_value
from include.sources.partition import FORMS, Grain

# Groups that a pattern may name: which of several files, and which version of it.
PART, VERSION = "part", "version"

_PLACEHOLDER = re.compile(r"(?<!\\p)(?<!\\P)\{([A-Za-z][^{}:]*)(?::([^{}]*))?\}")
_GROUP = re.compile(r"\(\?P<([^>]*)>")
_DIRECTIVE = re.compile(r"%-?.")
# What each directive matches, and the grain that it makes known.
_DIRECTIVES = {
    "%Y": (r"\d{4}", "year"),
    "%y": (r"\d{2}", "year"),
    "%m": (r"\d{2}", "month"),
    "%-m": (r"\d{1,2}", "month"),
    "%b": (r"[A-Za-z]{3}", "month"),
    "%B": (r"[A-Za-z]{3,9}", "month"),
    "%d": (r"\d{2}", "day"),
    "%-d": (r"\d{1,2}", "day"),
    "%j": (r"\d{3}", "day"),
    "%H": (r"\d{2}", "hour"),
    "%M": (r"\d{2}", "minute"),
    "%S": (r"\d{2}", "second"),
}


@dataclass(frozen=True)
class Placeholder:
    """`{period:%Y-%m}` or `{council.name}`, with its group and pattern when it is matched.

    A period without a form is written as everywhere else: 2017-05, 2017-Q2.
    """

    name: str
    form: str
    group: str
    pattern: str = ""


def literal(text: str) -> str:
    """The pattern that matches just this text, in RE2."""
    return re.sub(r"[!-/:-@\[-^`{-~]", r"\\\g<0>", text)


@lru_cache(maxsize=256)
def split(pattern: str, grain: Grain) -> tuple[str | Placeholder, ...]:
    """The pattern's own text and its placeholders, in order."""
    found: list[str | Placeholder] = []
    place = 0
    for number, match in enumerate(_PLACEHOLDER.finditer(pattern)):
        written = match[1] == "period" and not match[2]
        text = FORMS[grain].pattern[1:-1] if written else date_pattern(match[2] or "")
        found += [
            pattern[place : match.start()],
            Placeholder(match[1], match[2] or "", f"v{number}", text),
        ]
        place = match.end()
    return (*found, pattern[place:])


def placeholders(pattern: str, grain: Grain = "day") -> Iterator[Placeholder]:
    """The placeholders, in order."""
    return (item for item in split(pattern, grain) if isinstance(item, Placeholder))


def date_pattern(form: str) -> str:
    """The pattern that matches dates written like this."""
    place, found = 0, ""
    for match in _DIRECTIVE.finditer(form):
        known = _DIRECTIVES.get(match[0], ("", ""))[0]
        found += literal(form[place : match.start()]) + known
        place = match.end()
    return found + literal(form[place:])


def known_to(forms: str) -> str:
    """How exactly these forms tell: to the `hour`, `day`, `month` or `year`; empty if not at all.

    Minutes and seconds tell files of one hour apart.
    """
    known = {_DIRECTIVES[found][1] for found in _DIRECTIVE.findall(forms)}
    whole_day = "year" in known and ("%j" in forms or {"month", "day"} <= known)
    if known & {"hour", "minute", "second"}:
        times = [name for name in ("hour", "minute", "second") if name in known]
        in_order = times == ["hour", "minute", "second"][: len(times)]
        return "hour" if whole_day and in_order else ""
    if whole_day:
        return "day"
    if "year" in known and "day" not in known:
        return "month" if "month" in known else "year"
    return ""


def check(pattern: str) -> str:
    """The pattern, if it can be matched. Raises `ValueError`."""
    plain = ""
    for item in split(pattern, "day"):
        if isinstance(item, str):
            plain += item
            continue
        if item.name == "period":
            for directive in _DIRECTIVE.findall(item.form):
                if directive not in _DIRECTIVES:
                    raise ValueError(
                        f"{{period:{item.form}}}: expected {', '.join(_DIRECTIVES)}, found "
                        f"{directive!r}"
                    )
            plain += item.pattern
        elif is_council_value(item.name) and not item.form:
            plain += "x"
        else:
            raise ValueError(
                f"unknown placeholder {{{item.name}{':' if item.form else ''}{item.form}}}; known: "
                "period with a date format, council.name and other values of the council"
            )
    syntax.pattern(plain)
    for group in _GROUP.findall(pattern):
        if group not in (PART, VERSION):
            raise ValueError(
                f"expected the groups (?P<{PART}>...) and (?P<{VERSION}>...), found {group!r}"
            )
    return pattern
