"""The macro `newest`: what changed last is what is seen, in whatever order it was fetched."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment
from psycopg import sql

from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.sources.model import Contract
from include.transform.process import Dbt
from include.transform.project import FOLDER
from include.warehouse.schema.migrate import migrate
from tests.integration.landings import land
from tests.samples import column, contract, extracting

MACROS = Path(__file__).parents[2] / "dbt_project" / "macros"
NAMES = ("id", "changed_at", "day", "landing_id", "record_no", "note", "gone")


def newest(relation: str, **how: Any) -> str:
    """The SQL of the macro, with the quotes of PostgreSQL."""

    class Adapter:
        @staticmethod
        def quote(name: str) -> str:
            return f'"{name}"'

    text = "".join((MACROS / f"{name}.sql").read_text() for name in ("quoted", "newest"))
    # No HTML.
    module = Environment(autoescape=False).from_string(text, {"adapter": Adapter}).module  # noqa: S701
    return str(module.newest(relation, **how))


@pytest.fixture(scope="module")
def empty(new_database) -> Any:
    found = new_database()
    found.query(
        "create table rows (id int, changed_at int, day int, landing_id text, record_no int, "
        "note text, gone boolean)"
    )
    return found


def seen(database: Any, rows: list[tuple[Any, ...]], **how: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(database.admin) as connection:
        connection.execute("truncate rows")
        cursor = connection.cursor()
        cursor.executemany("insert into rows values (%s, %s, %s, %s, %s, %s, %s)", rows)
        query = newest("rows", key=["id"], period="day", **how)
        return connection.execute(sql.SQL(query)).fetchall()  # type: ignore[arg-type]


def slowly(rows: list[tuple[Any, ...]], by_time: bool, deletes: bool) -> list[tuple[Any, ...]]:
    """The newest of each key, one row after the other."""
    kept: dict[Any, tuple[Any, ...]] = {}
    for row in rows:
        values = dict(zip(NAMES, row, strict=True))
        key = values["id"] if values["id"] is not None else (values["landing_id"], row[4])
        time = -1 if values["changed_at"] is None or not by_time else values["changed_at"]
        rank = (time, values["day"], values["record_no"])
        if key not in kept or rank > kept[key][0]:
            kept[key] = (rank, row)
    return [row for _, row in kept.values() if not (deletes and row[6])]


# Each day has one landing at a time, and its records are numbered.
days = st.lists(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.integers(0, 3)),
            st.one_of(st.none(), st.integers(0, 4)),
            st.one_of(st.none(), st.booleans()),
        ),
        max_size=5,
    ),
    max_size=5,
)


@given(days, st.booleans(), st.booleans(), st.randoms())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_is_what_a_row_by_row_search_finds_in_any_order(empty, landed, by_time, deletes, random):
    numbers = itertools.count()
    rows = [
        (key, at, day, f"L{9 - day}", number, f"{next(numbers)}", gone)
        for day, records in enumerate(landed)
        for number, (key, at, gone) in enumerate(records, start=1)
    ]
    random.shuffle(rows)

    found = seen(
        empty,
        rows,
        changed="changed_at" if by_time else None,
        deleted="gone" if deletes else None,
    )

    assert sorted(found, key=str) == sorted(slowly(rows, by_time, deletes), key=str)


def described(**extract_changes: Any) -> Contract:
    return contract(
        column("id", "integer", required=True),
        column("note"),
        column("changed_at", "timestamptz"),
        column("gone", "boolean"),
        name="changes", period="day",
        extract=extract_changes or extracting(request={"path": "/", "query": {
            "since": "{period:%Y-%m-%d}", "until": "{period.next:%Y-%m-%d}"}}),
    )  # fmt: skip


STAGED = (
    "(select *, _council as council, _period as day, _landing_id as landing_id, "
    "_record_no as record_no from raw.changes) as staged"
)


def now_seen(database: Any) -> list[tuple[Any, ...]]:
    query = newest(
        STAGED, key=["council", "id"], period="day", changed="changed_at", deleted="gone"
    )
    return database.query(f"select id, note from ({query}) as found order by 1")


def test_a_late_change_and_an_older_day_loaded_again_bring_nothing_back(new_database, lake):
    source, database = described(), new_database()
    migrate(database.admin, [source], {})

    def day(number: int, *records: dict[str, Any]) -> None:
        land(lake, source, list(records), period=f"2026-11-{number:02}")
        again(number)

    def again(number: int) -> None:
        where = source.partition("kingston", f"2026-11-{number:02}")
        load(source, where, lake=lake, dsn=database.dsn(), run_id="r", forced_by="ada")

    def record(key: int, note: str, hour: int, **more: Any) -> dict[str, Any]:
        return {"id": key, "note": note, "changed_at": f"2026-11-05T{hour:02}:00:00Z", **more}

    day(2, record(1, "old", 1), record(2, "only", 2))
    day(3, record(1, "new", 5))
    assert now_seen(database) == [(1, "new"), (2, "only")]

    day(2, record(1, "late, but old", 3), record(2, "only", 2))
    again(2)
    assert now_seen(database) == [(1, "new"), (2, "only")]

    day(4, record(2, "", 7, gone=True), record(1, "same time", 5))
    assert now_seen(database) == [(1, "same time")]

    again(2)
    again(3)
    assert now_seen(database) == [(1, "same time")]

    day(5, record(2, "back", 8))
    assert now_seen(database) == [(1, "same time"), (2, "back")]


def test_rows_of_a_database_are_seen_as_they_last_changed(new_database, lake):
    cases, database = new_database(), new_database()
    cases.query("create table cases (id bigint primary key, note text, changed_at timestamptz, "
                "gone boolean)")  # fmt: skip
    cases.query("insert into cases select n, 'first', '2026-11-02 10:00Z', false "
                "from generate_series(1, 3) n")  # fmt: skip
    source = described(
        kind="database", connection="cases", query="select * from cases", key="id",
        changed="changed_at",
    )  # fmt: skip
    migrate(database.admin, [source], {})

    def fetched(day: str, run_id: str) -> None:
        where = source.partition("kingston", day)
        landing = extract(source, where, lake=lake, run_id=run_id, source_dsn=cases.admin)
        load(source, where, lake=lake, dsn=database.dsn(), run_id=run_id, landing_id=landing)

    fetched("2026-11-02", "first")
    cases.query("update cases set note = 'second', changed_at = '2026-11-03 10:00Z' where id = 1")
    cases.query("update cases set gone = true, changed_at = '2026-11-03 11:00Z' where id = 2")
    fetched("2026-11-03", "second")

    assert database.value("select count(*) from raw.changes") == 5
    assert now_seen(database) == [(1, "second"), (3, "first")]


MODEL = """
{{ config(contract={'enforced': false}) }}

