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
