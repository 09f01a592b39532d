"""Parquet: every type without loss, and files that are damaged or hostile."""

from __future__ import annotations

import io
import json
import struct
import uuid
from contextlib import suppress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import BeyondLimit, UnexpectedPayload
from include.records.json.values import BodyCutShort
from include.sources.limits import Limits
from tests.unit.records.reading import layout, read, texts

MIB = 1024 * 1024


def form(*columns: str, **limits: int) -> Any:
    made = layout(*(columns or ("v",)), kind="parquet")
    return made.with_limits(Limits(**limits)) if limits else made


def file(columns: Any, **how: Any) -> bytes:
    body = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), body, **how)
    return body.getvalue()


def refused(body: bytes, of: Any, kind: type[Exception] = UnexpectedPayload) -> str:
    with pytest.raises(kind) as caught:
        read(body, of)
    return str(caught.value)


HUGE = 2**64 - 1
VALUES: dict[str, tuple[Any, str]] = {
    "int8": (pa.array([-128], pa.int8()), "-128"),
    "uint64": (pa.array([HUGE], pa.uint64()), str(HUGE)),
    "int64": (pa.array([-(2**63)]), str(-(2**63))),
    "half": (pa.array([0.1], pa.float16()), "0.1"),
    "float": (pa.array([0.1], pa.float32()), "0.1"),
    "double": (pa.array([0.1 + 0.2]), "0.30000000000000004"),
    "not a number": (pa.array([float("nan")]), "NaN"),
    "infinity": (pa.array([float("-inf")], pa.float32()), "-Infinity"),
    "decimal": (pa.array([Decimal("1234.50")], pa.decimal128(38, 2)), "1234.50"),
    "long decimal": (
        pa.array([Decimal("9" * 60 + ".10")], pa.decimal256(76, 2)), "9" * 60 + ".10",
    ),
    "small decimal": (pa.array([Decimal("0.0000000001")], pa.decimal128(20, 10)), "1E-10"),
    "boolean": (pa.array([True]), "true"),
    "text": (pa.array(["é\n"]), '"é\\n"'),
    "long text": (pa.array(["x"], pa.large_string()), '"x"'),
    "bytes": (pa.array([b"\x00\xff"]), '"\\\\x00ff"'),
    "fixed bytes": (pa.array([b"ab"], pa.binary(2)), '"\\\\x6162"'),
    "date": (pa.array([date(1, 1, 1)]), '"0001-01-01"'),
    "far date": (pa.array([date(9999, 12, 31)], pa.date64()), '"9999-12-31"'),
    "seconds": (pa.array([datetime(2026, 1, 1)], pa.timestamp("s")), '"2026-01-01T00:00:00"'),
    "milliseconds": (pa.array([1], pa.timestamp("ms")), '"1970-01-01T00:00:00.001"'),
    "microseconds": (
        pa.array([datetime(9999, 12, 31, 23, 59, 59, 999999)], pa.timestamp("us")),
        '"9999-12-31T23:59:59.999999"',
    ),
    "nanoseconds": (pa.array([1_000_000_001], pa.timestamp("ns")),
                    '"1970-01-01T00:00:01.000000001"'),
    "a zone": (pa.array([0], pa.timestamp("us", "Europe/London")), '"1970-01-01T00:00:00Z"'),
    "time": (pa.array([time(9, 30, 0, 5)]), '"09:30:00.000005"'),
    "time in ms": (pa.array([time(23, 59, 59)], pa.time32("ms")), '"23:59:59"'),
    "duration": (pa.array([timedelta(seconds=-1.5)]), "-1.5"),
    "dictionary": (pa.array(["x"]).dictionary_encode(), '"x"'),
    "null": (pa.nulls(1), "null"),
    "list": (pa.array([[1, None]]), "[1,null]"),
    "large list": (pa.array([["x"]], pa.large_list(pa.string())), '["x"]'),
    "fixed list": (pa.array([[1, 2]], pa.list_(pa.int8(), 2)), "[1,2]"),
    "struct": (
        pa.array([{"a": Decimal("1.50"), "b": None}], pa.struct({"a": pa.decimal128(5, 2),
                                                               "b": pa.string()})),
        '{"a":1.50,"b":null}',
    ),
    "map": (pa.array([[("k", 1)]], pa.map_(pa.string(), pa.int8())), '{"k":1}'),
    "map by numbers": (
        pa.array([[(7, 1)]], pa.map_(pa.int8(), pa.int8())), '[{"key":7,"value":1}]',
    ),
    "map that repeats": (
        pa.array([[("k", 1), ("k", 2)]], pa.map_(pa.string(), pa.int8())),
        '[{"key":"k","value":1},{"key":"k","value":2}]',
    ),
    "nested": (pa.array([[{"a": [[1.5]]}]]), '[{"a":[[1.5]]}]'),
}  # fmt: skip


