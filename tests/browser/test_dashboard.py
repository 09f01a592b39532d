"""The dashboard in a browser: on a desk, on a phone, without mouse, without script, on paper."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from include.publish.site.build import pages
from tests.dashboard_tables import LONG, about, odd, tables

AXE = Path(__file__).parent / "vendor" / "axe.min.js"
DESK: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 360, "height": 740}
POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'"
# One page of each kind, two on which everything is missing, two of very long names.
KINDS = (
    "site/index.html",
    "site/council/sutton.html",
    "site/ward/E05000555.html",
    "site/topic/crime.html",
    "site/topic/rivers.html",
    "site/data.html",
    "empty/index.html",
    "empty/council/sutton.html",
    "odd/index.html",
    "odd/council/sutton.html",
)
CLOSED_TABLE = "details:not([open]) table"
SECONDS = 1.0


class _Handler(SimpleHTTPRequestHandler):
    def end_headers(self) -> None:
        self.send_header("Content-Security-Policy", POLICY)
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output free of requests."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server of three sites: of all marts, of none, and of odd ones."""
    folder = tmp_path_factory.mktemp("dashboard")
    sites = {
        "site": (tables(), about(tables())),
        "empty": ({}, about({})),
        "odd": (odd(), about(odd(), {"sutton": LONG})),
    }
    for name, (made, described) in sites.items():
        for path, body in pages(made, described):
            file = folder / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(body)
    # What a browser must not draw, for the test of the tests.
    (folder / "bad.html").write_text(
        "<html><body><img src=x.png width=2000 height=9><p style='color:red'>red</p></body></html>"
    )
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, directory=str(folder)))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


