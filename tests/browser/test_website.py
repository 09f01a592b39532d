"""The website in a browser: two versions behind a server that is configured as CloudFront is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from include.publish.front import front
from include.publish.site.build import pages
from plugins.open_data import HEADERS
from tests.browser.test_dashboard import AXE
from tests.dashboard_tables import about, tables

OLD, CURRENT = "1" * 16, "2" * 16
WARD = "site/ward/E05000555.html"


class _CloudFront(SimpleHTTPRequestHandler):
    """The default root object, the error page and the headers of terraform/modules/website."""

    def send_head(self) -> Any:
        """A folder is not an object in a bucket."""
        if self.path.endswith("/") and self.path != "/":
            return self.send_error(HTTPStatus.NOT_FOUND)
        return super().send_head()

    def send_error(self, code: int, *_: Any) -> None:
        body = (Path(self.directory) / "404.html").read_bytes()
        self.send_response(HTTPStatus.NOT_FOUND)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        for name, value in HEADERS.items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output free of requests."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("published")
    made = tables()
    files = {f"{CURRENT}/site/{path}": body for path, body in pages(made, about(made))}
    files |= {name: body for name, (body, _) in front(CURRENT).items()}
    for path, body in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(body)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_CloudFront, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def opened(browser: Browser, url: str, *, scripts: bool = True) -> tuple[Page, list[int]]:
    """The page after all it loads, and the statuses of the pages on the way."""
    page = browser.new_context(java_script_enabled=scripts).new_page()
    page.set_default_timeout(60_000)
    statuses: list[int] = []
    page.on(
        "response",
        lambda answer: (
            statuses.append(answer.status) if answer.request.is_navigation_request() else None
        ),
    )
    page.goto(url, wait_until="networkidle")
    return page, statuses


@pytest.mark.parametrize("scripts", [True, False])
def test_the_address_of_the_website_leads_to_the_current_dashboard(browser, address, scripts):
    page, statuses = opened(browser, address, scripts=scripts)

    page.wait_for_url(f"{address}/{CURRENT}/site/index.html")
    assert page.locator("h1").inner_text()
    assert page.evaluate("getComputedStyle(document.body).fontFamily") or not scripts
    assert set(statuses) == {200}
    page.context.close()


def test_a_page_of_a_deleted_version_leads_to_the_same_page_of_the_current_one(browser, address):
    page, statuses = opened(browser, f"{address}/{OLD}/{WARD}#crime")

    page.wait_for_url(f"{address}/{CURRENT}/{WARD}#crime")
    assert statuses[0] == 404
    page.context.close()


@pytest.mark.parametrize(
    ("path", "scripts"),
    [
        (f"{CURRENT}/site/gone.html", True),
        ("gone.html", True),
        (f"{CURRENT}/site/", True),
        (f"{OLD}/{WARD}", False),
    ],
)
def test_a_missing_page_says_so_and_leads_to_the_dashboard(browser, address, path, scripts):
    page, statuses = opened(browser, f"{address}/{path}", scripts=scripts)

    assert statuses == [404]
    assert page.locator("h1").inner_text() == "Page not found"
    page.get_by_role("link", name="The current dashboard and open data").click()
    page.wait_for_url(f"{address}/{CURRENT}/site/index.html")
    page.context.close()


def test_axe_finds_nothing_on_the_page_for_what_is_missing(browser, address):
    page, _ = opened(browser, f"{address}/gone.html")
    page.evaluate(AXE.read_text(encoding="utf-8"))

    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")

    assert [rule["id"] for rule in found["violations"]] == []
    page.context.close()
