"""Failures that differ only in where they happened have one cause."""

from __future__ import annotations

from include.jobs.pipeline.causes import Failure, causes


def failure(place: str, error: str, step: str = "extract") -> Failure:
    return Failure("crimes", place, step, "failed", error)


def test_the_partition_and_numbers_do_not_make_a_different_cause():
    found = causes(
        [
            failure("sutton 2017-05", "crimes sutton 2017-05, E05000557: HTTP 503 after 12 pages."),
            failure("merton 2017-06", "crimes merton 2017-06, E05000557: HTTP 503 after 9 pages."),
        ]
    )

    assert [cause.places for cause in found] == [("sutton 2017-05", "merton 2017-06")]
    assert found[0].first.reason == "E05000557: HTTP 503 after 12 pages."
    assert found[0].title == "crimes: extract failed: sutton 2017-05, merton 2017-06"


def test_a_different_text_step_or_source_is_a_different_cause():
    found = causes(
        [
            failure("sutton 2017-05", "HTTP from a"),
            failure("sutton 2017-06", "HTTP from b"),
            failure("sutton 2017-06", "HTTP 404 from b"),
            failure("sutton 2017-06", "HTTP 503 from b"),
            failure("sutton 2017-07", "HTTP from a", step="load"),
            Failure("rivers", "sutton 2017-05", "extract", "failed", "HTTP from a"),
        ]
    )

    assert [len(cause.places) for cause in found] == [1] * 6


def test_a_partition_that_failed_twice_is_named_once():
    found = causes([failure("sutton 2017-05", "down"), failure("sutton 2017-05", "down")])

    assert [cause.places for cause in found] == [("sutton 2017-05",)]
