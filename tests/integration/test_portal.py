"""The portal's pages from real books: what they say, how fast, and what the role may not read."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, urlsplit

import psycopg
import pytest

from include.councils.model import council_titles
from include.errors import ServiceUnavailable
from include.jobs.lineage.columns import project_graph
from include.lineage.graph import Graph
from include.lineage.stored import dumped, loaded
from include.portal import books
from include.portal.overview import overview
from include.portal.pages import Page, render
from include.portal.site import Visit, answer
from include.portal.states import window
from include.sources.model import contracts
from include.warehouse.connection import DatabaseRefused, rows
from tests.portal_books import SCRIPT, fill, fill_many, write
from tests.samples import contract

NOW = datetime.now(UTC)
CRIMES = "police_street_crime"


@pytest.fixture(scope="module")
def graph(tmp_path_factory) -> Graph:
    """The lineage of the project, on its way through the bucket."""
    return loaded(dumped(project_graph(contracts(), state=tmp_path_factory.mktemp("dbt"))))


@pytest.fixture
def open_page(warehouse, graph) -> Callable[[str], Page]:
    """Opens an address of the portal as Airflow's API server does."""

    def opened(address: str) -> Page:
        parts = urlsplit(address)
        visit = Visit(
            parts.path,
            dict(parse_qsl(parts.query)),
            "",
            lambda: "wandle",
            lambda dag_id: True,
            NOW,
            lambda: graph,
        )
        return answer(visit, lambda: warehouse.dsn("wandle_portal"))

    return opened


@pytest.fixture
def filled(warehouse) -> None:
    fill(warehouse.admin, contracts().values(), council_titles(), NOW)


def text(page: Page) -> str:
    assert page.status == 200
    return page.body.decode()


def test_before_the_first_load_every_page_says_so(open_page):
    assert "Nothing is loaded yet" in text(open_page(""))
    assert "No record is in quarantine" in text(open_page("quarantine"))
    assert "Nothing was landed or loaded yet" in text(open_page("costs"))
    place = f"source={CRIMES}&council=sutton&period=2026-08"
    assert "This partition was never asked for" in text(open_page(f"partition?{place}"))


def test_a_column_of_a_mart_and_a_field_of_a_contract_lead_to_each_other(open_page):
    column = text(open_page("lineage?of=marts.ward_crime_monthly.category"))
    field = text(open_page(f"lineage?of=contract.{CRIMES}.category"))

    assert f"contract.{CRIMES}.category" in column
    assert "Where it comes from" in column
    assert "marts.ward_crime_monthly.category" in field
    assert re.search(r"A change affects \d+ marts, \d+ open-data files", field)


def test_every_source_and_model_has_a_lineage_and_leads_to_it(filled, open_page, graph):
    source = text(open_page(f"?source={CRIMES}"))
    models = re.findall(r'href="(lineage[^"]*)"', text(open_page("data")))

    assert f"lineage?of=contract.{CRIMES}" in source
    assert len(models) > 1
    for name in contracts():
        assert open_page(f"lineage?of=contract.{name}").status == 200
    for name in graph.tables:
        assert open_page(f"lineage?of={name}").status == 200


def test_a_column_that_is_not_there_is_not_found_and_the_nearest_is_named(open_page):
    page = open_page("lineage?of=marts.dim_ward.ward_cod")

    assert page.status == 404
    assert "Did you mean" in page.body.decode()


def test_every_link_of_the_overview_leads_to_a_page(filled, open_page):
    links = set(re.findall(r'href="((?:partition|\./)\?[^"]*)"', text(open_page(""))))
    assert len(links) > 200

    for link in sorted(links)[::40]:
        address = link.replace("&amp;", "&").removeprefix("./")
        assert open_page(address).status == 200, link


def test_the_overview_counts_what_the_books_say(filled, warehouse):
    with books.reading(warehouse.dsn("wandle_portal")) as cursor:
        made = overview(cursor, contracts(), council_titles(), NOW)
    refused = warehouse.value(
        "select count(*) from (select distinct on (source, council, period) status from ops.load "
        "order by source, council, period, load_id desc) as newest where status = 'refused'"
    )

    # Of periods that are older than those shown, some may be refused, too.
    assert 0 < made.states["refused"] <= refused
    assert made.states["missing"] > 0
    assert {group.source for group in made.groups} == contracts().keys()


