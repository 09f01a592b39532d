"""Arrow batches copied into PostgreSQL come back as what they held."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from include.warehouse.connection import DatabaseRefused, connect
from include.warehouse.copy_binary import append, encoded

_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
_json = st.dictionaries(_texts, st.integers() | _texts | st.none(), max_size=3)


def _decimals(precision: int, scale: int) -> st.SearchStrategy[Decimal]:
    most = 10**precision - 1
    # `scaleb` would round to the context's 28 digits.
    return st.integers(-most, most).map(
        lambda unscaled: Decimal((unscaled < 0, tuple(map(int, str(abs(unscaled)))), -scale))
    )


DECIMALS = (
    *((1, 0), (4, 4), (9, 2), (16, 6), (18, 16), (19, 0)),
    *((38, 3), (38, 20), (38, 38)),
)
# Column, its SQL type, its Arrow type, its values.
COLUMNS: dict[str, tuple[str, pa.DataType, st.SearchStrategy[Any]]] = {
    "texts": ("text", pa.string(), _texts),
    "bytes": ("bytea", pa.binary(), st.binary()),
    "json": ("jsonb", pa.json_(), _json.map(json.dumps)),
    "integers": ("bigint", pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    "doubles": ("double precision", pa.float64(), st.floats(allow_nan=False)),
    "booleans": ("boolean", pa.bool_(), st.booleans()),
    "dates": ("date", pa.date32(), st.dates()),
    "moments": (
        "timestamptz",
        pa.timestamp("us", tz="UTC"),
        st.datetimes(timezones=st.just(UTC)),
    ),
    **{
        f"numeric_{precision}_{scale}": (
            f"numeric({precision},{scale})",
            pa.decimal128(precision, scale),
            _decimals(precision, scale),
        )
        for precision, scale in DECIMALS
    },
}

_row = st.fixed_dictionaries({name: st.none() | values for name, (_, _, values) in COLUMNS.items()})


@pytest.fixture(scope="module")
def dsn(new_database) -> str:
    """A database with a table of every type."""
    admin: str = new_database().admin
    columns = ", ".join(f"{name} {sql_type}" for name, (sql_type, _, _) in COLUMNS.items())
    with psycopg.connect(admin) as connection:
        connection.execute(f"create table every_type (n bigint, {columns})")
    return admin


def _batch(rows: list[dict[str, Any]]) -> pa.RecordBatch:
    arrays = [
        pa.array([row[name] for row in rows], pa.string()).cast(kind)
        if kind == pa.json_()
        else pa.array([row[name] for row in rows], kind)
        for name, (_, kind, _) in COLUMNS.items()
    ]
    numbers = pa.array(range(len(rows)), pa.int64())
    return pa.RecordBatch.from_arrays([numbers, *arrays], names=["n", *COLUMNS])


def _copied(dsn: str, *batches: pa.RecordBatch) -> list[dict[str, Any]]:
    with connect(dsn) as connection:
        cursor = connection.cursor()
        count = append(cursor, "public", "every_type", iter(batches))
        cursor.execute(f"select {', '.join(COLUMNS)} from every_type order by n")
        found = [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]
        assert count == len(found)
        return found


def _as_read(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"json": None if row["json"] is None else json.loads(row["json"])}


@settings(
    max_examples=60, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(rows=st.lists(_row, min_size=1, max_size=12))
def test_every_value_of_every_type_comes_back(dsn, rows):
    assert _copied(dsn, _batch(rows)) == [_as_read(row) for row in rows]


def test_the_largest_and_smallest_values_come_back(dsn):
    rows: list[dict[str, Any]] = [dict.fromkeys(COLUMNS) for _ in range(2)]
    for row, sign in zip(rows, (1, -1), strict=True):
        for name, (_, kind, _) in COLUMNS.items():
            if pa.types.is_decimal(kind):
                nines = (9,) * kind.precision
                row[name] = Decimal((sign < 0, nines, -kind.scale))
    rows[0] |= {"integers": 2**63 - 1, "doubles": float("inf"), "dates": date.max}
    rows[1] |= {"integers": -(2**63), "doubles": -0.0, "dates": date.min}
    rows[0]["moments"] = datetime.max.replace(tzinfo=UTC)
    rows[1]["moments"] = datetime.min.replace(tzinfo=UTC) + timedelta(microseconds=1)

    found = _copied(dsn, _batch(rows))

    assert found == rows
    assert str(found[1]["doubles"]) == "-0.0"


def test_the_smallest_number_of_64_bits_is_not_a_special_case_of_a_decimal(dsn):
    rows = [dict.fromkeys(COLUMNS) | {"numeric_38_3": Decimal(-(2**63)).scaleb(-3)}]

    assert _copied(dsn, _batch(rows)) == rows


def test_a_part_of_a_batch_is_copied_as_that_part(dsn):
    rows = [
        {
            "texts": f"number {number}", "bytes": bytes([number]), "json": f'{{"n": {number}}}',
            "integers": number, "doubles": number / 8, "booleans": number % 3 == 0,
            "dates": date(2000, 1, 1 + number), "moments": datetime(2000, 1, 1, number, tzinfo=UTC),
            **{
                name: Decimal(number).scaleb(-kind.scale)
                for name, (_, kind, _) in COLUMNS.items() if pa.types.is_decimal(kind)
            },
        }
        if number % 4 else dict.fromkeys(COLUMNS)
        for number in range(10)
    ]  # fmt: skip

    assert _copied(dsn, _batch(rows).slice(3, 5)) == [_as_read(row) for row in rows[3:8]]


def test_no_batches_make_no_rows(dsn):
    assert _copied(dsn) == []


def test_what_breaks_the_batches_is_raised_and_postgresql_does_not_see_it(dsn):
    def breaking() -> Iterator[pa.RecordBatch]:
        yield _batch([dict.fromkeys(COLUMNS)])
        raise ValueError("a value that nobody may see") from KeyError("its cause")

    notices: list[str] = []
    with connect(dsn) as connection:
        connection.add_notice_handler(lambda said: notices.append(str(said.message_primary)))
        with pytest.raises(ValueError, match="nobody may see") as raised:
            append(connection.cursor(), "public", "every_type", breaking())
        connection.rollback()
        cursor = connection.cursor()
        cursor.execute("select count(*) from every_type")
        assert cursor.fetchall() == [(0,)]
    assert isinstance(raised.value.__cause__, KeyError)
    assert notices == []


def test_what_postgresql_refuses_is_its_error(dsn):
    rows = [dict.fromkeys(COLUMNS) | {"texts": "a\0b"}]

    with (
        pytest.raises(DatabaseRefused, match="invalid byte sequence"),
        connect(dsn) as connection,
    ):
        append(connection.cursor(), "public", "every_type", [_batch(rows)])


def test_a_type_that_no_contract_has_is_refused():
    with pytest.raises(TypeError, match="binary COPY does not support timestamp"):
        encoded(pa.record_batch({"at": pa.array([0], pa.timestamp("s"))}))


def test_a_value_that_every_row_has_may_come_once(dsn):
    rows = [dict.fromkeys(COLUMNS) | {"integers": number} for number in range(3)]
    batch = _batch(rows)
    for name, value in (("texts", "Sutton é"), ("bytes", b"")):
        kind = batch.schema.field(name).type
        once = pa.DictionaryArray.from_arrays(pa.array([0] * 3, pa.int8()), pa.array([value], kind))
        batch = batch.set_column(batch.schema.get_field_index(name), name, once)

    found = _copied(dsn, batch)

    assert found == [row | {"texts": "Sutton é", "bytes": b""} for row in rows]


@pytest.mark.parametrize("places", [[0, 1], [0, None]])
def test_a_dictionary_of_which_rows_have_different_values_is_refused(places):
    texts = pa.DictionaryArray.from_arrays(pa.array(places, pa.int8()), pa.array(["a", "b"]))

    with pytest.raises(TypeError, match="binary COPY does not support dictionary"):
        encoded(pa.RecordBatch.from_arrays([texts], names=["texts"]))
