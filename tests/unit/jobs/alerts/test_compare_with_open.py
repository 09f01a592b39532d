"""An alert is sent once for a cause, again after a day, and once more when it is over."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from include.jobs.alerts.compare_with_open import compare_with_open
from include.jobs.alerts.problems import Problem
from include.warehouse.books.alerts import OpenAlert

NOW = datetime(2026, 11, 26, tzinfo=UTC)
PROBLEM = Problem("gauges", "failed", "kingston 2017-05", "HTTP 500", "load failed", "fix it")


def known(problem=PROBLEM, *, number=1, ago=timedelta(hours=1)):
    """An open alert of a problem that was reported a while ago."""
    then = NOW - ago
    return OpenAlert(
        number, problem.source, problem.kind, problem.subject, problem.cause, problem.text,
        raised_at=then, told_at=then,
    )  # fmt: skip


def changes(alerts, found, over=()):
    """The changes, if those of `over` are over and the other alerts are not."""
    return compare_with_open(alerts, found, lambda alert: alert in over, NOW)


def test_a_new_problem_is_reported_and_opened():
    done = changes([], [PROBLEM])

    assert (done.tell, done.opened) == ([PROBLEM], [(PROBLEM, NOW)])
    assert [*done.close, *done.all_clear] == []


def test_a_known_problem_is_neither():
    done = changes([known()], [PROBLEM])

    assert [*done.tell, *done.opened, *done.close, *done.all_clear] == []


def test_a_problem_found_twice_is_opened_once():
    assert len(changes([], [PROBLEM, PROBLEM]).opened) == 1


def test_another_place_of_a_cause_that_was_reported_is_opened_silently():
    other = replace(PROBLEM, subject="sutton 2017-05")
    done = changes([known()], [PROBLEM, other])

    assert done.opened == [(other, NOW - timedelta(hours=1))]
    assert done.tell == []


def test_a_day_later_it_is_reported_again_and_counts_for_all_of_its_places():
    other, alert = replace(PROBLEM, subject="sutton 2017-05"), known(ago=timedelta(hours=25))
    done = changes([alert], [PROBLEM, other])

    assert done.tell == [other]
    assert done.told_again == [alert]


def test_the_all_clear_waits_for_the_last_place_of_a_cause():
    first, second = known(), known(replace(PROBLEM, subject="sutton 2017-05"), number=2)

    assert changes([first, second], [], over=[first]).all_clear == []
    assert changes([second], [], over=[second]).all_clear == [second]


def test_a_partition_that_now_fails_differently_is_reported_without_an_all_clear():
    refused = replace(PROBLEM, kind="refused", cause="no records")
    done = changes([known()], [refused])

    assert (done.tell, done.all_clear) == ([refused], [])
    assert len(done.close) == 1


def test_two_things_that_are_unusual_in_one_council_do_not_replace_each_other():
    volume = replace(PROBLEM, kind="volume", subject="kingston")
    quarantine = replace(volume, kind="quarantine")
    done = changes([known(volume)], [volume, quarantine])

    assert done.tell == [quarantine]
    assert done.close == []
