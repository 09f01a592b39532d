"""To which partition a file belongs: any council, any period, any hostile name."""

from __future__ import annotations

import re
import time
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.councils.model import councils
from include.errors import UnexpectedPayload
from include.extract.files.listing import File, is_changed
from include.extract.files.matching import Match, Matcher, chosen
from include.sources.partition import FORMS, Period
from tests.samples import column, contract

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
COUNCILS = list(councils().values())
days = st.dates(date(2010, 1, 1), date(2026, 11, 20))
FORMATS = (
    "%Y-%m",
    "%Y%m",
    "%m.%Y",
    "%B %Y",
    "%b-%y",
    "%Y/%m",
    "%-m_%Y",
    "%Y-%m-%d",
    "%d%m%y",
    "%Y-%j",
)


def matcher(pattern: str, **changes: Any) -> Matcher:
    files = {"kind": "files", "from": "inbox", "pattern": pattern} | changes.pop("extract", {})
    columns = changes.pop("columns", [column("id")])
    found = contract(*columns, extract=files, format={"kind": "csv"}, **changes)
    return Matcher(found, COUNCILS, NOW)


def one(found: Matcher, name: str, **facts: Any) -> Match:
    (match,) = found.match([File(name, name, name, **facts)])
    return match


def places(match: Match) -> list[str]:
    return [f"{each.council} {each.period}" for each in match.partitions]


@given(st.sampled_from(COUNCILS), days, st.sampled_from(FORMATS))
def test_a_name_that_was_written_for_a_partition_is_read_as_that_partition(council, day, form):
    written = day.strftime(form)
    found = matcher(
        f"spend {{council.title}} ({{period:{form}}})".replace("(", r"\(").replace(")", r"\)")
        + r"\.csv"
    )

    match = one(found, f"spend {council.title} ({written}).csv")

    assert places(match) == [f"{council.name} {Period.of(day, 'month')}"]


@given(days, st.sampled_from([grain for grain in FORMS if grain not in ("all", "hour")]))
def test_a_period_of_any_size_is_read_as_it_is_written_everywhere(day, grain):
    period = Period.of(day, grain)
    found = matcher(r"{council.gss_code}-{period}\.csv", period=grain)

    assert places(one(found, f"E09000029-{period}.csv")) == [f"sutton {period}"]


@given(st.text(max_size=80))
def test_any_other_name_is_reported_and_breaks_nothing(name):
    match = one(matcher(r"spend_{council.name}_{period:%Y-%m}\.csv"), name)

    is_proper = re.fullmatch(r"spend_\w+_\d{4}-\d\d\.csv", name)
    assert is_proper or (match.partitions == () and match.problem)


@given(st.text(st.characters(codec="utf-8"), min_size=1, max_size=30))
def test_a_name_between_others_does_not_change_what_they_are(odd):
    found = matcher(r"{council.name}_{period:%Y-%m}\.csv")
    names = ["sutton_2026-05.csv", odd, "kingston_2026-06.csv"]

    matches = found.match([File(name, name, name) for name in names])

    assert [places(match) for match in (matches[0], matches[2])] == [
        ["sutton 2026-05"],
        ["kingston 2026-06"],
    ]


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("../sutton_2026-05.csv", "its name is not a plain relative path"),
        ("a//sutton_2026-05.csv", "its name is not a plain relative path"),
        ("/sutton_2026-05.csv", "its name is not a plain relative path"),
        ("sutton_2026-05.csv\n", "its name has characters that cannot be printed"),
        ("\x1b[2Jsutton_2026-05.csv", "its name has characters that cannot be printed"),
        ("\u202esutton_2026-05.csv", "its name has characters that cannot be printed"),
        ("sutton_2026-05\udc80.csv", "its name has characters that cannot be printed"),
        ("", "its name is not a plain relative path"),
        ("--help", "its name does not match `extract.pattern`"),
        ("sutton_2026-02-30.csv", "its name does not match `extract.pattern`"),
        ("sutton_2026-13.csv", "'2026-13' is not a date"),
        ("atlantis_2026-05.csv", "its name does not match `extract.pattern`"),
    ],
)
def test_a_name_that_is_hostile_or_wrong_matches_no_partition(name, problem):
    match = one(matcher(r"(?:.*/)?{council.name}_{period:%Y-%m}\.csv"), name)

    assert (match.partitions, match.problem) == ((), problem)


