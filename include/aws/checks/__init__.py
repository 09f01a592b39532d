"""Checks of an AWS environment, one module per kind of resource."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """The result of one check. It passed if `problem` is empty; otherwise `fix` says what to do."""

    name: str
    problem: str = ""
    fix: str = ""

    @property
    def passed(self) -> bool:
        """Whether the check found no problem."""
        return not self.problem
