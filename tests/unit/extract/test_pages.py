"""The pages of a partition: order, splitting, what is not there, and what is there already."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs

import pytest
import responses

from include.errors import SourceRejected, SourceUnavailable, UnexpectedPayload
from include.extract.client import Client
from include.extract.fetched import Landed, NotPublished
from include.extract.pages import fetch_pages
from include.extract.polygon import halves
from include.sources.extract.http import Rate
from include.sources.model import Contract
from include.sources.page import PageFacts, SentRequest
from tests.samples import BASE_URL, column, contract, council, extracting, facts, partition

SQUARE = "0.0,0.0:0.0,8.0:4.0,8.0:4.0,0.0"
WARDS = ("E05000001", "E05000002", "E05000003")
BY_WARD = contract(
    column("ward", request="ward.code"),
    column("id", "integer"),
    extract=extracting(
        for_each="ward",
        attempts=2,
        parents={"poly": {"source": "gauges", "each": "{id}", "join": ":"}},
        request={"method": "POST", "path": "/crimes", "form": {"w": "{ward.code}", "p": "{poly}"}},
        answers={"not_published": [404], "too_large": [503], "unknown_ward": [410]},
        split="poly",
    ),
)
URL = f"{BASE_URL}/crimes"


@pytest.fixture
def api():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: None)


def answers(api: Any, respond: Any) -> None:
    """`respond` gets the form of each request."""

    def callback(request: Any) -> tuple[int, dict[str, str], str]:
        form = {name: value[0] for name, value in parse_qs(request.body).items()}
        status, body = respond(form)
        return status, {}, body

    api.add_callback(responses.POST, URL, callback)


class Parents:
    """Every ward has the same polygon."""

    def value(self, name: str, values: Any) -> str:
        return SQUARE


def fetch(source: Contract = BY_WARD, landed: tuple[PageFacts, ...] = ()) -> list[Any]:
    return list(
        fetch_pages(
            source,
            partition(),
            council(*WARDS),
            client=Client(source.extract, Rate(per_second=1000, burst=1000)),
            base_url=BASE_URL,
            parents=Parents(),
            landed=Landed(landed),
        )
    )


def before(label: str, ward: str, polygon: str) -> PageFacts:
    """A page that an earlier attempt landed."""
    request = SentRequest(method="POST", url=URL, form={"w": ward, "p": polygon})
    digest = request.digest_with({"ward.code": ward})
    return facts(b"[1]", 1, label).model_copy(update={"digest": digest})


def labels(pages: list[Any]) -> list[str]:
    return [page.facts.label for page in pages]


def test_there_is_one_page_for_each_ward_in_the_councils_order(api):
    answers(api, lambda form: (200, '[{"id":1},{"id":2}]'))

    pages = fetch()

    assert labels(pages) == list(WARDS)
    assert [page.facts.records for page in pages] == [2, 2, 2]
    assert pages[0].facts.context == {"ward.code": WARDS[0]}
    assert pages[0].request.form == {"w": WARDS[0], "p": SQUARE}


def test_a_body_can_be_read_from_its_start(api):
    answers(api, lambda form: (200, '[{"id":1}]'))

    assert fetch()[0].body.read() == b'[{"id":1}]'


def test_an_area_that_is_too_large_is_split_in_its_place(api):
    answers(
        api,
        lambda form: (503, "") if form["w"] == WARDS[1] and form["p"] == SQUARE else (200, "[]"),
    )

    assert labels(fetch()) == [WARDS[0], f"{WARDS[1]}/1", f"{WARDS[1]}/2", WARDS[2]]


def test_a_part_that_is_too_large_has_parts_of_its_own(api):
    too_large = [SQUARE, halves(SQUARE)[0]]
    answers(api, lambda form: (503, "") if form["p"] in too_large else (200, "[]"))

    assert labels(fetch())[:3] == [f"{WARDS[0]}/1/1", f"{WARDS[0]}/1/2", f"{WARDS[0]}/2"]


def test_a_source_that_refuses_every_part_is_down_rather_than_the_area_too_large(api):
    asked: list[str] = []
    answers(api, lambda form: asked.append(form["p"]) or (503, ""))  # type: ignore[func-returns-value]

    with pytest.raises(SourceUnavailable, match="HTTP 503 even for a part"):
        fetch()

    assert len(asked) == 13


def test_a_period_that_is_not_there_is_distinguished(api):
    answers(api, lambda form: (404, "Not found"))

    with pytest.raises(NotPublished) as caught:
        fetch()

    assert caught.value.answered.status == 404
    assert caught.value.answered.label == WARDS[0]


def test_a_part_missing_after_others_were_served_is_an_error(api):
    answers(api, lambda form: (404, "") if form["w"] == WARDS[1] else (200, "[]"))

    with pytest.raises(SourceRejected, match=f"{WARDS[1]}: HTTP 404, after other parts"):
        fetch()


def test_every_unknown_ward_is_named_in_one_message(api):
    answers(api, lambda form: (410, "") if form["w"] != WARDS[1] else (200, "[]"))

    with pytest.raises(SourceRejected) as caught:
        fetch()

    said = str(caught.value)
    assert "does not know 2 of the wards in include/councils/smallville.yaml" in said
    assert f"{WARDS[0]} (Ward 1), {WARDS[2]} (Ward 3)" in said
    assert WARDS[1] not in said


def test_pages_that_are_there_already_are_not_requested(api):
    asked: list[str] = []
    answers(api, lambda form: asked.append(form["w"]) or (200, "[]"))  # type: ignore[func-returns-value]

    pages = fetch(landed=(before(WARDS[0], WARDS[0], SQUARE),))

    assert asked == [WARDS[1], WARDS[2]]
    assert pages[0].body is None
    assert pages[0].request.form["w"] == WARDS[0]


def test_a_landed_part_shows_that_its_area_was_split(api):
    asked: list[str] = []
    answers(api, lambda form: asked.append(form["p"]) or (200, "[]"))  # type: ignore[func-returns-value]

    pages = fetch(landed=(before(f"{WARDS[0]}/1", WARDS[0], halves(SQUARE)[0]),))

    assert SQUARE not in asked[:1]
    assert [page.body is None for page in pages[:2]] == [True, False]
    assert pages[1].facts.label == f"{WARDS[0]}/2"


def test_a_landed_page_that_answers_another_request_is_requested_again_and_those_after_it(api):
    answers(api, lambda form: (200, "[]"))
    landed = tuple(before(ward, ward, SQUARE) for ward in WARDS)

    pages = fetch(landed=(landed[0], before(WARDS[1], WARDS[1], "elsewhere"), landed[2]))

    assert [page.body is None for page in pages] == [True, False, False]


CUT_SHORT = {
    "zero bytes": "",
    "truncated": '[{"id":1},',
    "HTML": "<html>Try again later</html>",
}


@pytest.mark.parametrize("body", CUT_SHORT.values(), ids=CUT_SHORT)
def test_a_body_that_is_cut_short_is_requested_again_and_then_named(api, body):
    asked: list[str] = []
    answers(api, lambda form: asked.append(form["w"]) or (200, body))  # type: ignore[func-returns-value]

    with pytest.raises(SourceUnavailable, match=f"gauges kingston 2017-05, {WARDS[0]}: the answer"):
        fetch()

    assert asked == [WARDS[0]] * 2


@pytest.mark.parametrize("body", CUT_SHORT.values(), ids=CUT_SHORT)
def test_a_body_that_is_cut_short_once_does_no_harm(api, body):
    bodies = [body, *(f'[{{"id":{number}}}]' for number in (1, 2, 3))]
    answers(api, lambda form: (200, bodies.pop(0)))

    assert [page.facts.records for page in fetch()] == [1, 1, 1]


def test_a_body_in_another_shape_is_named_and_not_requested_again(api):
    asked: list[str] = []
    answers(api, lambda form: asked.append(form["w"]) or (200, '{"error": 1}'))  # type: ignore[func-returns-value]

    with pytest.raises(
        UnexpectedPayload, match=f"{WARDS[0]}: expected a list .* object with error"
    ):
        fetch()

    assert len(asked) == 1


def test_a_source_without_wards_is_one_request(api):
    api.get(
        f"{BASE_URL}/gauges",
        body='[{"id":1}]',
        match=[responses.matchers.query_param_matcher({"month": "2017-05"})],
    )

    assert labels(fetch(contract())) == ["2017-05"]
