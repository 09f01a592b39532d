"""The type of a field, from its values."""

from __future__ import annotations

import pytest

from include.jobs.author.samples.fields import fields_of


def type_of(text: str) -> str:
    (field,) = fields_of([{"value": text}])
    return field.type


@pytest.mark.parametrize(
    "text",
    [
        "1E99999999999999999999",
        "-1.5e-99999999999999999999",
        "0E99999999999999999999",
        "1E999999999",
    ],
)
def test_a_number_that_is_too_large_or_too_small_for_any_column_is_text(text):
    assert type_of(text) == "text"


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("12.5", "double"),
        ("1E3", "double"),
        ("12", "integer"),
        ("2017-01-31", "date"),
        ("2017-01-31T10:00:00Z", "timestamptz"),
    ],
)
def test_numbers_and_times_have_their_types(text, fits):
    assert type_of(text) == fits
