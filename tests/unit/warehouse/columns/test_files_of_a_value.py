"""Few files have to be opened to understand how a value becomes a column."""

from __future__ import annotations

import sys
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from include.printable import one_line
from include.sources.columns import Column
from include.warehouse.columns import cast

INCLUDE = Path(cast.__file__).parents[2]
# What the contract declares of the column.
DECLARATIONS = INCLUDE / "sources"
MOST_FILES = 3
# Not about the value's type: what every column has in addition to its values.
BESIDE = {"hashing.py"}
VALUES: dict[str, list[Any]] = {
    "text": ["a", None, 1],
    "integer": [1, "2", "x"],
    "double": [1.5, "2.5", 0.1],
    "numeric(5,2)": [1.5, "2.25", 3],
    "boolean": [True, "false", None],
    "date": ["2017-01-01", "x"],
    "timestamptz": ["2017-01-01T00:00:00Z", "2017-01-01T00:00:00.1234567Z"],
    "jsonb": [{"a": 1}, [1], None],
}


def files_run(column: Column, values: list[Any]) -> set[str]:
    found = set()

    def note(frame: FrameType, event: str, _: Any) -> None:
        file = Path(frame.f_code.co_filename)
        inside = file.is_relative_to(INCLUDE) and not file.is_relative_to(DECLARATIONS)
        if event == "call" and inside:
            found.add(file.name)

    cast.nothing.cache_clear()
    cast._arrow_type.cache_clear()
    before = sys.getprofile()
    sys.setprofile(note)
    try:
        cast.typed_as(column, values)
    finally:
        sys.setprofile(before)
    return found


DECLARED: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("numeric(5,2)", {"number": {"thousands": ","}}, ["1,000.5", "x"]),
    ("date", {"format": "%d/%m/%Y"}, ["01/11/2026", "x"]),
    ("timestamptz", {"format": "%d/%m/%Y %H:%M", "zone": "UTC"}, ["01/11/2026 10:00", "x"]),
    ("timestamptz", {"format": "epoch_ms"}, [1, "1.5", "x"]),
    ("boolean", {"true_values": ["Y"]}, ["Y", "x"]),
]


@pytest.mark.parametrize("type_name", VALUES)
def test_a_value_becomes_a_column_in_three_files(type_name):
    column = Column(name="a", type=type_name, path="a", description="A value of any type.")

    files = files_run(column, VALUES[type_name]) - BESIDE

    assert "cast.py" in files
    assert len(files) <= MOST_FILES, sorted(files)


@pytest.mark.parametrize(("type_name", "words", "values"), DECLARED)
def test_a_conversion_adds_one_file_to_them(type_name, words, values):
    column = Column(name="a", type=type_name, description="A converted value.", **words)

    files = files_run(column, values) - BESIDE

    assert "cast.py" in files
    assert len(files - {"convert.py"}) <= MOST_FILES, sorted(files)


def test_every_type_of_a_contract_is_tried():
    tried = {name.partition("(")[0] for name in VALUES}
    assert {*cast._READERS, "numeric", "timestamptz"} == tried


def test_a_file_outside_of_the_folder_counts_too(monkeypatch):
    texts = cast._texts
    monkeypatch.setattr(cast, "_texts", lambda *given: [one_line("x"), texts(*given)][1])
    column = Column(name="a", type="text", path="a", description="A value of any type.")

    assert "printable.py" in files_run(column, VALUES["text"])
