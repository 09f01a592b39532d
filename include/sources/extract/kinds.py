"""The kinds of `extract`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Discriminator, Tag

from include.sources.extract.database import DatabaseExtract
from include.sources.extract.files import FilesExtract
from include.sources.extract.http import Extract
from include.sources.extract.landing import LandingExtract


def _kind_of(extract: Any) -> str:
    """The kind of `extract`; an API by default."""
    kind = (
        extract.get("kind", "http") if isinstance(extract, dict) else getattr(extract, "kind", "")
    )
    return str(kind)


AnyExtract = Annotated[
    Annotated[Extract, Tag("http")]
    | Annotated[DatabaseExtract, Tag("database")]
    | Annotated[LandingExtract, Tag("landing")]
    | Annotated[FilesExtract, Tag("files")],
    Discriminator(_kind_of),
]
