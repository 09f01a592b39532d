"""Take the pictures of the dashboard that the documentation shows: `make screenshots SITE=...`."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
PAGES = {"index": "index.html", "council": "council/sutton.html", "ward": "ward/E05000566.html"}
# Width, and the most height that a picture shows.
SIZES = {"desktop": (1200, 1500), "phone": (390, 1300)}


def shoot(site: str) -> None:
    """Write a picture of each page at each size.

    `site` is the address of the dashboard, or the folder that holds it.
    """
    root = site if "://" in site else Path(site).resolve().as_uri()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for size, (width, most) in SIZES.items():
            page = browser.new_page(viewport={"width": width, "height": 900})
            for name, path in PAGES.items():
                page.goto(f"{root.rstrip('/')}/{path}")
                height = page.evaluate("document.documentElement.scrollHeight")
                picture = HERE / f"dashboard-{name}-{size}.png"
                page.set_viewport_size({"width": width, "height": min(height, most)})
                page.screenshot(path=picture)
                page.set_viewport_size({"width": width, "height": 900})
                print(picture)  # noqa: T201 - a command's output
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Usage: make screenshots SITE=<address or folder of the dashboard>")
    shoot(sys.argv[1])
