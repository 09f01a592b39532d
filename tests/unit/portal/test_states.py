"""What a partition is called, and which periods are shown."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from include.portal.states import Window, state_of, window, worst
from include.sources.partition import Period
from tests.samples import contract, extracting

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
# Asked for on the first of a month, at four.
MONTHLY = contract(publication_lag_days=10)


def month(text: str) -> Period:
    return Period.parse(text, "month")


def state(status: str | None, text: str, first: str = "2026-01", removed: bool = False) -> str:
    return state_of(status, month(text), window(MONTHLY, NOW), month(first).starts_at, removed)


def test_the_newest_periods_are_shown_and_none_before_the_source_begins() -> None:
    shown = window(contract(start="2026-03-15"), NOW)

    assert [str(period) for period in shown.periods] == [f"2026-{n:02}" for n in range(3, 11)]
    assert len(window(MONTHLY, NOW).periods) == 24


def test_a_snapshot_shows_the_current_period_which_a_finished_one_does_not() -> None:
    assert str(window(contract(snapshot=True), NOW).periods[-1]) == "2026-11"
    assert str(window(MONTHLY, NOW).periods[-1]) == "2026-10"


def test_a_whole_table_is_one_period() -> None:
    request = {"path": "/gauges"}
    shown = window(
        contract(period="all", schedule="0 4 * * *", extract=extracting(request=request)), NOW
    )

    assert [str(period) for period in shown.periods] == ["all"]
    assert shown.due == shown.periods[0]


def test_a_period_is_due_once_a_run_could_have_found_it_published() -> None:
    # On 1 November, October was not ten days old.
    assert str(window(MONTHLY, NOW).due) == "2026-09"


@pytest.mark.parametrize(
    ("status", "period", "expected"),
    [
        ("loaded", "2026-09", "loaded"),
        ("unchanged", "2026-05", "unchanged"),
        ("refused", "2026-09", "refused"),
        ("failed", "2026-10", "failed"),
        ("not_published", "2026-10", "waiting"),
        ("not_published", "2026-09", "late"),
        (None, "2026-10", "waiting"),
        (None, "2026-09", "late"),
        (None, "2026-08", "missing"),
        (None, "2025-12", "before"),
    ],
)
def test_a_partition_is_what_its_newest_entry_and_the_day_make_of_it(
    status: str | None, period: str, expected: str
) -> None:
    assert state(status, period) == expected


def test_what_a_person_removed_is_not_missing() -> None:
    assert state(None, "2026-08", removed=True) == "removed"


def test_what_nobody_asked_for_is_not_missing() -> None:
    assert state_of(None, month("2026-08"), window(MONTHLY, NOW), None, False) == "before"


def test_without_a_schedule_nothing_is_late() -> None:
    never = Window((month("2026-08"),), None, None, None)

    assert state_of(None, month("2026-08"), never, month("2026-01").starts_at, False) == "waiting"


def test_the_one_of_several_states_that_needs_somebody_counts() -> None:
    assert worst({"loaded": 49, "missing": 1}) == "missing"
    assert worst({"unchanged": 2, "loaded": 1}) == "loaded"
