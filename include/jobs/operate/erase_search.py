"""Find a subject in the landings of a source."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from include.errors import PermanentError
from include.jobs.lake import Lake
from include.jobs.operate.erase_subject import Subject
from include.landing.inventory import Stored, stored_landings
from include.landing.manifest import LandedPage, Manifest
from include.landing.read import read_pages
from include.landing.store import RESUMED_WITHIN, began_at
from include.records.remove import Cut, cut_records
from include.sources.extract.files import INBOX
from include.sources.extract.landing import LandingExtract
from include.sources.model import Contract
from include.sources.partition import Partition

Place = tuple[Partition, str]


@dataclass(frozen=True)
class Holds:
    """A finished landing that holds records of the subject, and their number."""

    partition: Partition
    manifest: Manifest
    records: int


@dataclass(frozen=True)
class Found:
    """What S3 holds of a subject.

    `replaced` are landings already replaced by an earlier erasure;
    `being_written` are unfinished landings, which were not searched.
    """

    holds: list[Holds] = field(default_factory=list)
    replaced: dict[Place, Manifest] = field(default_factory=dict)
    stored: dict[Place, Stored] = field(default_factory=dict)
    being_written: list[Stored] = field(default_factory=list)

    @property
    def pending(self) -> list[tuple[Stored, Manifest]]:
        """The landings to remove, with the replacement of each."""
        return [
            (self.stored[place], manifest)
            for place, manifest in self.replaced.items()
            if place in self.stored
        ]

    @property
    def files(self) -> list[str]:
        """The files of an inbox or an SFTP server that held the subject when they were landed."""
        manifests = [*(holds.manifest for holds in self.holds), *self.replaced.values()]
        addresses = {page.request.url for manifest in manifests for page in manifest.pages}
        return sorted(one for one in addresses if one.startswith((f"{INBOX}/", "sftp:")))

    def stands_for(self, place: Place) -> str:
        """The ID of the final replacement of a landing."""
        while place in self.replaced:
            place = (place[0], self.replaced[place].landing_id)
        return place[1]


def find(contract: Contract, subject: Subject, *, lake: Lake) -> Found:
    """Search every landing of the source; changes nothing.

    Raises `LandingDamaged` for a landing that cannot be read, and
    `PermanentError` for one whose records cannot be removed.
    """
    if isinstance(contract.extract, LandingExtract):
        raise PermanentError(
            f"erase: {contract.name} reads the landings of {contract.extract.source}. Nothing was "
            f"changed. Erase the records there that hold the person's: `wandle erase "
            f"{contract.extract.source}`; {contract.name} follows."
        )
    found = Found()
    now = datetime.now(UTC)
    lake = lake.as_job("housekeeping")
    for stored in stored_landings(lake.landings, contract.name):
        partition, landing_id = stored.partition, stored.landing_id
        if not stored.finished:
            if now - began_at(landing_id) < RESUMED_WITHIN:
                found.being_written.append(stored)
            continue
        found.stored[partition, landing_id] = stored
        manifest = lake.landings.manifest(partition, landing_id)
        if manifest.replaces:
            found.replaced[partition, manifest.replaces] = manifest
        records = 0
        for page, body in read_pages(lake.landings, partition, manifest):
            records += cut(contract, subject, partition, page, body.read()).lost
        if records:
            found.holds.append(Holds(partition, manifest, records))
    return found


def cut(
    contract: Contract, subject: Subject, partition: Partition, page: LandedPage, body: bytes
) -> Cut:
    """A page's body without the subject's records. Raises `PermanentError`, naming the page."""
    try:
        return cut_records(
            body,
            contract.layout(page.way),
            subject.is_of(page.way),
            dict(page.context),
            page.content_type,
        )
    except PermanentError as error:
        raise PermanentError(
            f"{partition}: {page.name}: {error}. Nothing was changed. Delete the whole landing "
            "or partition, and fetch it again without the person."
        ) from None
