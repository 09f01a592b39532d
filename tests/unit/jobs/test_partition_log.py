"""The log of a task begins with what it will do, and ends with what it did."""

from __future__ import annotations

import logging

import pytest

from include.jobs.partition_log import logged
from include.sources.partition import Partition, Period

PARTITION = Partition("crimes", "sutton", Period.read("2017-05"))


@pytest.fixture(autouse=True)
def _everything_is_logged(caplog):
    caplog.set_level(logging.INFO)


def test_it_begins_with_the_intention_and_ends_with_counts_seconds_and_the_manifest(caplog):
    with logged(PARTITION, "requesting an API") as outcome:
        assert caplog.messages == ["crimes sutton 2017-05: requesting an API"]
        outcome.text = "landed: 3 requests, 7 records"
        outcome.manifest = "s3://wandle/landing/manifest.json"

    assert caplog.messages[1:] == [
        "crimes sutton 2017-05: landed: 3 requests, 7 records, 0.0 s; "
        "manifest s3://wandle/landing/manifest.json"
    ]


def test_a_failure_is_named_only_by_its_kind_as_its_message_may_quote_a_value(caplog):
    with pytest.raises(ValueError, match=r"ada@example\.org"), logged(PARTITION, "loading"):
        raise ValueError("ada@example.org")

    assert caplog.messages[1:] == ["crimes sutton 2017-05: ValueError after 0.0 s"]


def test_no_value_begins_a_line_of_its_own(caplog):
    with logged(PARTITION, "requesting\nforged") as outcome:
        outcome.text = "done\nforged"

    assert len(caplog.messages) == 2
    assert [text for text in caplog.messages if "\n" in text] == []
