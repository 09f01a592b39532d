"""The books of a load: every record is loaded, quarantined with its bytes, or a duplicate."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.errors import LandingDamaged
from include.records import chunks
from include.records import read as reading
from include.records.json import stream as json_stream
from include.warehouse import prepare as preparing
from include.warehouse.books.counts import Counts
from include.warehouse.prepare import PageBody, prepare
from tests.samples import body_of, column, contract, counted, page_body, pages_of, partition

KEYED = contract(
    column("id", "integer", required=True),
    column("kind", pattern="[a-z]+"),
    column("latitude", "numeric(9,6)", path="place.latitude"),
    key=["id"],
)
UNKEYED = contract(column("id", "integer", required=True), column("kind"))
GOLDEN = "042e75e565c0dfc264c5650499fff6eb"


def run(
    pages: Iterable[PageBody], source: Any = KEYED, landing: str = "L1"
) -> tuple[Counts, list[dict[str, Any]]]:
    counts, batches = counted(prepare(source, partition(), landing, pages))
    rows = pa.Table.from_batches(batches).to_pylist() if batches else []
    assert counts.loaded == len(rows)
    assert counts.records == counts.loaded + len(counts.quarantine) + counts.duplicates
    return counts, rows


def crimes(*ids: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {"id": number, "kind": "theft", "place": {"latitude": f"51.{number}"}} | more
        for number in ids
    ]


def test_rows_can_be_traced_back_to_their_record():
    _, rows = run(pages_of([crimes(1, 2), crimes(3)]))

    assert [(row["id"], row["_record_no"]) for row in rows] == [(1, 1), (2, 2), (3, 3)]
    assert {(row["_council"], str(row["_period"]), row["_landing_id"]) for row in rows} == {
        ("kingston", "2017-05-01", "L1")
    }


def test_the_content_hash_is_what_it_always_was():
    counts, _ = run(pages_of([crimes(1, 2, new=[1.5]), crimes(3)]))

    assert counts.content.hexdigest() == GOLDEN


@given(st.permutations(range(1, 9)), st.integers(0, 8), st.integers(1, 5))
def test_the_content_hash_is_blind_to_order_pages_batches_and_landing(order, cut, batch_records):
    expected = run(pages_of([crimes(*range(1, 9))]))[0].content.hexdigest()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "BATCH_RECORDS", batch_records)
        pages = pages_of([crimes(*order[:cut]), crimes(*order[cut:])])
        counts, _ = run(pages, landing="L2")

    assert counts.content.hexdigest() == expected


def test_a_streamed_page_gives_the_same_as_a_whole_one(monkeypatch):
    pages = [crimes(*range(1, 40)), [*crimes(50, 51), {"id": "x"}, *crimes(50)]]
    whole, rows = run(pages_of(pages))

    monkeypatch.setattr(reading, "STREAM_ABOVE_BYTES", 10)
    monkeypatch.setattr(preparing, "STREAM_ABOVE_BYTES", 10)
    monkeypatch.setattr(chunks, "CHUNK_RECORDS", 7)
    streamed, rows_streamed = run(pages_of(pages))

    assert rows_streamed == rows
    assert streamed.content.hexdigest() == whole.content.hexdigest()
    assert streamed.duplicates == whole.duplicates == 1
    assert [(item.record_no, item.page, item.page_record_no, item.rule) for item in (
        *whole.quarantine, *streamed.quarantine
    )] == [(42, "0002.json.gz", 3, "type")] * 2  # fmt: skip


@pytest.mark.parametrize("source", [KEYED, UNKEYED], ids=["keyed", "unkeyed"])
def test_an_exact_duplicate_is_counted_and_loaded_once(source):
    counts, rows = run(pages_of([crimes(1, 2, 1), crimes(2)]), source)

    assert (len(rows), counts.duplicates, list(counts.quarantine)) == (2, 2, [])


def test_a_duplicate_written_differently_is_still_a_duplicate():
    once = b'{"id":1,"kind":"a","place":{"latitude":"51.5"}}'
    again = b'{"kind":"a", "id":"1", "place":{"latitude":51.50}}'

    counts, _ = run([page_body(b"[%b,%b]" % (once, again), 2)])

    assert (counts.loaded, counts.duplicates) == (1, 1)


def test_a_record_with_a_loaded_key_and_other_values_is_quarantined():
    counts, rows = run(pages_of([crimes(1), crimes(1, kind="other")]))

    assert [row["kind"] for row in rows] == ["theft"]
    assert [(item.rule, item.record_no) for item in counts.quarantine] == [("key", 2)]


def test_a_repeat_of_a_quarantined_conflict_is_its_duplicate():
    counts, _ = run(pages_of([[*crimes(1), *crimes(1, kind="other"), *crimes(1, kind="other")]]))

    assert [item.record_no for item in counts.quarantine] == [2]
    assert counts.duplicates == 1


def test_without_a_key_records_that_differ_are_all_loaded():
    counts, _ = run(pages_of([[{"id": 1, "kind": "a"}, {"id": 1, "kind": "b"}]]), UNKEYED)

    assert (counts.loaded, counts.duplicates) == (2, 0)


ODD = [
    b'{"id" :"one",  "kind":"a"}',
    b'{ "kind":"\\u00e9\\u0000", "id":2, "id":3 }',
    b"[1, 2 ]",
    b'"text with ] and \\" in it"',
    b"null",
    b'{"id":1e5,"kind":"\xc3\xa9"}',
    b'{"id":123456789012345678901234567890}',
    b'{"id":7,"deep":' + b"[" * 300 + b"]" * 300 + b"}",
    b'{"id":8,"deep":' + b"[" * 1000 + b"]" * 1000 + b"}",
]


def test_quarantine_keeps_a_records_own_bytes():
    body = b" [\n" + b" ,\n".join([b'{"id":100,"kind":"good"}', *ODD]) + b"]\n"

    counts, rows = run([page_body(body, 1 + len(ODD))])

    assert [item.record for item in counts.quarantine] == ODD
    assert [item.page_record_no for item in counts.quarantine] == list(range(2, 2 + len(ODD)))
    assert [row["id"] for row in rows] == [100]


def test_quarantine_numbers_run_over_pages_and_batches(monkeypatch):
    monkeypatch.setattr(preparing, "BATCH_RECORDS", 2)
    pages = [[*crimes(1, 2), {"id": "x"}], [{"id": "y"}], crimes(3), [[], *crimes(4)]]

    counts, _ = run(pages_of(pages))

    found = [(item.record_no, item.page[:4], item.page_record_no) for item in counts.quarantine]
    assert found == [(3, "0001", 3), (4, "0002", 1), (6, "0004", 1)]
    assert [json.loads(item.record) for item in counts.quarantine] == [{"id": "x"}, {"id": "y"}, []]


FILLED = crimes(*range(100, 400))
GOOD = b'{"id":1,"kind":"a","place":{"latitude":"51.1"}}'
ONE_OF = [
    *ODD,
    b'{"id":2,"id":3,"kind":"a"}',
    b'{"id" :2,"kind":"a","kind":"b"}',
    b'{"id":2,"kind":"a","place":{"latitude":51.1234564999999999}}',
    b'{"id":2,"kind":"a","new":0.10000000000000000001}',
]


@given(
    st.lists(st.sampled_from([body_of(FILLED), *ONE_OF]), max_size=6),
    st.sampled_from([KEYED, UNKEYED]),
)
def test_small_pages_are_read_together_as_one_by_one(chosen, source):
    def read() -> tuple[Counts, list[dict[str, Any]]]:
        pages = [
            page_body(one, len(FILLED))
            if one == body_of(FILLED)
            else page_body(b"[%b,%b]" % (GOOD, one), 2)
            for one in chosen
        ]
        return run(pages, source)

    counts, rows = read()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "may_be_parsed", lambda layout: False)
        alone, rows_alone = read()

    assert rows == rows_alone
    assert list(counts.quarantine) == list(alone.quarantine)
    assert counts.content.hexdigest() == alone.content.hexdigest()


def test_an_error_in_pages_that_are_read_together_names_its_own():
    pages = pages_of([FILLED, crimes(1), FILLED])
    pages[1] = page_body(b'{"error": "too many requests"}', 1, name="0002.json.gz")

    with pytest.raises(LandingDamaged, match=r"0002\.json\.gz"):
        run(pages)


@pytest.mark.parametrize("said", [1, 3])
def test_a_page_with_a_different_number_of_records_than_the_manifest_says_is_damaged(said):
    with pytest.raises(LandingDamaged, match=rf"0001.json.gz: expected {said} records .* found 2"):
        run([page_body(body_of(crimes(1, 2)), said)])


def test_empty_pages_load_nothing():
    counts, rows = run(pages_of([[], []]))

    assert (counts.records, rows) == (0, [])
    assert counts.content.hexdigest() == "0" * 32


SCALARS = st.sampled_from(
    [None, True, -1, 2**53 + 1, 2**63, 2**70, 1.5, 1e30, -0.0, "", "a", "a\0b", "x" * 300, "\u2028"]
)
ANY = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(
        st.sampled_from(["id", "place", "latitude", "n\0"]), inner, max_size=2
    ), max_leaves=4
)  # fmt: skip
MUTATIONS = st.sampled_from(["none", "drop", "retype", "nest", "add", "replace", "repeat"])


@st.composite
def mutated(draw: st.DrawFn) -> list[Any]:
    """Good records, some of them damaged in one way or another."""
    spoilt: list[Any] = []
    for record in crimes(*draw(st.lists(st.integers(1, 5), max_size=8))):
        name = draw(st.sampled_from([*record]))
        match draw(MUTATIONS):
            case "drop":
                del record[name]
            case "retype":
                record[name] = draw(ANY)
            case "nest":
                record[name] = {name: [record[name]]}
            case "add":
                record[draw(st.sampled_from(["new", "néw", "place.latitude"]))] = draw(ANY)
            case "replace":
                spoilt.append(draw(ANY))
                continue
            case "repeat":
                spoilt.append(dict(record))
        spoilt.append(record)
    # One record shows that the others are the source's, too.
    return [*spoilt, *crimes(6)] if spoilt else []


@given(st.lists(mutated(), max_size=3), st.sampled_from([KEYED, UNKEYED]), st.integers(1, 4))
def test_the_books_balance_whatever_the_records_are(bodies, source, batch_records):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preparing, "BATCH_RECORDS", batch_records)
        counts, rows = run(pages_of(bodies), source)

    everything = [record for body in bodies for record in body]
    assert counts.records == len(everything)
    for item in counts.quarantine:
        assert item.record == json.dumps(everything[item.record_no - 1]).encode()
    for row in rows:
        assert type(everything[row["_record_no"] - 1]) is dict


def test_bodies_are_read_one_at_a_time():
    opened: list[io.BytesIO] = []

    def pages() -> Iterable[PageBody]:
        for number in range(1, 4):
            page = page_body(body_of(crimes(number)), 1)
            assert all(body.closed for body in opened)
            opened.append(page.body)  # type: ignore[arg-type]
            yield page
            page.body.close()

    assert run(pages())[0].loaded == 3


def test_quarantine_keeps_a_records_own_bytes_out_of_a_body_read_in_pieces(monkeypatch):
    monkeypatch.setattr(reading, "STREAM_ABOVE_BYTES", 10)
    monkeypatch.setattr(preparing, "STREAM_ABOVE_BYTES", 10)
    monkeypatch.setattr(json_stream, "PIECE_BYTES", 64)
    good = b'{"id":100,"kind":"good"}'
    bad = [b'{ "id" :NaN, "kind":"x"}', b'{"id":"one",  "kind":"a"}']

    counts, rows = run([page_body(b"[" + b", ".join([good, *bad] * 20) + b"]", 60)])

    assert [item.record for item in counts.quarantine] == bad * 20
    assert [item.page_record_no for item in list(counts.quarantine)[:2]] == [2, 3]
    assert (len(rows), counts.duplicates) == (1, 19)