@pytest.mark.parametrize(("array", "written"), VALUES.values(), ids=VALUES)
def test_a_value_of_every_type(array, written):
    assert texts(file({"v": array}), form()) == [f'{{"v":{written}}}'.encode()]


def test_an_identifier_is_text():
    one = uuid.UUID("12345678-1234-5678-1234-567812345678")
    array = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([one.bytes, None], pa.binary(16)))

    assert read(file({"v": array}), form()) == [{"v": str(one)}, {"v": None}]


@pytest.mark.parametrize("moment", ["2026-01-01T00:00:00.123456789", "0001-01-01", "9999-12-31"])
def test_old_timestamps_of_96_bits_neither_wrap_around_nor_lose_digits(moment):
    import numpy as np

    unit = "ns" if "." in moment else "us"
    array = pa.array(np.array([moment, None], f"datetime64[{unit}]"))
    body = file({"v": array, "w": [1, 2]}, use_deprecated_int96_timestamps=True)

    expected = moment if "." in moment else f"{moment}T00:00:00"
    assert read(body, form()) == [{"v": expected, "w": 1}, {"v": None, "w": 2}]


def test_old_timestamps_within_a_value_are_refused():
    body = file({"v": pa.array([[datetime(2026, 1, 1)]])}, use_deprecated_int96_timestamps=True)

    assert "96-bit timestamps in 'v.list.element'" in refused(body, form())


def test_text_that_is_not_unicode_breaks_one_record():
    array = pa.array([b"\xff", b"x"]).view(pa.string())

    assert read(file({"v": array}), form()) == [{"v": "\udcff"}, {"v": "x"}]


@pytest.mark.parametrize("codec", ["NONE", "SNAPPY", "GZIP", "BROTLI", "ZSTD", "LZ4"])
@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_every_codec_and_kind_of_page(codec, version):
    columns = {"v": list(range(5000)), "t": ["n"] * 5000, "l": [[1, 2]] * 5000}
    body = file(columns, compression=codec, data_page_version=version, row_group_size=1000)

    found = read(body, form())
    assert [record["v"] for record in found] == list(range(5000))
    assert found[-1] == {"v": 4999, "t": "n", "l": [1, 2]}


def test_names_are_those_of_the_columns():
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array([3])], ["a.b", "v", "v"])

    assert read(file(table), form("v", "v#2")) == [{"a.b": 1, "v": 2, "v#2": 3}]
    assert "expected a header line with 'w', found 'v'" in refused(file({"v": [1]}), form("w"))


def test_no_rows():
    assert read(file({"v": pa.array([], pa.int8())}), form()) == []


# --- damaged and hostile files ------------------------------------------------------------------

BODY = file({"v": [f"value {number}" for number in range(200)]}, write_page_checksum=True)


