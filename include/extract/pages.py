"""The pages of one partition, in the order that the contract asks for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from include.councils.model import Council, Ward
from include.errors import SourceRejected, SourceUnavailable, UnexpectedPayload
from include.extract.client import Answer, Client
from include.extract.polygon import halves
from include.sources.model import Contract
from include.sources.page import Answered, PageFacts, SentRequest
from include.sources.partition import Partition
from include.sources.records import BodyCutShort, read_records
from include.sources.templates import fill

# A ward halved so often is some metres wide: a source that still refuses it is down.
MOST_SPLITS = 12

# Gives the value of one of the contract's parents for the given request values.
ParentValue = Callable[[str, Mapping[str, Any]], str]


@dataclass(frozen=True)
class Fetched:
    """A page that was fetched just now; `body` is positioned at its start."""

    request: SentRequest
    facts: PageFacts
    body: IO[bytes]


@dataclass(frozen=True)
class AlreadyLanded:
    """A page that need not be fetched again, and the request that it answers."""

    request: SentRequest


class NotPublished(Exception):
    """The source does not have the period; `answered` is what it said."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(f"HTTP {answered.status}")
        self.answered = answered


@dataclass(frozen=True)
class _Ask:
    label: str
    values: Mapping[str, Any]


def request_values(
    contract: Contract, partition: Partition, council: Council | None, ward: Ward | None
) -> dict[str, Any]:
    """What placeholders stand for, but for the parents' values."""
    values: dict[str, Any] = {"period": partition.period.first_day}
    if council:
        values |= {
            "council.name": council.name,
            "council.title": council.title,
            "council.gss_code": council.gss_code,
            "council.police_force": council.police_force,
        }
    if ward:
        values |= {
            "ward.code": ward.code,
            "ward.name": ward.name,
            "ward.police_neighbourhood": ward.police_neighbourhood,
        }
    return values


def fetch_pages(
    contract: Contract,
    partition: Partition,
    council: Council | None,
    *,
    client: Client,
    base_url: str,
    parent_value: ParentValue,
    landed: Iterable[tuple[str, str]] = (),
) -> Iterator[Fetched | AlreadyLanded]:
    """Yield every page of the partition, in order.

    The first ones are not fetched again, as long as label and request's digest
    are those in `landed`.

    Raises `NotPublished` if the source says that it does not have the period,
    `SourceRejected` naming every ward that it does not know, and what
    `Client.ask` raises.
    """
    waiting = deque(_asks(contract, partition, council, parent_value))
    have = deque(landed)
    unknown: list[_Ask] = []
    any_page = False
    while waiting:
        ask = waiting.popleft()
        request = _request(contract, base_url, ask.values)
        if have and have[0] == (ask.label, request.digest):
            any_page = True
            yield AlreadyLanded(request)
            have.popleft()
            continue
        if have and have[0][0].startswith(f"{ask.label}/"):
            waiting.extendleft(reversed(_split(contract, ask)))
            continue
        have.clear()
        who = f"{partition}, {ask.label}"
        answer, records = _ask(who, contract, client, request)
        if answer.status in contract.extract.answers.too_large:
            if ask.label.count("/") == MOST_SPLITS:
                raise SourceUnavailable(
                    f"{who}: HTTP {answer.status} even for a part this small from {request.url}. "
                    "The source seems to be down; the next retry may succeed."
                )
            waiting.extendleft(reversed(_split(contract, ask)))
        elif answer.status in contract.extract.answers.unknown_ward:
            unknown.append(ask)
        elif answer.status in contract.extract.answers.not_published:
            said = Answered(
                label=ask.label,
                request=request,
                status=answer.status,
                fetched_at=answer.fetched_at,
            )
            if any_page:
                raise SourceRejected(
                    f"{who}: HTTP {answer.status}, after other parts of "
                    "the period were served. Retrying will not help; has the source lost a part?"
                )
            raise NotPublished(said)
        else:
            any_page = True
            yield Fetched(request, _facts(contract, ask, answer, records), answer.body)
    if unknown:
        raise SourceRejected(_unknown_wards(partition, unknown))


def _asks(
    contract: Contract,
    partition: Partition,
    council: Council | None,
    parent_value: ParentValue,
) -> Iterator[_Ask]:
    if contract.extract.for_each == "ward":
        wards: Iterable[Ward | None] = (
            council.wards_on(partition.period.first_day) if council else ()
        )
    else:
        wards = (None,)
    for ward in wards:
        values = request_values(contract, partition, council, ward)
        for name in contract.extract.parents:
            values[name] = parent_value(name, values)
        yield _Ask(ward.code if ward else str(partition.period), values)


def _split(contract: Contract, ask: _Ask) -> list[_Ask]:
    # The contract's own check: `too_large` needs `split`.
    name = str(contract.extract.split)
    return [
        _Ask(f"{ask.label}/{number}", {**ask.values, name: piece})
        for number, piece in enumerate(halves(ask.values[name]), start=1)
    ]


def _request(contract: Contract, base_url: str, values: Mapping[str, Any]) -> SentRequest:
    request = contract.extract.request
    return SentRequest(
        method=request.method,
        url=base_url + fill(request.path, values),
        query={name: fill(text, values) for name, text in request.query.items()},
        form={name: fill(text, values) for name, text in request.form.items()},
    )


def _ask(who: str, contract: Contract, client: Client, request: SentRequest) -> tuple[Answer, int]:
    counted = 0

    def check(answer: Answer) -> None:
        nonlocal counted
        try:
            counted = sum(
                len(chunk) for chunk in read_records(answer.body, answer.size, contract.format)
            )
        except BodyCutShort as error:
            raise SourceUnavailable(
                f"{who}: the answer from {request.url} cannot be read: {error}. "
                "The next retry may succeed."
            ) from None
        except UnexpectedPayload as error:
            raise UnexpectedPayload(
                f"{who}: {error} in the answer from {request.url}. Has the API changed, "
                "or is `format.records` wrong in the contract?"
            ) from None

    answers = contract.extract.answers
    accept = frozenset((*answers.not_published, *answers.too_large, *answers.unknown_ward))
    return client.ask(who, request, accept=accept, check=check), counted


def _facts(contract: Contract, ask: _Ask, answer: Answer, records: int) -> PageFacts:
    needed = {column.request for column in contract.columns if column.request}
    return PageFacts(
        label=ask.label,
        context={name: str(ask.values[name]) for name in sorted(needed)},
        status=answer.status,
        headers=answer.headers,
        fetched_at=answer.fetched_at,
        sha256=answer.sha256,
        bytes=answer.size,
        records=records,
    )


def _unknown_wards(partition: Partition, unknown: list[_Ask]) -> str:
    names = ", ".join(f"{ask.label} ({ask.values['ward.name']})" for ask in unknown)
    council = unknown[0].values["council.name"]
    return (
        f"{partition}: the API does not know {len(unknown)} of the wards in "
        f"include/councils/{council}.yaml: {names}. Fetch the present set with "
        f"`wandle new-council {council}`, and add it under `ward_sets`."
    )
