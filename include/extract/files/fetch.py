"""Fetch the files of one partition: each is a page."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from include.councils.model import Council
from include.errors import BeyondLimit, SourceRejected, SourceUnavailable, UnexpectedPayload
from include.extract.fetched import NotPublished, Page
from include.extract.files.listing import Place, Received, is_changed, limited
from include.extract.files.matching import Match, Matcher, chosen
from include.extract.requests import common_values, context_of
from include.records.diagnose import diagnose
from include.records.json.values import BodyCutShort
from include.records.read import read_records
from include.sources.extract.file_rules import FILE_NAME
from include.sources.model import Contract
from include.sources.page import PageFacts, SentRequest, StatusAnswer
from include.sources.partition import Partition

SUCCESS, NOT_FOUND = 200, 404


def fetch_files(
    contract: Contract,
    partition: Partition,
    council: Council | None,
    councils: Sequence[Council],
    *,
    place: Place,
    today: datetime,
    landed: Iterable[PageFacts] = (),
) -> Iterator[Page]:
    """Yield the partition's files, each as a page labelled with its part.

    The first ones are not read again, as long as they are those in `landed`
    and nothing hints at a change.

    Raises `NotPublished` if there is none yet, `SourceRejected` if there should
    be, `SourceUnavailable` for a file that is still being written, or changes
    while it is read, `UnexpectedPayload` for one that does not hold the
    contract's records, and if several files could be meant, and `BeyondLimit`.
    """
    files = limited(place.files(), contract.limits.files, str(partition))
    every = Matcher(contract, councils, today).match(files)
    refuse_none(contract, every)
    matches = chosen(partition, every)
    for match in matches:
        if not match.file.is_settled:
            raise SourceUnavailable(
                f"{partition}: {match.file.name} is still being written. Try again later."
            )
    if not matches:
        raise _nothing(contract, partition, place, today)
    values = common_values(partition.period, council)
    have = deque(landed)
    for match in matches:
        who = f"{partition}, {match.file.name}"
        context = context_of(contract, "api", values | {FILE_NAME: match.file.name})
        request = SentRequest(method="GET", url=match.file.address)
        if have and _is_resumed(have[0], match, request.digest_with(context)):
            yield Page(request, have.popleft().model_copy(update={"context": context}))
            continue
        have.clear()
        received = place.read(who, match.file)
        yield _page(contract, who, match, request, received, context)


def _is_resumed(facts: PageFacts, match: Match, digest: str) -> bool:
    same = (facts.label, facts.digest) == (match.part, digest)
    return same and bool(match.file.headers) and not is_changed(match.file.headers, facts.headers)


def _page(
    contract: Contract,
    who: str,
    match: Match,
    request: SentRequest,
    received: Received,
    context: dict[str, str],
) -> Page:
    facts = PageFacts(
        label=match.part,
        context=context,
        digest=request.digest_with(context),
        redirects=received.redirects,
        status=SUCCESS,
        headers=received.headers,
        fetched_at=datetime.now(UTC),
        sha256=received.sha256,
        bytes=received.size,
        records=_count(contract, who, received, context),
    )
    received.body.seek(0)
    return Page(request, facts, received.body)


def _count(contract: Contract, who: str, received: Received, context: Mapping[str, str]) -> int:
    """The number of the partition's records in a file that is read to its end."""
    layout, body, size = contract.layout(), received.body, received.size
    content_type = received.headers.get("content-type", "")
    try:
        chunks = read_records(body, size, layout, dict(context), content_type, complete=True)
        return sum(map(len, chunks))
    except BeyondLimit as error:
        raise error.of(who) from None
    except (BodyCutShort, UnexpectedPayload) as error:
        found = diagnose(error, body, size, layout, content_type)
        raise UnexpectedPayload(
            f"{who}: {found.what}.{found.begins} Retrying will not help. Replace the file, or "
            "correct `format` in the contract."
        ) from None


def _nothing(contract: Contract, partition: Partition, place: Place, today: datetime) -> Exception:
    """What it means that there is no file."""
    if contract.may_be_unpublished(partition.period, today):
        request = SentRequest(method="GET", url=place.address)
        return NotPublished(
            StatusAnswer(label="", request=request, status=NOT_FOUND, fetched_at=today)
        )
    return SourceRejected(
        f"{partition}: {place.address} has no file of this period, which was due "
        f"{contract.publication_lag_days} days after its end. Retrying will not help. Ask for the "
        f"file; `wandle files {contract.name}` lists those that are there."
    )


def refuse_none(contract: Contract, matches: Sequence[Match]) -> None:
    """Raise `UnexpectedPayload` for a page or package without a single file: it has changed."""
    url = getattr(contract.extract, "url", "")
    if url and not any(match.partitions for match in matches):
        raise UnexpectedPayload(
            f"{contract.name}: expected links that match `extract.pattern` at "
            f"{url.partition('?')[0]}, found none among {len(matches)}. Retrying will not help. "
            "Has the page changed, or its address?"
        )


def changed(matches: Sequence[Match], landed: Sequence[Any]) -> bool:
    """Whether a partition's files are others than those it was landed from, by their hints."""
    before = {page.request.url: page.headers for page in landed}
    if before.keys() != {match.file.address for match in matches}:
        return True
    return any(is_changed(match.file.headers, before[match.file.address]) for match in matches)
