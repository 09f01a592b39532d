"""Write a landing: page by page, the manifest last."""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import count
from tempfile import SpooledTemporaryFile
from typing import IO

from isal import igzip
from pydantic import ValidationError

from include.disk import disk_errors
from include.landing.manifest import LandedPage, Manifest, Outcome, ParentLanding, totals_of
from include.landing.read import open_page
from include.landing.store import (
    GIVEN_UP,
    MANIFEST,
    Landings,
    landing_prefix,
    new_landing_id,
    s3_errors,
)
from include.sources.page import PageFacts, SentRequest, StatusAnswer
from include.sources.partition import Partition

IN_MEMORY_BYTES = 8 * 1024 * 1024
# For igzip; the highest level takes seven times as long for 1 % fewer bytes.
COMPRESSION = 2
# Facts about a page are stored in its object metadata, so that a landing can be resumed. The
# context is left out: the digest of the request covers it.
FACTS = "wandle-facts"
CONTRACT = "wandle-contract"
# S3 metadata values are header values, at most 2 KB in total.
LONGEST_FACTS = 1_900


class Draft:
    """A landing being written; nobody reads it before `finish`.

    `landed` are the pages left by an interrupted attempt of the same run, up
    to the first missing one, with their stored bytes. Each must be kept with
    `keep`, in order, before new ones are added; `reread` opens them.
    """

    def __init__(
        self,
        landings: Landings,
        partition: Partition,
        landing_id: str,
        contract_hash: str,
        landed: Iterable[tuple[PageFacts, int]] = (),
    ) -> None:
        self.landing_id = landing_id
        self._found = list(landed)
        self._landed = deque(self._found)
        self._landings = landings
        self._partition = partition
        self._contract_hash = contract_hash
        self._pages: list[LandedPage] = []

    @classmethod
    def open(
        cls,
        landings: Landings,
        partition: Partition,
        *,
        run_id: str,
        contract_hash: str,
        now: datetime,
    ) -> Draft:
        """Resume this run's interrupted landing of the partition, or start a new one.

        A finished landing is never changed, nor one that was given up. Pages
        fetched with another version of the contract are fetched again.
        """
        landing_id = landings.unfinished(partition, run_id, now)
        if landing_id is None:
            return cls(landings, partition, new_landing_id(run_id, now), contract_hash)
        landed = list(_stored_pages(landings, partition, landing_id, contract_hash))
        return cls(landings, partition, landing_id, contract_hash, landed)

    @property
    def landed(self) -> Sequence[PageFacts]:
        """The landed pages that are not kept yet; their context is empty."""
        return [facts for facts, _ in self._landed]

    def keep(self, facts: PageFacts, request: SentRequest) -> LandedPage:
        """Keep the next landed page; `facts` are its facts, with the context."""
        _, stored_bytes = self._landed.popleft()
        page = LandedPage(
            **facts.model_dump(),
            name=_page_name(len(self._pages) + 1),
            stored_bytes=stored_bytes,
            request=request,
        )
        self._pages.append(page)
        return page

    def reread(self, number: int) -> IO[bytes]:
        """The body of a page that was there at the beginning, by its number from 1.

        Raises `LandingDamaged`, and `ServiceUnavailable` (retryable).
        """
        facts, stored_bytes = self._found[number - 1]
        return open_page(self._landings, self._key(number), facts, stored_bytes)

    def withdraw(self, pages: int) -> None:
        """Take back the last pages: none of them is resumed from, and others come in their place.

        Their objects are emptied, the first one first: without facts, it ends
        what a later attempt finds.
        """
        kept = len(self._pages) - pages
        for number in range(kept + 1, len(self._pages) + 1):
            key = self._key(number)
            with s3_errors(f"S3: writing {self._landings.address(key)}"):
                self._landings.s3.put_object(Bucket=self._landings.bucket, Key=key, Body=b"")
        del self._pages[kept:]

    def _key(self, number: int) -> str:
        return landing_prefix(self._partition, self.landing_id) + _page_name(number)

    def add(self, facts: PageFacts, request: SentRequest, body: IO[bytes]) -> LandedPage:
        """Compress a body and write it as the next page. `body` is closed."""
        facts = facts.model_copy(update={"digest": request.digest_with(facts.context)})
        name, key = _page_name(len(self._pages) + 1), self._key(len(self._pages) + 1)
        with body, SpooledTemporaryFile(max_size=IN_MEMORY_BYTES) as packed:
            # No name and no time in the header, so that equal bodies give equal objects.
            with (
                disk_errors(f"{self._partition}: compressing {name}"),
                igzip.IGzipFile(  # type: ignore[no-untyped-call]
                    "", "wb", COMPRESSION, packed, mtime=0
                ) as file,
            ):
                shutil.copyfileobj(body, file)
            stored_bytes = packed.tell()
            packed.seek(0)
            with self._landings.writing(key, stored_bytes):
                self._landings.s3.upload_fileobj(
                    packed,
                    self._landings.bucket,
                    key,
                    ExtraArgs={
                        "ContentType": "application/gzip",
                        "Metadata": _metadata(facts, self._contract_hash),
                    },
                )
        page = LandedPage(
            **facts.model_dump(), name=name, stored_bytes=stored_bytes, request=request
        )
        self._pages.append(page)
        return page

    @property
    def records(self) -> int:
        """Number of records in the pages so far."""
        return sum(page.records for page in self._pages)

    def finish(
        self,
        *,
        run_id: str,
        code_version: str,
        started_at: datetime,
        parents: dict[str, ParentLanding],
        outcome: Outcome = "complete",
        answered: StatusAnswer | None = None,
        empty: Iterable[StatusAnswer] = (),
        replaces: str | None = None,
        erased: int = 0,
    ) -> Manifest:
        """Write the manifest; from here on the landing exists and never changes."""
        pages = tuple(self._pages)
        manifest = Manifest(
            source=self._partition.source,
            council=self._partition.council,
            period=str(self._partition.period),
            landing_id=self.landing_id,
            outcome=outcome,
            run_id=run_id,
            code_version=code_version,
            contract_hash=self._contract_hash,
            started_at=started_at,
            finished_at=datetime.now(UTC),
            parents=parents,
            answered=answered,
            empty=tuple(empty),
            pages=pages,
            totals=totals_of(pages),
            replaces=replaces,
            erased=erased,
        )
        write_manifest(self._landings, self._partition, manifest)
        return manifest

    def give_up(self) -> None:
        """Mark the landing so that no later attempt resumes it; without a page there is nothing."""
        if not self._pages and not self._landed:
            return
        key = landing_prefix(self._partition, self.landing_id) + GIVEN_UP
        with self._landings.writing(key):
            self._landings.s3.put_object(Bucket=self._landings.bucket, Key=key, Body=b"")


