"""The site of the documentation: built strictly, then read in a browser."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, expect

from plugins.handbook import headers
from tests.browser.test_dashboard import DESK, PHONE, Visit

CHECKOUT = Path(__file__).parents[2]
BUILD_SECONDS = 600
# One page of each kind.
KINDS = (
    "index.html",
    "adding-a-dataset.html",
    "architecture.html",
    "contract-reference.html",
    "decisions/0011-rebuild-what-changed.html",
    "code/terraform/index.html",
    "404.html",
)

pytestmark = pytest.mark.timeout(1_200)


class _Handler(SimpleHTTPRequestHandler):
    """The headers that the Airflow UI sends."""

    def end_headers(self) -> None:
        for name, value in headers(Path(self.directory)).items():
            self.send_header(name, value)
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Keep the tests' output free of requests."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    done = subprocess.run(
        [str(shutil.which("make")), "docs", f"DOCS_SITE={folder}"],
        cwd=CHECKOUT,
        # The variables of a `make` that runs the tests are not for this one.
        env={name: value for name, value in os.environ.items() if "MAKE" not in name},
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(site)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def visit(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A visitor; the parameter, if there is one, holds options of the browser."""
    context = browser.new_context(**{"viewport": DESK, **getattr(request, "param", {})})
    yield Visit(context, address)
    context.close()


@pytest.mark.parametrize(
    "visit",
    [pytest.param({}, id="desk"), pytest.param({"viewport": PHONE}, id="phone")],
    indirect=True,
)
def test_a_page_is_accessible_fits_and_requests_no_other_host(visit: Visit) -> None:
    found = {}
    for path in KINDS:
        visit.open(path)
        if wrong := [*visit.findings(), *["too wide"] * visit.is_too_wide()]:
            found[path] = wrong

    assert found == {}
    assert visit.errors == []
    assert [url for url in visit.requests if not url.startswith(visit.address)] == []
    assert any(url.endswith(".css") for url in visit.requests)


def test_search_finds_a_page_by_a_word_in_it(visit: Visit) -> None:
    page = visit.open("index.html")
    page.get_by_role("button", name="Search").first.click()
    # What the search draws is in a closed shadow root: keys reach it, selectors do not.
    page.keyboard.type("look-around")
    page.wait_for_timeout(3_000)
    page.keyboard.press("Enter")

    page.wait_for_url("**/adding-a-dataset.html*")
    assert visit.errors == []


def test_paper_has_the_page_and_no_navigation(visit: Visit) -> None:
    page = visit.open("adding-a-dataset.html")
    expect(page.get_by_role("navigation").first).to_be_visible()

    page.emulate_media(media="print")
    expect(page.get_by_role("heading", name="Adding a dataset")).to_be_visible()
    for navigation in page.get_by_role("navigation").all():
        expect(navigation).to_be_hidden()
    assert len(page.pdf()) > 10_000


def test_a_link_to_a_file_of_the_repository_shows_it(visit: Visit) -> None:
    page = visit.open("deploy.html")
    page.get_by_role("main").get_by_role("link", name="terraform/").first.click()

    page.wait_for_url("**/code/terraform/index.html*")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
