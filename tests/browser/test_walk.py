"""The walk of a data engineer through a platform, in one session of one browser.

From the login to an approved publication. Not once does the console report an error, and no
request goes to another host.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Locator,
    ViewportSize,
    expect,
)

from sandbox.police.months import month_number, month_text
from tests.acceptance.airflow_runs import waited
from tests.acceptance.conftest import Wandle
from tests.browser.conftest import WINDOW, log_in
from tests.browser.test_dashboard import PHONE, Visit
from tests.browser.test_portal import CRIMES, portal_pages

INGEST = f"ingest_{CRIMES}"
BACKFILLED = 3
GREEN_MS = 400_000
SIZES: tuple[ViewportSize, ...] = (WINDOW, PHONE)  # type: ignore[assignment]
# What Chromium reports of Airflow's own pages, and why; an error of our pages is never allowed.
ALLOWED = {
    "Failed to load resource: the server responded with a status of 401 (Unauthorized)"
    " /ui/config": ("by this answer Airflow's page learns that it must show the login"),
}

pytestmark = pytest.mark.timeout(2400)


class Walk(Visit):
    """One session: what any of its pages asked for, and what their consoles said."""

    def __init__(self, context: BrowserContext, platform: Wandle) -> None:
        self.platform = platform
        self.said: list[str] = []
        exported = platform.exported()
        super().__init__(context, exported["AIRFLOW_URL"])
        self.page.on("console", self._keep)
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        log_in(self.page, exported)

    def _keep(self, message: ConsoleMessage) -> None:
        """Keep an error with the path that it is about, unless it is allowed."""
        if message.type == "error":
            path = urlsplit(message.location.get("url", "")).path
            self.said += {f"{message.text} {path}"} - ALLOWED.keys()

    def is_clean(self, where: str) -> None:
        """Nothing was said or asked for that should not be."""
        assert self.said == [], where
        own = (self.address, "data:", f"blob:{self.address}")
        assert [url for url in self.requests if not url.startswith(own)] == [], where

    def trigger(self) -> Locator:
        """The form that starts a run of the crimes."""
        self.open(f"dags/{INGEST}")
        self.page.get_by_role("button", name="Trigger").first.click()
        return self.page.get_by_role("dialog").first

    def loaded(self) -> set[str]:
        """The months of crimes in the warehouse."""
        return {entry["period"] for entry in self.platform.ledger() if entry["source"] == CRIMES}

    def versions(self) -> list[dict[str, Any]]:
        """The published versions, newest first."""
        found: list[dict[str, Any]] = json.loads(self.platform.ok("publish", "--list", "--json"))
        return found


@pytest.fixture(scope="module")
def asking(platform: Wandle) -> Iterator[Wandle]:
    """The platform while it asks a person before it publishes."""

    def asks(hours: int) -> None:
        environment = platform.environment | {"WANDLE_PUBLISH_APPROVAL_HOURS": str(hours)}
        Wandle(environment, platform.home).ok("up")
        api = platform.airflow()

        def is_so() -> bool:
            tasks = api.get("/dags/transform/tasks")["tasks"]
            return any(task["task_id"] == "approve" for task in tasks) == bool(hours)

        waited("the new tasks of transform", is_so)

    asks(24)
    yield platform
    asks(0)


@pytest.fixture
def walk(browser: Browser, asking: Wandle) -> Iterator[Walk]:
    context = browser.new_context(viewport=WINDOW, base_url=asking.exported()["AIRFLOW_URL"])  # type: ignore[arg-type]
    yield Walk(context, asking)
    context.close()


def test_a_walk_from_the_login_to_a_publication_reports_no_error_and_requests_no_other_host(
    walk: Walk,
) -> None:
    loaded = sorted(walk.loaded())
    walk.is_clean("login")
    run_one_month(walk, loaded[-1])
    walk.is_clean("run")
    show_a_dry_run(walk, loaded[-1])
    walk.is_clean("dry run")
    backfilled = months_before(loaded[0], BACKFILLED)
    backfill(walk, backfilled)
    walk.is_clean("backfill")
    approve_the_publication(walk)
    walk.is_clean("approval")
    read_every_page(walk, backfilled[0])
    walk.is_clean("pages")


def months_before(month: str, count: int) -> list[str]:
    """The months just before one, in their order."""
    number = month_number(month)
    return [month_text(number - back) for back in range(count, 0, -1)]


def run_one_month(walk: Walk, month: str) -> None:
    """Start a run from Airflow's form and watch it go green."""
    form = walk.trigger()
    form.locator("#element_from").fill(month)
    form.locator("#element_to").fill(month)
    form.get_by_role("button", name="Trigger").click()
    walk.page.wait_for_url(f"**/dags/{INGEST}/runs/manual__**")
    for task in ("partition.load", "reconcile"):
        row = walk.page.get_by_role("row").filter(has_text=task).first
        expect(row).to_contain_text("Success", timeout=GREEN_MS)


