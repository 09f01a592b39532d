"""Payments over £500, from the files that councils publish to rows."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from include.councils.model import council
from include.jobs.files.classify import classify_files
from include.jobs.operate.erase import erase
from include.jobs.operate.erase_subject import Subject
from include.jobs.operate.verify import verify
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.jobs.pipeline.selection import Selection
from include.local.demo.inbox import fill_inboxes
from include.local.demo.window import Asked
from include.settings import Settings
from include.sources.model import contract
from sandbox.spending import file_name, spending_file

MAY = date(2026, 5, 1)


def loaded(bucket, warehouse, name: str, content: bytes | None = None):
    spend, key = contract("council_spend"), f"inbox/council_spend/{file_name(council(name), MAY)}"
    bucket.put(key, spending_file(council(name), MAY, 7) if content is None else content)
    where = spend.partition(name, "2026-05")
    landing_id = extract(spend, where, lake=bucket.lake, run_id="r")
    return load(
        spend, where, lake=bucket.lake, dsn=warehouse.dsn(), run_id="r", landing_id=landing_id
    )


@pytest.mark.parametrize(("name", "encoding"), [("kingston", "cp1252"), ("sutton", "utf-8-sig")])
def test_every_line_of_a_month_is_loaded_and_adds_up_to_its_total(
    bucket, warehouse, name, encoding
):
    content = spending_file(council(name), MAY, 7)
    lines = content.decode(encoding).splitlines()
    total = Decimal(lines[-1].rpartition(',"')[2].strip('"(£)').replace(",", ""))

    entry = loaded(bucket, warehouse, name, content)

    assert (entry["loaded"], entry["quarantined"], entry["duplicates"]) == (len(lines) - 3, 0, 0)
    where = f"_council = '{name}'"
    assert warehouse.value(f"select sum(net_amount) from raw.council_spend where {where}") == total
    assert warehouse.value(
        f"select min(payment_date) >= '2026-05-01' from raw.council_spend where {where}"
    )
    assert warehouse.value(
        f"select count(*) > 0 from raw.council_spend where {where} and supplier_name like 'Café%'"
    )
    assert warehouse.value(f"select min(net_amount) < 0 from raw.council_spend where {where}")


def test_an_amount_that_is_not_a_number_goes_to_quarantine(bucket, warehouse):
    content = spending_file(council("sutton"), MAY, 7)
    lines = content.split(b"\r\n")
    lines[5] = lines[5][: lines[5].index(b"\xc2\xa3")].rstrip(b'("') + b"see note"

    entry = loaded(bucket, warehouse, "sutton", b"\r\n".join(lines))

    assert entry["quarantined"] == 1
    found = warehouse.query("select column_name, rule, value from ops.quarantine")
    assert found == [("net_amount", "type", '"see note"')]


def test_an_erased_person_does_not_come_back_with_the_same_file(
    bucket, lake, warehouse, monkeypatch
):
    monkeypatch.setenv("WANDLE_PSEUDONYM_KEY", "k" * 64)
    spend = contract("council_spend")
    subject = Subject(spend, {"supplier_name": "Café Népal CIC"})
    before = loaded(bucket, warehouse, "kingston")["loaded"]

    found = erase(
        spend, subject, lake=lake, dsn=warehouse.dsn(), by="somebody", rebuild=lambda: None
    )

    gone = sum(holds.records for holds in found.holds)
    count = "select count(*) from raw.council_spend"
    assert gone > 0
    assert warehouse.value(count) == before - gone
    assert found.files == ["inbox/council_spend/payments_over_500_kingston_2026-05.csv"]
    assert classify_files(spend, lake=lake, today=datetime.now(UTC)).partitions == ()
    assert loaded(bucket, warehouse, "kingston")["status"] == "unchanged"
    assert warehouse.value(count) == before - gone
    everything = {"lake": lake, "dsn": warehouse.dsn(), "selection": Selection(("council_spend",))}
    assert verify(**everything, deep=True).differences == []


def test_the_demo_drops_a_file_into_the_inbox_for_each_partition_that_it_asks_for(
    bucket, monkeypatch
):
    monkeypatch.setattr("include.local.demo.inbox.lake_of", lambda settings: bucket.lake)
    spend = contract("council_spend")
    months = tuple(spend.parse_period(text) for text in ("2026-05", "2026-06"))
    asked = [Asked(spend, ("kingston", "sutton"), months)]

    assert fill_inboxes(Settings.read(), asked) == 4

    found = classify_files(spend, lake=bucket.lake, today=datetime.now(UTC))
    assert sorted(map(str, found.partitions)) == [
        f"council_spend {name} {month}" for name in ("kingston", "sutton") for month in months
    ]
    assert found.unmatched == []
