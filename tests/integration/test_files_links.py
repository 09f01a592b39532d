"""Files that a page links to, or a CKAN package lists, on a real server."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from include.errors import PermanentError, SourceRejected, UnexpectedPayload
from include.jobs.files.classify import SourceFiles, classify_files
from include.jobs.pipeline.extract import extract
from include.sources.model import Contract
from tests.integration.conftest import serving
from tests.integration.test_files import PATTERN, body, described

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
PAGE = """<!doctype html><html><head><title>Spending</title></head><body>
<nav><a href="/">Home</a> <a href="/contact.html">Contact us</a></nav>
<ul><li><a href="/files/spend_kingston_2026-05.csv">Spending <b>May</b>
 2026</a><li><a href="files/spend_sutton_2026-05.csv?token=s3cret">Sutton, May</a>
<li><a href="/files/Payments%20April.csv">April</a>
<li><a href="/files/notes.pdf">Notes</a>
<li><a href="https://evil.example.net/spend_sutton_2026-06.csv">June</a>
<li><a href="//[broken">?</a> <a href="mailto:a@example.org">Write</a>
<a href="../../etc/passwd">x</a>
</ul></body></html>"""


class Site:
    """A site whose pages are set by a test; it remembers what was requested."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[bytes, str]] = {}
        self.requested: list[str] = []
        self.key = ""

    async def answer(self, request: Any) -> Response:
        self.requested.append(request.url.path)
        if self.key and request.headers.get("x-api-key") != self.key:
            return Response("no", 401)
        if request.url.path not in self.pages:
            return Response("no", 404)
        content, kind = self.pages[request.url.path]
        return Response(content, media_type=kind)


@pytest.fixture
def site(monkeypatch, deployment):
    monkeypatch.setenv("WANDLE_LIVE", "1")
    found = Site()
    app = Starlette(routes=[Route("/{path:path}", found.answer)])
    with serving(app) as url:
        found.url = url
        yield found


def asked(site: Any, place: str = "page", path: str = "/spending", **changes: Any) -> Contract:
    rate = {"per_second": 1000, "burst": 1000}
    links = {"from": place, "url": site.url + path, "rate": rate, "attempts": 1}
    return described(changes.pop("pattern", PATTERN), extract=links | changes)


def seen(contract: Contract, lake: Any) -> SourceFiles:
    return classify_files(contract, lake=lake, today=NOW)


def landed(contract: Contract, lake: Any, council: str = "kingston") -> Any:
    where = contract.partition(council, "2026-05")
    return lake.landings.manifest(where, extract(contract, where, lake=lake, run_id="r"))


def test_the_links_of_a_page_are_files_and_data_that_match_nothing_is_reported(lake, site):
    site.pages = {
        "/spending": (PAGE.encode(), "text/html"),
        "/files/spend_kingston_2026-05.csv": (body(1, 2), "text/csv"),
    }
    contract = asked(site)

    found = seen(contract, lake)

    assert sorted(map(str, found.partitions)) == [
        "gauges kingston 2026-05",
        "gauges sutton 2026-05",
    ]
    whys = {one.match.file.name: one.why for one in found.unmatched}
    assert whys.pop("spend_sutton_2026-06.csv").startswith("expected one of the hosts 127.0.0.1")
    assert whys == {"Payments April.csv": "its name does not match `extract.pattern`"}
    manifest = landed(contract, lake)
    assert manifest.pages[0].request.url == f"{site.url}/files/spend_kingston_2026-05.csv"
    assert manifest.totals.records == 2
    assert [str(one.council) for one in seen(contract, lake).partitions] == ["sutton"]
    assert {*site.requested} == {"/spending", "/files/spend_kingston_2026-05.csv"}


def test_a_key_in_a_link_does_not_reach_the_manifest(lake, bucket, site):
    site.pages = {
        "/spending": (PAGE.encode(), "text/html"),
        "/files/spend_sutton_2026-05.csv": (body(1), "text/csv"),
    }

    landed(asked(site), lake, "sutton")

    assert b"s3cret" not in b"".join(map(bucket.body, bucket.listed()))


