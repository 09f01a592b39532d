"""Pages that contradict each other or the declared total: fetched again, then an error."""

from __future__ import annotations

from typing import Any

import pytest

from include.errors import SourceUnavailable, UnexpectedPayload
from include.extract import stable_paging
from tests.samples import column
from tests.unit.extract.paged_api import CURSOR, LINK, OFFSET, ROWS, fetch, paged, records, slices

SHORT = OFFSET | {"last_page": "short"}
COUNTED = OFFSET | {"total": "meta.total"}
MOVING = SHORT | {"until_two_agree": True, "may_repeat": True}


def rows(*ids: Any) -> list[dict[str, Any]]:
    return [{"id": number} for number in ids]


# --- circles ---------------------------------------------------------------------------------


def test_an_api_that_ignores_the_offset_is_noticed_whatever_else_it_says(paged_api):
    paged_api.answers(lambda query: {"at": len(paged_api.asked), "items": ROWS[:2]})

    with pytest.raises(
        UnexpectedPayload, match="page 2 has the same records as page 1: paging loops"
    ):
        fetch(paged(OFFSET))

    assert len(paged_api.asked) == 4


def test_rows_that_moved_by_a_whole_page_once_are_not_a_loop(paged_api):
    found = list(ROWS)

    def respond(query: dict[str, str]) -> Any:
        if len(paged_api.asked) == 2:
            found[:0] = rows(8, 9)
        return slices(query, found)

    paged_api.answers(respond)

    assert records(fetch(paged(SHORT))) == rows(8, 9, 1, 2, 3, 4, 5)


def test_the_same_keys_are_the_same_records_in_any_order_and_with_other_values(paged_api):
    def respond(query: dict[str, str]) -> Any:
        found = [{"id": number, "note": f"{len(paged_api.asked)}"} for number in (1, 2)]
        return {"items": found[:: 1 if query["_offset"] == "0" else -1]}

    paged_api.answers(respond)

    with pytest.raises(UnexpectedPayload, match="page 2 has the same records as page 1"):
        fetch(paged(OFFSET))


def test_records_that_come_back_later_are_noticed(paged_api):
    paged_api.answers(
        lambda query: {"items": ROWS[:2] if int(query["_offset"]) != 2 else ROWS[2:4]}
    )

    with pytest.raises(UnexpectedPayload, match="page 3 has the same records as page 1"):
        fetch(paged(OFFSET))


def test_a_cursor_that_comes_back_is_noticed(paged_api):
    paged_api.answers(
        lambda query: {"items": rows(len(paged_api.asked)), "meta": {"cursor": "same"}}
    )

    with pytest.raises(UnexpectedPayload, match="page 2 names the same next cursor as page 1"):
        fetch(paged(CURSOR))


def test_a_page_that_names_itself_is_noticed(paged_api):
    paged_api.answers(lambda query: {"items": ROWS[:2], "meta": {"cursor": "*"}})

    with pytest.raises(UnexpectedPayload, match="page 1 names itself as the next one"):
        fetch(paged(CURSOR | {"first_cursor": "*"}))


def test_a_link_that_leads_back_is_noticed(paged_api):
    turn = {"": "b", "b": "c", "c": "b"}

    def respond(query: dict[str, str]) -> Any:
        return {
            "items": rows(len(paged_api.asked)),
            "links": {"next": f"?at={turn[query.get('at', '')]}"},
        }

    paged_api.answers(respond)

    with pytest.raises(UnexpectedPayload, match="page 3 names the same next link as page 1"):
        fetch(paged(LINK))


# --- declared totals -------------------------------------------------------------------------


@pytest.mark.parametrize("total", [5, "5"])
def test_a_total_that_is_reached_ends_the_pages(paged_api, total):
    paged_api.answers(lambda query: slices(query, ROWS, {"meta": {"total": total}}))

    assert records(fetch(paged(COUNTED))) == ROWS
    assert len(paged_api.asked) == 3


def test_a_cursor_after_a_total_that_is_reached_is_not_followed(paged_api):
    def respond(query: dict[str, str]) -> Any:
        start = int(query.get("after", 0))
        return {"items": ROWS[start:][:3], "meta": {"cursor": start + 3, "total": 5}}

    paged_api.answers(respond)

    assert records(fetch(paged(CURSOR | {"total": "meta.total"}))) == ROWS
    assert len(paged_api.asked) == 2