@pytest.mark.parametrize("size", [0, 3, 4, 11, len(BODY) // 2, len(BODY) - 1])
def test_a_file_that_is_cut_short_is_not_complete(size):
    assert refused(BODY[:size], form(), BodyCutShort)


@pytest.mark.parametrize("place", range(4, len(BODY) - 8, 37))
def test_a_damaged_file_is_refused_or_has_all_values(place):
    damaged = bytearray(BODY)
    damaged[place] ^= 0xFF
    try:
        found = read(bytes(damaged), form())
    except (UnexpectedPayload, BodyCutShort, BeyondLimit):
        return
    assert len(found) == 200


@given(st.integers(4, len(BODY) - 1), st.binary(min_size=1, max_size=8))
def test_whatever_is_damaged_it_is_one_of_our_failures(place, instead):
    damaged = BODY[:place] + instead + BODY[place + len(instead) :]
    with suppress(UnexpectedPayload, BodyCutShort, BeyondLimit):
        read(damaged, form())


def test_a_column_whose_name_is_not_utf_8_is_refused():
    damaged = BODY.replace(b"\x18\x01v", b"\x18\x01\x80")
    assert damaged != BODY

    assert "a damaged one" in refused(damaged, form())


def test_a_footer_that_claims_a_huge_size():
    body = BODY[:-8] + struct.pack("<I", 2**31) + b"PAR1"

    assert refused(body, form(), BodyCutShort)


@pytest.mark.parametrize(
    ("columns", "how", "field"),
    [
        ({"v": ["n" * 64 * MIB]}, {"use_dictionary": False}, "whole_bytes"),
        ({"v": ["n" * 3 * MIB]}, {}, "record_bytes"),
        ({"v": ["n" * 300_000] * 300}, {}, "answer_bytes"),
        ({"v": [[1] * 1_000_000]}, {}, "record_bytes"),
        ({"v": [[True] * 9_000_000]}, {}, "whole_bytes"),
        ({"v": [["n" * 100_000] * 5000]}, {}, "record_bytes"),
    ],
    ids=["a page", "a value", "a value in each row", "a list", "a longer list", "texts of a list"],
)
def test_what_takes_little_in_the_file_and_much_in_memory_is_refused(columns, how, field):
    body = file(columns, compression="ZSTD", **how)
    limits = {"record_bytes": 2 * MIB, "whole_bytes": 2 * MIB, "answer_bytes": 64 * MIB}
    assert len(body) < 4 * MIB

    with pytest.raises(BeyondLimit) as caught:
        read(body, form(**limits))
    assert caught.value.field == field


# --- round trips --------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "i": st.none() | st.integers(-(2**63), 2**63 - 1),
            "d": st.none() | st.decimals(-(10**20), 10**20, places=4),
            "f": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "t": st.none() | TEXTS,
            "l": st.none() | st.lists(st.none() | st.integers(0, 9), max_size=3),
            "s": st.none() | st.fixed_dictionaries({"a": st.none() | TEXTS, "b": st.booleans()}),
            "m": st.none() | st.dictionaries(TEXTS, st.integers(0, 9), max_size=3),
        }
    ),
    max_size=30,
)
SCHEMA = pa.schema(
    {
        "i": pa.int64(),
        "d": pa.decimal128(38, 4),
        "f": pa.float64(),
        "t": pa.string(),
        "l": pa.list_(pa.int32()),
        "s": pa.struct({"a": pa.string(), "b": pa.bool_()}),
        "m": pa.map_(pa.string(), pa.int8()),
    }
)


@given(ROWS, st.sampled_from([1, 3, 1000]), st.booleans())
def test_what_was_written_is_read(rows, group, dictionary):
    body = file(pa.Table.from_pylist(rows, SCHEMA), row_group_size=group, use_dictionary=dictionary)
    found = [json.loads(text, parse_float=str) for text in texts(body, form("i"))]

    for record, row in zip(found, rows, strict=True):
        assert record["d"] == (None if row["d"] is None else f"{row['d']:f}") or (
            Decimal(record["d"]) == row["d"]
        )
        assert (None if record["f"] is None else float(record["f"])) == row["f"]
        assert {name: record[name] for name in "itlsm"} == {name: row[name] for name in "itlsm"}
