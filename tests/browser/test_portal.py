"""The portal in a browser: on a desk, on a phone, in the dark, without a mouse."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.acceptance.conftest import Wandle
from tests.browser.conftest import log_in
from tests.browser.test_dashboard import DESK, PHONE, Visit

CRIMES = "police_street_crime"
KINDS: dict[str, dict[str, Any]] = {
    "desktop": {"viewport": DESK},
    "phone": {"viewport": PHONE, "has_touch": True},
    "dark": {"viewport": DESK, "color_scheme": "dark"},
}
# The tables that a reader must scroll sideways.
CUT = """
[...document.querySelectorAll(".stack")]
  .filter(table => table.scrollWidth > table.parentElement.clientWidth).length
"""
WIDE: ViewportSize = {"width": 1400, "height": 1000}

pytestmark = pytest.mark.timeout(1800)


def portal_pages(period: str) -> dict[str, str]:
    """Every page of the portal by its name; those of a partition are of this period."""
    place = f"source={CRIMES}&council=sutton&period={period}"
    return {
        "overview": "portal/",
        "source": f"portal/?source={CRIMES}",
        "partition": f"portal/partition?{place}",
        "run": f"portal/run?do=fetch&{place}",
        "replay": f"portal/run?do=replay&{place}",
        "quarantine": "portal/quarantine",
        "data": "portal/data",
        "lineage": "portal/lineage",
        "lineage-table": "portal/lineage?of=marts.ward_crime_summary",
        "lineage-column": "portal/lineage?of=marts.ward_crime_summary.crimes",
        "lineage-field": f"portal/lineage?of=contract.{CRIMES}.outcome_category",
        "costs": "portal/costs",
    }


@pytest.fixture(scope="module")
def period(platform: Wandle) -> str:
    """A period that the demo loaded."""
    return str(max(entry["period"] for entry in platform.ledger() if entry["source"] == CRIMES))


@pytest.fixture(scope="module")
def pages(period: str) -> dict[str, str]:
    """Every page of the portal, and one that is not there."""
    return {**portal_pages(period), "nothing": "portal/nothing"}


@pytest.fixture
def visit(
    browser: Browser, platform: Wandle, request: pytest.FixtureRequest
) -> Iterator[tuple[str, Visit]]:
    """Somebody who has logged in, with the browser that the parameter names."""
    exported = platform.exported()
    address = exported["AIRFLOW_URL"]
    context = browser.new_context(base_url=address, **KINDS[request.param])
    page = context.new_page()
    page.set_default_timeout(60_000)
    log_in(page, exported)
    page.close()
    yield request.param, Visit(context, address)
    context.close()


@pytest.mark.parametrize("visit", KINDS, indirect=True)
def test_every_page_is_accessible_fits_and_requests_no_other_host(
    visit: tuple[str, Visit], pages: dict[str, str], platform: Wandle
) -> None:
    kind, visitor = visit
    pictures = Path(os.environ.get("PICTURES", platform.home / "pictures"))
    pictures.mkdir(exist_ok=True)
    for name, path in pages.items():
        if name == "nothing":
            # Chromium calls a page that is not found an error.
            visitor.errors.clear()
        page = visitor.open(path)

        assert name == "nothing" or visitor.errors == [], name
        assert not visitor.is_too_wide(), name
        assert kind != "phone" or page.evaluate(CUT) == 0, name
        assert visitor.findings() == [], name
        page.screenshot(path=pictures / f"portal-{name}-{kind}.png", full_page=True)
    assert all(url.startswith((visitor.address, "data:")) for url in visitor.requests)
    assert sum("portal.css" in url for url in visitor.requests) >= 1


@pytest.mark.parametrize("visit", ["desktop"], indirect=True)
def test_every_cell_can_be_reached_with_a_keyboard_and_leads_to_its_partition(
    visit: tuple[str, Visit], pages: dict[str, str], period: str
) -> None:
    page = visit[1].open(pages["source"])
    page.keyboard.press("Tab")
    assert "Skip to main content" in page.evaluate("document.activeElement.textContent")

    cell = page.locator(f'a.cell[href*="sutton"][href$="{period}"]')
    cell.focus()
    assert "solid 3px" in page.evaluate("getComputedStyle(document.activeElement).outline")
    page.keyboard.press("Enter")

    expect(page.get_by_role("heading", level=1)).to_contain_text(period)
    expect(page.get_by_role("heading", name="In the warehouse now")).to_be_visible()


def test_a_run_is_started_from_the_filled_form_in_the_frame_of_airflow(
    page: Page, period: str
) -> None:
    page.set_viewport_size(WIDE)
    page.goto("/plugin/portal")
    portal = page.frame_locator("iframe")
    portal.locator(f'a.cell[href*="{CRIMES}"][href*="sutton"][href$="{period}"]').click()
    portal.get_by_role("link", name="Reload from S3").click()
    expect(portal.get_by_label("From")).to_have_value(period)
    expect(portal.get_by_label("Sutton")).to_be_checked()

    portal.get_by_label("Dry run").check()
    portal.get_by_role("button", name="Start the run").click()

    page.wait_for_url(f"**/dags/ingest_{CRIMES}/runs/manual__**")
    expect(page.get_by_text("Success").first).to_be_visible(timeout=180_000)


def test_what_airflow_refuses_is_shown_in_the_form(page: Page, period: str) -> None:
    page.goto(f"/portal/run?do=fetch&source={CRIMES}&council=sutton&period={period}")
    page.get_by_label("From").fill("last month")
    page.get_by_role("button", name="Start the run").click()

    expect(page.get_by_role("alert")).to_contain_text("Airflow refused (4")


def test_the_portal_requires_a_login(anonymous: Page, pages: dict[str, str]) -> None:
    for path in (*pages.values(), "portal/assets/portal.css"):
        answer = anonymous.goto(f"/{path}")

        assert answer is not None
        assert answer.status == 401
