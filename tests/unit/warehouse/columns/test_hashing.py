"""The content hash: stable over versions and machines; blind to order; sensitive to every value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.warehouse.columns import hashing
from include.warehouse.columns.cast import typed
from include.warehouse.columns.hashing import (
    ContentHash,
    Seen,
    canonical_json,
    hash_multiset,
    hash_rows,
)

TYPES = {
    "text": ["Kingston", "", "Č", None],
    "integer": [0, -1, 2**62, None],
    "numeric(9,6)": ["51.378401", 0, "-0.300000", None],
    "numeric(30,2)": ["12345678901234567890.25", "-12345678901234567890.25", 0, None],
    "double": [0.0, -1.5, 1e300, None],
    "boolean": [True, False, True, None],
    "date": ["2017-05-01", "1969-12-31", "0001-01-01", None],
    "timestamptz": ["2017-05-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", None, None],
    "jsonb": [{"b": 1.0, "a": [None, "x"]}, [], "text", None],
}
# Written down once: a change here means that every loaded partition is loaded again.
GOLDEN = {
    "text": "cef32c180f5ceddb71b22691219cc4bf",
    "integer": "d588e75c64fa90feb49929879e456bc6",
    "numeric(9,6)": "1fb1b495d4e5d2e2d1cb375a08b720f1",
    "numeric(30,2)": "f860236861c4fa848c4dd598c7547e21",
    "double": "f938f2ab0b3495c879832f4d9fdff6c2",
    "boolean": "af0b816152a28b871297b410ccfa10cd",
    "date": "c03b81be0c466c1b8b372265c9160df7",
    "timestamptz": "62db7a922e94c99dae703dce078e892e",
    "jsonb": "ab837edb262e062c55e97acfaa664641",
    "all": "14c198aa8090b981da6d32ae5b932b0d",
}


def content(rows: dict[str, list[Any]], order: list[int] | None = None) -> str:
    count = len(next(iter(rows.values())))
    columns = {name: typed(values, name.partition("|")[2]) for name, values in rows.items()}
    hashed = hash_rows({name: (c.hashes, c.nulls) for name, c in columns.items()}, count)
    total = ContentHash()
    total.add(hashed if order is None else hashed[order])
    return total.hexdigest()


@pytest.mark.parametrize("type_name", TYPES)
def test_the_hash_of_each_type_is_what_it_always_was(type_name):
    assert content({f"value|{type_name}": TYPES[type_name]}) == GOLDEN[type_name]


def test_the_hash_of_a_table_is_what_it_always_was():
    rows = {f"{name}|{name}": values for name, values in TYPES.items()}

    assert content(rows) == GOLDEN["all"]


@given(st.permutations(range(4)))
def test_order_does_not_matter(order):
    rows = {f"{name}|{name}": values for name, values in TYPES.items()}

    assert content(rows, order) == content(rows)


def test_parts_add_up():
    rows = hash_rows({"a": (np.arange(10, dtype=np.uint64), np.zeros(10, dtype=bool))}, 10)
    whole, parts = ContentHash(), ContentHash()

    whole.add(rows)
    for number in range(0, 10, 3):
        parts.add(rows[number : number + 3])

    assert parts.hexdigest() == whole.hexdigest()


def test_a_new_column_of_nulls_changes_nothing():
    rows = {"a|text": ["x", "y"]}

    assert content(rows | {"b|integer": [None, None]}) == content(rows)


@given(
    st.lists(st.tuples(st.text("abč", max_size=2), st.integers(0, 2)), min_size=1, max_size=5),
    st.data(),
)
def test_any_single_changed_value_changes_it(values, data):
    number = data.draw(st.integers(0, len(values) - 1))
    name, count = values[number]
    changed = list(values)
    changed[number] = data.draw(
        st.sampled_from([(name + "!", count), (name, count + 1), (None, count), (name, None)])
    )

    def hashed(rows: list[Any]) -> str:
        return content({"n|text": [row[0] for row in rows], "c|integer": [row[1] for row in rows]})

    assert hashed(changed) != hashed(values)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a|text": ["x"], "b|text": ["y"]}, {"a|text": ["y"], "b|text": ["x"]}),
        ({"a|text": ["x"], "b|text": [None]}, {"a|text": [None], "b|text": ["x"]}),
        ({"a|text": ["x", "y"], "b|text": ["1", "2"]}, {"a|text": ["x", "y"], "b|text": ["2", "1"]}),  # noqa: E501
        ({"a|text": ["x"]}, {"a|text": ["x", "x"]}),
        ({"a|text": [None]}, {"a|text": [""]}),
        ({"a|integer": [None]}, {"a|integer": [0]}),
        ({"a|text": []}, {"a|text": [None]}),
        ({"a|text": ["ab", "c"]}, {"a|text": ["a", "bc"]}),
    ],
)  # fmt: skip
def test_what_differs_only_in_place_or_number_differs(one, other):
    assert content(one) != content(other)


def test_no_rows_hash_to_zero():
    assert ContentHash().hexdigest() == "0" * 32


HASHES = st.lists(st.lists(st.integers(0, 12) | st.integers(0, 2**64 - 1), max_size=12), max_size=6)


@pytest.mark.parametrize("longest", [4, hashing.LONGEST_RUN])
@pytest.mark.parametrize("bits", [2, 24])
@given(batches=HASHES, some=HASHES)
def test_seen_agrees_with_a_set(bits, longest, batches, some):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hashing, "_MARKED_BITS", bits)
        patch.setattr(hashing, "LONGEST_RUN", longest)
        agree(Seen(), batches, some)


def agree(seen: Seen, batches: list[list[int]], some: list[list[int]]) -> None:
    known = {item for added in some for item in added}
    for added in some:
        seen.add(np.array(added, dtype=np.uint64))

    for batch in batches:
        expected = []
        for item in batch:
            expected.append(item in known)
            known.add(item)
        assert seen.again(np.array(batch, dtype=np.uint64)).tolist() == expected


@given(st.lists(st.binary(max_size=4)), st.randoms())
def test_a_multiset_is_blind_to_order_but_not_to_number(texts, random):
    shuffled = random.sample(texts, len(texts))

    assert hash_multiset(shuffled) == hash_multiset(texts)
    assert hash_multiset([*texts, b"x"]) != hash_multiset(texts)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"b": 1, "a": 2}, '{"a":2,"b":1}'),
        (1.0, "1"),
        (-0.0, "0"),
        ([1.5, 1e300, 2.0**53], "[1.5,1e+300,9007199254740992]"),
        ({"é": ["\n", None, True]}, '{"é":["\\n",null,true]}'),
    ],
)
def test_json_is_written_one_way(value, written):
    assert canonical_json(value) == written
