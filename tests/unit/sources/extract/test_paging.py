"""The options of a contract for paging, statuses and hosts: what they need, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from include.sources.extract.addresses import host_of
from include.sources.extract.http import Extract
from include.sources.extract.paging import Paging
from include.sources.model import contracts
from tests.samples import contract, extracting

OFFSET = {"kind": "offset", "size": 2, "parameter": "offset"}
CURSOR = {"kind": "cursor", "next": "meta.cursor", "parameter": "after"}


@pytest.mark.parametrize(
    ("paging", "said"),
    [
        ({"kind": "offset", "size": 2}, "needs `size` and `parameter`"),
        ({"kind": "page", "parameter": "page"}, "needs `size` and `parameter`"),
        ({"kind": "cursor", "next": "cursor"}, "needs `next` and `parameter`"),
        ({"kind": "link"}, "needs `next`"),
        (OFFSET | {"next": "links.next"}, "`next` does not apply to `kind: offset`"),
        (OFFSET | {"first_cursor": "*"}, "`first_cursor` needs `kind: cursor`"),
        (CURSOR | {"last_page": "short"}, "`last_page: short` needs `size`"),
        (CURSOR | {"more": "meta..more"}, "names joined by dots"),
        (CURSOR | {"total": "@odata\\count"}, "names joined by dots"),
        (OFFSET | {"end_status": [200]}, "expected 204 or a status from 400 to 599"),
        (OFFSET | {"end_status": [429]}, "HTTP 429 asks to come back later"),
        (OFFSET | {"end_status": [302]}, "expected 204 or a status from 400 to 599"),
        (OFFSET | {"max_pages": 0}, "greater than or equal to 1"),
    ],
)
def test_paging_without_what_it_needs_is_refused(paging, said):
    with pytest.raises(ValidationError, match=said):
        Paging.model_validate(paging)


def test_a_short_page_is_the_last_only_where_a_contract_says_so():
    assert Paging.model_validate(OFFSET).last_page == ""


def test_the_contracts_that_page_by_position_say_how_the_api_documents_its_end():
    paged = {
        name: source.extract.paging
        for name, source in contracts().items()
        if isinstance(source.extract, Extract) and source.extract.paging
    }

    assert "flood_readings" in paged
    assert all(paging.last_page or paging.total or paging.more for paging in paged.values())


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
@pytest.mark.parametrize("words", [{"total": "count"}, {"more": "more"}])
def test_a_body_of_lines_has_no_paths(kind, words):
    with pytest.raises(ValidationError, match=f"a path in the body, which `format.kind: {kind}`"):
        contract(extract=extracting(paging=OFFSET | words), format={"kind": kind})


@pytest.mark.parametrize("answers", [{"not_published": [204]}, {"empty": [204, 404]}])
def test_no_content_may_have_a_meaning(answers):
    assert contract(extract=extracting(answers=answers))


def test_a_status_has_one_meaning():
    with pytest.raises(ValidationError, match="gives HTTP 204 two meanings"):
        contract(extract=extracting(answers={"empty": [204], "not_published": [204]}))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("https://API.Test:443/v1/", "https://api.test/v1"),
        ("https://api.test:8443", "https://api.test:8443"),
        ("https://[::1]:443/v1", "https://[::1]/v1"),
        ("http://localhost:8000/v1", "http://localhost:8000/v1"),
        ("HTTP://127.0.0.1:80", "http://127.0.0.1"),
        ("http://127.8.8.8/v1", "http://127.8.8.8/v1"),
        ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)
def test_a_base_url_is_kept_in_one_way_of_writing(written, kept):
    assert contract(extract=extracting(base_url=written)).extract.base_url == kept


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("https://me:word@api.test", "user information"),
        ("https://me@api.test", "user information"),
        ("https://api.test:99999", "out of range"),
        ("https://[::1", "Invalid IPv6"),
        ("https://api.test/?key=1", "only scheme, host and path"),
        ("https:///v1", "only scheme, host and path"),
        ("http://api.test", "http:// is for this machine only"),
        ("http://10.0.0.1", "http:// is for this machine only"),
        ("http://localhost.api.test", "http:// is for this machine only"),
        ("http://0.0.0.0", "http:// is for this machine only"),
        ("ftp://localhost", "begins with https://"),
        ("api.test/v1", "begins with https://"),
    ],
)
def test_a_base_url_that_cannot_be_one_is_refused(url, said):
    with pytest.raises(ValidationError, match=said):
        contract(extract=extracting(base_url=url))


def test_an_archive_uses_https_too():
    archive = {"from_age_days": 1, "request": {"path": "/a"}, "base_url": "http://old.test"}

    with pytest.raises(ValidationError, match="http:// is for this machine only"):
        contract(extract=extracting(archive=archive))


@pytest.mark.parametrize("host", ["https://a.test", "a.test/v1", "me@a.test", "", "a.test:port"])
def test_a_host_is_only_a_name(host):
    with pytest.raises(ValidationError):
        contract(extract=extracting(hosts=[host]))


def test_the_hosts_that_may_be_requested_are_those_of_the_base_urls_and_those_listed():
    archive: dict[str, Any] = {"from_age_days": 1, "request": {"path": "/a"}}
    found = contract(
        extract=extracting(
            hosts=["Files.test", "cdn.test:8443"],
            archive=archive | {"base_url": "https://old.test"},
        )
    ).extract

    assert found.known_hosts == ("api.test", "old.test", "files.test", "cdn.test:8443")
    assert host_of("http://a.test:80/x") == "a.test"
