"""A record just within the limit, whatever it consists of, keeps to the memory of promise 8."""

from __future__ import annotations

import pytest

from tests.security.hostile import FORMATS
from tests.security.peak import CSV_SHAPES, SIZE, VALUES, body, measured

# Of reading and preparing; copying into PostgreSQL, and all of Airflow's, takes some more.
MOST_MEGABYTES = 350
# By shape: read as it is, or refused since its values would take many times its size.
READ = ["text", "wide text", "long numbers", "one number", "unknown text"]
REFUSED = ["lists", "objects", "numbers", "keys", "unknown keys", "unknown lists"]


@pytest.mark.parametrize("shape", READ)
def test_a_large_record_is_read_within_the_promised_memory(shape):
    peak, said = measured("json", shape)

    assert said.startswith("loaded")
    assert peak < MOST_MEGABYTES


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_half_a_million_unknown_fields_take_seconds_and_the_promised_memory(kind):
    """Each was given a type: that took minutes."""
    peak, said = measured(kind, "fields")

    assert said == "loaded 1 of 1"
    assert peak < MOST_MEGABYTES


@pytest.mark.parametrize("shape", REFUSED)
def test_a_record_of_a_million_values_is_refused_before_it_is_read(shape):
    peak, said = measured("json", shape)

    assert "`limits.record_bytes" in said
    assert peak < MOST_MEGABYTES


@pytest.mark.parametrize("kind", [kind for kind in FORMATS if kind not in ("json", "csv")])
def test_in_other_formats_too(kind):
    peak, said = measured(kind, "lists")

    assert ("at most 16384 cells" if kind == "spreadsheet" else "bytes: 8388608`") in said
    assert peak < MOST_MEGABYTES


@pytest.mark.parametrize("shape", CSV_SHAPES)
def test_a_million_columns_are_refused(shape):
    peak, said = measured("csv", shape)

    assert "`limits.record_bytes" in said
    assert peak < MOST_MEGABYTES


def test_every_shape_is_as_large_as_the_limit_allows():
    for shape in VALUES:
        if shape != "a huge exponent":
            assert SIZE * 0.9 < len(body("json", shape)[0]) < 8 * 1024 * 1024, shape
