"""From page to page: where the next one is, and what proves that a page is the last."""

from __future__ import annotations

from typing import Any

import pytest

from include.errors import SourceRejected, SourceUnavailable, UnexpectedPayload
from include.extract.fetched import Page
from tests.samples import contract, extracting
from tests.unit.extract.paged_api import (
    CURSOR,
    HEADER,
    LINK,
    LIVE,
    OFFSET,
    PAGE,
    ROWS,
    SANDBOX,
    fetch,
    paged,
    records,
    slices,
)

SHORT = OFFSET | {"last_page": "short"}


def capped(query: dict[str, str], most: int = 2, extra: Any = None) -> Any:
    """Rows from an offset, however many are asked for never more than `most`."""
    return slices(query | {"_limit": str(min(int(query["_limit"]), most))}, ROWS, extra)


# --- offsets and page numbers ----------------------------------------------------------------


def test_offsets_continue_until_an_empty_page(paged_api):
    paged_api.answers(lambda query: slices(query, ROWS))

    pages = fetch(paged(OFFSET))

    assert [query["_offset"] for query in paged_api.queries] == ["0", "2", "4", "5"]
    assert {query["_limit"] for query in paged_api.queries} == {"2"}
    assert {query["month"] for query in paged_api.queries} == {"2017-05"}
    assert [page.facts.label for page in pages] == ["2017-05", *(f"2017-05#{n}" for n in (2, 3, 4))]
    assert [page.facts.next for page in pages] == ["2", "4", "5", ""]
    assert records(pages) == ROWS


@pytest.mark.parametrize(("rows", "requests"), [(5, 3), (4, 3)])
def test_where_the_contract_says_so_a_short_page_is_the_last(paged_api, rows, requests):
    paged_api.answers(lambda query: slices(query, ROWS[:rows]))

    assert records(fetch(paged(SHORT))) == ROWS[:rows]
    assert len(paged_api.asked) == requests


def test_a_server_that_caps_its_pages_is_read_to_the_end_by_what_it_gave(paged_api):
    paged_api.answers(capped)

    assert records(fetch(paged(OFFSET | {"size": 2000}))) == ROWS
    assert [query["_offset"] for query in paged_api.queries] == ["0", "2", "4", "5"]


def test_a_page_counts_all_its_records_not_only_those_selected(paged_api):
    rows = [{"id": number, "of": "b" if number < 3 else "a"} for number in range(1, 6)]
    paged_api.answers(lambda query: slices(query, rows))
    source = paged(SHORT, format={"select": {"field": "of", "among": "council.name"}})

    pages = fetch(source)
    assert [page.facts.records for page in pages] == [0, 0, 0]

    rows[3]["of"] = "smallville"
    assert [page.facts.records for page in fetch(source)] == [0, 1, 0]
    assert pages[0].facts.context == {"council.name": "smallville"}


def test_page_numbers_go_up_from_the_first(paged_api):
    def respond(query: dict[str, str]) -> Any:
        start = (int(query["page"]) - 1) * 2
        return {"items": ROWS[start : start + 2]}

    paged_api.answers(respond)

    assert records(fetch(paged(PAGE))) == ROWS
    assert [query["page"] for query in paged_api.queries] == ["1", "2", "3", "4"]


@pytest.mark.parametrize("status", [404, 400, 204])
def test_a_status_ends_the_pages_where_the_contract_says_so(paged_api, status):
    def respond(query: dict[str, str]) -> Any:
        found = slices(query, ROWS[:4])
        return found if found["items"] else status

    paged_api.answers(respond)

    pages = fetch(paged(OFFSET | {"end_status": [status]}))

    assert records(pages) == ROWS[:4]
    assert len(pages) == 2


def test_that_status_is_not_an_end_before_the_first_page(paged_api):
    paged_api.answers(lambda query: 404)

    with pytest.raises(SourceRejected, match="HTTP 404"):
        fetch(paged(OFFSET | {"end_status": [404]}))


def test_more_pages_than_the_contract_allows_are_an_error(paged_api):
    paged_api.answers(lambda query: {"items": [{"id": int(query["_offset"])}]})

    with pytest.raises(UnexpectedPayload, match=r"more than 4 pages .* `paging\.max_pages`"):
        fetch(paged(OFFSET | {"max_pages": 4}))

    assert len(paged_api.asked) == 4


# --- flags -----------------------------------------------------------------------------------


@pytest.mark.parametrize("last", [False, 0, "false"])
def test_a_flag_that_says_no_more_ends_the_pages(paged_api, last):
    def respond(query: dict[str, str]) -> Any:
        ends = int(query["_offset"]) + 2 >= len(ROWS)
        return capped(query, extra={"meta": {"more": last if ends else True}})

    paged_api.answers(respond)

    assert records(fetch(paged(OFFSET | {"size": 2000, "more": "meta.more"}))) == ROWS
    assert len(paged_api.asked) == 3