def show_a_dry_run(walk: Walk, month: str) -> None:
    """Start a dry run and read its plan in the log of `plan`."""
    before = walk.platform.ledger("--history")
    form = walk.trigger()
    form.locator("#element_from").fill(month)
    form.locator("#element_to").fill(month)
    form.get_by_label("Dry run").locator("xpath=..").click()
    form.get_by_role("button", name="Trigger").click()
    page = walk.page
    page.wait_for_url(f"**/dags/{INGEST}/runs/manual__**")
    row = page.get_by_role("row").filter(has_text="reconcile")
    expect(row).to_contain_text("Success", timeout=GREEN_MS)

    page.get_by_test_id("table-list").get_by_role("link", name="plan", exact=True).click()
    for line in (
        re.compile(r"council +period +loaded +records +requests"),
        re.compile(rf"kingston +{month} +\d"),
        re.compile(rf"sutton +{month} +\d"),
        re.compile("This was a dry run: nothing was requested, landed or loaded"),
    ):
        expect(page.get_by_text(line).first).to_be_visible()
    assert walk.platform.ledger("--history") == before


def backfill(walk: Walk, months: list[str]) -> None:
    """Start a backfill of these months from Airflow's form and watch it go green."""
    form, page = walk.trigger(), walk.page
    form.get_by_text("Backfill", exact=True).click()
    for month in (months[0], months[-1]):
        form.get_by_text("Select date").first.click()
        page.get_by_placeholder("YYYY/MM/DD").fill(f"{month.replace('-', '/')}/02")
        form.get_by_role("heading").first.click()
    expect(form).to_contain_text(f"{len(months)} runs will be triggered.")
    form.get_by_role("button", name="Run Backfill").click()
    expect(form).to_have_count(0)

    walk.open(f"dags/{INGEST}/runs?run_type=backfill")
    for month in months:
        # A run has the date on which its month is over.
        run = f"backfill__{month_text(month_number(month) + 1)}-"
        row = page.get_by_role("row").filter(has_text=run)
        expect(row).to_contain_text("Success", timeout=GREEN_MS)
    loaded = {(entry["period"], entry["status"]) for entry in walk.platform.ledger()}
    assert {(month, "loaded") for month in months} <= loaded


def approve_the_publication(walk: Walk) -> None:
    """Answer the question of `transform` under Required Actions, on a phone."""
    before, page = walk.versions(), walk.page
    question = page.get_by_role("row").filter(has_text="transform")

    def is_asked() -> bool:
        walk.open("required_actions?response_received=false")
        page.wait_for_timeout(3_000)
        return question.count() == 1

    waited("the question of transform", is_asked)
    question.get_by_role("link", name="approve").click()
    for size in SIZES:
        page.set_viewport_size(size)
        expect(page.get_by_text("What the publication would change")).to_be_visible()
    assert walk.versions() == before

    page.get_by_role("button", name="Approve", exact=True).click()
    page.set_viewport_size(WINDOW)
    walk.open("dags/transform/runs")
    newest = page.get_by_role("row").filter(has_text="asset_triggered__").first
    expect(newest).to_contain_text("Success", timeout=GREEN_MS)
    after = walk.versions()
    assert after[0]["current"]
    assert [one["version"] for one in after[1:]] == [one["version"] for one in before]
    assert after[0]["changes"]["ward_crime_monthly"]["added"] > 0

    walk.open("dashboard/data.html")
    expect(page.get_by_text(after[0]["version"]).first).to_be_visible()


def read_every_page(walk: Walk, month: str) -> None:
    """Open the portal's pages and the dbt docs, on a desk and on a phone."""
    page = walk.page
    for size in SIZES:
        page.set_viewport_size(size)
        for name, path in portal_pages(month).items():
            walk.open(path)
            assert walk.findings() == [], (name, size)
            assert not walk.is_too_wide(), (name, size)
            walk.is_clean(f"{name} {size}")
        walk.open("plugin/dbt-docs")
        docs = page.frame_locator("iframe")
        expect(docs.get_by_text("Wandle: the warehouse of Kingston and Sutton")).to_be_visible()
        walk.open("dbt-docs/#!/model/model.wandle.ward_crime_monthly")
        expect(page.get_by_role("heading", name="ward_crime_monthly").first).to_be_visible()
        walk.is_clean(f"dbt docs {size}")
