"""Resuming in the middle of paging: what is landed counts, and is checked against what follows."""

from __future__ import annotations

import io
from typing import Any

import pytest

from include.errors import (
    LandingDamaged,
    SourceRejected,
    SourceUnavailable,
    UnexpectedPayload,
)
from include.extract.fetched import Landed, Page
from tests.unit.extract.paged_api import (
    CURSOR,
    HEADER,
    LINK,
    OFFSET,
    PAGE,
    ROWS,
    Api,
    Respond,
    body_of,
    fetch,
    landed,
    paged,
    records,
    slices,
)

COUNTED = OFFSET | {"total": "meta.total"}
MOVING = OFFSET | {"until_two_agree": True}
KINDS = {"offset": OFFSET, "page": PAGE, "cursor": CURSOR, "link": LINK, "header": HEADER}


def rows(*ids: Any) -> list[dict[str, Any]]:
    return [{"id": number} for number in ids]


def any_kind(query: dict[str, str], size: int = 2) -> Any:
    """The rows by whatever kind of paging the query has."""
    page = int(query.get("page", 1)) - 1
    start = int(query.get("_offset") or query.get("after") or page * size)
    more = start + size < len(ROWS)
    following = {
        "meta": {"cursor": start + size if more else None},
        "links": {"next": f"?page={start // size + 2}" if more else None},
    }
    header = {"Link": f'<?page={start // size + 2}>; rel="next"'} if more else {}
    return {"items": ROWS[start : start + size]} | following, header


def interrupted(paged_api: Api, respond: Respond, paging: dict[str, Any], after: int) -> list[Page]:
    """What a fetch has landed when the API fails after so many answers; then it works again."""
    pages: list[Page] = []
    first = len(paged_api.asked)
    is_down = True

    def failing(query: dict[str, str]) -> Any:
        return 503 if is_down and len(paged_api.asked) - first > after else respond(query)

    paged_api.answers(failing)
    with pytest.raises(SourceUnavailable, match="HTTP 503"):
        fetch(paged(paging), found=pages)
    is_down = False
    paged_api.asked.clear()
    return pages


