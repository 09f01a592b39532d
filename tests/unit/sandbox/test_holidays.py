"""www.gov.uk/bank-holidays.json in the sandbox: the rules, and recorded bodies."""

from __future__ import annotations

from datetime import date

import pytest

from sandbox.holidays import DIVISIONS, easter, holidays_of
from tests.sandbox_client import make

PATH = "/www.gov.uk/bank-holidays.json"


def days(division: str, year: int) -> dict[str, str]:
    return {
        day.isoformat(): f"{title}{' (substitute)' if is_substitute else ''}"
        for title, day, is_substitute in holidays_of(division, year)
    }


def test_three_divisions_from_two_years_back_to_two_years_on():
    found = make(as_of=date(2026, 11, 21)).get(PATH).json()

    assert list(found) == ["england-and-wales", "scotland", "northern-ireland"]
    for division, content in found.items():
        dates = [event["date"] for event in content["events"]]
        assert content["division"] == division
        assert dates == sorted(set(dates))
        assert {text[:4] for text in dates} == {"2024", "2025", "2026", "2027", "2028"}
        assert {tuple(event) for event in content["events"]} == {
            ("title", "date", "notes", "bunting")
        }


def test_the_years_move_with_the_day():
    events = make(as_of=date(2027, 1, 1)).get(PATH).json()["scotland"]["events"]

    assert (events[0]["date"][:4], events[-1]["date"][:4]) == ("2025", "2029")


@pytest.mark.parametrize(
    "sunday",
    [
        "2000-04-23",
        "2019-04-21",
        "2024-03-31",
        "2025-04-20",
        "2026-04-05",
        "2038-04-25",
        "2008-03-23",
    ],
)
def test_easter_is_when_the_church_says(sunday):
    assert easter(int(sunday[:4])).isoformat() == sunday


def test_a_usual_year_of_england_and_wales():
    assert days("england-and-wales", 2026) == {
        "2026-01-01": "New Year\N{RIGHT SINGLE QUOTATION MARK}s Day",
        "2026-04-03": "Good Friday",
        "2026-04-06": "Easter Monday",
        "2026-05-04": "Early May bank holiday",
        "2026-05-25": "Spring bank holiday",
        "2026-08-31": "Summer bank holiday",
        "2026-12-25": "Christmas Day",
        "2026-12-28": "Boxing Day (substitute)",
    }


def test_scotland_and_northern_ireland_have_their_own():
    scotland, ireland = days("scotland", 2025), days("northern-ireland", 2025)

    assert {"2025-01-02", "2025-08-04", "2025-12-01"} <= scotland.keys()
    assert "2025-04-21" not in scotland
    assert {"2025-03-17", "2025-04-21", "2025-07-14", "2025-08-25"} <= ireland.keys()


@pytest.mark.parametrize(
    ("division", "year", "expected"),
    [
        ("england-and-wales", 2022, {"2022-01-03", "2022-12-26", "2022-12-27"}),
        ("england-and-wales", 2021, {"2021-12-27", "2021-12-28"}),
        ("england-and-wales", 2027, {"2027-12-27", "2027-12-28"}),
        ("scotland", 2022, {"2022-01-03", "2022-01-04"}),
        ("scotland", 2023, {"2023-01-02", "2023-01-03"}),
    ],
)
def test_a_holiday_at_a_weekend_has_a_substitute(division, year, expected):
    found = days(division, year)

    assert expected <= found.keys()
    assert all(date.fromisoformat(day).weekday() < 5 for day in found)
    assert any("substitute" in title for title in found.values())


def test_proclaimed_days_are_there_and_moved_ones_are_moved():
    assert {"2022-06-02", "2022-06-03", "2022-09-19"} <= days("scotland", 2022).keys()
    assert "2022-05-30" not in days("scotland", 2022)
    assert "2023-05-08" in days("northern-ireland", 2023)
    assert "2020-05-08" in days("england-and-wales", 2020)


def test_no_two_holidays_fall_on_one_day():
    for division in DIVISIONS:
        for year in range(2000, 2060):
            found = [day for _, day, _ in holidays_of(division, year)]
            assert len(set(found)) == len(found)


def test_the_newest_recorded_body_is_served_byte_for_byte(tmp_path):
    (tmp_path / "gov_uk").mkdir()
    for years, body in {"2012_2020": b'{"a": 1}', "2019_2027": b'{ "a" :2 }'}.items():
        (tmp_path / "gov_uk" / f"holidays_{years}.json").write_bytes(body)

    assert make(payloads=tmp_path).get(PATH).content == b'{ "a" :2 }'
