"""The decision of a load: skip a landing, compare it with the table, or copy it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.warehouse.books.ledger import Landing
from include.warehouse.decide import Known, decide

AT = datetime(2026, 11, 20, tzinfo=UTC)
CURRENT = {
    "pages_hash": "pages",
    "rules_hash": "rules",
    "records": 5,
    "rows": 4,
    "content_hash": "content",
    "quarantine_hash": "quarantine",
}


def known(
    *,
    outcome: Any = "complete",
    pages_hash: str = "pages",
    rules_hash: str = "rules",
    records: int = 5,
    current: Any = CURRENT,
    present: int | None = 4,
    forced: bool = False,
    starts_the_same: bool | None = None,
    content: tuple[str, str] | None = None,
    new_table: bool = False,
) -> Known:
    landing = Landing(
        source="gauges",
        council="kingston",
        period=date(2017, 5, 1),
        landing_id="L1",
        outcome=outcome,
        run_id="run",
        code_version="test",
        contract_hash="contract",
        pages_hash=pages_hash,
        pages=1,
        records=records,
        bytes=100,
        started_at=AT,
        finished_at=AT,
        parents="{}",
    )
    return Known(landing, rules_hash, current, forced, present, starts_the_same, content, new_table)


SAME = ("content", "quarantine")
# Other bytes, so the landing must be read to know what they mean.
OTHER = {"pages_hash": "other pages"}


@pytest.mark.parametrize(
    ("why", "what", "decision"),
    [
        ("nothing is published yet", {"outcome": "not_published"}, "not_published"),
        ("nor can that be forced", {"outcome": "not_published", "forced": True}, "not_published"),
        ("nothing was ever loaded", {"current": None, "present": 0}, "replace"),
        ("rows are there that no load left", {"current": None, "present": 4}, "replace"),
        ("the same pages, rules and rows", {}, "unchanged"),
        ("the rows are not counted yet", {"present": None}, "compare"),
        ("somebody insists", {"forced": True}, "replace"),
        ("the table is made new_table", {"new_table": True, "present": 0}, "replace"),
        ("new_table, of a partition without rows", {"new_table": True, "present": 4}, "replace"),
        ("somebody emptied the table", {"present": 0}, "replace"),
        ("somebody deleted a row", {"present": 3}, "replace"),
        ("somebody added a row", {"present": 5}, "replace"),
        ("other pages, as many records", OTHER, "compare"),
        ("other rules", {"rules_hash": "other rules"}, "compare"),
        ("other pages, fewer records", OTHER | {"records": 4}, "replace"),
        ("other pages, more records", OTHER | {"records": 6}, "replace"),
        ("other pages, and a row is missing", OTHER | {"present": 3}, "replace"),
        ("the table begins alike", OTHER | {"starts_the_same": True}, "compare"),
        ("the table begins otherwise", OTHER | {"starts_the_same": False}, "replace"),
        ("compared: the same", OTHER | {"starts_the_same": True, "content": SAME}, "unchanged"),
        ("compared: other rows", OTHER | {"starts_the_same": True, "content": ("x", "quarantine")},
         "replace"),
        ("compared: other quarantine",
         OTHER | {"starts_the_same": True, "content": ("content", "x")}, "replace"),
        ("copied: the same in another order", OTHER | {"starts_the_same": False, "content": SAME},
         "unchanged"),
        ("copied: the same without a duplicate", OTHER | {"records": 4, "content": SAME},
         "unchanged"),
        ("copied by force: the same", {"forced": True, "content": SAME}, "replace"),
        ("copied into an emptied table: the same", {"present": 0, "content": SAME}, "replace"),
        ("copied for the first time", {"current": None, "present": 0, "content": SAME}, "replace"),
    ],
)  # fmt: skip
def test_a_load_is_decided_by(why, what, decision):
    assert decide(known(**what)) == decision, why


@given(
    st.fixed_dictionaries(
        {
            "pages_hash": st.sampled_from(["pages", "other pages"]),
            "rules_hash": st.sampled_from(["rules", "other rules"]),
            "records": st.sampled_from([0, 4, 5]),
            "current": st.sampled_from([None, CURRENT]),
            "present": st.sampled_from([None, 0, 3, 4]),
            "forced": st.booleans(),
            "starts_the_same": st.sampled_from([None, True, False]),
            "content": st.sampled_from([None, SAME, ("x", "quarantine"), ("content", "x")]),
        }
    )
)
def test_nothing_is_unchanged_unless_the_table_is_as_its_load_left_it(what):
    found = decide(known(**what))

    if found == "unchanged":
        assert what["current"] is CURRENT
        assert what["present"] == CURRENT["rows"]
        assert not what["forced"]
        if what["content"] is None:
            assert (what["pages_hash"], what["rules_hash"]) == ("pages", "rules")
        else:
            assert what["content"] == SAME
    if what["present"] is not None and what["content"] is not None:
        assert found != "compare"


def test_only_a_load_of_the_same_pages_by_the_same_rules_was_accepted_before():
    assert known().accepted
    assert not known(pages_hash="other").accepted
    assert not known(rules_hash="other").accepted
    assert not known(current=None).accepted