def test_a_total_of_none_is_one_empty_page(paged_api):
    paged_api.answers(lambda query: {"items": [], "meta": {"total": 0}})

    (page,) = fetch(paged(COUNTED))

    assert page.facts.records == 0


@pytest.mark.parametrize(
    ("total", "said"),
    [
        (6, "expected 6 records as the source declares, found 5 different ones among 5"),
        (3, "expected 3 records as the source declares, found 4 different ones in 2 pages"),
    ],
)
def test_a_total_that_the_pages_do_not_add_up_to_is_named(paged_api, total, said):
    paged_api.answers(lambda query: slices(query, ROWS, {"meta": {"total": total}}))

    with pytest.raises(SourceUnavailable, match=said):
        fetch(paged(COUNTED))

    assert [query["_offset"] for query in paged_api.queries].count("0") == stable_paging.MOST_PASSES


def test_a_total_is_reached_by_different_keys_only(paged_api):
    paged_api.answers(
        lambda query: slices(query, rows(1, 2, 3, 3, 5, 6, 7), {"meta": {"total": 7}})
    )

    with pytest.raises(
        SourceUnavailable, match=r"expected 7 records .* found 6 different ones among 7"
    ):
        fetch(paged(COUNTED | {"size": 3}))


def test_a_key_within_one_page_is_counted_once_too(paged_api):
    paged_api.answers(lambda query: slices(query, rows(1, 1, 2), {"meta": {"total": 3}}))

    with pytest.raises(SourceUnavailable, match=r"expected 3 records .* found 2 different ones"):
        fetch(paged(COUNTED | {"size": 3}))


def test_without_a_key_equal_records_of_one_page_are_all_counted(paged_api):
    paged_api.answers(lambda query: slices(query, rows(1, 1, 2), {"meta": {"total": 3}}))

    assert len(records(fetch(paged(COUNTED | {"size": 3}, key=[])))) == 3


@pytest.mark.parametrize("path", ["absent.total", "items", "word"])
def test_a_value_that_cannot_be_a_total_is_unexpected(paged_api, path):
    paged_api.answers(lambda query: slices(query, ROWS, {"word": "many"}))

    with pytest.raises(UnexpectedPayload, match=f"number of records at '{path}'"):
        fetch(paged(OFFSET | {"total": path}))


def test_pages_are_fetched_again_after_a_total_has_changed(paged_api):
    found = list(ROWS)

    def respond(query: dict[str, str]) -> Any:
        if len(paged_api.asked) == 2:
            del found[0]
        return slices(query, found, {"meta": {"total": len(found)}})

    paged_api.answers(respond)

    assert records(fetch(paged(COUNTED))) == ROWS[1:]


def test_a_total_that_keeps_changing_is_named(paged_api):
    paged_api.answers(
        lambda query: slices(query, ROWS, {"meta": {"total": 90 + len(paged_api.asked)}})
    )

    with pytest.raises(SourceUnavailable, match="page 2 declares 96 records in all, page 1 95"):
        fetch(paged(COUNTED))


def test_a_page_that_went_missing_once_is_requested_again(paged_api):
    def respond(query: dict[str, str]) -> Any:
        missing = len(paged_api.asked) == 2
        found = {"items": []} if missing else slices(query, ROWS)
        return found | {"meta": {"total": 5}}

    paged_api.answers(respond)

    assert records(fetch(paged(COUNTED))) == ROWS


def test_a_flag_that_says_more_than_the_total_is_retryable(paged_api):
    paged_api.answers(lambda query: slices(query, ROWS, {"meta": {"total": 4}, "more": True}))

    with pytest.raises(
        SourceUnavailable, match="all 4 declared records were received, and page 2 says"
    ):
        fetch(paged(COUNTED | {"more": "more"}))


# --- records that come again -----------------------------------------------------------------


def test_records_that_came_on_an_earlier_page_are_fetched_again(paged_api):
    found = list(ROWS)

    def respond(query: dict[str, str]) -> Any:
        if len(paged_api.asked) == 2:
            found.insert(0, {"id": 0})
        return slices(query, found)

    paged_api.answers(respond)

    assert records(fetch(paged(SHORT))) == [{"id": 0}, *ROWS]


