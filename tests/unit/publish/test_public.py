"""Which columns are public: as the marts declare, and the contracts allow."""

from __future__ import annotations

from typing import Any

import pytest

from include.publish.public import exposed, public_marts
from include.sources.model import contracts

PUBLIC, INTERNAL = "weather_hourly", "service_requests"


def described(*sources: str, **columns: dict[str, Any]) -> dict[str, Any]:
    return {
        "unique_id": "model.wandle.m",
        "name": "rain_by_day",
        "description": "Rain\n  of a day.",
        "meta": {"publish": True},
        "columns": [
            {"name": name, "description": f"The {name}.", "meta": meta}
            for name, meta in columns.items()
        ],
        "made_of": ["model.wandle.stg", *(f"source.wandle.raw.{one}" for one in sources)],
    }


def only(model: dict[str, Any], **changed: Any) -> Any:
    (found,) = public_marts([model], {**contracts(), **changed})
    return found


def test_all_columns_of_a_mart_of_public_sources_are_public_but_those_it_holds_back():
    found = only(described(PUBLIC, day={}, geometry={}, note={"publish": False}))

    assert found.refused == ""
    assert found.columns == {"day": "The day.", "geometry": "The geometry."}
    assert (found.title, found.description) == ("Rain by day", "Rain of a day.")
    assert (found.sources, found.geometry) == ((PUBLIC,), "geometry")


@pytest.mark.parametrize("columns", [{"day": {}}, {"day": {"publish": True}}])
def test_a_mart_that_is_also_made_of_an_internal_source_is_refused(columns):
    found = only(described(PUBLIC, INTERNAL, **columns))

    assert f"made of {INTERNAL}, whose contract says `access: internal`" in found.refused


def shown(source: str, *columns: str) -> dict[str, Any]:
    """A dataset of an earlier version."""
    return {
        "name": "rain_by_day",
        "sources": [{"name": source}],
        "columns": [{"name": name} for name in columns],
    }


def test_an_earlier_version_with_public_columns_exposes_nothing():
    mart = only(described(PUBLIC, day={}, note={}))

    assert exposed(shown(PUBLIC, "day", "note"), mart, contracts()) == ""
    assert exposed(shown(PUBLIC, "day", "left_the_mart"), mart, contracts()) == ""
    assert exposed(shown(PUBLIC, "day"), None, contracts()) == ""


def test_an_earlier_version_exposes_what_is_no_longer_public():
    held_back = only(described(PUBLIC, day={}, note={"publish": False}))

    said = exposed(shown(PUBLIC, "day", "note"), held_back, contracts())
    assert said == "note of rain_by_day, which is not public"
    assert "which is internal" in exposed(shown(INTERNAL, "day"), None, contracts())
    one = contracts()[PUBLIC]
    personal = one.model_copy(
        update={"columns": (one.columns[0].model_copy(update={"personal": "keep"}),)}
    )
    said = exposed(shown(PUBLIC, one.columns[0].name, "day"), None, {PUBLIC: personal})
    assert said == f"{one.columns[0].name} of rain_by_day, which is not public"


def test_a_mart_of_a_source_without_a_contract_is_refused():
    assert (
        "unknown_source, whose contract cannot be read"
        in only(described("unknown_source", day={})).refused
    )


def test_every_contract_is_internal_unless_it_says_otherwise():
    by_access = {
        access: {name for name, one in contracts().items() if one.access == access}
        for access in ("public", "internal")
    }

    assert {"service_requests", "waste_collections"} <= by_access["internal"]
    assert len(by_access["public"]) >= 9
    assert type(contracts()[PUBLIC]).model_fields["access"].default == "internal"


@pytest.mark.parametrize("change", [{"personal": "keep"}, {"access": "internal"}])
def test_with_a_guarded_column_in_a_source_only_what_is_named_is_public(change):
    contract = contracts()[PUBLIC]
    columns = tuple(
        column.model_copy(update=change) if column.name == "point_name" else column
        for column in contract.columns
    )
    guarded = {PUBLIC: contract.model_copy(update={"columns": columns})}

    one = only(described(PUBLIC, day={"publish": True}, note={}), **guarded)
    none = only(described(PUBLIC, day={}, note={}), **guarded)
    itself = only(described(PUBLIC, day={}, point_name={"publish": True}), **guarded)

    assert (one.refused, list(one.columns)) == ("", ["day"])
    assert "has no public column" in none.refused
    assert "would publish point_name" in itself.refused
