"""What answers say of their paging, in the many ways that APIs write it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from include.errors import SourceUnavailable, UnexpectedPayload
from include.extract.signals import next_link
from tests.samples import contract, extracting
from tests.unit.extract.paged_api import (
    CURSOR,
    HEADER,
    LINK,
    OFFSET,
    ROWS,
    fetch,
    paged,
    records,
    slices,
)

SHORT = OFFSET | {"last_page": "short"}
URL = "https://api.test/v1/gauges?page=2"


@pytest.mark.parametrize(
    "header",
    [
        f'<{URL}>; rel="next"',
        f"<{URL}>;rel=next",
        f"< {URL} > ; REL = Next ;",
        f'<{URL}>; rel="next last"',
        f'<{URL}>; title="a; b, <c>; rel=prev"; rel="next"',
        f'<https://api.test/v1/gauges>; rel="first", <{URL}>; rel="next", <{URL}9>; rel="last"',
        f'<{URL}>; rel="next", <{URL}>; rel="last"',
        f'<https://api.test/v1/a,b;c=1?q=<d>; rel="prev",,<{URL}>; crossorigin; rel="next",',
    ],
)
def test_the_next_page_is_in_the_header_link(header):
    assert next_link(header) == URL


@pytest.mark.parametrize("target", ["https://x/a;b=1?page=2", "?f=1,2&page=2", "/p?a=;&b=,"])
def test_a_link_may_hold_separators(target):
    assert next_link(f'<{target}>; rel="next"') == target


@pytest.mark.parametrize("header", ["", f"<{URL}>", f"<{URL}>; rel=prev", f'<{URL}>; rev="next"'])
def test_a_header_without_that_relation_names_none(header):
    assert next_link(header) == ""


@pytest.mark.parametrize(
    "header",
    [f"{URL}; rel=next", f"<{URL}; rel=next", f'<{URL}>; rel="next', f"<{URL}> rel=next"],
)
def test_a_header_that_cannot_be_read_is_not_the_end(header):
    with pytest.raises(UnexpectedPayload, match="expected links in the header Link, found"):
        next_link(header)


def test_two_next_pages_are_not_one():
    with pytest.raises(UnexpectedPayload, match=r"expected one next page .* found 2"):
        next_link(f'<{URL}>; rel="next", <{URL}&x=1>; rel="next"')


@pytest.mark.parametrize(
    ("path", "total"),
    [
        ("hits.total.value", {"hits": {"total": {"value": 4, "relation": "gte"}}}),
        ("result.total", {"result": {"total": 4, "total_was_estimated": True}}),
        ("total", {"total": 4, "total_was_estimated": True}),
    ],
)
def test_a_total_that_is_a_lower_bound_or_an_estimate_is_not_a_total(paged_api, path, total):
    paged_api.answers(lambda query: slices(query, ROWS, total))

    with pytest.raises(UnexpectedPayload, match="it is an estimate or a lower bound"):
        fetch(paged(OFFSET | {"total": path}))


@pytest.mark.parametrize("exact", [{"relation": "eq"}, {"total_was_estimated": False}, {}])
def test_a_total_that_is_exact_ends_the_pages(paged_api, exact):
    paged_api.answers(lambda query: slices(query, ROWS, {"total": {"value": 5} | exact}))

    assert records(fetch(paged(OFFSET | {"total": "total.value"}))) == ROWS


@pytest.mark.parametrize(
    "total",
    [-1, "-1", "unknown", "", "1,234", "1_234", "\u0665", "9" * 20, 5.0, True, [5], {"value": 5}],
)
def test_a_total_that_is_not_a_number_is_unexpected(paged_api, total):
    paged_api.answers(lambda query: slices(query, ROWS, {"total": total}))

    with pytest.raises(UnexpectedPayload, match="expected a number of records at 'total'"):
        fetch(paged(OFFSET | {"total": "total"}))


@pytest.mark.parametrize("total", ["1E999999999", "1E18000000", "5.000000000000000000000001"])
def test_a_total_with_a_huge_exponent_or_a_fraction_is_refused_at_once(paged_api, total):
    paged_api.answers(lambda query: f'{{"items": {json.dumps(ROWS)}, "total": {total}}}')

    with pytest.raises(UnexpectedPayload, match="expected a number of records at 'total'"):
        fetch(paged(OFFSET | {"total": "total"}))


@pytest.mark.parametrize("cursor", [0, "0", "false", "null", 10**30])
def test_what_looks_like_no_cursor_is_followed_if_it_is_one(paged_api, cursor):
    def respond(query: dict[str, str]) -> Any:
        if query.get("after") == str(cursor):
            return {"items": ROWS[2:], "meta": {"cursor": None}}
        return {"items": ROWS[:2], "meta": {"cursor": cursor}}

    paged_api.answers(respond)

    assert records(fetch(paged(CURSOR))) == ROWS


# --- pages that the contract does not follow -------------------------------------------------

SINGLE = contract(format={"records": "items"})
MORE = [
    {"next": f"{URL}"},
    {"next": 2},
    {"@odata.nextLink": URL},
    {"links": {"next": URL}},
    {"links": {"next": {"href": URL, "meta": {}}}},
    {"_links": {"next": {"href": URL}}},
    {"paging": {"cursors": {"after": "x"}, "next": URL}},
    {"meta": {"pagination": {"nextPageToken": "x"}}},
    {"response_metadata": {"next_cursor": "x"}},
    {"has_more": True},
    {"exceededTransferLimit": True},
    {"properties": {"exceededTransferLimit": True}},
    {"pageInfo": {"hasNextPage": True}},
]
NO_MORE = [
    {"next": None},
    {"next": ""},
    {"next": {}},
    {"links": {"next": None, "prev": URL, "self": URL}},
    {"_links": {"next": {"href": None}}},
    {"response_metadata": {"next_cursor": ""}},
    {"has_more": False},
    {"pageInfo": {"hasNextPage": False, "endCursor": "x"}},
    {"next": ["2026-07-04"]},
]


@pytest.mark.parametrize("sign", MORE, ids=str)
def test_an_answer_that_names_another_page_is_not_all_of_it(paged_api, sign):
    paged_api.answers(lambda query: {"items": ROWS} | sign)

    with pytest.raises(UnexpectedPayload, match=r"names another page in '.+', .* `paging`"):
        fetch(SINGLE)


@pytest.mark.parametrize("sign", NO_MORE, ids=str)
def test_an_answer_that_names_no_other_page_is_all_of_it(paged_api, sign):
    paged_api.answers(lambda query: {"items": ROWS} | sign)

    assert records(fetch(SINGLE)) == ROWS


def test_records_are_not_signs(paged_api):
    found = [{"id": 1, "next": URL, "has_more": True, "count": 9}]
    paged_api.answers(lambda query: {"items": found})
    assert records(fetch(SINGLE)) == found

    paged_api.answers(lambda query: {"items": found[0]})
    one = contract(format={"records": "items", "one_or_many": True})
    assert len(fetch(one)) == 1

    paged_api.answers(lambda query: json.dumps(found))
    assert len(fetch(contract())) == 1


@pytest.mark.parametrize(
    "header",
    [f'<{URL}>; rel="next"', f"{URL}; rel=next", f"<{URL}>; rel=next, <{URL}2>; rel=next"],
    ids=["one", "unreadable", "two"],
)
def test_a_header_link_to_another_page_is_a_sign_too(paged_api, header):
    paged_api.answers(lambda query: ({"items": ROWS}, {"Link": header}))

    with pytest.raises(UnexpectedPayload, match="names another page in the header Link"):
        fetch(SINGLE)


@pytest.mark.parametrize(
    ("ignored", "answer"),
    [
        ("links.next", ({"items": ROWS, "links": {"next": URL}}, {})),
        ("header", ({"items": ROWS}, {"Link": f'<{URL}>; rel="next"'})),
        ("timed_out", ({"items": ROWS, "timed_out": True}, {})),
        ("total", ({"items": ROWS, "total": 700}, {})),
        (r"a\.b.next", ({"items": ROWS, "a.b": {"next": URL}}, {})),
    ],
)
def test_the_contract_can_say_that_it_is_not_a_sign(paged_api, ignored, answer):
    paged_api.answers(lambda query: answer)

    source = contract(
        format={"records": "items"}, extract=extracting(answers={"ignore": [ignored]})
    )

    assert records(fetch(source)) == ROWS


@pytest.mark.parametrize("paging", [CURSOR, LINK, HEADER, SHORT], ids=lambda paging: paging["kind"])
def test_a_page_is_not_the_last_where_another_field_names_a_next_one(paged_api, paging):
    paged_api.answers(lambda query: {"items": ROWS[:1], "nextPageToken": "x"})

    with pytest.raises(UnexpectedPayload, match="names another page in 'nextPageToken'"):
        fetch(paged(paging))


@pytest.mark.parametrize(
    ("paging", "proof"),
    [
        (OFFSET | {"total": "total"}, {"total": 5}),
        (OFFSET | {"more": "more", "size": 9}, {"more": False}),
        (OFFSET, {}),
    ],
    ids=["total", "flag", "empty page"],
)
def test_a_next_page_is_not_a_sign_after_what_proves_the_end(paged_api, paging, proof):
    paged_api.answers(lambda query: slices(query, ROWS, {"next": URL} | proof))

    assert records(fetch(paged(paging))) == ROWS


def test_signs_are_found_after_the_records_of_a_large_answer(paged_api):
    rows = [{"id": number, "list": [1], "text": "x" * 5_000} for number in range(1_000)]
    paged_api.answers(lambda query: {"items": rows, "tags": [1], "meta": {"next": URL}})
    with pytest.raises(UnexpectedPayload, match=r"names another page in 'meta\.next'"):
        fetch(SINGLE)

    paged_api.answers(lambda query: {"has_more": True, "items": rows})
    with pytest.raises(UnexpectedPayload, match="names another page in 'has_more'"):
        fetch(SINGLE)

    paged_api.answers(lambda query: {"items": rows, "tags": [1], "meta": {"next": None}})
    assert len(fetch(SINGLE)) == 1


# --- answers that say that they lack records -------------------------------------------------


@pytest.mark.parametrize("sign", ["timed_out", "incomplete_results"])
def test_an_answer_that_says_that_records_are_missing_is_not_taken(paged_api, sign):
    paged_api.answers(lambda query: {"items": ROWS, sign: True})
    with pytest.raises(SourceUnavailable, match=r"says that records are missing: '.+' is true"):
        fetch(SINGLE)

    paged_api.answers(lambda query: {"items": ROWS, sign: False})
    assert records(fetch(SINGLE)) == ROWS


# --- totals that the contract does not name --------------------------------------------------

FEW: list[tuple[str, dict[str, Any]]] = [
    ("items", {"total_count": 25_000}),
    ("items", {"count": 6}),
    ("items", {"meta": {"total": "1916"}}),
    ("result.records", {"result": {"total": 700}}),
    ("hits.hits", {"hits": {"total": {"value": 10_000, "relation": "gte"}}}),
    ("items", {"numberMatched": 6, "numberReturned": 5}),
]


def around(path: str, rows: list[Any], beside: dict[str, Any]) -> dict[str, Any]:
    """An answer with records at a path and other fields."""
    first, _, second = path.partition(".")
    return beside | {first: beside.get(first, {}) | {second: rows} if second else rows}


@pytest.mark.parametrize(("path", "beside"), FEW, ids=str)
def test_fewer_records_than_an_answer_declares_are_not_all(paged_api, path, beside):
    paged_api.answers(lambda query: around(path, ROWS, beside))

    with pytest.raises(UnexpectedPayload, match=r"5 records were received .* there are more: '"):
        fetch(contract(format={"records": path}))


@pytest.mark.parametrize(
    "beside",
    [
        {"count": 5},
        {"count": 2},
        {"total": None},
        {"total": "unknown"},
        {"total": -1},
        {"total": 12.5},
        {"crimes": {"total": 700}},
        {"aggregations": {"by_month": {"count": 700}}},
    ],
    ids=str,
)
def test_a_total_that_is_reached_or_of_something_else_is_not_a_sign(paged_api, beside):
    paged_api.answers(lambda query: around("items", ROWS, beside))

    assert records(fetch(SINGLE)) == ROWS


def test_pages_that_end_before_a_total_that_the_contract_does_not_name(paged_api):
    paged_api.answers(lambda query: slices(query, ROWS, {"total_count": 6}))
    with pytest.raises(UnexpectedPayload, match=r"5 records were received .*'total_count' is 6"):
        fetch(paged(OFFSET))

    paged_api.answers(lambda query: slices(query, ROWS, {"total_count": 5}))
    assert records(fetch(paged(OFFSET))) == ROWS


def test_records_that_are_selected_are_not_compared_with_a_total(paged_api):
    paged_api.answers(lambda query: {"total": 5, "items": [row | {"of": "x"} for row in ROWS]})
    select = {"field": "of", "among": "council.name"}

    assert fetch(contract(format={"records": "items", "select": select}))[0].facts.records == 0


@pytest.mark.parametrize("name", ["X-Total-Count", "x-wp-total", "X-Total"])
def test_a_total_in_a_header_counts_too(paged_api, name):
    paged_api.answers(lambda query: ({"items": ROWS}, {name: "6"}))
    with pytest.raises(UnexpectedPayload, match=r"5 records were received .* the header X-.* is 6"):
        fetch(SINGLE)

    paged_api.answers(lambda query: ({"items": ROWS}, {name: "5"}))
    assert records(fetch(SINGLE)) == ROWS


@pytest.mark.parametrize("last", [404, {"items": []}], ids=["status", "empty page"])
def test_a_total_on_earlier_pages_contradicts_the_end(paged_api, last):
    def respond(query: dict[str, str]) -> Any:
        return slices(query, ROWS, {"count": 9}) if int(query["_offset"]) < 5 else last

    paged_api.answers(respond)

    with pytest.raises(UnexpectedPayload, match=r"5 records were received .*'count' is 9"):
        fetch(paged(OFFSET | {"end_status": [404]}))


def test_a_flag_that_said_more_contradicts_an_empty_page_without_one(paged_api):
    paged_api.answers(
        lambda query: (
            {"items": ROWS[:2], "more": True} if query["_offset"] == "0" else {"items": []}
        )
    )

    with pytest.raises(
        SourceUnavailable, match="page 1 says that more follow, page 2 has no records"
    ):
        fetch(paged(OFFSET | {"more": "more"}))


def test_an_answer_with_status_200_may_be_a_part_as_well(paged_api):
    paged_api.answers(lambda query: ({"items": ROWS}, {"Content-Range": "posts 0-4/319"}))

    with pytest.raises(UnexpectedPayload, match=r"HTTP 200 .* found the part posts 0-4/319"):
        fetch(SINGLE)
