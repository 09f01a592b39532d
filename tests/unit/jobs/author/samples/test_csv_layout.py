"""The layout of a CSV file with cells of any size."""

from __future__ import annotations

import time

import pytest

from include.jobs.author.samples.csv_layout import layout_of


@pytest.mark.parametrize(
    "cell",
    ["1", "-1", "+1,234.50", "2017-01-31T10:00:00Z", "01/02/2017", "- 1", ".5", "1 - 2", "#12"],
)
def test_a_first_row_of_numbers_and_times_is_no_header(cell):
    found = layout_of(f"{cell}|{cell}\nx|x\ny|y\n")

    assert found
    assert found.format["header"] == ["field_1", "field_2"]


@pytest.mark.parametrize("cell", ["-", "T1", "1x", "#", "#1.5", "1-+2", "x1", "Z", "\u0661"])
def test_a_first_row_of_words_is_a_header(cell):
    found = layout_of(f"{cell}|{cell}\nx|x\ny|y\n")

    assert found
    assert "header" not in found.format


def test_a_header_cell_of_a_million_digits_and_a_letter_is_read_quickly():
    begin = time.monotonic()

    found = layout_of(f"{'1' * 1_000_000}x,b\n1,2\n3,4\n")

    assert found
    assert "header" not in found.format
    assert time.monotonic() - begin < 5


def test_a_header_cell_of_more_digits_than_python_reads_is_a_value():
    found = layout_of(f"a,{'9' * 5000}\n1,2\n3,4\n")

    assert found
    assert found.format["header"] == ["field_1", "field_2"]


@pytest.mark.parametrize("name", ["2017", "202610", "7", "007"])
def test_a_year_a_month_or_a_small_number_may_be_a_name(name):
    found = layout_of(f"a,{name}\nx,2\ny,4\n")

    assert found
    assert "header" not in found.format