def test_a_flag_that_is_absent_says_neither(paged_api):
    def respond(query: dict[str, str]) -> Any:
        more = int(query["_offset"]) + 2 < len(ROWS)
        return capped(query, extra={"exceededTransferLimit": True} if more else {})

    paged_api.answers(respond)

    assert records(fetch(paged(OFFSET | {"size": 2000, "more": "exceededTransferLimit"}))) == ROWS
    assert len(paged_api.asked) == 4


def test_a_flag_decides_whether_a_cursor_is_followed(paged_api):
    def respond(query: dict[str, str]) -> Any:
        start = int(query.get("after", 0))
        more = start + 3 < len(ROWS)
        return {"items": ROWS[start:][:3], "meta": {"cursor": start + 3, "more": more}}

    paged_api.answers(respond)

    assert records(fetch(paged(CURSOR | {"more": "meta.more"}))) == ROWS
    assert len(paged_api.asked) == 2


@pytest.mark.parametrize(
    ("paging", "said"),
    [
        (OFFSET | {"more": "more"}, "page 2 says that more follow, but has no records"),
        (CURSOR | {"more": "more"}, "says that more follow, but names no next cursor"),
    ],
    ids=["offset", "cursor"],
)
def test_a_flag_that_the_rest_of_the_answer_contradicts_is_retryable(paged_api, paging, said):
    rows = list(ROWS[:2])
    paged_api.answers(
        lambda query: {"items": rows if query.get("_offset", "0") == "0" else [], "more": True}
    )

    with pytest.raises(SourceUnavailable, match=said):
        fetch(paged(paging))


def test_a_status_that_ends_what_says_more_is_retryable(paged_api):
    paged_api.answers(
        lambda query: {"items": ROWS[:2], "more": True} if query["_offset"] == "0" else 404
    )

    with pytest.raises(SourceUnavailable, match="page 1 says that more follow, page 2 is HTTP 404"):
        fetch(paged(OFFSET | {"more": "more", "end_status": [404]}))


def test_a_value_that_cannot_be_a_flag_is_unexpected(paged_api):
    paged_api.answers(lambda query: {"items": [], "more": "perhaps"})

    with pytest.raises(UnexpectedPayload, match="expected true or false at 'more', found str"):
        fetch(paged(OFFSET | {"more": "more"}))


# --- cursors and links -----------------------------------------------------------------------


@pytest.mark.parametrize("last", [None, "", False, "absent"])
def test_cursors_continue_until_there_is_none(paged_api, last):
    following = {"": ("b", 1), "b": (7, 2), "7": (last, 3)}

    def respond(query: dict[str, str]) -> Any:
        cursor, number = following[query.get("after", "")]
        meta = {} if cursor == "absent" else {"cursor": cursor}
        return {"items": [{"id": number}], "meta": meta}

    paged_api.answers(respond)

    assert [row["id"] for row in records(fetch(paged(CURSOR)))] == [1, 2, 3]
    assert [query.get("after") for query in paged_api.queries] == [None, "b", "7"]


def test_an_empty_page_with_another_cursor_is_not_the_last(paged_api):
    pages = {"": ([1], "b"), "b": ([], "c"), "c": ([2], None)}

    def respond(query: dict[str, str]) -> Any:
        ids, cursor = pages[query.get("after", "")]
        return {"items": [{"id": number} for number in ids], "meta": {"cursor": cursor}}

    paged_api.answers(respond)

    assert [row["id"] for row in records(fetch(paged(CURSOR)))] == [1, 2]


def test_a_first_cursor_is_sent_and_an_empty_page_that_names_itself_is_the_last(paged_api):
    def respond(query: dict[str, str]) -> Any:
        start = int(query["after"].removeprefix("*") or 0)
        found = ROWS[start:][:2]
        return {"items": found, "meta": {"cursor": str(start + len(found))}}

    paged_api.answers(respond)

    assert records(fetch(paged(CURSOR | {"first_cursor": "*"}))) == ROWS
    assert [query["after"] for query in paged_api.queries] == ["*", "2", "4", "5"]


def test_where_every_page_names_a_next_one_an_empty_page_is_the_last(paged_api):
    def respond(query: dict[str, str]) -> Any:
        start = int(query.get("after", 0))
        return {"items": ROWS[start:][:2], "meta": {"cursor": start + 2}}

    paged_api.answers(respond)

    assert records(fetch(paged(CURSOR | {"last_page": "empty"}))) == ROWS


