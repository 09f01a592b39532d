"""Drift: unknown fields are remembered, and the patch that is printed for them holds."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import yaml

from include.errors import UnknownName
from include.jobs.operate import drift as job
from include.jobs.pipeline.load import load
from include.sources.model import Contract, every_contract
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import land
from tests.samples import column, contract

OLD = contract()


@pytest.fixture
def database(new_database):
    found = new_database()
    migrate(found.admin, [OLD], {})
    return found


@pytest.fixture
def loading(lake, database, monkeypatch):
    """Lands and loads records; `wandle drift` then checks this contract."""

    def run(source: Contract, records: list[Any], **where: Any) -> dict[str, Any]:
        monkeypatch.setitem(every_contract(), source.name, source)
        land(lake, source, records, **where)
        council = where.get("council", "kingston")
        return load(
            source,
            source.partition(council, "2017-05"),
            lake=lake,
            dsn=database.dsn(),
            run_id="run",
        )

    return run


@pytest.fixture
def forgotten(monkeypatch):
    """Removes the contract's file."""
    return lambda: monkeypatch.delitem(every_contract(), OLD.name)


def fields(database: Any) -> list[tuple[str, str, list[Any]]]:
    found = job.unknown_fields(database.dsn())
    return [(row["field"], row["type"], row["samples"]) for row in found]


def patched(source: Contract, database: Any) -> Contract:
    """The contract with what `wandle drift` prints added to it."""
    added = yaml.safe_load(job.patches(job.unknown_fields(database.dsn()), database.dsn()))[
        "columns"
    ]
    dumped = [item.model_dump(exclude_defaults=True) for item in source.columns]
    return contract(*dumped, *added, key=["id"])


def test_an_unknown_field_is_remembered_with_its_first_landing_and_samples(database, loading):
    first = loading(OLD, [{"id": 1, "new": 1.5}, {"id": 2, "new": 2.5}])
    loading(OLD, [{"id": number, "new": number + 0.5} for number in range(3, 9)])

    assert fields(database) == [("new", "double", [1.5, 2.5, 3.5])]
    assert job.unknown_fields(database.dsn())[0]["landing_id"] == first["landing"]


def test_a_value_of_another_kind_is_among_the_samples(database, loading):
    loading(OLD, [{"id": number, "new": number} for number in range(9)])
    loading(OLD, [{"id": 1, "new": "x"}, {"id": 2, "new": "y"}])

    assert fields(database) == [("new", "jsonb", [0, 1, "x"])]


def test_the_type_grows_with_what_is_seen(database, loading):
    loading(OLD, [{"id": 1, "a": 1, "b": "2017-05-01", "c": None, "d": 1}])
    loading(OLD, [{"id": 2, "a": 1.5, "b": "soon", "c": True, "d": "x"}])

    assert fields(database) == [
        ("a", "double", [1, 1.5]),
        ("b", "text", ["2017-05-01", "soon"]),
        ("c", "boolean", [True]),
        ("d", "jsonb", [1, "x"]),
    ]


SHAPES = [
    {"id": 1, "depthMetres": 1.5, "place": {"lat": 51, "names": ["a", "b"]}, "1st": "x"},
    {"id": 2, "note": None, "seen": "2017-05-01T10:00:00Z", "born": "2017-05-01", "ok": True},
]


def test_the_printed_patch_is_a_contract_that_leaves_nothing_over(database, loading):
    loading(OLD, SHAPES)

    newer = patched(OLD, database)
    migrate(database.admin, [newer], {})
    entry = loading(newer, SHAPES)

    assert {item.name: item.type for item in newer.columns} == {
        "id": "integer", "note": "text", "depth_metres": "double", "place": "jsonb",
        "field_1st": "text", "seen": "timestamptz", "born": "date", "ok": "boolean",
    }  # fmt: skip
    assert (entry["loaded"], entry["quarantined"]) == (2, 0)
    assert database.query("select _extra from raw.gauges") == [(None,), (None,)]
    assert fields(database) == []