@pytest.mark.parametrize("key", [["id"], []], ids=["by key", "whole records"])
def test_records_that_keep_coming_again_are_an_error(paged_api, key):
    paged_api.answers(lambda query: slices(query, rows(1, 2, 2, 4, 5)))

    with pytest.raises(
        SourceUnavailable, match="1 of 5 records repeat on a later page, 4 are different"
    ):
        fetch(paged(SHORT, key=key))


def test_a_page_without_a_new_record_ends_the_pass_at_once(paged_api):
    paged_api.answers(
        lambda query: {"items": rows(1, 2, 3) if query["_offset"] == "0" else rows(2, 3)}
    )

    with pytest.raises(SourceUnavailable, match="every record of page 2 was on an earlier page"):
        fetch(paged(OFFSET))

    assert len(paged_api.asked) == 2 * stable_paging.MOST_PASSES


def test_where_the_contract_allows_it_records_may_come_again(paged_api):
    paged_api.answers(lambda query: slices(query, rows(1, 2, 2, 4, 5)))

    assert len(records(fetch(paged(SHORT | {"may_repeat": True})))) == 5


def test_a_key_from_the_request_distinguishes_no_records(paged_api):
    paged_api.answers(lambda query: slices(query, ROWS))
    columns = (column("council", request="council.name"), column("id", "integer"))

    for key in (["council"], ["council", "id"]):
        assert records(fetch(paged(OFFSET, columns=list(columns), key=key))) == ROWS


def test_records_without_the_key_are_distinguished_as_a_whole(paged_api):
    found = [{"id": None, "note": "a"}, {"note": "b"}, {"note": "c"}]
    paged_api.answers(lambda query: slices(query, found))

    assert records(fetch(paged(OFFSET))) == found


# --- until two passes agree ------------------------------------------------------------------


def test_pages_are_read_until_two_passes_hold_the_same_records(paged_api):
    orders = [[1, 2, 2, 3, 5], [1, 2, 3, 4, 5], [5, 4, 3, 2, 1]]
    paged_api.answers(lambda query: slices(query, rows(*orders[(len(paged_api.asked) - 1) // 3])))

    pages = fetch(paged(MOVING))

    assert [row["id"] for row in records(pages)] == orders[2]
    assert [page.facts.label for page in pages] == ["2017-05", "2017-05#2", "2017-05#3"]
    assert len(paged_api.asked) == 9


def test_a_pass_with_a_contradiction_agrees_with_none(paged_api):
    orders = [[1, 2, 2, 3, 5]] * 3 + [[1, 2, 3, 4, 5]] * 2
    paged_api.answers(lambda query: slices(query, rows(*orders[(len(paged_api.asked) - 1) // 3])))

    assert records(fetch(paged(MOVING | {"may_repeat": False}))) == ROWS
    assert len(paged_api.asked) == 15


def test_passes_that_never_agree_are_retryable(paged_api):
    paged_api.answers(lambda query: {"items": rows(len(paged_api.asked))})

    with pytest.raises(SourceUnavailable, match="6 passes through the pages, and no two"):
        fetch(paged(MOVING))

    assert len(paged_api.asked) == stable_paging.MOST_PASSES_UNTIL_TWO_AGREE


def test_passes_that_all_have_a_contradiction_name_it(paged_api):
    paged_api.answers(lambda query: slices(query, rows(1, 2, 2, 3, 5)))

    with pytest.raises(SourceUnavailable, match="1 of 5 records repeat"):
        fetch(paged(MOVING | {"may_repeat": False}))


def test_a_record_that_is_listed_twice_is_not_the_same_as_once(paged_api):
    paged_api.answers(lambda query: {"items": ROWS[:1] * (2 if len(paged_api.asked) == 1 else 1)})

    pages = fetch(paged(MOVING | {"size": 5}))

    assert len(paged_api.asked) == 3
    assert records(pages) == ROWS[:1]


@pytest.mark.parametrize("pages", [1, 3])
def test_bodies_come_back_from_a_pass_as_they_were(paged_api, pages):
    found = rows(*range(2 * pages - 1))
    paged_api.answers(lambda query: slices(query, found))

    for paging in (SHORT, MOVING):
        got = fetch(paged(paging))
        assert len(got) == pages
        for page in got:
            assert len(page.body.read()) == page.facts.bytes