def test_a_value_that_cannot_be_a_cursor_is_unexpected(paged_api):
    paged_api.answers(lambda query: {"items": [], "meta": {"cursor": {"a": 1}}})

    with pytest.raises(UnexpectedPayload, match=r"the next cursor at 'meta\.cursor', found dict"):
        fetch(paged(CURSOR))


ODATA = {"kind": "link", "next": r"@odata\.nextLink", "total": r"@odata\.count"}


def odata(query: dict[str, str]) -> Any:
    skip = int(query.get("$skip", 0))
    following = f"{LIVE}/gauges?$skip={skip + 2}"
    more = {"@odata.nextLink": following} if skip + 2 < len(ROWS) else {}
    return {"@odata.count": len(ROWS), "items": ROWS[skip:][:2]} | more


def test_a_name_may_have_a_dot_in_it(paged_api):
    paged_api.answers(odata)

    assert records(fetch(paged(ODATA))) == ROWS


@pytest.mark.parametrize("field", ["next", "total"])
def test_a_dot_that_is_not_escaped_is_named(paged_api, field):
    paged_api.answers(odata)
    paging = ODATA | {field: ODATA[field].replace("\\", "")}

    with pytest.raises(
        UnexpectedPayload, match=r"whose name has a dot \(write it `@odata\\\."
    ) as said:
        fetch(paged(paging))

    assert paging[field] in str(said.value)


@pytest.mark.parametrize(
    "link",
    [
        "https://api.test/v1/gauges?month=2017-05&p=2",
        "http://api.test/v1/gauges?month=2017-05&p=2",
        "https://API.Test:443/v1/gauges?month=2017-05&p=2",
        "http://api.test:80/v1/gauges?month=2017-05&p=2",
        "/v1/gauges?month=2017-05&p=2",
        "?month=2017-05&p=2",
        "gauges?month=2017-05&p=2",
        "../v1/gauges?month=2017-05&p=2",
        "{base_url}/gauges?month=2017-05&p=2",
    ],
)
@pytest.mark.parametrize("base_url", [SANDBOX, LIVE])
def test_links_in_the_body_are_followed_where_the_api_is_requested(paged_api, link, base_url):
    def respond(query: dict[str, str]) -> Any:
        if "p" in query:
            return {"items": [{"id": 2}], "links": {}}
        return {"items": [{"id": 1}], "links": {"next": link.format(base_url=base_url)}}

    paged_api.answers(respond, f"{base_url}/gauges")

    pages = fetch(paged(LINK), base_url=base_url)

    assert [row["id"] for row in records(pages)] == [1, 2]
    assert paged_api.asked[1] == f"{base_url}/gauges?month=2017-05&p=2"
    assert "?" not in pages[1].request.url


def test_a_relative_link_starts_at_the_page_that_it_is_on(paged_api):
    paged_api.answers(lambda query: {"items": [{"id": 1}], "links": {"next": "gauges/b/2"}})
    paged_api.answers(
        lambda query: {"items": [{"id": 2}], "links": {"next": "3"}}, f"{LIVE}/gauges/b/2"
    )
    paged_api.answers(lambda query: {"items": [{"id": 3}], "links": {}}, f"{LIVE}/gauges/b/3")

    assert [row["id"] for row in records(fetch(paged(LINK)))] == [1, 2, 3]


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("https://evil.test/v1/gauges", r"expected one of the hosts api\.test, found evil\.test"),
        ("//evil.test/v1/gauges", r"found evil\.test"),
        ("https://api.test:8443/v1/gauges", r"found api\.test:8443"),
        ("https://me:secret@api.test/v1/gauges", "it contains user information"),
        ("https://api.test@evil.test/v1/gauges", "it contains user information"),
        ("http://[::1", "it is malformed"),
        ("https://api.test:port/v1", "it is malformed"),
        ("ftp://api.test/v1/gauges", "ftp: is not an HTTP address"),
        ("https://api.test/v1/../admin?p=2", r"/admin is outside of the base path '/v1'|outside"),
        ("../../admin", "outside of the base path"),
        ("%2e%2e/admin", "outside of the base path"),
    ],
)
@pytest.mark.parametrize("base_url", [SANDBOX, LIVE])
def test_a_link_elsewhere_is_not_followed_and_its_page_not_landed(paged_api, link, said, base_url):
    paged_api.answers(
        lambda query: {"items": [{"id": 1}], "links": {"next": link}}, f"{base_url}/gauges"
    )
    given: list[Page] = []

    with pytest.raises(UnexpectedPayload, match=said) as caught:
        fetch(paged(LINK), base_url=base_url, found=given)

    assert "the link to page 2 is not followed" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(paged_api.asked) == 1
    assert given == []


