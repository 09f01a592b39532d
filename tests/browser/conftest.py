"""A platform with generated data, and Debian's Chromium driven against it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.acceptance.conftest import Wandle

PORT_BASE = 18_380
# Milliseconds. A busy machine opens dbt's documentation later than the default of 5 s.
expect.set_options(timeout=30_000)
WINDOW = {"width": 1400, "height": 1100}
# As root there is no sandbox; the rest keeps Chromium from looking for its maker's hosts.
CHROMIUM = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="session")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wandle]:
    """A platform on which the main job has run, on generated data."""
    home = tmp_path_factory.mktemp("browser")
    foreign = ("WANDLE_", "AIRFLOW", "AWS_")
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(foreign)
    } | {"WANDLE_HOME": str(home), "WANDLE_PORT_BASE": str(PORT_BASE)}
    wandle = Wandle(environment, home)
    try:
        wandle.ok("demo", "police_street_crime")
        yield wandle
    finally:
        wandle.run("down")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "Chromium is missing. On Debian: apt install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(CHROMIUM))
        yield browser
        browser.close()


def log_in(page: Page, exported: dict[str, str]) -> None:
    """Log in by the form, as a user does; `exported` is what `wandle env` prints."""
    page.goto("/")
    page.fill('input[name="username"]', exported["AIRFLOW_USER"])
    page.fill('input[name="password"]', exported["AIRFLOW_PASSWORD"])
    page.click('button[type="submit"]')
    page.get_by_role("heading", name="Welcome").wait_for()


@pytest.fixture
def anonymous(platform: Wandle, browser: Browser) -> Iterator[Page]:
    """A page of a visitor who has not logged in."""
    context = browser.new_context(viewport=WINDOW, base_url=platform.exported()["AIRFLOW_URL"])  # type: ignore[arg-type]
    page = context.new_page()
    page.set_default_timeout(20_000)
    yield page
    context.close()


@pytest.fixture
def page(anonymous: Page, platform: Wandle, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of a user who has logged in; a picture is kept next to the state folder."""
    log_in(anonymous, platform.exported())
    yield anonymous
    pictures = Path(os.environ.get("PICTURES", platform.home / "pictures"))
    anonymous.screenshot(path=pictures / f"{request.node.name}.png")
