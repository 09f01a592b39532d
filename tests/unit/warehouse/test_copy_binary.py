"""Which columns of a batch are copied: those that have held a value."""

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from include.warehouse.copy_binary import alike

NAMES = ("a", "b", "c")
SCHEMA = pa.schema([(name, pa.int64()) for name in NAMES])

rows = st.fixed_dictionaries({name: st.none() | st.integers(0, 9) for name in NAMES})
batches = st.lists(st.lists(rows, max_size=3), max_size=6)


def batch_of(some):
    return pa.RecordBatch.from_pylist(some, schema=SCHEMA)


@given(batches)
def test_every_value_arrives_in_order(given_batches):
    # A row always has a value, as lineage columns do.
    numbered = [[{**row, "a": number} for number, row in enumerate(some)] for some in given_batches]
    found = []
    for some in alike(map(batch_of, numbered)):
        found += pa.Table.from_batches(some).to_pylist()
    empty = dict.fromkeys(NAMES)
    expected = [row for some in numbered for row in some]
    assert [{**empty, **row} for row in found] == expected


def test_columns_without_a_value_are_left_out_until_one_has():
    without, with_b = [{"a": 1, "b": None, "c": None}], [{"a": 2, "b": 3, "c": None}]
    found = []
    for some in alike(map(batch_of, [without, without, with_b, without])):
        found.append([batch.schema.names for batch in some])
    assert found == [[["a"], ["a"]], [["a", "b"], ["a", "b"]]]


def test_an_empty_batch_begins_nothing():
    row = {"a": 1, "b": None, "c": None}
    assert list(alike(map(batch_of, [[], []]))) == []
    found = [list(some) for some in alike(map(batch_of, [[], [row], []]))]
    assert [[batch.to_pylist() for batch in some] for some in found] == [[[{"a": 1}]]]
