"""The books of a load whose records take odd shapes: exploded, personal, of two ways, not UTF-8."""

from __future__ import annotations

import hashlib
import hmac
import io
import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import PermanentError
from include.warehouse import prepare as preparing
from include.warehouse.books.counts import Counts
from include.warehouse.columns.pseudonyms import Pseudonyms
from include.warehouse.prepare import PageBody, prepare
from tests.samples import column, contract, counted, extracting, page_body, pages_of, partition

KEY = "0123456789abcdef" * 4


def run(pages: Any, source: Any, key: str = "") -> tuple[Counts, list[dict[str, Any]]]:
    pseudonyms = Pseudonyms(key) if key else None
    counts, batches = counted(prepare(source, partition(), "L1", pages, pseudonyms))
    rows = pa.Table.from_batches(batches).to_pylist() if batches else []
    assert counts.rows == len(rows)
    assert counts.loaded == len({row["_record_no"] for row in rows})
    assert counts.records == counts.loaded + len(counts.quarantine) + counts.duplicates
    return counts, rows


def books(counts: Counts) -> tuple[int, int, int, int, int]:
    bad = len(counts.quarantine)
    return counts.records, counts.loaded, bad, counts.duplicates, counts.rows


EXPLODING = contract(
    column("id", "integer", required=True),
    column("value", "numeric(9,3)", list_value="explode", list_separator="|"),
    key=["id", "value"],
)
WITHOUT_KEY = EXPLODING.model_copy(update={"key": ()})


def item(number: Any, value: Any) -> dict[str, Any]:
    return {"id": number, "value": value}


def test_a_record_becomes_a_row_for_each_value_and_stays_one_record_in_the_books():
    counts, rows = run(pages_of([[item(1, "0.260|0.267"), item(2, 5), item(3, [1, 2, 3])]]),
                       EXPLODING)  # fmt: skip

    assert books(counts) == (3, 3, 0, 0, 6)
    assert [(row["id"], str(row["value"]), row["_record_no"]) for row in rows] == [
        (1, "0.260", 1), (1, "0.267", 1), (2, "5.000", 2),
        (3, "1.000", 3), (3, "2.000", 3), (3, "3.000", 3),
    ]  # fmt: skip


def test_a_record_of_which_one_value_is_bad_is_quarantined_whole():
    counts, rows = run(pages_of([[item(1, "0.26|x|0.27"), item(2, 5)]]), EXPLODING)

    assert books(counts) == (2, 1, 1, 0, 1)
    assert [(q.record_no, q.column, q.rule, q.value) for q in counts.quarantine] == [
        (1, "value", "type", '"x"')
    ]
    assert [row["id"] for row in rows] == [2]


def test_a_repeated_record_of_several_rows_is_one_duplicate():
    pages = [[item(1, [1, 2]), item(1, [1, 2])], [item(1, [2, 1]), item(1, 2)]]

    counts, _ = run(pages_of(pages), EXPLODING)

    assert books(counts) == (4, 1, 0, 3, 2)


def test_a_record_that_brings_one_new_row_is_loaded_with_that_row():
    counts, rows = run(pages_of([[item(1, [1, 2]), item(1, [2, 3])]]), WITHOUT_KEY)

    assert books(counts) == (2, 2, 0, 0, 3)
    assert [(str(row["value"]), row["_record_no"]) for row in rows][2] == ("3.000", 2)


def test_a_record_whose_rows_contradict_each_other_or_an_earlier_one_is_quarantined_whole():
    by_id = EXPLODING.model_copy(update={"key": ("id",)})

    counts, rows = run(pages_of([[item(1, [1, 2]), item(2, 5), item(2, [5, 6])], [item(1, 1)]]),
                       by_id)  # fmt: skip

    assert [(q.record_no, q.rule) for q in counts.quarantine] == [(1, "key"), (3, "key")]
    # The contradicting one was not loaded: it does not block a later, good one.
    assert [(row["id"], row["_record_no"]) for row in rows] == [(2, 2), (1, 4)]


