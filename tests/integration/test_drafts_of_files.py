"""`new-source` from a file that people put into an inbox, up to rows in the raw table."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from include.definitions import read_definition
from include.jobs.author import new_source
from include.jobs.files.put import put
from include.jobs.pipeline.ingest import ingest
from include.sources.model import Contract
from include.warehouse.schema.migrate import migrate

SPEND = """\
Payments over \u00a3500,,,
Supplier,Ref,Paid on,Net
"Caf\u00e9 M\u00fcller, Ltd",0012,01/11/2026,"\u00a31,234.50"
Ada & Sons,0013,13/11/2026,(\u00a312.00)
Total,,,"\u00a31,222.50"
"""


PRICES = """\
"{2A289EA0-3B4E-CDC8-E050-A8C063054829}","425000","2026-10-02 00:00","KT1 2AB","T","",KINGSTON
"{2A289EA1-3B4E-CDC8-E050-A8C063054829}","310000","2026-10-09 00:00","M1 1AA","F","4",MANCHESTER
"{2A289EA2-3B4E-CDC8-E050-A8C063054829}","99000","2026-10-09 00:00","SM1 1AA","F","2",SUTTON
"""


@pytest.fixture
def places(tmp_path, monkeypatch, deployment) -> Path:
    """Contracts and models of a test are written below its own folder."""
    monkeypatch.setattr("include.transform.staging.STAGING", tmp_path / "staging")
    monkeypatch.setattr(new_source, "sync", list)
    made = tmp_path / "sources"
    made.mkdir()
    return made


def test_a_file_of_an_inbox_is_drafted_and_loaded_as_its_council_published_it(
    places, tmp_path, lake, warehouse
):
    file = tmp_path / "spend_kingston_2026-11.csv"
    file.write_bytes(SPEND.encode("cp1252"))

    said = new_source.new_source("spend", url="", file=file, period="month", folder=places).remarks
    made = read_definition(places / "spend.yaml", Contract)
    migrate(warehouse.admin, [made], {})
    put(made, file, lake=lake, name=file.name, now=datetime.now(UTC))
    where = [made.partition("kingston", "2026-11")]
    outcomes = list(ingest(made, where, lake=lake, dsn=warehouse.dsn()))

    assert made.extract.pattern == r"spend_{council.name}_{period:%Y-%m}\.csv"
    assert (made.councils, str(made.start)) == ("each", "2026-11-01")
    assert any("wandle put spend FILE" in remark for remark in said)
    assert [outcome.error for outcome in outcomes] == [None]
    assert warehouse.query(
        "select supplier, ref, paid_on::text, net::text from raw.spend order by _record_no"
    ) == [
        ("Caf\u00e9 M\u00fcller, Ltd", "0012", "2026-11-01", "1234.50"),
        ("Ada & Sons", "0013", "2026-11-13", "-12.00"),
    ]


def test_a_file_without_a_header_is_drafted_with_names_to_fill_in(
    places, tmp_path, lake, warehouse
):
    file = tmp_path / "prices_2026-10.csv"
    file.write_text(PRICES)

    said = new_source.new_source("prices", url="", file=file, period="month", folder=places).remarks
    made = read_definition(places / "prices.yaml", Contract)
    migrate(warehouse.admin, [made], {})
    put(made, file, lake=lake, name=file.name, now=datetime.now(UTC))
    where = [made.partition("uk", "2026-10")]
    outcomes = list(ingest(made, where, lake=lake, dsn=warehouse.dsn()))

    assert any("has no header" in remark for remark in said)
    assert [outcome.error for outcome in outcomes] == [None]
    assert warehouse.query("select field_2, field_7 from raw.prices order by _record_no") == [
        (425000, "KINGSTON"), (310000, "MANCHESTER"), (99000, "SUTTON"),
    ]  # fmt: skip
