"""The page to try the read API, in a browser: it sends requests, and breaks no policy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.api_server import Server, object_store, served
from tests.api_tables import PLACES, crimes_of_wards
from tests.published_version import publish

AXE = Path(__file__).parent / "vendor" / "axe.min.js"


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("api")
    with object_store(folder / "s3") as store:
        tables = {"crimes": crimes_of_wards(), "places": PLACES}
        publish(store.published, tables, folder / "files")
        with served(store, folder / "home") as found:
            yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def test_the_page_sends_a_request_and_shows_its_answer(server, page):
    said: list[str] = []
    hosts: set[str] = set()
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))

    page.goto(f"{server.url}/v1/")
    page.get_by_label("Dataset").select_option("crimes")
    expect(page.get_by_role("cell", name="ward_code", exact=True)).to_be_visible()
    page.get_by_label("Groups").check()
    page.get_by_label("Filters and options").fill("council=sutton\ngroup=council\nmeasure=count")
    page.get_by_role("button", name="Send").click()

    expect(page.get_by_role("status")).to_contain_text("200 in")
    expect(page.get_by_label("Answer", exact=True)).to_contain_text('{"council":"sutton","count":')
    page.get_by_label("Filters and options").fill("coucil=sutton")
    page.get_by_role("button", name="Send").click()
    expect(page.get_by_role("status")).to_contain_text("400 in")
    expect(page.get_by_label("Answer", exact=True)).to_contain_text("Unknown parameter")
    assert hosts == {urlsplit(server.url).netloc}
    # The browser itself says that an answer was an error; nothing breaks the policy.
    assert [text for text in said if "status of 400" not in text] == []


def test_axe_finds_nothing_on_the_page(server, page):
    page.goto(f"{server.url}/v1/")
    expect(page.get_by_role("cell", name="ward_code", exact=True)).to_be_visible()
    page.evaluate(AXE.read_text(encoding="utf-8"))

    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")

    assert found["passes"]
    assert [rule["id"] for rule in found["violations"]] == []
