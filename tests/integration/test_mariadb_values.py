"""Rows of every type of MariaDB arrive in the raw table as MariaDB prints them.

EXAMPLES=500 tries more than `make test` does.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.warehouse.schema.migrate import migrate
from tests.samples import column, contract

EXAMPLES = int(os.environ.get("EXAMPLES", "8"))
DAY = "2026-11-02"
runs = count(1)


@dataclass(frozen=True)
class Kind:
    """A type of MariaDB, what it is in the contract, and how both are compared."""

    sql: str
    type: str
    values: st.SearchStrategy[Any]
    printed: str = "cast({} as char)"
    stored: str = "{}::text"
    same: Callable[[Any], Any] = str
    rules: tuple[tuple[str, Any], ...] = ()


def whole(bits: int, signed: bool = True) -> st.SearchStrategy[int]:
    least, most = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    return st.integers(least, most) | st.sampled_from([least, most])


def decimals(digits: int, places: int) -> st.SearchStrategy[str]:
    largest = Decimal("9" * digits)
    return st.integers(-int(largest), int(largest)).map(
        lambda number: f"{'-' if number < 0 else ''}{_pointed(abs(number), places)}"
    )


def _pointed(number: int, places: int) -> str:
    text = str(number).rjust(places + 1, "0")
    return f"{text[:-places]}.{text[-places:]}"


def single(value: Any) -> float:
    return float(struct.unpack("f", struct.pack("f", float(value)))[0])


def exact_json(text: str) -> Any:
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


# PostgreSQL cannot hold NUL.
CHARACTERS = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
TEXTS = st.text(CHARACTERS, max_size=8) | st.sampled_from(["", " ", "a ", "%", "\\", "'", "null"])
LATIN = st.text(st.sampled_from("aé€£ßÿ ™"), max_size=8)
DAYS = st.dates(date(1000, 1, 1), date(9999, 12, 31)).map(str)
MOMENTS = st.datetimes(datetime(1000, 1, 1), datetime(9999, 12, 31)).map(str)
SECONDS = st.datetimes(datetime(1970, 1, 2), datetime(2038, 1, 1)).map(str)
TIMES = st.tuples(
    st.sampled_from(["", "-"]), st.integers(0, 837), st.integers(0, 59), st.integers(0, 999_999)
).map(lambda part: "{}{:02}:{:02}:00.{:06}".format(*part))
ZERO_DATES = st.sampled_from(["0000-00-00", "2026-00-00", "2026-02-00", "0000-01-01", "2026-02-28"])
NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
JSONS = NESTED.map(json.dumps) | st.just('{"n": 1.50, "m": [0.12345678901234567890]}')
UTC = (("zone", "UTC"),)
MOMENT = "to_char({} at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"

KINDS = {
    "c_tiny": Kind("tinyint(1)", "integer", whole(8)),
    "c_small": Kind("smallint unsigned", "integer", whole(16, signed=False)),
    "c_medium": Kind("mediumint", "integer", whole(24)),
    "c_int": Kind("int", "integer", whole(32)),
    "c_big": Kind("bigint", "integer", whole(64)),
    "c_unsigned": Kind("bigint unsigned", "numeric(20,0)", whole(64, signed=False)),
    "c_decimal": Kind("decimal(38,10)", "numeric(38,10)", decimals(38, 10)),
    "c_widest": Kind("decimal(65,30)", "text", decimals(65, 30)),
    "c_float": Kind(
        "float", "double", st.floats(width=32, allow_nan=False, allow_infinity=False),
        "{} + 0e0", same=single,
    ),
    "c_double": Kind(
        "double", "double", st.floats(allow_nan=False, allow_infinity=False), same=float
    ),
    "c_bit": Kind("bit(64)", "numeric(20,0)", whole(64, signed=False), "cast({} as unsigned)"),
    "c_year": Kind("year", "integer", st.integers(1901, 2155) | st.just(0), same=int),
    "c_date": Kind("date", "date", DAYS),
    "c_zero": Kind("date", "text", ZERO_DATES),
    "c_datetime": Kind("datetime(6)", "timestamptz", MOMENTS, stored=MOMENT, rules=UTC),
    "c_timestamp": Kind("timestamp(6)", "timestamptz", SECONDS, stored=MOMENT),
    "c_time": Kind("time(6)", "text", TIMES),
    "c_text": Kind("longtext", "text", TEXTS, "{}"),
    "c_varchar": Kind("varchar(20)", "text", TEXTS, "{}"),
    "c_latin": Kind("varchar(20) character set latin1", "text", LATIN, "{}"),
    "c_enum": Kind("enum('', 'a', 'b c')", "text", st.sampled_from(["", "a", "b c"])),
    "c_set": Kind("set('x', 'y', 'z')", "text", st.sampled_from(["", "x", "y,z", "x,y,z"])),
    "c_binary": Kind("varbinary(20)", "text", st.binary(max_size=20), "lower(hex({}))"),
    "c_blob": Kind("blob", "text", st.binary(max_size=20), "lower(hex({}))"),
    "c_json": Kind("json", "jsonb", JSONS, "{}", same=exact_json),
    "c_uuid": Kind("uuid", "text", st.uuids().map(str)),
}  # fmt: skip
SOURCE = contract(
    column("id", "integer", required=True),
    *(column(name, kind.type, **dict(kind.rules)) for name, kind in KINDS.items()),
    name="mariadb_values",
    key=["id"],
    period="day",
    extract={
        "kind": "database", "connection": "cases", "query": "select * from every_type",
        "key": "id", "page_size": 3,
    },
)  # fmt: skip
ROWS = st.lists(
    st.fixed_dictionaries({name: st.none() | kind.values for name, kind in KINDS.items()}),
    min_size=1,
    max_size=8,
)


@pytest.fixture(scope="module")
def database(new_database) -> Any:
    """A warehouse with the table."""
    made = new_database()
    migrate(made.admin, [SOURCE], {})
    return made


@pytest.fixture(scope="module")
def server(mariadb_server) -> Any:
    """MariaDB with a column of every type."""
    columns = ", ".join(f"{name} {kind.sql}" for name, kind in KINDS.items())
    mariadb_server.query(f"create table every_type (id int primary key, {columns})")
    return mariadb_server


@settings(
    max_examples=EXAMPLES,
    suppress_health_check=list(HealthCheck),
    # A smaller example shows no more than the column that differs.
    phases=(Phase.generate,),
)
@given(rows=ROWS)
def test_rows_arrive_in_the_raw_table_as_mariadb_prints_them(lake, server, database, rows):
    with server.session() as cursor:
        cursor.execute("delete from every_type")
        marks = ", ".join(["%s"] * (len(KINDS) + 1))
        cursor.executemany(
            f"insert into every_type values ({marks})",
            [(number, *(row[name] for name in KINDS)) for number, row in enumerate(rows)],
        )
    where = SOURCE.partition("kingston", DAY)
    run = f"run {next(runs)}"

    landing_id = extract(SOURCE, where, lake=lake, run_id=run, source_dsn=server.address())
    entry = load(
        SOURCE,
        where,
        lake=lake,
        dsn=database.dsn(),
        run_id=run,
        landing_id=landing_id,
        forced_by="test",
    )

    wrong = database.query("select column_name, rule from ops.quarantine")
    assert (entry["loaded"], wrong) == (len(rows), [])
    printed = ", ".join(kind.printed.format(name) for name, kind in KINDS.items())
    stored = ", ".join(kind.stored.format(name) for name, kind in KINDS.items())
    theirs = server.query(f"select {printed} from every_type order by id")
    mine = database.query(f"select {stored} from raw.mariadb_values order by id")
    for their_row, my_row in zip(theirs, mine, strict=True):
        assert compared(my_row) == compared(their_row)


def compared(row: tuple[Any, ...]) -> dict[str, Any]:
    """The values by column, as they are compared."""
    return {
        name: None if value is None else kind.same(value)
        for (name, kind), value in zip(KINDS.items(), row, strict=True)
    }
