"""Paths in records and answers: names joined by dots, `\\.` for a dot within a name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator

_PART = re.compile(r"((?:[^.\\]|\\[.\\])+)(\.|$)")


@lru_cache(maxsize=4096)
def parts(path: str) -> tuple[str, ...]:
    r"""The names of a path, from the outermost: `geo.lat` has two, `geo\.lat` one.

    `\\` is a backslash; the empty path has no names. Raises `ValueError` for
    an empty name and for any other backslash.
    """
    found, place = [], 0
    while place < len(path):
        match = _PART.match(path, place)
        if match is None or (match[2] and match.end() == len(path)):
            raise ValueError(
                f"expected names joined by dots, with `\\.` for a dot within a name and `\\\\` for "
                f"a backslash, found {path!r}"
            )
        found.append(re.sub(r"\\(.)", r"\1", match[1]))
        place = match.end()
    return tuple(found)


def joined(names: Iterable[str]) -> str:
    """The path of names, from the outermost; the inverse of `parts`."""
    return ".".join(name.replace("\\", "\\\\").replace(".", "\\.") for name in names)


def _is_a_path(value: str) -> str:
    parts(value)
    return value


# A path in the body of an answer, or in a record.
BodyPath = Annotated[str, AfterValidator(_is_a_path)]