def test_a_partition_shows_every_attempt_and_what_is_loaded_now(warehouse, open_page):
    begin = datetime(2026, 8, 1)
    place = {"source": CRIMES, "period": begin}
    refused = {"status": "refused", "at": NOW, "error": SCRIPT, "run_id": "manual__b"}
    with psycopg.connect(warehouse.admin) as connection:
        write(connection, place | {"at": NOW - timedelta(days=2)})
        write(connection, place | refused)

    page = text(open_page(f"partition?source={CRIMES}&council=sutton&period=2026-08"))

    assert "The newest attempt was refused" in page
    assert SCRIPT not in page
    assert "run_id_pattern=manual__b" in page
    assert f"s3://wandle/landing/{CRIMES}/sutton/2026-08/" in page
    assert "Fetch again" in page


def test_the_quarantine_shows_rules_samples_and_the_patch(filled, open_page):
    page = text(open_page(f"quarantine?source={CRIMES}"))

    assert "required" in page
    assert "Sample records" in page
    assert "outcome_code" in page
    assert "wandle migrate" in page
    assert "a secret sample" not in page


def test_what_a_newer_contract_calls_personal_is_hidden(warehouse):
    older = contract()
    newer = contract(
        {"name": "id", "type": "integer", "description": "The id.", "required": True},
        {"name": "note", "type": "text", "description": "The note.", "personal": "pseudonymise"},
        key=["id"],
        retention_days=30,
    )
    place = {"source": "gauges", "period": datetime(2026, 8, 1), "quarantined": 1}
    with psycopg.connect(warehouse.admin) as connection:
        write(connection, place | {"at": NOW, "hash": older.contract_hash, "value": "x"})
    for one, at in ((older, NOW - timedelta(days=2)), (newer, NOW)):
        with psycopg.connect(warehouse.admin) as connection:
            connection.execute(
                "insert into ops.contract (source, contract_hash, content, recorded_at) "
                "values (%s, %s, %s, %s) on conflict (source, contract_hash) "
                "do update set recorded_at = excluded.recorded_at",
                (one.name, one.contract_hash, one.as_recorded, at),
            )
        with books.reading(warehouse.dsn("wandle_portal")) as cursor:
            (sample,) = books.samples(cursor, "gauges", None, None, 5)
        assert ("a note" in sample["record"]) == (one is older)
        assert (sample["value"] == "x") == (one is older)


def test_the_models_have_their_tests_and_what_fails_is_named(filled, warehouse, open_page):
    page = text(open_page("data"))

    assert "1 model or test failed" in page
    assert "1 of 3 fail" in page


def test_the_costs_are_those_of_the_books(filled, warehouse, open_page):
    pages = warehouse.value(
        "select sum(pages) from ops.landing where finished_at >= "
        "date_trunc('month', now(), 'UTC') - interval '11 months'"
    )

    assert f"<dt>Requests</dt><dd>{pages:,}</dd>" in text(open_page("costs"))


def test_the_portal_cannot_write_even_where_its_role_could(warehouse):
    with (
        pytest.raises(DatabaseRefused, match="read-only"),
        books.reading(warehouse.admin) as cursor,
    ):
        cursor.execute("delete from ops.load")


def test_a_slow_query_is_ended(warehouse, monkeypatch):
    monkeypatch.setattr(books, "STATEMENT_TIMEOUT", 50)

    with (
        pytest.raises(ServiceUnavailable, match="statement timeout"),
        books.reading(warehouse.dsn("wandle_portal")) as cursor,
    ):
        rows(cursor, "select pg_sleep(5)")


def waiting() -> float:
    """How many seconds pass for one of computing: more than one if others use the processors."""
    began, used = time.perf_counter(), time.process_time()
    while time.process_time() - used < 0.2:
        pass
    return max(1.0, (time.perf_counter() - began) / (time.process_time() - used))


def test_two_hundred_contracts_and_fifty_councils_are_shown_within_a_second(warehouse):
    known = {f"s{n:03}": contract(name=f"s{n:03}", title=f"Source {n}") for n in range(200)}
    councils = {f"c{n:02}": f"Council {n}" for n in range(50)}
    newest = window(known["s000"], NOW).periods[-1].starts_at
    fill_many(warehouse.admin, [*known], [*councils], newest, 24)
    dsn = warehouse.dsn("wandle_portal")

    def made() -> tuple[float, str]:
        began = time.perf_counter()
        with books.reading(dsn) as cursor:
            view = overview(cursor, known, councils, NOW)
        page = render("overview.html", "", title=view.heading, view=view, now=NOW)
        return time.perf_counter() - began, page.body.decode()

    # The budget is the page's, not that of a busy machine: until one is fast enough for it.
    for _ in range(10):
        busy = waiting()
        seconds, page = made()
        if seconds < busy:
            break

    assert seconds < busy
    assert page.count('class="card group"') == 200
    assert "1 partition needs attention" in page
    assert "49 unchanged, 1 missing" in page or "49 loaded, 1 missing" in page