VALUES = st.one_of(
    st.integers(0, 2), st.lists(st.integers(0, 2), max_size=3),
    st.sampled_from(["1|2", "0|x", "", None, "|", [[1]], {"a": 1}]),
)  # fmt: skip


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 2), VALUES), max_size=6), max_size=3),
    st.sampled_from([EXPLODING, WITHOUT_KEY, EXPLODING.model_copy(update={"key": ("id",)})]),
    st.integers(1, 5),
)
def test_the_books_balance_and_no_row_comes_twice_however_records_explode(pages, source, size):
    records = [[item(*fields) for fields in page] for page in pages]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "BATCH_RECORDS", size)
        counts, rows = run(pages_of(records), source)

    found = [(row["id"], row["value"], row["_extra"]) for row in rows]
    assert len(set(found)) == len(found)
    if source.key:
        keys = [tuple(row[name] for name in source.key) for row in rows]
        assert len(set(keys)) == len(keys)
    whole, again = run(pages_of([[one for page in records for one in page]]), source)
    assert (books(whole), again) == (books(counts), rows)
    assert whole.content.hexdigest() == counts.content.hexdigest()


PERSONAL = contract(
    column("id", "integer", required=True),
    column("kind", pattern="[a-z]+", responsible="us"),
    column("name", path="who.name", personal="pseudonymise", pattern="[^0-9]+"),
    column("phone", path="who.phone", personal="drop"),
    column("born", "date", personal="keep"),
    column("notes", "jsonb"),
    key=["id"],
    retention_days=30,
)
JO = {"id": 1, "kind": "a", "who": {"name": "Jo Ó", "phone": "020"}, "born": "1990-01-02"}


def test_a_personal_text_is_its_keyed_pseudonym_and_a_dropped_one_is_nowhere():
    counts, rows = run(pages_of([[JO, JO | {"id": 2, "who": None}]]), PERSONAL, KEY)

    expected = hmac.new(KEY.encode(), "Jo Ó".encode(), hashlib.sha256).hexdigest()
    assert [row["name"] for row in rows] == [expected, None]
    assert "phone" not in rows[0]
    assert [row["_extra"] for row in rows] == [None, None]
    assert str(rows[0]["born"]) == "1990-01-02"
    assert counts.drift.fields == {}


def test_a_different_key_gives_different_pseudonyms_and_a_different_content_hash():
    one, two = (run(pages_of([[JO]]), PERSONAL, key) for key in (KEY, KEY[::-1]))

    assert one[1][0]["name"] != two[1][0]["name"]
    assert one[0].content.hexdigest() != two[0].content.hexdigest()
    assert Pseudonyms(KEY).fingerprint != Pseudonyms(KEY[::-1]).fingerprint


def test_pseudonyms_need_a_key_that_cannot_be_guessed():
    with pytest.raises(PermanentError, match="pseudonyms need a key"):
        run(pages_of([[JO]]), PERSONAL)
    with pytest.raises(PermanentError, match="at least 32 are required"):
        Pseudonyms("secret")


SECRETS = ["Jo", "020", "1990", "hidden"]
SPOILT = [
    JO | {"id": "hidden"} | {"id": "x", "new": "hidden"},
    JO | {"kind": "A"},
    JO | {"who": {"name": "Jo 020", "phone": "020"}},
    JO | {"who": {"name": ["Jo"], "hidden": 1}},
    JO | {"who": "Jo 020", "id": None},
    JO | {"born": "1990"},
    JO | {"born": {"hidden": "Jo"}},
    JO | {"kind": {"hidden": "Jo"}},
    JO | {"id": 1, "kind": "other"},
    "Jo 020",
    ["Jo", "020"],
]


def test_quarantine_shows_nothing_personal_and_keeps_only_what_is_not():
    counts, _ = run(pages_of([[JO, *SPOILT]]), PERSONAL, KEY)

    assert len(counts.quarantine) == len(SPOILT)
    for found in counts.quarantine:
        for secret in SECRETS:
            assert secret not in (found.value or "")
            assert secret not in found.record.decode()
    for said in counts.differences.values():
        assert not any(secret in said for secret in ("Jo", "020", "1990"))
    kept = json.loads(list(counts.quarantine)[1].record)
    assert kept == {"id": 1, "kind": "A", "who": dict.fromkeys(("name", "phone"), "(withheld)"),
                    "born": "(withheld)"}  # fmt: skip


def test_each_quarantined_record_names_who_is_responsible():
    counts, _ = run(
        pages_of([[JO, JO | {"kind": "A"}, JO | {"id": "x"}, 5, JO | {"kind": "b"}]]), PERSONAL, KEY
    )

    found = [(q.rule, q.responsible) for q in counts.quarantine]
    assert found == [("pattern", "us"), ("type", "publisher"), ("object", "publisher"),
                     ("key", "publisher")]  # fmt: skip


