"""The index of the published versions: which is current, and what it is made from."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.publish.versions import Entry, Index, used, with_version, without

FIRST = Entry("first", "2026-11-01T00:00:00+00:00", {})
SECOND = Entry("second", "2026-11-02T00:00:00+00:00", {})
PUBLISHED = replace(
    with_version(with_version(Index(), FIRST), SECOND), made_from=(SECOND.version, "b")
)


def test_a_version_is_the_newest_and_known_by_what_it_is_made_from():
    assert [entry.version for entry in PUBLISHED.versions] == ["second", "first"]
    assert PUBLISHED.current == "second"
    assert PUBLISHED.unchanged("b") == SECOND
    assert PUBLISHED.unchanged("a") is None


@pytest.mark.parametrize("index", [Index(), replace(PUBLISHED, made_from=("", ""))])
def test_what_is_not_known_is_not_unchanged(index):
    assert index.unchanged("") is None
    assert index.unchanged("b") is None


def test_content_that_is_published_again_moves_to_the_front():
    again = replace(with_version(PUBLISHED, FIRST), made_from=(FIRST.version, "c"))

    assert again.versions == (FIRST, SECOND)
    assert again.current == "first"
    assert again.unchanged("c") == FIRST


def test_a_pinned_version_stays_current_and_nothing_is_published_for_it():
    pinned = used(PUBLISHED, "first")

    assert (pinned.current, pinned.unchanged("b")) == ("first", SECOND)
    third = with_version(pinned, Entry("third", "2026-11-03T00:00:00+00:00", {}))
    assert third.current == "first"
    assert used(third, "latest").current == "third"


def test_a_version_that_is_gone_is_published_again():
    left = without(PUBLISHED, ["second"], withdrawn=True)

    assert left.current == "first"
    assert left.unchanged("b") is None
    assert left.withdrawn == ("second",)


def test_a_current_version_that_is_not_the_one_made_is_replaced():
    other = Index("first", PUBLISHED.versions, made_from=("second", "b"))

    assert other.unchanged("b") is None
