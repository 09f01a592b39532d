"""Column names for fields of any name: valid, unique, and not used by Wandle itself."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from include.definitions import NAME_PATTERN
from include.sources.columns import SYSTEM_COLUMNS
from include.sources.raw_table import STAGED

LONGEST = 48
# Leaves room for a number after a name that is taken.
_BASE = 40


def column_name(field: Sequence[str], taken: Collection[str]) -> str:
    """A name for the field at this path, given as its parts, that is not in `taken`.

    The last part in snake case; if that is taken or reserved, preceded by the
    other parts, then followed by a number. `field` for a name without ASCII
    letters.
    """
    unusable = {*taken, *STAGED.values(), *SYSTEM_COLUMNS}
    parts = [found for found in map(_snake_case, field) if found]
    for count in range(1, len(parts) + 1):
        name = "_".join(parts[-count:])
        if NAME_PATTERN.fullmatch(name) and name not in unusable:
            return name
    base = "_".join(parts)
    base = base if base[:1].isalpha() else f"field_{base}"
    base = base[:_BASE].strip("_")
    for name in (base, f"{base}_field"):
        if name not in unusable:
            return name
    number = 2
    while f"{base}_{number}" in unusable:
        number += 1
    return f"{base}_{number}"


def _snake_case(part: str) -> str:
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", part)
    return re.sub(r"[^a-z0-9]+", "_", spaced.lower()).strip("_")
