"""Which months or days the rows of a dataset are about."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pytest

from include.publish.period import period_of

JUNE, JULY = date(2026, 6, 1), date(2026, 7, 1)


@pytest.mark.parametrize(
    ("columns", "key", "period"),
    [
        ({"month": [JULY, JUNE], "seen": [date(2020, 1, 5)] * 2}, ["month"], "2026-06/2026-07"),
        ({"day": [JUNE, date(2026, 6, 3)]}, ["day"], "2026-06-01/2026-06-03"),
        ({"first_month": [JUNE, None], "last_month": [JULY, None]}, ["ward"], "2026-06/2026-07"),
        ({"day": [JUNE]}, [], "2026-06-01/2026-06-01"),
        ({"day": [None]}, ["day"], ""),
        ({"name": ["a"]}, ["name"], ""),
    ],
)
def test_the_dates_of_the_key_count_or_those_of_all_columns(columns, key, period):
    kinds = {name: pa.string() if name == "name" else pa.date32() for name in columns}
    table = pa.table({name: pa.array(values, kinds[name]) for name, values in columns.items()})

    assert period_of(table, key) == period


def test_a_dataset_without_rows_has_no_period():
    assert period_of(pa.table({"day": pa.array([], pa.date32())}), ["day"]) == ""