def test_only_the_records_that_no_text_can_hold_are_quarantined():
    body = (
        b'[{"id":1,"note":"good"},{"id":2,"note":"\\ud800"},{"id":3,"note":"a\\u0000"},'
        b'{"id":4,"note":"\xff"},{"id":5,"x":NaN},{"id":6,"\\udfff":1},{"id":NaN},'
        b'{"id":8,"note":"\\ud83d\\ude00"},{"id":9,"x":1.5}]'
    )

    counts, rows = run([page_body(body, 9)], contract())

    assert [row["id"] for row in rows] == [1, 8, 9]
    assert [q.rule for q in counts.quarantine] == ["type"] * 6
    assert [q.record_no for q in counts.quarantine] == [2, 3, 4, 5, 6, 7]
    assert next(iter(counts.quarantine)).record == b'{"id":2,"note":"\\ud800"}'
    assert list(counts.quarantine)[2].record == b'{"id":4,"note":"\xff"}'
    for found in counts.quarantine:
        (found.value or "").encode()


def test_a_record_reads_the_same_whether_its_page_is_all_text_or_not():
    good = {"id": 1, "note": "é", "x": [1.0, 2**64 - 1, 2**70, 1e300, {"b": None}]}
    odd = b'{"id":2,"note":"\\ud800"}'

    alone = run(pages_of([[good]]), contract())
    beside = run([page_body(b"[" + json.dumps(good).encode() + b"," + odd + b"]", 2)], contract())

    assert alone[1] == beside[1]
    assert alone[0].content.hexdigest() == beside[0].content.hexdigest()


LARGE = contract(column("id", "integer"), column("n", "numeric(38,0)"), column("x", "jsonb"))
DIGITS = "123456789012345678901234567890"


@pytest.mark.parametrize("beside", ['"all text"', '"\\ud800"'])
def test_a_whole_number_is_exact_beyond_64_bits_in_jsonb_too(beside):
    body = f'[{{"id":1,"n":{DIGITS},"x":{{"n":{DIGITS}}}}},{beside}]'.encode()

    counts, rows = run([page_body(body, 2)], LARGE)

    assert counts.loaded == 1
    assert rows[0]["n"] == int(DIGITS)
    assert rows[0]["x"] == f'{{"n":{DIGITS}}}'


def test_a_whole_number_of_more_digits_than_any_column_holds_is_quarantined():
    body = (
        b'[{"id":1,"n":%s},{"id":2,"n":%s},{"id":3,"x":%s},{"id":4,"x":%s},{"id":5,"x":1e%s}]'
        % (
            b"9" * 400,
            b"9" * 9000,
            b"9" * 9000,
            b"9" * 131_073,
            b"9" * 30,
        )
    )

    counts, rows = run([page_body(body, 5)], LARGE)

    assert [row["x"] for row in rows] == ["9" * 9000]
    assert [item.column for item in counts.quarantine] == ["n", "n", "x", "x"]


TWO_WAYS = contract(
    column("id", "integer", required=True),
    column("station", request="council.name"),
    column("value", "numeric(9,3)", list_value="last", list_separator="|"),
    key=["id"],
    extract=extracting(
        archive={
            "from_age_days": 28,
            "request": {"path": "/archive-{period:%Y-%m}.csv"},
            "format": {"kind": "csv", "null_values": [""]},
            "paths": {"id": "reading", "station": "stationReference"},
        }
    ),
)


def test_a_landing_of_two_ways_is_read_as_each_says():
    lines = b"\xef\xbb\xbfstationReference,value,reading\r\nE1,0.26|0.27,7\r\nE2,,8\r\nE3,1\r\n"
    archived = PageBody("0002.json.gz", {}, 3, len(lines), io.BytesIO(lines), "archive")
    (asked,) = pages_of([[item(1, 0.5)]])
    object.__setattr__(asked, "context", {"council.name": "Kingston"})

    counts, rows = run([asked, archived], TWO_WAYS)

    found = [(row["id"], row["station"], row["value"] and str(row["value"])) for row in rows]
    assert found == [(1, "Kingston", "0.500"), (7, "E1", "0.270"), (8, "E2", None)]
    assert [(q.rule, q.record, q.record_no) for q in counts.quarantine] == [("object", b"E3,1", 4)]
    assert counts.drift.fields == {}


def test_columns_that_hold_a_value_are_known():
    counts, _ = run(pages_of([[{"id": 1, "note": None}], [{"id": 2}, {"id": "x", "note": "a"}]]),
                    contract())  # fmt: skip

    assert counts.filled >= {"id", "_council"}
    assert "note" not in counts.filled
