"""Statuses: what is waited for, read, and what is an error."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import responses

from include.errors import SourceRejected, SourceUnavailable
from include.extract.answer import Answer
from include.extract.client import Client
from include.extract.statuses import Part, part_of
from include.sources.extract.http import Rate
from include.sources.page import SentRequest
from tests.samples import BASE_URL, REQUEST, contract, extracting

URL = f"{BASE_URL}/gauges"


@pytest.fixture
def api():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def ask(request: SentRequest = REQUEST, **extract: Any) -> Answer:
    described = contract(extract=extracting(**extract)).extract
    client = Client(described, Rate(per_second=1000, burst=1000))
    return client.ask("gauges kingston 2017-05", request, check=lambda answer: None)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (204, r"no content.*`answers\.empty` or `answers\.not_published`"),
        (201, "expected 200"),
        (203, "expected 200"),
        (207, "expected 200"),
        (302, "expected 200"),
        (304, "expected 200"),
    ],
)
def test_a_status_that_holds_no_data_is_an_error_that_says_so(api, status, said):
    call = api.get(URL, status=status, body=b"")

    with pytest.raises(SourceRejected, match=f"HTTP {status} .*{said}"):
        ask()

    assert call.call_count == 1


def test_an_answer_that_is_being_prepared_is_waited_for_as_long_as_it_says(api, pauses):
    for _ in range(7):
        api.get(URL, status=202, headers={"Retry-After": "3"})
    api.get(URL, body=b"[1]")

    assert ask(attempts=1).body.read() == b"[1]"
    assert pauses == [3.0] * 7


def test_without_a_retry_after_the_pauses_grow(api, pauses):
    for _ in range(7):
        api.get(URL, status=202)
    api.get(URL, body=b"[1]")

    ask(attempts=1)

    assert pauses == [1, 2, 4, 8, 16, 30, 30]


def test_what_is_never_ready_is_retryable_after_a_while(api, pauses):
    api.get(URL, status=202, headers={"Retry-After": "40"})

    with pytest.raises(SourceUnavailable, match=r"HTTP 202 .* was not ready within 300 s"):
        ask()

    assert pauses == [40.0] * 7


def test_an_answer_that_takes_too_long_to_prepare_fails_at_once(api, pauses):
    api.get(URL, status=202, headers={"Retry-After": "3600"})

    with pytest.raises(SourceRejected, match="requests a pause of 3600 s"):
        ask()

    assert pauses == []


def test_an_invalid_url_is_an_error_of_the_contract(api):
    with pytest.raises(SourceRejected, match="is not a valid URL"):
        ask(REQUEST.model_copy(update={"url": "https://"}))


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ("bytes 0-99/100", Part("bytes", 0, 99, 100)),
        ("items 5-9/20", Part("items", 5, 9, 20)),
        ("0-1/2", Part("", 0, 1, 2)),
        ("items 0-1/*", None),
        ("bytes */100", None),
        ("soon", None),
        (None, None),
    ],
)
def test_a_content_range_names_a_part_and_the_whole(header, part):
    assert part_of(header) == part
    assert requests.codes.partial_content == 206
