"""Workbooks, Parquet and XML: what a draft makes of them, and that it loads every record."""

from __future__ import annotations

import io
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from include.definitions import read_definition
from include.errors import PermanentError, PipelineError
from include.jobs.author import new_source as job
from include.sources.model import Contract
from tests.spreadsheet_files import ods, workbook

ROWS = [
    ["Payments over £500"],
    [],
    ["Supplier", "Ref", "Paid on", "Net"],
    ["Ada", "0012", date(2026, 11, 1), 1234.5],
    ["Bob", "0013", date(2026, 11, 13), 12],
    ["Total", None, None, 1246.5],
]


@pytest.fixture
def places(tmp_path, monkeypatch) -> Path:
    """Contracts and models of a test are written below its own folder."""
    monkeypatch.setattr("include.transform.staging.STAGING", tmp_path / "staging")
    monkeypatch.setattr(job, "sync", list)
    return tmp_path


def drafted(places: Path, content: bytes, **options: Any) -> tuple[Contract, str]:
    file = places / "answer"
    file.write_bytes(content)
    found = job.new_source(
        "things",
        url="",
        file=file,
        period="month",
        options=job.Options(**options),
        folder=places,
    )
    return read_definition(places / "things.yaml", Contract), "\n".join(found.remarks)


@pytest.mark.parametrize("made_by", [workbook, ods])
def test_a_sheet_is_read_with_titles_total_and_real_dates(places, made_by):
    made, said = drafted(places, made_by(ROWS))

    assert made.format.kind == "spreadsheet"
    assert (made.format.skip_rows_before_header, made.format.skip_rows_at_end) == (2, 1)
    assert {column.name: column.type for column in made.columns} == {
        "supplier": "text",
        "ref": "text",
        "paid_on": "date",
        "net": "double",
    }
    assert "Rows skipped below the records: 1, `Total, 1246.5`" in said


def test_one_of_several_sheets_is_asked_for(places):
    content = workbook(ROWS, Notes=[["a", "b"], [1, 2]])

    with pytest.raises(PermanentError, match=r"which one\. Pass --sheet: one of \w+, Notes"):
        drafted(places, content)
    made, _ = drafted(places, content, sheet="Notes")

    assert made.format.sheet == "Notes"
    assert [column.name for column in made.columns] == ["a", "b"]


def test_a_parquet_file_has_its_types(places):
    file = io.BytesIO()
    pl.DataFrame({"id": [1, 2], "at": [date(2026, 1, 1)] * 2, "n": [0.5, None]}).write_parquet(file)

    made, _ = drafted(places, file.getvalue())

    assert made.format.kind == "parquet"
    assert {column.name: column.type for column in made.columns} == {
        "id": "integer",
        "at": "date",
        "n": "double",
    }


def test_the_repeated_element_of_xml_is_the_record(places):
    made, said = drafted(
        places,
        b"<?xml version='1.0'?><feed><title>x</title>"
        b"<entry id='1'><name>a</name></entry><entry id='2'><name>b</name></entry></feed>",
    )

    assert (made.format.kind, made.format.records) == ("xml", "feed.entry")
    assert [(column.name, column.path) for column in made.columns] == [("id", "@id"), ("name", "")]
    assert "`feed.entry`" in said


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (workbook(ROWS)[:-50], "cannot be read"),
        (b"PAR1" + b"x" * 20, "cannot be read"),
        (b"<a><b/><b/></a>", "no element of the XML document is repeated"),
        (b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY x 'y'>]><a><b><c>&x;</c></b></a>", "XML"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "old Office document"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_sentence(places, content, said):
    with pytest.raises(PipelineError, match=rf"^new-source: .*{said}"):
        drafted(places, content)
