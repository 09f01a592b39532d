"""Records are loaded, quarantined or duplicates; a response without records is refused."""

from __future__ import annotations

import json

import pytest

from new_project.contract import contracts
from new_project.load import LoadRefused, prepare

CONTRACT = contracts()["bank_holidays"]
GOOD = {"title": "A", "date": "2026-01-01", "notes": "", "bunting": True}


def body(*events: object) -> bytes:
    return json.dumps({"england-and-wales": {"events": events}}).encode()


def test_every_record_is_accounted_for():
    batch = prepare(CONTRACT, body(GOOD, GOOD, {**GOOD, "date": "soon"}, {"date": "2026-05-01"}, 7))

    assert len(batch.rows) == 1
    assert batch.duplicates == 1
    assert batch.quarantined == [
        (3, "date: not of type date"),
        (4, "title: required"),
        (5, "record: not an object"),
    ]
    assert batch.landed == len(batch.rows) + batch.duplicates + len(batch.quarantined)


@pytest.mark.parametrize("wrong", [b"", b"<html>", b"[]", b'{"england-and-wales": 1}', body()])
def test_a_response_without_records_is_refused(wrong: bytes):
    with pytest.raises(LoadRefused, match="bank_holidays: "):
        prepare(CONTRACT, wrong)
