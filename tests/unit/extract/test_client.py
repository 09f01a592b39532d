"""Asking an API: what is tried again, how long is waited, and what fails at once."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
import requests
import responses

from include.errors import SourceRejected, SourceUnavailable
from include.extract import client as asking
from include.extract.answer import Answer
from include.extract.client import Client
from include.sources.extract.http import Rate
from tests.samples import BASE_URL, REQUEST, contract, extracting

URL = f"{BASE_URL}/gauges"
WHO = "gauges kingston 2017-05"


@pytest.fixture
def api():
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture(autouse=True)
def pauses(monkeypatch) -> list[float]:
    """The pauses between attempts; nobody sleeps."""
    slept: list[float] = []
    monkeypatch.setattr("tenacity.nap.time.sleep", slept.append)
    return slept


def client(**extract: Any) -> Client:
    described = contract(extract=extracting(**extract)).extract
    return Client(described, Rate(per_second=1000, burst=1000))


def ask(asked: Client | None = None, *accept: int, check: Any = lambda answer: None) -> Answer:
    return (asked or client()).ask(WHO, REQUEST, accept=frozenset(accept), check=check)


def test_the_body_is_what_was_sent_after_decompression(api):
    body = b'[{"a" : 1}]\n'
    api.get(URL, body=gzip.compress(body), headers={"Content-Encoding": "gzip", "ETag": '"x"'})

    answer = ask()

    assert answer.body.read() == body
    assert answer.size == len(body)
    assert answer.headers["etag"] == '"x"'


def test_a_form_is_posted_and_a_query_is_not_in_the_url_of_the_record(api):
    api.post(URL, body=b"[]", match=[responses.matchers.urlencoded_params_matcher({"date": "x"})])
    posted = REQUEST.model_copy(update={"method": "POST", "form": {"date": "x"}, "query": {}})

    client().ask(WHO, posted, check=lambda answer: None)

    assert api.calls[0].request.url == URL


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_failure_that_may_be_temporary_is_requested_again(api, pauses, status):
    api.get(URL, status=status)
    api.get(URL, body=b"[1]")

    assert ask().body.read() == b"[1]"
    assert len(pauses) == 1


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_a_failure_that_persists_is_retryable_after_the_contracts_attempts(api, pauses, status):
    call = api.get(URL, status=status)

    with pytest.raises(
        SourceUnavailable, match=rf"{WHO}: HTTP {status} from {URL}\. Try again later"
    ):
        ask(client(attempts=3))

    assert call.call_count == 3
    assert len(pauses) == 2


def test_pauses_grow_up_to_half_a_minute(api, pauses):
    api.get(URL, status=500)

    with pytest.raises(SourceUnavailable):
        ask(client(attempts=10))

    # Each doubles, and up to a second of jitter comes on top.
    assert all(0.5 * 2**number <= pause for number, pause in enumerate(pauses[:6]))
    assert 0.5 <= pauses[0] <= 1.6
    assert 16 <= pauses[6] <= 31
    assert max(pauses) <= 31


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 422])
def test_a_client_error_is_final(api, pauses, status):
    call = api.get(URL, status=status)

    with pytest.raises(SourceRejected, match=rf"HTTP {status} from {URL}\. Retrying will not help"):
        ask()

    assert (call.call_count, pauses) == (1, [])


@pytest.mark.parametrize("status", [404, 503])
def test_a_status_with_a_meaning_is_an_answer(api, pauses, status):
    api.get(URL, status=status)

    assert (ask(None, status).status, pauses) == (status, [])


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds_is_honoured(api, pauses, status):
    api.get(URL, status=status, headers={"Retry-After": "7"})
    api.get(URL, body=b"[]")

    ask()

    assert pauses == [7.0]


def test_retry_after_as_a_date_is_honoured(api, pauses):
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=20), usegmt=True)
    api.get(URL, status=429, headers={"Retry-After": later})
    api.get(URL, body=b"[]")

    ask()

    assert pauses == [pytest.approx(20, abs=1.5)]


@pytest.mark.parametrize("nonsense", ["soon", "", "-5"])
def test_a_retry_after_that_says_nothing_is_left_to_the_back_off(api, pauses, nonsense):
    api.get(URL, status=429, headers={"Retry-After": nonsense})
    api.get(URL, body=b"[]")

    ask()

    assert 0 <= pauses[0] <= 1.6


def test_a_retry_after_in_the_past_is_now(api, pauses):
    past = format_datetime(datetime.now(UTC) - timedelta(hours=1), usegmt=True)
    api.get(URL, status=429, headers={"Retry-After": past})
    api.get(URL, body=b"[]")

    ask()

    assert pauses == [0]


def test_a_pause_that_would_hold_the_slot_too_long_fails_at_once(api, pauses):
    api.get(URL, status=429, headers={"Retry-After": "3600"})

    with pytest.raises(
        SourceRejected, match=r"requests a pause of 3600 s\. Run the task again after"
    ):
        ask()

    assert pauses == []


def test_a_429_that_means_not_today_fails_at_once_and_is_quoted(api, pauses):
    body = '{"error":true,"reason":"Daily API request limit exceeded. Please try again tomorrow."}'
    call = api.get(URL, status=429, body=body)

    with pytest.raises(
        SourceRejected, match=r"HTTP 429 .* says 'Daily API request limit exceeded'"
    ):
        client().ask(
            WHO,
            REQUEST,
            fail_at_once=("Hourly", "Daily API request limit exceeded"),
            check=lambda answer: None,
        )

    assert (call.call_count, pauses) == (1, [])


def test_a_429_that_says_something_else_is_requested_again(api, pauses):
    api.get(URL, status=429, body='{"reason":"Minutely API request limit exceeded."}')
    api.get(URL, body=b"[]")

    client().ask(WHO, REQUEST, fail_at_once=("Daily",), check=lambda answer: None)

    assert len(pauses) == 1


def test_an_address_is_shown_without_its_query(api, pauses):
    api.get(f"{URL}?key=secret", status=404)
    linked = REQUEST.model_copy(update={"url": f"{URL}?key=secret", "query": {}})

    with pytest.raises(SourceRejected) as caught:
        client().ask(WHO, linked, check=lambda answer: None)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "failure",
    [requests.ConnectionError("refused"), requests.ReadTimeout("slow"), requests.ConnectTimeout()],
    ids=["refused", "read timeout", "connect timeout"],
)
def test_no_answer_is_retryable_and_named_without_the_query(api, pauses, failure):
    api.get(URL, body=failure)

    with pytest.raises(
        SourceUnavailable, match=f"no answer from {URL} \\({type(failure).__name__}"
    ):
        ask(client(attempts=2))

    assert len(pauses) == 1


def test_an_answer_that_is_cut_off_is_requested_again(api, pauses):
    api.get(
        URL, body=b"[1, 2", headers={"Content-Length": "500"}, auto_calculate_content_length=False
    )
    api.get(URL, body=b"[1, 2]")

    assert ask().body.read() == b"[1, 2]"
    assert len(pauses) == 1


def test_what_the_check_calls_cut_short_is_requested_again(api):
    api.get(URL, body=b"[")
    api.get(URL, body=b"[]")

    def check(answer: Answer) -> None:
        if answer.body.read() != b"[]":
            raise SourceUnavailable("cut")

    assert ask(check=check).body.read() == b"[]"


def test_every_call_has_a_time_out(api, monkeypatch):
    api.get(URL, body=b"[]")

    ask(client(timeout_seconds=12))

    assert api.calls[0].request.req_kwargs["timeout"] == (asking.CONNECT_SECONDS, 12)


def test_each_attempt_is_logged(api, caplog):
    api.get(URL, status=500)
    api.get(URL, body=b"[]")

    ask()

    assert "attempt 1 of 5 failed: gauges kingston 2017-05: HTTP 500" in caplog.text
    assert "Try again later" not in caplog.text


def test_the_last_attempt_promises_no_retry(api, pauses):
    api.get(URL, status=503)

    with pytest.raises(SourceUnavailable) as caught:
        ask(client(attempts=5))

    assert caught.type is SourceUnavailable
    assert "retry" not in str(caught.value)
    assert str(caught.value).endswith("Try again later.")


@pytest.mark.parametrize("pause", ["0", "-1", "Mon, 01 Jan 2001 00:00:00 GMT", "9" * 5000, None])
def test_an_answer_that_is_prepared_forever_is_given_up(api, pauses, pause):
    api.get(URL, status=202, headers={"Retry-After": pause} if pause else {})

    with pytest.raises(SourceUnavailable, match="It was not ready within 300 s"):
        ask()

    assert 250 <= sum(pauses) <= 300
