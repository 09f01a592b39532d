"""Patterns of how values are written, in the syntax that Python and Rust share.

They match whole texts, and only ASCII digits.
"""

from __future__ import annotations

import re


def escaped(literal: str) -> str:
    """A pattern that matches only this text, in Python and in RE2."""
    return re.sub(r"[.^$*+?{}\[\]|()\\]", r"\\\g<0>", literal)
