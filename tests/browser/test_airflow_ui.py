"""What a data engineer sees and does in the Airflow UI, at the address that the demo prints."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from playwright.sync_api import Page, expect

from include.sources.model import contracts
from tests.acceptance.conftest import Wandle

INGEST = [f"ingest_{name}" for name in contracts()]
CRIMES = "ingest_police_street_crime"

pytestmark = pytest.mark.timeout(900)


def test_every_dag_is_listed_and_none_fails_to_import(page: Page) -> None:
    page.goto("/dags")

    assert len(INGEST) >= 2
    for dag_id in [*INGEST, "transform"]:
        expect(page.get_by_role("link", name=dag_id, exact=True).first).to_be_visible()
    expect(page.get_by_text("Import Error")).to_have_count(0)


def test_a_dag_shows_its_contract_as_documentation(page: Page) -> None:
    page.goto(f"/dags/{CRIMES}")

    page.get_by_role("button", name="Dag Docs").click()

    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Street-level crime")
    expect(dialog).to_contain_text("Open Government Licence v3.0")
    expect(dialog).to_contain_text("raw.police_street_crime")


def test_a_run_triggered_from_the_form_for_one_council_and_month_is_green(
    page: Page, platform: Wandle
) -> None:
    month = min(entry["period"] for entry in platform.ledger() if entry["council"] == "sutton")
    began = datetime.now(UTC).isoformat()
    page.goto(f"/dags/{CRIMES}")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")

    form.get_by_label("Remove Kingston upon Thames").click()
    form.locator("#element_from").fill(month)
    form.locator("#element_to").fill(month)
    form.get_by_role("button", name="Trigger").click()
    page.wait_for_url(f"**/dags/{CRIMES}/runs/manual__**")

    for task in ("partition.load", "reconcile"):
        row = page.get_by_role("row").filter(has_text=task)
        expect(row).to_contain_text("Success", timeout=180_000)
    fresh = [
        (entry["council"], entry["period"], entry["status"])
        for entry in platform.ledger("--history")
        if entry["started_at"] > began
    ]
    assert fresh == [("sutton", month, "unchanged")]


def test_the_dbt_docs_open_from_the_menu_after_the_login(page: Page) -> None:
    page.get_by_role("link", name="dbt docs").click()

    docs = page.frame_locator("iframe")
    expect(docs.get_by_text("Wandle: the warehouse of Kingston and Sutton")).to_be_visible()
    expect(docs.get_by_role("link", name="ward_crime_monthly").first).to_be_visible()


@pytest.mark.parametrize("path", ["/dbt-docs/", "/dbt-docs/manifest.json", "/dbt-docs/no/such"])
def test_the_dbt_docs_require_a_login(anonymous: Page, path: str) -> None:
    answer = anonymous.goto(path)

    assert answer is not None
    assert answer.status == 401
    expect(anonymous.get_by_text("ward_crime_monthly")).to_have_count(0)