def ids(pages: list[Page]) -> list[int]:
    """Of all pages, also of those that were landed by `interrupted`."""
    return [row["id"] for row in records(pages)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("after", [1, 2])
def test_a_fetch_resumes_at_the_first_page_that_is_missing(paged_api, kind, after):
    complete = KINDS[kind]
    pages = interrupted(paged_api, any_kind, complete, after)
    assert len(pages) == after

    again = fetch(paged(complete), landed(pages))

    assert [page.body for page in again[:after]] == [None] * after
    assert ids(pages + again[after:]) == [1, 2, 3, 4, 5]
    assert len(paged_api.asked) == len(again) - after
    assert [page.facts for page in again[:after]] == [page.facts for page in pages]


def test_it_can_be_interrupted_again(paged_api):
    first = interrupted(paged_api, any_kind, CURSOR, 1)
    down = [True]
    paged_api.answers(lambda query: 503 if query["after"] == "4" and down else any_kind(query))
    second: list[Page] = []
    with pytest.raises(SourceUnavailable):
        fetch(paged(CURSOR), landed(first), found=second)
    down.clear()

    both = [first[0], second[1]]
    third = fetch(paged(CURSOR), landed(both))

    assert ids(both + third[2:]) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("paging", [OFFSET, COUNTED, MOVING], ids=["plain", "counted", "moving"])
def test_what_is_complete_is_not_fetched_again(paged_api, paging):
    paged_api.answers(lambda query: slices(query, ROWS, {"meta": {"total": 5}}))
    pages = fetch(paged(paging))
    paged_api.asked.clear()

    again = fetch(paged(paging), landed(pages))

    assert paged_api.asked == []
    assert [(page.request, page.facts) for page in again] == [
        (page.request, page.facts) for page in pages
    ]
    assert {page.body for page in again} == {None}


@pytest.mark.parametrize("paging", [COUNTED, MOVING], ids=["counted", "moving"])
def test_pages_that_must_belong_together_are_not_mixed_with_older_ones(paged_api, paging):
    paged_api.answers(lambda query: slices(query, ROWS, {"meta": {"total": 5}}))
    pages = fetch(paged(paging))

    again = fetch(paged(paging), landed(pages[:2]))

    assert records(again) == ROWS


@pytest.mark.parametrize("paging", [COUNTED, MOVING], ids=["counted", "moving"])
def test_pages_that_must_belong_together_are_not_landed_before_the_last(paged_api, paging):
    def respond(query: dict[str, str]) -> Any:
        return slices(query, ROWS, {"meta": {"total": 5}})

    assert interrupted(paged_api, respond, paging, 2) == []


def test_pages_of_two_passes_are_not_mixed(paged_api):
    paged_api.answers(any_kind)
    older, newer = fetch(paged(OFFSET)), fetch(paged(OFFSET))
    paged_api.asked.clear()

    again = fetch(paged(OFFSET), landed([newer[0], *older[1:]]))

    assert [page.body is None for page in again] == [True, False, False, False]
    assert len(paged_api.asked) == 3


def test_a_landed_page_that_is_damaged_is_fetched_again_with_those_after_it(paged_api):
    pages = interrupted(paged_api, any_kind, OFFSET, 2)

    def reread(number: int) -> Any:
        if number == 2:
            raise LandingDamaged("page 2")
        return io.BytesIO(body_of(pages[number - 1]))

    again = fetch(paged(OFFSET), Landed([page.facts for page in pages], reread))

    assert ids(pages[:1] + again[1:]) == [1, 2, 3, 4, 5]


# --- what is landed is checked against what follows ------------------------------------------


def test_the_same_records_as_on_a_landed_page_are_a_loop(paged_api):
    pages = interrupted(paged_api, any_kind, OFFSET, 2)
    paged_api.answers(lambda query: {"at": len(paged_api.asked), "items": ROWS[:2]})

    with pytest.raises(UnexpectedPayload, match="page 2 has the same records as page 1"):
        fetch(paged(OFFSET), landed(pages))


def test_a_cursor_that_a_landed_page_named_is_a_loop(paged_api):
    pages = interrupted(paged_api, any_kind, CURSOR, 2)
    paged_api.answers(lambda query: {"items": rows(len(paged_api.asked)), "meta": {"cursor": "2"}})

    with pytest.raises(UnexpectedPayload, match="names the same next cursor as page 1"):
        fetch(paged(CURSOR), landed(pages))


@pytest.mark.parametrize("kind", KINDS)
def test_a_record_of_a_landed_page_that_comes_again_means_reading_all_again(paged_api, kind):
    pages = interrupted(paged_api, any_kind, KINDS[kind], 2)
    moved = rows(0, 1, 2, 3, 4)

    def respond(query: dict[str, str]) -> Any:
        body, headers = any_kind(query)
        return body | {"items": [row for row in moved if row["id"] + 1 in of(body)]}, headers

    paged_api.answers(respond)

    assert ids(fetch(paged(KINDS[kind]), landed(pages))) == [0, 1, 2, 3, 4]


def of(body: Any) -> list[int]:
    return [row["id"] for row in body["items"]]


def test_pages_before_the_interruption_count_towards_the_most_pages(paged_api):
    def respond(query: dict[str, str]) -> Any:
        return {"items": [{"id": int(query["_offset"])}]}

    pages = interrupted(paged_api, respond, OFFSET | {"max_pages": 4}, 3)
    paged_api.answers(respond)

    with pytest.raises(UnexpectedPayload, match="more than 4 pages"):
        fetch(paged(OFFSET | {"max_pages": 4}), landed(pages))


def test_a_landed_page_that_says_more_is_contradicted_by_an_end(paged_api):
    paging = OFFSET | {"more": "more", "end_status": [404]}

    def respond(query: dict[str, str]) -> Any:
        return slices(query, ROWS, {"more": True}) if int(query["_offset"]) < 4 else 404

    pages = interrupted(paged_api, respond, paging, 2)

    with pytest.raises(SourceUnavailable, match="page 2 says that more follow, page 3 is HTTP 404"):
        fetch(paged(paging), landed(pages))


def test_a_total_that_a_landed_page_has_is_not_forgotten(paged_api):
    def respond(query: dict[str, str]) -> Any:
        return slices(query, ROWS, {"count": 9} if query["_offset"] == "0" else {})

    pages = interrupted(paged_api, respond, OFFSET, 2)

    with pytest.raises(UnexpectedPayload, match=r"5 records were received .* 'count' is 9"):
        fetch(paged(OFFSET), landed(pages))


def test_a_contradiction_takes_back_the_pages_that_it_concerns(paged_api):
    found = list(ROWS)

    def respond(query: dict[str, str]) -> Any:
        if len(paged_api.asked) == 3:
            found.insert(0, {"id": 0})
        return slices(query, found)

    paged_api.answers(respond)

    assert ids(fetch(paged(OFFSET))) == [0, 1, 2, 3, 4, 5]


def test_what_keeps_contradicting_itself_leaves_nothing_to_resume(paged_api):
    paged_api.answers(lambda query: slices(query, rows(1, 2, 2, 4, 5)))
    found: list[Page] = []

    with pytest.raises(SourceUnavailable, match="repeat on a later page"):
        fetch(paged(OFFSET), found=found)

    assert found == []


# --- what follows cannot be had any more -----------------------------------------------------


@pytest.mark.parametrize("answer", [400, 404, 410, {"error": "cursor expired"}])
def test_where_the_next_page_is_refused_after_the_interruption_all_are_read_again(
    paged_api, answer
):
    pages = interrupted(paged_api, any_kind, CURSOR, 2)

    def respond(query: dict[str, str]) -> Any:
        # Cursors of before are gone; the new ones are larger.
        if "after" not in query:
            return {"items": ROWS[:3], "meta": {"cursor": 3}}
        return answer if query["after"] == "4" else {"items": ROWS[3:], "meta": {}}

    paged_api.answers(respond)

    assert ids(fetch(paged(CURSOR), landed(pages))) == [1, 2, 3, 4, 5]


def test_what_is_refused_from_the_start_as_well_is_an_error(paged_api):
    pages = interrupted(paged_api, any_kind, CURSOR, 2)
    paged_api.answers(lambda query: 400 if query.get("after") == "4" else any_kind(query))

    with pytest.raises(SourceRejected, match="HTTP 400"):
        fetch(paged(CURSOR), landed(pages))
