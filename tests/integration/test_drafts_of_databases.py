"""`new-source` from a query of a database: its catalogue's types, its key, and a real fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from include.definitions import read_definition
from include.errors import PermanentError, SourceRejected, SourceUnavailable, UnexpectedPayload
from include.jobs.author import new_database
from include.jobs.pipeline.extract import extract
from include.sources.model import Contract

QUERY = (
    "select case_id, kind, cost, opened, at, email, answers from cases "
    "where council = %(council)s and opened >= %(period_start)s and opened < %(period_end)s"
)


@pytest.fixture
def places(tmp_path, monkeypatch, deployment) -> Path:
    """Contracts and models of a test are written below its own folder."""
    monkeypatch.setattr("include.transform.staging.STAGING", tmp_path / "staging")
    monkeypatch.setattr(new_database, "sync", list)
    made = tmp_path / "sources"
    made.mkdir()
    return made


@pytest.fixture
def source(new_database, monkeypatch) -> Any:
    found = new_database()
    found.query(
        "create table cases (case_id text primary key, kind text, council text, cost numeric(8,3), "
        "opened timestamptz not null, at timestamp, email text, answers jsonb, n bigint)"
    )
    found.query("comment on column cases.kind is 'What it is about.'")
    found.query(
        "insert into cases select '00' || n, '0' || n, 'kingston', n + 0.5, "
        "timestamptz '2026-11-02 00:00Z' + n * interval '1 hour', "
        "timestamp '2026-11-02 00:00', 'a@example.org', '{\"a\": [1]}', n "
        "from generate_series(1, 5) n"
    )
    monkeypatch.setenv("WANDLE_CONNECTION_CASES", found.admin)
    return found


def drafted(places: Path, query: str = QUERY, key: str = "", **how: Any) -> tuple[Contract, str]:
    found = new_database.new_database_source(
        "cases",
        new_database.Query("cases", query, key),
        "day",
        folder=places,
        **{"asked": "2026-11-02", "council": "kingston"} | how,
    )
    return read_definition(places / "cases.yaml", Contract), "\n".join(found.remarks)


def test_a_query_is_drafted_with_the_types_comments_and_key_of_the_catalogue(places, source, lake):
    made, said = drafted(places)

    assert {column.name: column.type for column in made.columns} == {
        "case_id": "text",
        "kind": "text",
        "cost": "numeric(8,3)",
        "opened": "timestamptz",
        "at": "timestamptz",
        "email": "text",
        "answers": "jsonb",
    }
    assert made.column("kind").description == "What it is about."
    assert made.column("at").zone == "UTC"
    assert (made.extract.key, made.key, made.councils) == ("case_id", ("case_id",), "each")
    assert not made.snapshot
    assert "may be about people: email" in said
    where = made.partition("kingston", "2026-11-02")
    landing = extract(made, where, lake=lake, run_id="run", source_dsn=source.admin)
    assert lake.landings.manifest(where, landing).totals.records == 5


def test_a_key_that_the_catalogue_does_not_name_is_asked_for(places, source):
    query = "select kind, n from cases"

    with pytest.raises(
        PermanentError, match=r"identifies a row\. Pass --key-column: one of kind, n\."
    ):
        drafted(places, query)
    made, said = drafted(places, query, key="n")

    assert (made.extract.key, made.snapshot, made.councils) == ("n", True, "uk")
    assert "reads all of it" in said


@pytest.mark.parametrize(
    ("query", "how", "error", "said"),
    [
        ("select 1 from nothing", {}, SourceRejected, 'relation "nothing" does not exist'),
        ("delete from cases returning case_id", {}, PermanentError, "expected a select"),
        ("select 1; select 2", {}, PermanentError, "expected one select"),
        (QUERY, {"asked": "2026-11-05"}, UnexpectedPayload, "no rows for kingston 2026-11-05"),
        ("select council, n from cases", {"key": "council"}, UnexpectedPayload, "found one twice"),
        ("select n from cases", {"key": "x"}, PermanentError, "--key-column x: .* one of n"),
    ],
)
def test_what_cannot_be_drafted_is_one_sentence_and_writes_nothing(
    places, source, query, how, error, said
):
    with pytest.raises(Exception, match=said) as caught:
        drafted(places, query, **how)

    assert isinstance(caught.value, error)
    assert list(places.iterdir()) == []


def test_a_database_that_does_not_answer_is_named_without_its_password(places, monkeypatch):
    monkeypatch.setenv("WANDLE_CONNECTION_CASES", "postgresql://me:secret@127.0.0.1:9/x")

    with pytest.raises(SourceUnavailable, match="does not answer") as caught:
        drafted(places)

    assert "secret" not in str(caught.value)


def test_a_query_of_mariadb_is_drafted_by_its_types(places, mariadb_server, monkeypatch, lake):
    mariadb_server.query(
        "create or replace table cases (case_id int unsigned primary key, kind varchar(20), "
        "cost decimal(8,3), opened timestamp, at datetime(6), on_day date, is_open tinyint(1), "
        "answers json)",
        "insert into cases values "
        "(1, '01', 1.5, '2026-11-02 01:00', '2026-11-02 01:00', '2026-11-02', 1, '{\"a\": 1}'), "
        "(2, '02', 2.5, '2026-11-02 02:00', '2026-11-02 02:00', '2026-11-03', 0, null)",
    )
    address = mariadb_server.address()
    monkeypatch.setenv("WANDLE_CONNECTION_CASES", address)
    query = "select * from cases where opened >= %(period_start)s and opened < %(period_end)s"

    made, said = drafted(places, query, key="case_id")

    assert {column.name: column.type for column in made.columns} == {
        "case_id": "integer",
        "kind": "text",
        "cost": "numeric(38,10)",
        "opened": "timestamptz",
        "at": "timestamptz",
        "on_day": "date",
        "is_open": "integer",
        "answers": "text",
    }
    assert made.column("at").zone == "UTC"
    assert "2 rows were tried" in said
    where = made.partition(made.councils, "2026-11-02")
    landing = extract(made, where, lake=lake, run_id="run", source_dsn=address)
    assert lake.landings.manifest(where, landing).totals.records == 2
