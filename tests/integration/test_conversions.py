"""Values as a council publishes them, from the landing to the raw table and its quarantine."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from include.jobs.operate.explain import explain
from include.jobs.pipeline.load import load
from include.jobs.pipeline.parents import ParentLandings
from include.settings import Settings
from include.sources.model import Contract, contracts
from include.warehouse import read_back
from include.warehouse.connection import connect_for_arrow
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import land
from tests.samples import column, contract, extracting

MONEY = {"thousands": ",", "symbols": ["£"], "negative": ["(#)", "#-"]}
SPEND = contract(
    column("supplier", path="Supplier", clean=["trim", "upper"], personal="pseudonymise"),
    column("paid_on", "date", path="Date", format="%d/%m/%Y"),
    column("amount", "numeric(14,2)", path="Amount", number=MONEY, clean=["trim"]),
    column("share", "numeric(6,5)", path="Share", number={"percent": "fraction"}),
    column("capital", "boolean", path="Capital", true_values=["Y"], false_values=["N"]),
    column("edited_at", "timestamptz", path="Edited", format="epoch_ms"),
    name="spend",
    key=["supplier", "paid_on"],
    format={"kind": "csv", "encoding": "windows-1252", "null_values": [""]},
    checks={"max_quarantined_share": 1},
    retention_days=30,
)
LINES = (
    "Supplier,Date,Amount,Share,Capital,Edited\r\n"
    'Cafe Zoë ,1/11/2026,"£1,234.50 ",12.5%,Y,1793534700123\r\n'
    " CAFE ZOË,01/11/2026,1234.5,12.50%,Y,1793534700123\r\n"
    "Café,02/11/2026,(£12.00),,N,0\r\n"
    "Bolt,29/02/2026,£1.00,,N,0\r\n"
    'Nut,03/11/2026,"£1,23,4",,N,0\r\n'
    "Cog,03/11/2026,£1.00,,maybe,0\r\n"
).encode("windows-1252")


@pytest.fixture(autouse=True)
def environment(deployment, monkeypatch, warehouse):
    monkeypatch.setenv("WANDLE_LOADER_DSN", warehouse.dsn())
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "0123456789abcdef" * 4)


@pytest.fixture
def loaded(lake, warehouse, monkeypatch):
    """Loads the newest landing of the partition by a contract; the ledger's entry."""

    def run(source: Contract) -> Any:
        monkeypatch.setitem(contracts(), source.name, source)
        partition = source.partition("kingston", "2017-05")
        return load(source, partition, lake=lake, dsn=warehouse.dsn(), run_id="run")

    migrate(warehouse.admin, [SPEND], {})
    return run


def test_a_spend_file_is_converted_or_quarantined_value_by_value(lake, warehouse, loaded):
    land(lake, SPEND, LINES, counts=[6])

    entry = loaded(SPEND)

    books = [entry[name] for name in ("records", "loaded", "duplicates", "quarantined")]
    assert books == [6, 2, 1, 3]
    assert warehouse.query(
        "select paid_on, amount, share, capital, edited_at from raw.spend order by paid_on"
    ) == [
        (
            *(date(2026, 11, 1), Decimal("1234.50"), Decimal("0.12500"), True),
            datetime(2026, 11, 1, 12, 5, 0, 123000, tzinfo=UTC),
        ),
        (date(2026, 11, 2), Decimal("-12.00"), None, False, datetime(1970, 1, 1, tzinfo=UTC)),
    ]
    assert warehouse.query(
        "select column_name, rule, value from ops.quarantine order by record_no"
    ) == [
        ("paid_on", "type", '"29/02/2026"'),
        ("amount", "type", '"£1,23,4"'),
        ("capital", "type", '"maybe"'),
    ]


def test_the_rows_that_are_read_back_have_the_hash_of_what_was_converted(lake, warehouse, loaded):
    land(lake, SPEND, LINES, counts=[6])
    entry = loaded(SPEND)

    with connect_for_arrow(warehouse.admin) as connection, connection.cursor() as cursor:
        held = read_back.held(cursor, SPEND, SPEND.partition("kingston", "2017-05"))

    assert (held.rows, held.content_hash) == (2, entry["content_hash"])


def test_a_changed_conversion_loads_the_same_landing_again(lake, warehouse, loaded):
    land(lake, SPEND, LINES, counts=[6])
    loaded(SPEND)
    american = [
        item.model_copy(update={"format": ("%m/%d/%Y",)}) if item.name == "paid_on" else item
        for item in SPEND.columns
    ]

    again = loaded(SPEND)
    changed = loaded(SPEND.model_copy(update={"columns": tuple(american)}))

    assert (again["status"], changed["status"]) == ("unchanged", "loaded")
    assert warehouse.value("select min(paid_on) from raw.spend") == date(2026, 1, 11)


def test_a_row_is_explained_by_a_value_as_it_is_published(lake, warehouse, loaded):
    land(lake, SPEND, LINES, counts=[6])
    loaded(SPEND)

    for wanted in ({"supplier": "café "}, {"paid_on": "2/11/2026"}, {"amount": "(£12.00)"}):
        how: dict[str, Any] = {"lake": lake, "settings": Settings.read(), "personal": True}
        (origin,) = explain("raw.spend", wanted, **how).origins
        assert origin.record.decode() == "Café,02/11/2026,(£12.00),,N,0"


def test_a_child_is_requested_with_the_values_that_the_parents_table_has(
    lake, warehouse, monkeypatch
):
    sites = contract(
        column("code", clean=["trim", "upper"]),
        column("closed_on", "date", format="%d/%m/%Y", null_values=["-"]),
        column("open", "boolean", true_values=["Y"], false_values=["N"]),
        name="sites",
    )
    parent = {"source": "sites", "match": {"closed_on": None, "open": "true"}}
    child = contract(
        name="readings",
        extract=extracting(
            parents={"site": parent}, for_each="site", request={"path": "/{site.code}"}
        ),
    )
    monkeypatch.setitem(contracts(), "sites", sites)
    migrate(warehouse.admin, [sites], {})
    land(
        *(lake, sites),
        [
            {"code": " k1", "closed_on": "-", "open": "Y"},
            {"code": "k2", "closed_on": "01/11/2026", "open": "Y"},
            {"code": "k3 ", "closed_on": None, "open": "N"},
        ],
    )

    found = ParentLandings(child, "kingston", lake).records("site", ["code"], {})

    assert list(found) == [{"code": "K1"}]