def write_manifest(landings: Landings, partition: Partition, manifest: Manifest) -> None:
    """Write a manifest; from here on the landing exists and never changes."""
    key = landing_prefix(partition, manifest.landing_id) + MANIFEST
    with landings.writing(key):
        landings.s3.put_object(
            Bucket=landings.bucket,
            Key=key,
            Body=manifest.model_dump_json(indent=1).encode(),
            ContentType="application/json",
        )


def _page_name(number: int) -> str:
    return f"{number:04}.json.gz"


def _metadata(facts: PageFacts, contract_hash: str) -> dict[str, str]:
    """The metadata of the object; empty if too long, so the page cannot be resumed."""
    text = facts.model_copy(update={"context": {}}).model_dump_json(ensure_ascii=True)
    return {FACTS: text, CONTRACT: contract_hash} if len(text) <= LONGEST_FACTS else {}


def _stored_pages(
    landings: Landings, partition: Partition, landing_id: str, contract_hash: str
) -> Iterator[tuple[PageFacts, int]]:
    prefix = landing_prefix(partition, landing_id)
    present = set(landings.keys(prefix))
    for number in count(1):
        key = prefix + _page_name(number)
        if key not in present:
            return
        with s3_errors(f"S3: reading {landings.address(key)}"):
            head = landings.s3.head_object(Bucket=landings.bucket, Key=key)
        metadata = {name.lower(): value for name, value in head["Metadata"].items()}
        if metadata.get(CONTRACT) != contract_hash:
            return
        try:
            facts = PageFacts.model_validate_json(metadata.get(FACTS, ""))
        except ValidationError:
            return
        yield facts, head["ContentLength"]
