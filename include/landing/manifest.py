"""The manifest of a landing: requests, responses, checksums and totals."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from include.errors import LandingDamaged
from include.sources.page import PageFacts, SentRequest, StatusAnswer

FORMAT = 1

Outcome = Literal["complete", "not_published"]


class LandedPage(PageFacts):
    """A page in S3, gzip-compressed, under the landing's prefix."""

    name: str
    stored_bytes: int
    request: SentRequest


class ParentLanding(BaseModel):
    """A landing of another source whose records were used in the requests."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    council: str
    period: str
    landing_id: str


class Totals(BaseModel):
    """The totals of the pages."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pages: int
    bytes: int
    records: int


class Manifest(BaseModel):
    """Written last: a landing without one was interrupted and is never loaded.

    `empty` are requests for which the source reported by a status that it has
    no records. `replaces` is the landing of the same partition that this one
    replaces: the same pages, without the `erased` records. `pages_in` is the
    landing of another source that has the pages, if they are not below this one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    source: str
    council: str
    period: str
    landing_id: str
    outcome: Outcome
    run_id: str
    code_version: str
    contract_hash: str
    started_at: datetime
    finished_at: datetime
    parents: dict[str, ParentLanding] = {}
    answered: StatusAnswer | None = None
    empty: tuple[StatusAnswer, ...] = ()
    pages: tuple[LandedPage, ...]
    totals: Totals
    replaces: str | None = None
    erased: int = 0
    pages_in: ParentLanding | None = None

    @property
    def pages_hash(self) -> str:
        """Hash of the page checksums, in order, and of the values taken from requests."""
        digest = hashlib.sha256()
        for page in self.pages:
            context = "\x1f".join(f"{name}={value}" for name, value in sorted(page.context.items()))
            way = "" if page.way == "api" else f"\x1e{page.way}"
            digest.update(f"{page.sha256}\x1e{context}{way}\n".encode())
        return digest.hexdigest()


def totals_of(pages: tuple[LandedPage, ...]) -> Totals:
    """The totals of these pages."""
    return Totals(
        pages=len(pages),
        bytes=sum(page.bytes for page in pages),
        records=sum(page.records for page in pages),
    )


def read_manifest(key: str, body: bytes) -> Manifest:
    """Read a manifest from its JSON.

    Raises `LandingDamaged`, naming `key`, if it is of a newer format, is not a
    manifest, or contradicts itself.
    """
    try:
        manifest = Manifest.model_validate_json(body)
    except ValidationError as error:
        newer = _format_of(body)
        if newer > FORMAT:
            raise LandingDamaged(
                f"{key}: format {newer} is newer than this version reads ({FORMAT}). "
                "Update Wandle, then load it again."
            ) from None
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "(whole file)"
        raise LandingDamaged(
            f"{key}: not a manifest: {where}: {first['msg']}. Fetch the partition again."
        ) from None
    if manifest.format > FORMAT:
        raise LandingDamaged(
            f"{key}: format {manifest.format} is newer than this version reads ({FORMAT}). "
            "Update Wandle, then load it again."
        )
    if totals_of(manifest.pages) != manifest.totals:
        raise LandingDamaged(
            f"{key}: expected totals {totals_of(manifest.pages)} as its pages add up, found "
            f"{manifest.totals}. Fetch the partition again."
        )
    return manifest


class _OnlyFormat(BaseModel):
    format: int = 0


def _format_of(body: bytes) -> int:
    try:
        return _OnlyFormat.model_validate_json(body).format
    except ValidationError:
        return 0
