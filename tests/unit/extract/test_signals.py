"""What answers say of their paging, in the many ways that APIs write it."""

from __future__ import annotations

from typing import Any

import pytest

from include.errors import UnexpectedPayload
from include.extract.signals import next_link
from tests.unit.extract.paged_api import CURSOR, OFFSET, ROWS, fetch, paged, records, slices

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
def test_the_next_page_stands_in_the_header_link(header):
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
def test_a_total_that_is_a_lower_bound_or_an_estimate_is_no_total(paged_api, path, total):
    paged_api.answers(lambda query: slices(query, ROWS, total))

    with pytest.raises(UnexpectedPayload, match="it is an estimate or a lower bound"):
        fetch(paged(OFFSET | {"total": path}))


@pytest.mark.parametrize("exact", [{"relation": "eq"}, {"total_was_estimated": False}, {}])
def test_a_total_that_is_exact_ends_the_pages(paged_api, exact):
    paged_api.answers(lambda query: slices(query, ROWS, {"total": {"value": 5} | exact}))

    assert records(fetch(paged(OFFSET | {"total": "total.value"}))) == ROWS


@pytest.mark.parametrize("total", [-1, "unknown", "1,234", 5.0, True, [5], {"value": 5}])
def test_a_total_that_is_no_number_is_unexpected(paged_api, total):
    paged_api.answers(lambda query: slices(query, ROWS, {"total": total}))

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
