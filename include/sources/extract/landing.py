"""How a source is read from the landings of another one."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from include.definitions import Definition
from include.sources.extract.templates import Parent

# The name of the parent in manifests.
LABEL = "landing"


class LandingExtract(Definition):
    """How partitions are read from another source's landings, without asking the API again.

    Its DAG runs when that source has landed something, and handles the same
    councils and periods.
    """

    kind: Literal["landing"]
    source: str = Field(
        description="The source whose landings are read. `format.records` leads to the records in "
        "its answers: `entities.*.documents`, with `inherit` for fields around them."
    )
    parallel: int = Field(
        default=4, ge=1, le=16, description="Partitions to read at the same time."
    )

    @property
    def parents(self) -> dict[str, Parent]:
        """The source that it needs."""
        return {LABEL: Parent(source=self.source)}
