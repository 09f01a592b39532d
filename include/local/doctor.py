"""What is missing on this machine for the platform, and how to mend it."""

from __future__ import annotations

from dataclasses import dataclass

from include.settings import Settings


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, and what to do about it."""

    what: str
    mend: str


def doctor(settings: Settings) -> list[Finding]:
    """Everything that would keep the platform from running here; empty when all is well."""
    return []
