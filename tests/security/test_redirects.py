"""Redirects: a few, only to the contract's hosts, over HTTPS, with what was asked for."""

from __future__ import annotations

from typing import Any

import pytest
import responses

from include.errors import SourceRejected, SourceUnavailable
from include.extract import client as asking
from include.extract.answer import Answer
from include.extract.client import Client
from include.sources.extract.http import Rate
from include.sources.page import SentRequest
from tests.samples import BASE_URL, REQUEST, contract, extracting

URL = f"{BASE_URL}/gauges"
SANDBOX = "http://127.0.0.1:8082"
POSTED = SentRequest(method="POST", url=URL, form={"date": "2017-05"})


@pytest.fixture
def api():
    with responses.RequestsMock(assert_all_requests_are_fired=False) as mock:
        yield mock


def ask(request: SentRequest = REQUEST, **extract: Any) -> Answer:
    described = contract(extract=extracting(**extract)).extract
    client = Client(described, Rate(per_second=1000, burst=1000))
    return client.ask("gauges kingston 2017-05", request, check=lambda answer: None)


def redirect(
    api: Any, location: str, status: int = 302, method: str = "GET", url: str = URL
) -> Any:
    return api.add(method, url, status=status, headers={"Location": location})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        f"{BASE_URL}/moved?key=secret",
        "https://API.test:443/v1/moved?key=secret",
        "http://api.test/v1/moved?key=secret",
        "/v1/moved?key=secret",
        "moved?key=secret",
    ],
)
def test_a_redirect_within_the_host_is_followed_over_https(api, status, location):
    redirect(api, location, status)
    api.get(f"{BASE_URL}/moved?key=secret", body=b"[1]")

    answer = ask()

    assert answer.body.read() == b"[1]"
    assert answer.url == f"{BASE_URL}/moved"
    assert answer.redirects == (f"{BASE_URL}/moved",)


@pytest.mark.parametrize("location", ["/sign-in", "/api.test/sign-in", "https://api.test/sign-in"])
def test_a_redirect_stays_in_the_sandbox(api, location):
    url = f"{SANDBOX}/api.test/v1/gauges"
    redirect(api, location, url=url)
    api.get(f"{SANDBOX}/api.test/sign-in", body=b"[1]")

    assert ask(REQUEST.model_copy(update={"url": url})).url == f"{SANDBOX}/api.test/sign-in"


@pytest.mark.parametrize(
    ("location", "said"),
    [
        ("https://evil.test/v1/gauges", r"one of the hosts api\.test, found evil\.test"),
        ("//evil.test/v1/gauges", r"found evil\.test"),
        ("https://api.test:8443/v1/gauges", r"found api\.test:8443"),
        ("http://api.test:8080/v1/gauges", r"found api\.test:8080"),
        ("http://169.254.169.254/latest", r"found 169\.254\.169\.254"),
        ("https://me:secret@api.test/v1/gauges", "user information"),
        ("http://[::1", "malformed"),
        ("file:///etc/passwd", "file: is not an HTTP address"),
        ("javascript:alert(1)", "javascript: is not an HTTP address"),
    ],
)
@pytest.mark.parametrize("at", [URL, f"{SANDBOX}/api.test/v1/gauges"])
def test_a_redirect_elsewhere_is_refused_and_names_both_addresses(api, location, said, at):
    redirect(api, location, url=at)

    with pytest.raises(SourceRejected, match=said) as caught:
        ask(REQUEST.model_copy(update={"url": at}))

    assert f"HTTP 302 from {at} redirects to" in str(caught.value)
    assert ", which is not followed: " in str(caught.value)
    assert len(api.calls) == 1


@pytest.mark.parametrize("location", ["/evil.test/v1", f"{SANDBOX}/evil.test/v1"])
def test_a_different_api_of_the_sandbox_is_a_different_host(api, location):
    at = f"{SANDBOX}/api.test/v1/gauges"
    redirect(api, location, url=at)
    api.get(f"{SANDBOX}/evil.test/v1", body=b"[]")

    with pytest.raises((SourceRejected, SourceUnavailable)):
        ask(REQUEST.model_copy(update={"url": at}), attempts=1)

    assert [call.request.url for call in api.calls if "/evil.test" in call.request.url[:34]] == []


def test_a_redirect_to_a_host_of_the_contract_is_followed(api):
    redirect(api, "https://files.test/a")
    api.get("https://files.test/a", body=b"[1]")

    assert ask(hosts=["files.test"]).url == "https://files.test/a"


def test_redirects_without_end_are_refused(api):
    call = redirect(api, f"{URL}?month=2017-05")

    with pytest.raises(SourceRejected, match="after 5 redirects"):
        ask()

    assert call.call_count == asking.MOST_REDIRECTS + 1


@pytest.mark.parametrize(
    "location",
    ["/v1/gauges/", "/v2/gauges", "http://api.test/v1/gauges", "?page=2", "/v1/gauges?Month=1"],
)
def test_a_redirect_that_drops_what_was_requested_is_refused(api, location):
    redirect(api, location)

    said = "without the parameters month, so that a different request"
    with pytest.raises(SourceRejected, match=said):
        ask()


@pytest.mark.parametrize("location", ["/v2/gauges?x=1&month=2017-05", "/files/2017-05.json"])
def test_a_redirect_that_keeps_it_or_leads_to_a_file_is_followed(api, location):
    redirect(api, location)
    api.get(f"https://api.test{location}", body=b"[1]")

    assert ask().body.read() == b"[1]"


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_post_never_becomes_a_get(api, status):
    redirect(api, f"{BASE_URL}/moved", status, "POST")

    with pytest.raises(SourceRejected, match="would turn the POST into a GET") as caught:
        ask(POSTED)

    assert f"from {URL} redirects to {BASE_URL}/moved" in str(caught.value)
    assert len(api.calls) == 1


@pytest.mark.parametrize("status", [307, 308])
def test_a_post_stays_a_post_where_the_status_says_so(api, status):
    redirect(api, f"{BASE_URL}/moved", status, "POST")
    api.post(f"{BASE_URL}/moved", body=b"[1]")

    assert ask(POSTED).body.read() == b"[1]"
    assert [call.request.body for call in api.calls] == ["date=2017-05"] * 2


def test_an_error_names_the_address_that_answered_and_the_first_one(api):
    redirect(api, f"{BASE_URL}/moved")
    api.get(f"{BASE_URL}/moved", status=403)

    with pytest.raises(SourceRejected, match=rf"403 from {BASE_URL}/moved \(redirected from {URL}"):
        ask()