def test_a_link_to_another_host_is_followed_where_the_contract_lists_it(paged_api):
    paged_api.answers(
        lambda query: {"items": [{"id": 1}], "links": {"next": "http://Files.test/p/2"}},
        f"{SANDBOX}/gauges",
    )
    paged_api.answers(
        lambda query: {"items": [{"id": 2}], "links": {}}, "http://127.0.0.1:8082/files.test/p/2"
    )

    pages = fetch(paged(LINK, extract={"hosts": ["files.test"]}), base_url=SANDBOX)

    assert [row["id"] for row in records(pages)] == [1, 2]


def test_links_in_the_header_are_followed(paged_api):
    def respond(query: dict[str, str]) -> Any:
        if query.get("page") == "2":
            return {"items": [{"id": 3}]}
        link = f'<{LIVE}/gauges?page=2&tag=a&tag=b>; rel="next", <{LIVE}/gauges>; rel="first"'
        return {"items": ROWS[:2]}, {"Link": link}

    paged_api.answers(respond)

    assert [row["id"] for row in records(fetch(paged(HEADER)))] == [1, 2, 3]
    assert paged_api.queries[0]["per_page"] == "2"
    assert paged_api.asked[1].endswith("page=2&tag=a&tag=b")


# --- parts and statuses ----------------------------------------------------------------------


def test_pages_may_be_parts_and_the_last_must_reach_the_end(paged_api):
    def respond(query: dict[str, str], total: int = 5) -> Any:
        start = int(query["_offset"])
        part = f"items {start}-{min(start + 1, 4)}/{total}"
        return slices(query, ROWS), {"Content-Range": part}, 206

    paged_api.answers(respond)
    assert records(fetch(paged(SHORT))) == ROWS

    paged_api.answers(lambda query: respond(query, 6))
    with pytest.raises(UnexpectedPayload, match=r"last page holds items 4-4/6 .* no page follows"):
        fetch(paged(SHORT))


def test_an_empty_page_does_not_end_what_a_part_says_continues(paged_api):
    def respond(query: dict[str, str]) -> Any:
        start = int(query["_offset"])
        if start >= 4:
            return {"items": []}
        return slices(query, ROWS), {"Content-Range": f"items {start}-{start + 1}/5"}, 206

    paged_api.answers(respond)

    with pytest.raises(UnexpectedPayload, match=r"last page holds items 2-3/5"):
        fetch(paged(OFFSET))


def test_parts_with_something_missing_between_them_are_fetched_again(paged_api):
    def respond(query: dict[str, str]) -> Any:
        start = int(query.get("page", 1)) - 1
        parts = ["items 0-1/7", "items 4-5/7", "items 6-6/7"]
        found = [rows for rows in (ROWS[:2], [{"id": 15}, {"id": 16}], [{"id": 17}], [])]
        return {"items": found[start]}, {"Content-Range": parts[start]}, 206

    paged_api.answers(respond)

    with pytest.raises(
        SourceUnavailable, match=r"page 2 holds items 4-5/7 .*, the page before it items 0-1/7"
    ):
        fetch(paged(PAGE))


@pytest.mark.parametrize(
    ("content_range", "said"),
    [
        ("items 0-1/3", "the part items 0-1/3"),
        ("items 1-2/2", "the part items 1-2/2"),
        ("bytes 0-99/100", "the part bytes 0-99/100"),
        ("items 0-1/*", "a part without a Content-Range"),
        ("", "a part without a Content-Range"),
    ],
)
def test_a_206_that_is_not_the_whole_is_refused(paged_api, content_range, said):
    paged_api.answers(lambda query: ({"items": ROWS[:2]}, {"Content-Range": content_range}, 206))

    with pytest.raises(UnexpectedPayload, match=f"expected the whole answer, found {said}"):
        fetch(contract(format={"records": "items"}))


@pytest.mark.parametrize("content_range", ["items 0-1/2", "0-1/2", "bytes 0-31/32"])
def test_a_206_that_is_the_whole_is_read(paged_api, content_range):
    paged_api.answers(
        lambda query: ('{"items": [{"id":1}, {"id":2}]} ', {"Content-Range": content_range}, 206)
    )

    (page,) = fetch(contract(format={"records": "items"}))

    assert (page.facts.records, page.facts.status) == (2, 206)


def test_a_status_that_means_empty_brings_no_page_and_is_reported(paged_api):
    paged_api.answers(lambda query: 204)

    (said,) = fetch(contract(extract=extracting(answers={"empty": [204]})))

    assert (said.label, said.status) == ("2017-05", 204)
