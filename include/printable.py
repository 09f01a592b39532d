"""Text from outside, made safe to print: it moves no cursor, forges no line, hides nothing.

Escaped is what Python's `repr` escapes too: control characters of C0 and C1 (terminal escapes
begin with them), bidirectional overrides and other format characters, line separators, lone
surrogates, unassigned code points. Spaces of every width stay.
"""

from __future__ import annotations

import re
import unicodedata

_LINE_STARTS = re.compile(r"\n(?!  |\n|$)")


def one_line(text: str) -> str:
    r"""The text as one line: an escape is printed as `\x1b`, a newline as `\n`."""
    if text.isprintable():
        return text
    return "".join(c if _is_plain(c) else _escaped(c) for c in text)


def printable(text: str) -> str:
    """The text with its newlines; later lines are indented, so that none passes for a first one.

    Unchanged if applied again.
    """
    if text.isprintable():
        return text
    return _LINE_STARTS.sub("\n  ", "\n".join(map(one_line, text.split("\n"))))


def _is_plain(character: str) -> bool:
    return character.isprintable() or unicodedata.category(character) == "Zs"


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