def test_a_field_whose_object_the_contract_looks_into_is_named(database, loading):
    loading(OLD, [{"id": 1, "place": {"lat": 51, "lon": 0}}])
    newer = contract(column("id", "integer"), column("note"), column("lat", "double",
                     path="place.lat"))  # fmt: skip
    migrate(database.admin, [newer], {})
    assert fields(database) == [("place", "jsonb", [{"lat": 51, "lon": 0}])]

    loading(newer, [{"id": 1, "place": {"lat": 51, "lon": 0}}, {"id": 2, "place": "here"}])

    assert fields(database) == [
        ("place", "jsonb", [{"lat": 51, "lon": 0}, "here"]),
        ("place.lon", "integer", [0]),
    ]


def test_what_is_where_an_object_is_expected_is_drift(database, loading):
    source = contract(column("id", "integer"), column("note", path="scale.note"), key=["id"])
    loading(source, [{"id": 1, "scale": {"note": "a"}}, {"id": 2, "scale": "http://x/1"}])

    assert fields(database) == [("scale", "jsonb", ["http://x/1"])]


def test_a_field_that_no_path_can_name_is_reported_and_kept(database, loading):
    loading(OLD, [{"id": 1, "a.b": 1, "": 2, "n\0": 3, "é": 4}])

    text = job.patches(job.unknown_fields(database.dsn()), database.dsn())

    assert [item["path"] for item in yaml.safe_load(text)["columns"]] == [r"a\.b", "é"]
    assert "n\\u0000: it has no valid path" in text


def test_no_sample_of_personal_data_is_kept(database, loading):
    personal = contract(
        column("id", "integer"), column("note", personal="keep"), retention_days=30, key=["id"]
    )
    loading(personal, [{"id": 1, "email": "jo@example.org"}])

    assert fields(database) == [("email", "text", [])]
    assert "jo@" not in job.patches(job.unknown_fields(database.dsn()), database.dsn())


def test_the_drift_of_a_refused_load_is_remembered(database, loading):
    strict = contract(column("id", "integer", required=True), column("note"),
                      checks={"max_quarantined_share": 0})  # fmt: skip
    with pytest.raises(Exception, match="id breaks rule"):
        loading(strict, [{"ID": 1, "note": None}])

    assert fields(database) == [("ID", "integer", [1])]


def test_keys_that_are_data_do_not_fill_the_list(database, loading):
    loading(OLD, [{"id": number, f"k{number}": 1} for number in range(500)])

    assert len(fields(database)) == 200


def test_a_long_sample_is_cut_and_an_odd_one_does_no_harm(database, loading):
    loading(OLD, [{"id": 1, "a": "x" * 5000, "b": {"c": "\ud83d\ude00"}}])

    (_, _, [sample]), *_ = fields(database)
    assert len(sample) < 300


def test_partitions_loaded_at_once_agree_on_the_first(database, lake, loading, monkeypatch):
    monkeypatch.setitem(every_contract(), OLD.name, OLD)
    towns = [f"town{number}" for number in range(4)]
    for town in towns:
        land(lake, OLD, [{"id": 1, "x": 1, "y": 2, "z": "a"}], council=town)
    failures: list[BaseException] = []

    def run(town: str) -> None:
        try:
            load(OLD, OLD.partition(town, "2017-05"), lake=lake, dsn=database.dsn(), run_id="run")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(town,)) for town in towns]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert [field for field, _, _ in fields(database)] == ["x", "y", "z"]


def test_a_source_whose_contract_is_gone_is_read_by_the_recorded_one(database, loading, forgotten):
    loading(OLD, [{"id": 1, "x": 1}])
    forgotten()

    assert [field for field, _, _ in fields(database)] == ["x"]
    text = job.patches(job.unknown_fields(database.dsn(), ["gauges"]), database.dsn())
    assert text.startswith("# Restore or correct include/sources/gauges.yaml first.")


def test_a_source_that_nothing_has_is_named(database, loading):
    with pytest.raises(UnknownName, match=r"unknown source 'crimes'.*Did you mean police_"):
        job.unknown_fields(database.dsn(), ["crimes"])


def test_a_source_without_any_contract_is_left_out(database, loading, forgotten):
    loading(OLD, [{"id": 1, "x": 1}])
    forgotten()
    database.query("truncate ops.contract")

    assert fields(database) == []