with

renamed as (

    select
        *,
        _council as council,
        _period as day,
        _landing_id as landing_id,
        _record_no as record_no
    from raw.changes

)

select * from (
    {{ newest('renamed', key=['council', 'id'], period='day', changed='changed_at',
              deleted='gone') }}
) as found
"""


def test_dbt_builds_a_model_of_it(new_database, lake, tmp_path):
    source, database, project = described(), new_database(), tmp_path / "dbt_project"
    migrate(database.admin, [source], {})
    for day, note in ((2, "new"), (1, "old")):
        at = f"2026-11-0{day}T05:00:00Z"
        where = source.partition("kingston", f"2026-11-0{day}")
        land(lake, source, [{"id": 1, "note": note, "changed_at": at}], period=str(where.period))
        load(source, where, lake=lake, dsn=database.dsn(), run_id="r")
    shutil.copytree(FOLDER, project, ignore=shutil.ignore_patterns("target", "logs", "models"))
    (project / "tests" / "marts_count_every_crime_once.sql").unlink()
    model = project / "models" / "staging" / "stg_changes.sql"
    model.parent.mkdir(parents=True)
    model.write_text(MODEL)

    with Dbt(
        dsn=database.dsn("wandle_transformer"), home=tmp_path / "dbt", progress=print,
        project=project,
    ) as dbt:  # fmt: skip
        results = dbt.build(dbt.nodes())

    assert [(result.good, result.message) for result in results] == [(True, "CREATE VIEW")]
    assert database.query("select id, note from staging.stg_changes") == [(1, "new")]
