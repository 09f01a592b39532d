"""A sample of each format, drafted, then replayed by the sandbox, fetched and loaded."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from include.definitions import read_definition
from include.jobs.author import new_source
from include.jobs.pipeline.ingest import ingest
from include.sources.model import Contract
from include.warehouse.schema.migrate import migrate
from sandbox.app import create_app
from tests.integration.conftest import AS_OF, serving
from tests.spreadsheet_files import ods, workbook

HOST = "libraries.test"
ROWS = [
    {"id": 1, "title": "Émile, or on Education", "lent_on": "2026-07-03", "fee": 1.25},
    {"id": 2, "title": "Café society", "lent_on": "2026-07-03", "fee": 0.5},
    {"id": 3, "title": "Zoë", "lent_on": "2026-07-04", "fee": 12.75},
]
LOADED = [(row["id"], row["title"], date.fromisoformat(str(row["lent_on"]))) for row in ROWS]
NAMES = [*ROWS[0]]
TABLE = [NAMES, *([row[name] for name in NAMES] for row in ROWS)]
DATED = [NAMES, *([r["id"], r["title"], date.fromisoformat(str(r["lent_on"])), r["fee"]]
                  for r in ROWS)]  # fmt: skip


def csv_of(rows: list[list[Any]]) -> bytes:
    return "".join(
        ",".join(f'"{cell}"' if "," in str(cell) else str(cell) for cell in row) + "\r\n"
        for row in rows
    ).encode()


def xml_of(rows: list[dict[str, Any]]) -> bytes:
    loans = "".join(
        "<loan>" + "".join(f"<{name}>{value}</{name}>" for name, value in row.items()) + "</loan>"
        for row in rows
    )
    return f'<?xml version="1.0" encoding="utf-8"?><loans><list>{loans}</list></loans>'.encode()


def geojson_of(rows: list[dict[str, Any]]) -> bytes:
    features = [
        {"type": "Feature", "geometry": {"type": "Point", "coordinates": [-0.3, 51.4]},
         "properties": row}
        for row in rows
    ]  # fmt: skip
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def parquet_of(rows: list[dict[str, Any]]) -> bytes:
    file = io.BytesIO()
    dated = [row | {"lent_on": date.fromisoformat(str(row["lent_on"]))} for row in rows]
    pq.write_table(pa.Table.from_pylist(dated), file)
    return file.getvalue()


SAMPLES: dict[str, Callable[[], bytes]] = {
    "json": lambda: json.dumps({"data": {"loans": ROWS}}).encode(),
    "jsonl": lambda: b"".join(json.dumps(row).encode() + b"\n" for row in ROWS),
    "csv": lambda: csv_of(TABLE),
    "csv in Windows-1252, with a title and a total": lambda: (
        csv_of([["Loans of July"], *TABLE, ["Total", "", "", 14.5]]).decode().encode("cp1252")
    ),
    "csv, packed": lambda: gzip.compress(csv_of(TABLE)),
    "xlsx": lambda: workbook(DATED),
    "ods": lambda: ods(DATED),
    "xml": lambda: xml_of(ROWS),
    "geojson": lambda: geojson_of(ROWS),
    "parquet": lambda: parquet_of(ROWS),
}
# Those for which an empty page can be made: the one after the last.
PAGED = ("json", "jsonl", "csv", "csv, packed", "geojson")


@pytest.fixture
def draft(tmp_path, monkeypatch, deployment) -> Callable[[bytes, str], new_source.Drafted]:
    """Drafts the source `loans` from a file, in a checkout and a state folder of its own."""
    monkeypatch.setattr("include.transform.staging.STAGING", tmp_path / "staging")
    monkeypatch.setattr(new_source, "sync", list)
    (tmp_path / "sources").mkdir()
    (tmp_path / "home").mkdir()

    def run(content: bytes, query: str) -> new_source.Drafted:
        file = tmp_path / "loans"
        file.write_bytes(content)
        url = f"https://{HOST}/open/loans{query}"
        return new_source.new_source(
            "loans", url=url, file=file, period="day", folder=tmp_path / "sources"
        )

    return run


@pytest.fixture
def replayed(tmp_path, monkeypatch, lake, new_database) -> Callable[[], Any]:
    """Fetches what was drafted from the sandbox and loads it; the outcome's error, and rows."""

    def run() -> Any:
        made = read_definition(tmp_path / "sources" / "loans.yaml", Contract)
        warehouse = new_database()
        migrate(warehouse.admin, [made], {})
        home = tmp_path / "home"
        state = _state(home)
        with serving(
            create_app(seed=7, as_of=AS_OF, rate_per_second=1e6, burst=1_000_000, state=state)
        ) as url:
            monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
            monkeypatch.setenv("WANDLE_SANDBOX_HOSTS", "other.test")
            where = [made.partition("uk", "2026-07-03")]
            (outcome,) = ingest(made, where, lake=lake, dsn=warehouse.dsn())
        assert outcome.error is None, outcome.error
        assert outcome.entry
        assert outcome.entry["quarantined"] == 0
        return warehouse.query("select id, title, lent_on from raw.loans order by _record_no")

    return run


def _state(home: Path) -> Path:
    state = home / "sandbox.json"
    state.write_text(json.dumps({"seed": 7, "as_of": AS_OF.isoformat()}))
    return state


@pytest.mark.parametrize("kind", SAMPLES)
def test_a_sample_of_each_format_is_replayed_fetched_and_loaded(draft, replayed, kind):
    made = draft(SAMPLES[kind](), "?on=2026-07-03")

    assert any("the sandbox replays the response" in remark for remark in made.remarks)
    assert replayed() == LOADED


@pytest.mark.parametrize("kind", PAGED)
def test_a_sample_of_a_paged_request_is_its_first_page_and_the_next_one_is_empty(
    draft, replayed, kind
):
    draft(SAMPLES[kind](), "?on=2026-07-03&offset=0&limit=3")

    assert replayed() == LOADED


def test_a_paged_sample_of_which_no_empty_page_can_be_made_is_not_replayed(draft, tmp_path):
    made = draft(SAMPLES["xml"](), "?on=2026-07-03&page=1")

    assert any("cannot make an empty page" in remark for remark in made.remarks)
    assert not (tmp_path / "home" / "samples").exists()