def test_a_name_of_a_megabyte_and_a_pattern_that_doubles_take_no_time():
    found = matcher(r"(?:(?:a+)+)+_{council.name}_{period:%Y-%m}\.csv")
    begun = time.process_time()

    long = one(found, "a" * 1_000_000)
    many = one(found, "a" * 1000 + "!")

    assert long.problem == "its name is longer than 1024 bytes"
    assert many.problem == "its name does not match `extract.pattern`"
    assert time.process_time() - begun < 1


def test_a_council_is_named_in_any_case_and_contradictions_are_reported():
    found = matcher(r"{council.name}/spend_{council.title}_{period:%Y-%m}\.csv")

    assert places(one(found, "SUTTON/spend_sutton_2026-05.csv")) == ["sutton 2026-05"]
    match = one(found, "kingston/spend_Sutton_2026-05.csv")
    assert match.problem == "its name matches several councils: kingston, sutton"


def test_a_file_whose_personal_data_are_past_retention_is_reported_and_not_fetched():
    people = {"columns": [column("id", personal="keep")], "retention_days": 30}
    found = matcher(r"{council.name}_{period:%Y-%m}\.csv", **people)

    assert places(one(found, "sutton_2026-11.csv")) == ["sutton 2026-11"]
    old = one(found, "sutton_2026-05.csv")
    assert (old.partitions, old.is_ignored) == ((), False)
    assert old.problem == "its personal data are past their retention: delete it"


def test_two_councils_with_one_value_are_named_by_neither():
    found = matcher(r"{council.police_force}_{period:%Y-%m}\.csv")

    assert one(found, "metropolitan_2026-05.csv").partitions == ()


def test_a_pattern_may_have_braces_that_repeat():
    found = matcher(r"\p{L}{3}_{council.name}_{period:%Y-%m}_\d{2,4}\.csv")

    assert places(one(found, "ABC_sutton_2026-05_123.csv")) == ["sutton 2026-05"]


def versions(*names: str) -> list[str]:
    found = matcher(
        r"{council.name}_{period:%Y-%m}(?:_v(?P<version>[\w.-]+?))?(?:_part(?P<part>\d+))?\.csv"
    )
    matches = found.match([File(name, name, name) for name in names])
    return [match.file.name for match in chosen(matches[0].partitions[0], matches)]


def test_the_highest_of_several_versions_counts_and_parts_are_in_order():
    assert versions("sutton_2026-05.csv", "sutton_2026-05_v2.csv") == ["sutton_2026-05_v2.csv"]
    assert versions("sutton_2026-05_v1.9.csv", "sutton_2026-05_v1.10.csv") == [
        "sutton_2026-05_v1.10.csv"
    ]
    assert versions("sutton_2026-05_vdraft.csv", "sutton_2026-05_v1.csv") == [
        "sutton_2026-05_v1.csv"
    ]
    assert versions(
        "sutton_2026-05_part10.csv", "sutton_2026-05_part9.csv", "sutton_2026-05_v2_part9.csv"
    ) == [
        "sutton_2026-05_v2_part9.csv",
        "sutton_2026-05_part10.csv",
    ]


def test_versions_without_an_order_are_not_guessed():
    with pytest.raises(UnexpectedPayload, match="expected one file, found 2"):
        versions("sutton_2026-05_vdraft.csv", "sutton_2026-05_vfinal.csv")


@pytest.mark.parametrize(
    ("now", "landed", "changed"),
    [
        ({"etag": "a"}, {"etag": "a", "last-modified": "x"}, False),
        ({"etag": "a", "last-modified": "1"}, {"etag": "a", "last-modified": "2"}, False),
        ({"etag": "b", "content-length": "1"}, {"etag": "a", "content-length": "1"}, True),
        (
            {"last-modified": "1", "content-length": "9"},
            {"last-modified": "1", "content-length": "9"},
            False,
        ),
        (
            {"last-modified": "2", "content-length": "9"},
            {"last-modified": "1", "content-length": "9"},
            True,
        ),
        ({}, {"etag": "a"}, False),
    ],
)
def test_what_hints_at_a_change(now, landed, changed):
    assert is_changed(now, landed) is changed