class Visit:
    """A page, what its console said and what it asked for."""

    def __init__(self, context: BrowserContext, address: str) -> None:
        self.page: Page = context.new_page()
        self.page.set_default_timeout(60_000)
        self.address = address
        self.errors: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda m: self.errors.append(m.text) if m.type == "error" else None)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))

    def open(self, path: str) -> Page:
        """Load it, with all that it asks for."""
        self.page.goto(f"{self.address}/{path}", wait_until="load")
        return self.page

    def findings(self) -> list[str]:
        """What axe objects to."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        found = self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        return [
            f"{rule['id']}: {node['html'][:200]}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]

    def is_too_wide(self) -> bool:
        """Whether a reader must scroll sideways."""
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.fixture
def visit(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """A visitor; the parameter, if there is one, holds options of the browser."""
    context = browser.new_context(**{"viewport": DESK, **getattr(request, "param", {})})
    yield Visit(context, address)
    context.close()


@pytest.mark.parametrize("path", KINDS)
@pytest.mark.parametrize(
    "visit",
    [
        pytest.param({}, id="desk"),
        pytest.param({"viewport": PHONE, "has_touch": True}, id="phone"),
        pytest.param({"color_scheme": "dark"}, id="dark"),
    ],
    indirect=True,
)
def test_a_page_is_accessible_fits_and_requests_no_other_host(visit: Visit, path: str) -> None:
    visit.open(path)

    assert visit.errors == []
    assert all(url.startswith(visit.address) for url in visit.requests)
    assert len(visit.requests) >= 3
    assert not visit.is_too_wide()
    assert visit.findings() == []


def test_these_checks_find_what_is_wrong(visit: Visit) -> None:
    visit.page.set_viewport_size(PHONE)
    visit.open("bad.html")

    assert any("image-alt" in finding for finding in visit.findings())
    assert visit.is_too_wide()
    assert any("Content Security Policy" in error for error in visit.errors)


# The milliseconds until the page was painted; waiting for a function polls by `eval`, which the
# page's Content Security Policy refuses.
FIRST_PAINT = """() => new Promise(painted => {
    new PerformanceObserver(list => {
        const [paint] = list.getEntriesByName("first-contentful-paint")
        if (paint) painted(paint.startTime)
    }).observe({type: "paint", buffered: true})
})"""


def test_a_page_is_seen_within_a_second(visit: Visit) -> None:
    def first_paint() -> float:
        visit.open("site/council/sutton.html")
        return float(visit.page.evaluate(FIRST_PAINT))

    # Until one is fast enough: the budget is the page's, not that of a busy machine.
    assert any(first_paint() < 1000 * SECONDS for _ in range(10))


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.outerHTML.slice(0, 90)"))


def test_everything_can_be_reached_and_opened_with_a_keyboard(visit: Visit) -> None:
    page = visit.open("site/council/sutton.html")
    wanted = page.locator("a[href], summary, [tabindex='0'], input").evaluate_all(
        "all => all.filter(e => e.checkVisibility() && e.getClientRects().length).length"
    )
    reached = []
    for _ in range(wanted + 1):
        page.keyboard.press("Tab")
        here = page.evaluate("document.activeElement === document.body")
        if here:
            break
        reached.append(focused(page))

    assert "Skip to main content" in reached[0]
    assert len(reached) >= wanted > 50
    assert any("ward/E05000555.html" in one and "aria-label" in one for one in reached)

    page.locator("summary").first.focus()
    assert page.locator(CLOSED_TABLE).first.is_hidden()
    page.keyboard.press("Enter")
    assert page.locator("details[open] table").first.is_visible()


def test_the_first_link_skips_the_navigation(visit: Visit) -> None:
    page = visit.open("site/index.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    assert page.evaluate("document.activeElement.id") == "main"


def test_what_is_focused_can_be_seen(visit: Visit) -> None:
    page = visit.open("site/index.html")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")

    style = page.evaluate("getComputedStyle(document.activeElement).outline")
    assert "solid 3px" in style


def test_paper_shows_every_table_and_no_navigation(visit: Visit) -> None:
    page = visit.open("site/council/sutton.html")
    closed = page.locator(CLOSED_TABLE)
    assert closed.count() > 5
    assert not any(closed.nth(n).is_visible() for n in range(closed.count()))

    page.emulate_media(media="print")
    assert all(closed.nth(n).is_visible() for n in range(closed.count()))
    assert page.locator("header nav").is_hidden()
    assert (
        page.evaluate("getComputedStyle(document.querySelector('.hero')).color") == "rgb(0, 0, 0)"
    )
    assert len(page.pdf()) > 10_000


def test_a_table_of_many_columns_fits_a_sheet_of_paper(visit: Visit) -> None:
    # A4 without its margins.
    visit.page.set_viewport_size({"width": 718, "height": 1000})
    page = visit.open("site/council/sutton.html")
    page.locator("details").evaluate_all("all => all.forEach(one => { one.open = true })")

    page.emulate_media(media="print")
    assert page.locator("table.many").first.is_visible()
    assert not visit.is_too_wide()


@pytest.mark.parametrize(
    "visit", [{"forced_colors": "active", "color_scheme": "dark"}], indirect=True
)
def test_lines_have_the_colours_that_a_reader_has_chosen(visit: Visit) -> None:
    page = visit.open("site/council/sutton.html")
    drawn = page.evaluate(
        """() => {
          const probe = document.createElement('i');
          probe.style.forcedColorAdjust = 'none';
          document.body.append(probe);
          const system = name => { probe.style.color = name; return getComputedStyle(probe).color };
          const line = document.querySelector("svg.chart [stroke='#12436D']");
          return [getComputedStyle(line).stroke, system('CanvasText'), system('Canvas')];
        }"""
    )

    line, text, ground = drawn
    assert line == text != ground
    assert not visit.is_too_wide()


@pytest.mark.parametrize("visit", [{"reduced_motion": "reduce"}], indirect=True)
def test_nothing_moves_for_a_reader_who_wants_no_motion(visit: Visit) -> None:
    page = visit.open("site/council/sutton.html")
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"

    assert page.evaluate(behaviour) == "auto"
    page.emulate_media(reduced_motion="no-preference")
    assert page.evaluate(behaviour) == "smooth"


@pytest.mark.parametrize("visit", [{"java_script_enabled": False}], indirect=True)
def test_without_a_script_all_figures_are_there(visit: Visit) -> None:
    page = visit.open("site/council/sutton.html")

    assert page.locator("svg.chart").count() >= 8
    assert page.locator("svg.map a").count() == 2
    page.locator("summary").first.click()
    assert page.locator("details[open] tbody tr").count() == 26
    assert page.locator("input").count() == 0


def test_a_mark_says_what_it_stands_for(visit: Visit) -> None:
    page = visit.open("site/council/sutton.html")
    tip = page.locator(".tip")
    assert tip.is_hidden()

    page.locator("svg.chart [data-tip]").first.hover()
    assert tip.inner_text() == "August 2024: 70"
    page.keyboard.press("Escape")
    assert tip.is_hidden()
    assert visit.errors == []


def test_a_long_table_can_be_filtered(visit: Visit) -> None:
    page = visit.open("site/council/sutton.html")
    page.locator("summary").first.click()
    shown = page.locator("details[open] tbody tr:visible")
    assert shown.count() == 26

    page.locator("details[open] input").fill("2025")
    assert shown.count() == 12
    assert page.locator("details[open] [role=status]").inner_text().strip() == "12 of 26"


def test_a_visitor_goes_from_the_map_to_a_ward_and_back(visit: Visit) -> None:
    page = visit.open("site/index.html")
    page.locator("svg.map a[aria-label^='Cheam']").click()
    page.get_by_role("heading", name="Cheam", level=1).wait_for()
    page.get_by_role("navigation", name="Breadcrumb").get_by_role("link", name="Sutton").click()
    page.get_by_role("heading", name="Sutton", level=1).wait_for()
    assert visit.errors == []
