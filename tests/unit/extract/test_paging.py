"""From page to page: where the next one is, when it is the last, and circles that are noticed."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
import responses

from include.councils.model import Council
from include.errors import SourceUnavailable, UnexpectedPayload
from include.extract import stable_paging
from include.extract.client import Client
from include.extract.fetched import AlreadyLanded, Fetched, Page
from include.extract.pages import fetch_pages
from include.sources.model import Contract, Rate
from include.sources.page import LandedBefore
from tests.samples import BASE_URL, column, contract, council, council_fields, extracting, partition

LIVE = "https://api.test/v1"
SANDBOX = "http://127.0.0.1:8082/api.test/v1"
OFFSET = {"kind": "offset", "size": 2, "size_parameter": "_limit", "parameter": "_offset"}
PAGE = {"kind": "page", "size": 2, "parameter": "page", "first": 1}
CURSOR = {"kind": "cursor", "next": "meta.cursor", "parameter": "after"}
LINK = {"kind": "link", "next": "links.next"}
HEADER = {"kind": "link", "next": "header", "size": 2, "size_parameter": "per_page"}

Respond = Callable[[dict[str, str]], Any]


class NoParents:
    """For sources that need none."""

    def value(self, name: str, values: Any) -> str:
        raise AssertionError(name)

    def records(self, name: str, columns: list[str], values: Any) -> Iterator[Any]:
        raise AssertionError(name)


class Api:
    """An API that is a function of the query; `asked` are the URLs that were asked for."""

    def __init__(self, mock: responses.RequestsMock) -> None:
        self.asked: list[str] = []
        self._mock = mock

    def answers(self, respond: Respond, path: str = f"{BASE_URL}/gauges") -> None:
        def callback(request: Any) -> tuple[int, dict[str, str], str]:
            self.asked.append(request.url)
            found = respond(dict(parse_qsl(urlsplit(request.url).query)))
            body, headers = found if isinstance(found, tuple) else (found, {})
            return 200, headers, body if isinstance(body, str) else json.dumps(body)

        self._mock.add_callback(responses.GET, path, callback)

    @property
    def queries(self) -> list[dict[str, str]]:
        return [dict(parse_qsl(urlsplit(url).query)) for url in self.asked]


@pytest.fixture
def api():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield Api(mock)


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)


def paged(paging: dict[str, Any], records: str = "items", **more: Any) -> Contract:
    extract = extracting(paging=paging, attempts=2, **more.pop("extract", {}))
    return contract(extract=extract, format={"records": records} | more.pop("format", {}), **more)


def fetch(
    source: Contract, landed: tuple[LandedBefore, ...] = (), base_url: str = BASE_URL
) -> list[Page]:
    client = Client(source.extract, Rate(per_second=1000, burst=1000))
    return list(
        fetch_pages(
            source,
            partition(),
            council(),
            client=client,
            base_url=base_url,
            parents=NoParents(),
            landed=landed,
        )
    )


def landed(page: Page) -> LandedBefore:
    assert isinstance(page, Fetched)
    facts = page.facts
    return LandedBefore(
        label=facts.label,
        digest=page.request.digest_with(facts.context),
        next=facts.next,
        records=facts.records,
        sha256=facts.sha256,
    )


def records(pages: list[Page]) -> list[Any]:
    found: list[Any] = []
    for page in pages:
        assert isinstance(page, Fetched)
        found += json.loads(page.body.read())["items"]
    return found


def slices(query: dict[str, str], rows: list[Any], extra: Any = None) -> Any:
    start, size = int(query["_offset"]), int(query["_limit"])
    return {"items": rows[start : start + size]} | (extra or {})


ROWS = [{"id": number} for number in range(1, 6)]


def test_offsets_go_on_until_a_short_page(api):
    api.answers(lambda query: slices(query, ROWS))

    pages = fetch(paged(OFFSET))

    assert [query["_offset"] for query in api.queries] == ["0", "2", "4"]
    assert {query["_limit"] for query in api.queries} == {"2"}
    assert {query["month"] for query in api.queries} == {"2017-05"}
    assert [page.facts.label for page in pages] == ["2017-05", "2017-05#2", "2017-05#3"]
    assert [page.facts.next for page in pages] == ["2", "4", ""]
    assert records(pages) == ROWS


def test_a_last_page_that_is_full_is_followed_by_an_empty_one(api):
    api.answers(lambda query: slices(query, ROWS[:4]))

    assert [page.facts.records for page in fetch(paged(OFFSET))] == [2, 2, 0]


def test_a_page_is_short_by_all_its_records_not_by_those_selected(api):
    rows = [{"id": number, "of": "b" if number < 3 else "a"} for number in range(1, 6)]
    api.answers(lambda query: slices(query, rows))
    source = paged(OFFSET, format={"select": {"field": "of", "among": "council.name"}})

    pages = fetch(source)
    assert [page.facts.records for page in pages] == [0, 0, 0]

    rows[3]["of"] = "smallville"
    assert [page.facts.records for page in fetch(source)] == [0, 1, 0]
    assert pages[0].facts.context == {"council.name": "smallville"}


def test_page_numbers_go_up_from_the_first(api):
    def respond(query: dict[str, str]) -> Any:
        start = (int(query["page"]) - 1) * 2
        return {"items": ROWS[start : start + 2]}

    api.answers(respond)

    assert records(fetch(paged(PAGE))) == ROWS
    assert [query["page"] for query in api.queries] == ["1", "2", "3"]


@pytest.mark.parametrize("last", [None, "", False, "absent"])
def test_cursors_go_on_until_there_is_none(api, last):
    following = {"": ("b", 1), "b": (7, 2), "7": (last, 3)}

    def respond(query: dict[str, str]) -> Any:
        cursor, number = following[query.get("after", "")]
        meta = {} if cursor == "absent" else {"cursor": cursor}
        return {"items": [{"id": number}], "meta": meta}

    api.answers(respond)

    assert [row["id"] for row in records(fetch(paged(CURSOR)))] == [1, 2, 3]
    assert [query.get("after") for query in api.queries] == [None, "b", "7"]


def test_a_cursor_that_is_none_is_unexpected(api):
    api.answers(lambda query: {"items": [], "meta": {"cursor": {"a": 1}}})

    with pytest.raises(UnexpectedPayload, match=r"the next cursor at 'meta\.cursor', found dict"):
        fetch(paged(CURSOR))


@pytest.mark.parametrize(
    "link",
    [
        "https://api.test/v1/gauges?month=2017-05&p=2",
        "http://api.test/v1/gauges?month=2017-05&p=2",
        "/v1/gauges?month=2017-05&p=2",
        "?month=2017-05&p=2",
        "http://127.0.0.1:8082/api.test/v1/gauges?month=2017-05&p=2",
    ],
    ids=["absolute", "plain http", "from the root", "query alone", "by the address asked"],
)
def test_links_in_the_body_are_followed_where_the_api_is_asked(api, link):
    def respond(query: dict[str, str]) -> Any:
        if "p" in query:
            return {"items": [{"id": 2}], "links": {}}
        return {"items": [{"id": 1}], "links": {"next": link}}

    api.answers(respond, f"{SANDBOX}/gauges")

    pages = fetch(paged(LINK), base_url=SANDBOX)

    assert [row["id"] for row in records(pages)] == [1, 2]
    assert api.asked[1] == f"{SANDBOX}/gauges?month=2017-05&p=2"
    assert "?" not in pages[1].request.url


def test_a_link_away_from_the_api_is_not_followed(api):
    api.answers(lambda query: {"items": [1], "links": {"next": "https://evil.test/v1/gauges"}})

    with pytest.raises(UnexpectedPayload, match=r"a next link to api\.test, found .* evil\.test"):
        fetch(paged(LINK))


def test_links_in_the_header_are_followed(api):
    def respond(query: dict[str, str]) -> Any:
        if query.get("page") == "2":
            return {"items": [{"id": 3}]}
        link = f'<{LIVE}/gauges?page=2&tag=a&tag=b>; rel="next", <{LIVE}/gauges>; rel="first"'
        return {"items": ROWS[:2]}, {"Link": link}

    api.answers(respond)

    assert [row["id"] for row in records(fetch(paged(HEADER)))] == [1, 2, 3]
    assert api.queries[0]["per_page"] == "2"
    assert api.asked[1].endswith("page=2&tag=a&tag=b")


# --- circles ---------------------------------------------------------------------------------


def test_an_api_that_does_not_heed_the_offset_is_noticed(api):
    api.answers(lambda query: {"items": ROWS[:2]})

    with pytest.raises(UnexpectedPayload, match=r"page 2 has the same body as page 1: paging"):
        fetch(paged(OFFSET))

    assert len(api.asked) == 2


def test_a_body_that_comes_back_later_is_noticed(api):
    api.answers(lambda query: {"items": ROWS[:2] if int(query["_offset"]) != 2 else ROWS[2:4]})

    with pytest.raises(UnexpectedPayload, match="page 3 has the same body as page 1"):
        fetch(paged(OFFSET))


def test_a_cursor_that_comes_back_is_noticed(api):
    api.answers(lambda query: {"items": [len(api.asked)], "meta": {"cursor": "same"}})

    with pytest.raises(UnexpectedPayload, match="page 2 names the same next cursor as page 1"):
        fetch(paged(CURSOR))


def test_a_link_that_leads_back_is_noticed(api):
    turn = {"": "b", "b": "c", "c": "b"}

    def respond(query: dict[str, str]) -> Any:
        return {
            "items": [len(api.asked)],
            "links": {"next": f"?at={turn[query.get('at', '')]}"},
        }

    api.answers(respond)

    with pytest.raises(UnexpectedPayload, match="page 3 names the same next link as page 1"):
        fetch(paged(LINK))


# --- declared totals -------------------------------------------------------------------------

COUNTED = OFFSET | {"total": "meta.total"}


@pytest.mark.parametrize("total", [5, "5"])
def test_a_total_that_the_pages_add_up_to_is_fine(api, total):
    api.answers(lambda query: slices(query, ROWS, {"meta": {"total": total}}))

    assert records(fetch(paged(COUNTED))) == ROWS


@pytest.mark.parametrize("total", [6, 4])
def test_a_total_that_the_pages_do_not_add_up_to_is_named(api, total):
    api.answers(lambda query: slices(query, ROWS, {"meta": {"total": total}}))

    with pytest.raises(SourceUnavailable, match=f"expected {total} records as the source declares"):
        fetch(paged(COUNTED))


def test_a_page_that_went_missing_once_is_asked_for_again(api):
    def respond(query: dict[str, str]) -> Any:
        missing = len(api.asked) == 2
        found = {"items": []} if missing else slices(query, ROWS)
        return found | {"meta": {"total": 5}}

    api.answers(respond)

    assert records(fetch(paged(COUNTED))) == ROWS


def test_a_total_that_is_not_there_is_unexpected(api):
    api.answers(lambda query: slices(query, ROWS))

    with pytest.raises(UnexpectedPayload, match=r"total number of records at 'meta\.total'"):
        fetch(paged(COUNTED))


# --- until two passes agree ------------------------------------------------------------------

MOVING = OFFSET | {"until_two_agree": True}


def test_pages_are_read_until_two_passes_hold_the_same_records(api):
    orders = [[1, 2, 2, 3, 5], [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]]

    def respond(query: dict[str, str]) -> Any:
        order = orders[(len(api.asked) - 1) // 3]
        return slices(query, [{"id": number} for number in order])

    api.answers(respond)

    pages = fetch(paged(MOVING))

    assert [row["id"] for row in records(pages)] == orders[2]
    assert [page.facts.label for page in pages] == ["2017-05", "2017-05#2", "2017-05#3"]
    assert len(api.asked) == 9


def test_passes_that_never_agree_are_retryable(api):
    api.answers(lambda query: {"items": [{"id": len(api.asked)}]})

    with pytest.raises(SourceUnavailable, match="6 passes through the pages, and no two"):
        fetch(paged(MOVING))

    assert len(api.asked) == stable_paging.MOST_PASSES


def test_a_record_that_stands_twice_is_not_the_same_as_once(api):
    api.answers(lambda query: {"items": ROWS[:1] * (2 if len(api.asked) == 1 else 1)})

    pages = fetch(paged(MOVING | {"size": 5}))

    assert len(api.asked) == 3
    assert records(pages) == ROWS[:1]


# --- resuming --------------------------------------------------------------------------------


@pytest.mark.parametrize("paging", [OFFSET, COUNTED, MOVING], ids=["plain", "counted", "moving"])
def test_what_is_all_there_is_not_asked_for_again(api, paging):
    api.answers(lambda query: slices(query, ROWS, {"meta": {"total": 5}}))
    pages = fetch(paged(paging))
    api.asked.clear()

    again = fetch(paged(paging), tuple(landed(page) for page in pages))

    assert api.asked == []
    assert again == [AlreadyLanded(page.request, {}) for page in pages]


def test_a_fetch_goes_on_behind_the_last_page_that_is_there(api):
    api.answers(lambda query: slices(query, ROWS))
    pages = fetch(paged(OFFSET))
    api.asked.clear()

    again = fetch(paged(OFFSET), tuple(landed(page) for page in pages[:2]))

    assert [query["_offset"] for query in api.queries] == ["4"]
    assert again[2].facts.label == "2017-05#3"


def test_a_fetch_goes_on_with_the_cursor_of_the_last_page(api):
    following = {"": "b", "b": "c", "c": None}
    api.answers(
        lambda query: {
            "items": [query.get("after", "")],
            "meta": {"cursor": following[query.get("after", "")]},
        }
    )
    pages = fetch(paged(CURSOR))
    api.asked.clear()

    fetch(paged(CURSOR), tuple(landed(page) for page in pages[:2]))

    assert [query.get("after") for query in api.queries] == ["c"]


def test_a_circle_is_noticed_across_an_interruption(api):
    api.answers(lambda query: {"items": ROWS[:2]})
    once = next(
        iter(
            fetch_pages(
                paged(OFFSET),
                partition(),
                council(),
                client=Client(paged(OFFSET).extract, Rate(per_second=1000, burst=1000)),
                base_url=BASE_URL,
                parents=NoParents(),
            )
        )
    )

    with pytest.raises(UnexpectedPayload, match="page 2 has the same body as page 1"):
        fetch(paged(OFFSET), (landed(once),))


@pytest.mark.parametrize("paging", [COUNTED, MOVING], ids=["counted", "moving"])
def test_pages_that_must_belong_together_are_not_mixed_with_older_ones(api, paging):
    api.answers(lambda query: slices(query, ROWS, {"meta": {"total": 5}}))
    pages = fetch(paged(paging))

    again = fetch(paged(paging), tuple(landed(page) for page in pages[:2]))

    assert [type(page) for page in again] == [Fetched] * 3


# --- windows, points, paths ------------------------------------------------------------------


def test_a_period_is_cut_into_windows_that_meet(api):
    api.answers(lambda query: [query["from"]])
    source = contract(
        column("id"),
        period="day",
        extract=extracting(
            window_minutes=500,
            request={
                "path": "/gauges",
                "query": {
                    "from": "{window.start:%Y-%m-%dT%H:%M:%SZ}",
                    "to": "{window.end:%Y-%m-%dT%H:%M:%SZ}",
                },
            },
        ),
    )
    client = Client(source.extract, Rate(per_second=1000, burst=1000))
    day = type(partition())("gauges", "kingston", source.parse_period("2017-05-31"))

    pages = list(
        fetch_pages(source, day, None, client=client, base_url=BASE_URL, parents=NoParents())
    )

    windows = [(query["from"][8:16], query["to"][8:16]) for query in api.queries]
    assert windows == [
        ("31T00:00", "31T08:20"),
        ("31T08:20", "31T16:40"),
        ("31T16:40", "01T00:00"),
    ]
    assert pages[1].facts.label == "2017-05-31 2017-05-31T08:20"


def test_the_council_its_points_and_the_end_of_the_period_go_into_requests(api):
    api.answers(lambda query: [1], f"{BASE_URL}/North%20End/2017-06-01")
    api.answers(lambda query: [1], f"{BASE_URL}/A%2FB/2017-06-01")
    points = [
        {"name": "North End", "latitude": 51.25, "longitude": -0.5},
        {"name": "A/B", "latitude": 51, "longitude": 0},
    ]
    place = Council.model_validate(council_fields(points=points))
    source = contract(
        column("point", request="point.name"),
        extract=extracting(
            for_each="point",
            request={
                "path": "/{point.name}/{period.next}",
                "query": {
                    "at": "{point.latitude},{point.longitude}",
                    "last": "{period.last}",
                    "km": "{council.radius_km}",
                },
            },
        ),
    )
    client = Client(source.extract, Rate(per_second=1000, burst=1000))

    pages = list(
        fetch_pages(
            source, partition(), place, client=client, base_url=BASE_URL, parents=NoParents()
        )
    )

    assert api.queries[0] == {
        "at": "51.25,-0.5",
        "last": "2017-05-31",
        "km": f"{place.radius_km}",
    }
    assert [page.facts.label for page in pages] == ["North End", "A/B"]
    assert pages[1].facts.context == {"point.name": "A/B"}
