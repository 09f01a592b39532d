"""Take the pictures that the documentation shows: `make screenshots SITE=...` or `PORTAL=...`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

HERE = Path(__file__).parent
USAGE = """Usage: make screenshots SITE=<address or folder of the dashboard>
       make screenshots PORTAL=<address of the portal>, after eval "$(wandle env)"
       """
DASHBOARD = {"index": "index.html", "council": "council/sutton.html", "ward": "ward/E05000566.html"}
# The cell of the partition that is shown; the newest of them.
PARTITION = 'a.cell[href*="source=police_street_crime"][href*="council=sutton"].loaded'
PORTAL = {"overview": "", "lineage": "lineage?of=marts.ward_crime_summary.crimes"}
# Width, and the most height that a picture shows.
SIZES = {"desktop": (1200, 1500), "phone": (390, 1300)}
START_HEIGHT = 900
# A platform at work answers late.
TIMEOUT_MS = 120_000


def shoot_dashboard(browser: Browser, site: str) -> None:
    """Write a picture of each page at each size.

    `site` is the address of the dashboard, or the folder that holds it.
    """
    root = site if "://" in site else Path(site).resolve().as_uri()
    for size, (width, _) in SIZES.items():
        page = browser.new_page(viewport={"width": width, "height": START_HEIGHT})
        for name, path in DASHBOARD.items():
            page.goto(f"{root.rstrip('/')}/{path}")
            _shoot(page, f"dashboard-{name}", size)


def shoot_portal(browser: Browser, portal: str) -> None:
    """Write a picture of each page at each size, as the user that `wandle env` names."""
    root = portal.rstrip("/")
    context = browser.new_context()
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    _log_in(page, f"{root}/")
    for size, (width, _) in SIZES.items():
        page.set_viewport_size({"width": width, "height": START_HEIGHT})
        for name, path in PORTAL.items():
            page.goto(f"{root}/{path}")
            _shoot(page, f"portal-{name}", size)
        page.goto(f"{root}/?source=police_street_crime")
        page.locator(PARTITION).last.click()
        page.get_by_role("heading", name="In the warehouse now").wait_for()
        _shoot(page, "portal-partition", size)


def _log_in(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("link", name="Log in").click()
    page.fill('input[name="username"]', os.environ["AIRFLOW_USER"])
    page.fill('input[name="password"]', os.environ["AIRFLOW_PASSWORD"])
    page.click('button[type="submit"]')
    page.wait_for_url(address)


def _shoot(page: Page, name: str, size: str) -> None:
    width, most = SIZES[size]
    height = page.evaluate("document.documentElement.scrollHeight")
    page.set_viewport_size({"width": width, "height": min(height, most)})
    picture = HERE / f"{name}-{size}.png"
    page.screenshot(path=picture)
    page.set_viewport_size({"width": width, "height": START_HEIGHT})
    print(picture)  # noqa: T201 - a command's output


if __name__ == "__main__":
    shoots: dict[str, Callable[[Browser, str], None]] = {
        "dashboard": shoot_dashboard,
        "portal": shoot_portal,
    }
    if len(sys.argv) != 3 or sys.argv[1] not in shoots:
        sys.exit(USAGE)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shoots[sys.argv[1]](launched, sys.argv[2])
        launched.close()
