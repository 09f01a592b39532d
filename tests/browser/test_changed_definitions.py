"""A dataset and a council that are added and removed, as the Airflow UI shows them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from dotenv import dotenv_values
from playwright.sync_api import Browser, Locator, Page, expect

from tests.acceptance.newcomer import ADDING, Newcomer, newcomer
from tests.browser.conftest import WINDOW

PORT_BASE = 18_980
DAG = "ingest_library_loans"
# For a page of a busy machine.
PATIENCE = 60_000

pytestmark = pytest.mark.timeout(1_800)


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    """Somebody who has added the dataset and the council of docs/adding-a-dataset.md."""
    with newcomer(tmp_path_factory, PORT_BASE) as found:
        found.follow(ADDING)
        found.airflow().wait_for_dags([DAG], 120)
        yield found


@pytest.fixture
def page(person: Newcomer, browser: Browser) -> Iterator[Page]:
    """A page of a user who has logged in."""
    kept = dotenv_values(person.home / "wandle.env")
    context = browser.new_context(viewport=WINDOW, base_url=str(kept["AIRFLOW_URL"]))  # type: ignore[arg-type]
    found = context.new_page()
    found.set_default_timeout(PATIENCE)
    found.goto("/")
    found.fill('input[name="username"]', str(kept["AIRFLOW_USER"]))
    found.fill('input[name="password"]', str(kept["AIRFLOW_PASSWORD"]))
    found.click('button[type="submit"]')
    found.get_by_role("heading", name="Welcome").wait_for()
    yield found
    context.close()


def test_the_new_dataset_is_run_for_the_new_council_from_its_form(person, page):
    form = form_of(page, DAG, with_merton=True)
    for council in ("Kingston upon Thames", "Sutton"):
        form.get_by_label(f"Remove {council}").click()
    expect(form.get_by_label("Remove Merton")).to_be_visible()
    form.locator("#element_from").fill("2026-07-06")
    form.locator("#element_to").fill("2026-07-06")
    form.get_by_role("button", name="Trigger").click()
    page.wait_for_url(f"**/dags/{DAG}/runs/manual__**")

    row = page.get_by_role("row").filter(has_text="reconcile")
    expect(row).to_contain_text("Success", timeout=300_000)
    loaded = (
        "select _council, count(*) from raw.library_loans where _period = '2026-07-06' group by 1"
    )
    assert person.rows(loaded) == [("merton", 2)]


def test_a_broken_contract_is_one_import_error_and_the_other_dags_stay(person, page):
    path = person.folder / "include" / "sources" / "weather_hourly.yaml"
    text = path.read_text()
    path.write_text(text.replace("base_url: https://", "base_url: http://"))
    try:
        # The home page reads them once, when it is opened.
        (error,) = import_errors(person, 1)
        page.goto("/")
        expect(page.get_by_text("Dag Import Error").first).to_be_visible(timeout=PATIENCE)
        page.goto("/dags")
        listed(page, "transform")
        listed(page, DAG)
    finally:
        path.write_text(text)
    assert "include/sources/weather_hourly.yaml: line " in error
    assert "field `extract.base_url`" in error
    assert import_errors(person, 0) == []


def import_errors(person: Newcomer, count: int) -> list[str]:
    """The import errors, as soon as Airflow has so many."""
    ends = time.monotonic() + 300
    while True:
        errors = [*person.airflow().listed("/importErrors", "import_errors")]
        if len(errors) == count:
            return [str(error["stack_trace"]) for error in errors]
        assert time.monotonic() < ends, errors
        time.sleep(1)


def listed(page: Page, dag: str) -> None:
    """See the DAG in the list."""
    link = page.get_by_role("link", name=dag, exact=True).first
    expect(link).to_be_visible(timeout=PATIENCE)


def test_what_was_removed_is_no_longer_listed(person, page):
    person.wandle("remove", "library_loans", "--yes")
    person.wandle("remove", "--council", "merton", "--yes")

    page.goto("/dags")
    listed(page, "transform")
    expect(page.get_by_role("link", name=DAG, exact=True)).to_have_count(0)
    form = form_of(page, "ingest_weather_hourly", with_merton=False)
    expect(form.get_by_label("Remove Sutton")).to_be_visible(timeout=PATIENCE)


def form_of(page: Page, dag: str, *, with_merton: bool) -> Locator:
    """The form of a DAG, as soon as its file was parsed again."""
    ends = time.monotonic() + 300
    while True:
        page.goto(f"/dags/{dag}")
        page.get_by_role("button", name="Trigger").first.click()
        form = page.get_by_role("dialog")
        expect(form.get_by_label("Remove Kingston upon Thames")).to_be_visible(timeout=PATIENCE)
        if form.get_by_label("Remove Merton").count() == with_merton:
            return form
        assert time.monotonic() < ends