def test_the_text_of_a_link_can_name_the_file(lake, site):
    site.pages = {
        "/spending": (
            b"<a href='/download?id=7'>Kingston: May\n2026</a> <a href='/x'>Home</a>",
            "text/html",
        ),
        "/download": (body(1, 2, 3), "text/csv"),
    }
    contract = asked(site, named_by="text", pattern=r"{council.name}: {period:%B %Y}")

    assert [str(one) for one in seen(contract, lake).partitions] == ["gauges kingston 2026-05"]
    assert landed(contract, lake).totals.records == 3


def test_a_page_without_a_file_has_changed(lake, site):
    site.pages = {"/spending": (b"<a href='/new-site'>We have moved</a>", "text/html")}

    with pytest.raises(UnexpectedPayload, match=r"expected links that match .* found none"):
        seen(asked(site), lake)
    with pytest.raises(UnexpectedPayload, match=r"expected links that match .* found none"):
        landed(asked(site), lake)


def test_a_link_that_leads_nowhere_fails_that_partition(lake, site):
    site.pages = {"/spending": (PAGE.encode(), "text/html")}

    with pytest.raises(SourceRejected, match="HTTP 404"):
        landed(asked(site), lake)


def test_a_page_that_needs_a_login_is_requested_with_its_secret(lake, site, monkeypatch, tmp_path):
    site.pages = {
        "/spending": (PAGE.encode(), "text/html"),
        "/files/spend_kingston_2026-05.csv": (body(1, 2), "text/csv"),
    }
    site.key = "s3cret-k3y"
    auth = {"type": "api_key", "secret": "a_key", "name": "X-Api-Key"}
    contract = asked(site, auth=auth)
    with pytest.raises(PermanentError, match="the secret 'a_key' is not set"):
        seen(contract, lake)

    secrets = {"a_key": {"conn_type": "http", "password": site.key}}
    home = Path(os.environ["WANDLE_HOME"])
    home.mkdir(exist_ok=True)
    (home / "connections.json").write_text(json.dumps(secrets))
    (home / "connections.json").chmod(0o600)

    assert landed(contract, lake).totals.records == 2


def package(*resources: dict[str, Any]) -> tuple[bytes, str]:
    answer = {"success": True, "result": {"resources": list(resources)}}
    return json.dumps(answer).encode(), "application/json"


def test_the_resources_of_a_ckan_package_are_files(lake, site):
    may = {"url": f"{site.url}/files/spend_kingston_2026-05.csv", "name": "May", "size": 99}
    site.pages = {
        "/api/3/action/package_show": package(
            may | {"last_modified": "2026-06-01T10:00:00.123456"},
            {"url": f"{site.url}/files/guide.pdf", "name": "Guide"},
            {"url": f"{site.url}/files/spend_sutton_2026-01.csv", "state": "deleted"},
        ),
        "/files/spend_kingston_2026-05.csv": (body(1, 2), "text/csv"),
    }
    contract = asked(site, "ckan", "/api/3/action/package_show?id=spending")

    assert [one.match.file.name for one in seen(contract, lake).unmatched] == ["guide.pdf"]
    first = landed(contract, lake)
    assert first.totals.records == 2
    assert seen(contract, lake).partitions == ()

    changed = package(may | {"last_modified": "2026-07-01T10:00:00"})
    site.pages["/api/3/action/package_show"] = changed
    site.pages["/files/spend_kingston_2026-05.csv"] = (body(1, 2, 3), "text/csv")
    assert len(seen(contract, lake).partitions) == 1
    assert landed(contract, lake).totals.records == 3


def test_an_answer_that_is_not_a_package_is_refused(lake, site):
    site.pages = {"/api/3/action/package_show": (b'{"success": false}', "application/json")}

    with pytest.raises(UnexpectedPayload, match="expected CKAN's answer to `package_show`"):
        seen(asked(site, "ckan", "/api/3/action/package_show?id=x"), lake)
