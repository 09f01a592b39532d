"""The log of a task begins with what it will do, and ends with what it did."""

from __future__ import annotations

import logging

import pytest

from include.jobs.told import told
from include.sources.partition import Partition, Period

PARTITION = Partition("crimes", "sutton", Period.read("2017-05"))


@pytest.fixture(autouse=True)
def lines(caplog):
    caplog.set_level(logging.INFO)
    return caplog.messages


def test_it_begins_with_the_intention_and_ends_with_counts_seconds_and_the_manifest(lines):
    with told(PARTITION, "requesting an API") as line:
        assert lines == ["crimes sutton 2017-05: requesting an API"]
        line.did = "landed: 3 requests, 7 records"
        line.manifest = "s3://wandle/landing/manifest.json"

    assert lines[1:] == [
        "crimes sutton 2017-05: landed: 3 requests, 7 records, 0.0 s; "
        "manifest s3://wandle/landing/manifest.json"
    ]


def test_a_failure_is_named_by_its_kind_alone_as_its_message_may_quote_a_value(lines):
    with pytest.raises(ValueError, match=r"ada@example\.org"), told(PARTITION, "loading"):
        raise ValueError("ada@example.org")

    assert lines[1:] == ["crimes sutton 2017-05: ValueError after 0.0 s"]


def test_what_a_server_is_called_begins_no_line(lines):
    with told(PARTITION, "requesting\nforged") as line:
        line.did = "done\nforged"

    assert [text for text in lines if "\n" in text] == []
