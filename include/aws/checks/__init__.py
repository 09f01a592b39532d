"""What must hold in an environment on AWS: each module looks at one kind of thing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. Without a `problem` it is well."""

    name: str
    problem: str = ""
    mend: str = ""

    @property
    def well(self) -> bool:
        """Whether it is as it should be."""
        return not self.problem
