"""The options of a format that do not fit its kind are refused when the contract is read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from include.sources.formats import LINES_TYPE, Format
from tests.samples import column, contract, extracting


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"kind": "xml"}, "`kind: xml` needs `records`"),
        ({"kind": "xml", "records": "a.b", "one_or_many": True}, "XML has no lists"),
        ({"kind": "xml", "records": "a.*"}, "a `*` in `records` needs `kind: json`"),
        ({"kind": "spreadsheet", "records": "a"}, "`records` does not apply"),
        ({"kind": "parquet", "envelope": ["a"]}, "`envelope` does not apply"),
        ({"kind": "parquet", "encoding": "utf-8"}, "is not a text format"),
        ({"kind": "parquet", "skip_rows_at_end": 1}, "needs `kind: csv` or `kind: spreadsheet`"),
        ({"kind": "csv", "sheet": "May"}, "needs `kind: spreadsheet`"),
        ({"kind": "spreadsheet", "sheet": 0}, "greater than or equal to 1"),
        ({"kind": "xlsx"}, "Input should be"),
    ],
)
def test_options_that_do_not_fit_the_kind_are_refused(words, said):
    with pytest.raises(ValidationError) as caught:
        Format(**words)
    assert said in str(caught.value)


@pytest.mark.parametrize("kind", ["spreadsheet", "parquet"])
def test_a_file_has_no_paths_that_paging_could_name(kind):
    paging = {"kind": "offset", "size": 2, "parameter": "at", "total": "count"}
    with pytest.raises(ValidationError, match="a path in the body, which"):
        contract(format={"kind": kind}, extract=extracting(paging=paging))


def test_a_sheet_has_no_fields_within_fields():
    with pytest.raises(ValidationError, match="have no fields within fields"):
        contract(column("a", path="b.c"), format={"kind": "spreadsheet"})


def test_a_page_that_was_rewritten_is_read_as_lines():
    words: dict[str, Any] = {"sheet": "May", "skip_rows_at_end": 1, "zip_member": "*.xlsx"}
    layout = Format(kind="spreadsheet", null_values=("",), **words)

    assert layout.received_as("text/plain") is layout
    assert layout.received_as(LINES_TYPE) == Format(kind="jsonl", null_values=("",))
