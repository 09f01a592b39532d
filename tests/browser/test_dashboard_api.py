"""The dashboard's filters that ask the read API: with it, without it, and while it is down."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from include.publish.site.build import pages
from plugins.open_data import headers
from tests.api_server import Server, free_port, object_store, served
from tests.api_tables import crimes_of_wards
from tests.browser.test_dashboard import AXE
from tests.dashboard_tables import about, tables
from tests.published_version import publish

DATASET = "ward_crime_monthly"


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("api")
    with object_store(folder / "s3") as store:
        publish(store.published, {DATASET: crimes_of_wards()}, folder / "files")
        with served(store, folder / "home") as found:
            yield found


def site(folder: Path, origin: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of the dashboard with this API, sent with the headers that Airflow sends."""
    monkeypatch.setenv("WANDLE_API_URL", origin)
    headers.cache_clear()
    sent = headers()
    headers.cache_clear()
    made = tables()
    for path, body in pages(made, replace(about(made), api=origin)):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)

    class Handler(SimpleHTTPRequestHandler):
        def end_headers(self) -> None:
            for name, value in sent.items():
                self.send_header(name, value)
            super().end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Keep the tests' output free of requests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def with_api(api: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from site(tmp_path, api.url, monkeypatch)


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A dashboard whose API does not answer."""
    yield from site(tmp_path, f"http://127.0.0.1:{free_port()}", monkeypatch)


@pytest.fixture
def without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from site(tmp_path, "", monkeypatch)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    found = context.new_page()
    found.set_default_timeout(60_000)
    yield found
    context.close()


def test_rows_that_meet_a_condition_are_shown(page: Page, with_api: str, api: Server) -> None:
    hosts: set[str] = set()
    said: list[str] = []
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    page.on("console", lambda message: said.append(message.text))

    page.goto(f"{with_api}/data.html")
    dataset = page.locator("[data-rows]:visible")
    page.locator(f"[data-rows={DATASET}]").evaluate("e => e.parentElement.scrollIntoView()")
    dataset.get_by_text("Find rows").click()
    dataset.get_by_label("Column").select_option("council")
    dataset.get_by_label("Value").fill("sutton")
    dataset.get_by_role("button", name="Show rows").click()

    expect(dataset.get_by_role("status")).to_have_text("Here are the first 50 rows.")
    assert dataset.locator("tbody tr").count() == 50
    assert dataset.locator("tbody tr").first.inner_text().startswith("sutton")
    link = dataset.get_by_role("link", name="The same as JSON").get_attribute("href")
    assert link == f"{api.url}/v1/datasets/{DATASET}/rows?council=eq.sutton&limit=50"
    assert page.locator("[data-rows]:visible").count() == 1
    assert hosts == {urlsplit(with_api).netloc, urlsplit(api.url).netloc}
    assert said == []
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [rule["id"] for rule in found["violations"]] == []


def test_a_wrong_value_and_an_empty_result_are_reported(page: Page, with_api: str) -> None:
    page.goto(f"{with_api}/data.html")
    page.locator(f"[data-rows={DATASET}]").evaluate("e => e.parentElement.scrollIntoView()")
    dataset = page.locator("[data-rows]:visible")
    dataset.get_by_text("Find rows").click()
    dataset.get_by_label("Column").select_option("crimes")
    dataset.get_by_label("Condition").select_option("at least")
    dataset.get_by_label("Value").fill("many")
    dataset.get_by_role("button", name="Show rows").click()
    expect(dataset.get_by_role("status")).to_contain_text("is not a value for")

    dataset.get_by_label("Value").fill("999999")
    dataset.get_by_role("button", name="Show rows").click()
    expect(dataset.get_by_role("status")).to_have_text("No row meets this.")


def test_while_the_api_is_down_the_page_is_complete_without_it(page: Page, away: str) -> None:
    page.goto(f"{away}/data.html", wait_until="networkidle")

    assert page.locator("[data-rows]").count() > 5
    assert page.locator("[data-rows]:visible").count() == 0
    assert page.get_by_role("link", name="CSV of Ward crime monthly").is_visible()


def test_without_the_setting_the_page_may_not_request_any_host(page: Page, without: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    answer = page.goto(f"{without}/data.html", wait_until="networkidle")

    assert answer
    assert "connect-src 'none'" in answer.headers["content-security-policy"]
    policy = page.locator("meta[http-equiv]").get_attribute("content")
    assert policy
    assert "connect-src" not in policy
    assert page.locator("[data-rows]").count() == 0
    assert all(url.startswith(without) and "rows.js" not in url for url in asked)
