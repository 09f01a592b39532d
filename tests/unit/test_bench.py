"""What `make bench` makes, keeps and judges."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.benchmarks import file_formats, readings
from tests.benchmarks.bars import bars
from tests.benchmarks.report import write


def row(case: str, contender: str, seconds: float, records: int = 1_000, peak: float = 100) -> dict:
    return {
        "case": case,
        "contender": contender,
        "records": records,
        "seconds_median": seconds,
        "peak_rss_mb": peak,
    }


def judged(*rows: dict) -> dict[str, bool | None]:
    return {bar.says: bar.met for bar in bars(rows)}


@pytest.mark.parametrize(
    ("says", "ours", "other", "met_at", "missed_at"),
    [
        ("rows per second, relative to copy", "first_load wandle", "first_load copy", 10, 10.1),
        ("replacing, relative to copy", "replace wandle", "first_load copy", 14, 14.5),
        ("rows per second, relative to Arrow", "first_load wandle", "first_load adbc", 15, 16),
        (
            "speed relative to dlt's default",
            "first_load wandle",
            "first_load dlt default",
            0.6,
            0.7,
        ),
        (
            "speed relative to dlt's Arrow path",
            "first_load wandle",
            "first_load dlt Arrow",
            2.5,
            2.6,
        ),
        ("unchanged", "reload_unchanged wandle", "first_load wandle", 1, 1.1),
        ("only other bytes", "reload_volatile wandle", "first_load wandle", 10, 10.1),
        ("small pages", "small_pages wandle", "first_load copy", 14, 14.5),
        ("recorded small pages", "crimes wandle, as recorded", "crimes copy", 45, 46),
    ],
)
def test_a_bar_is_met_up_to_its_bound_and_not_beyond(says, ours, other, met_at, missed_at):
    against = row(*other.split(" ", 1), seconds=10)

    met = judged(row(*ours.split(" ", 1), seconds=met_at), against)
    missed = judged(row(*ours.split(" ", 1), seconds=missed_at), against)

    name = next(name for name in met if name.startswith(says))
    assert (met[name], missed[name]) == (True, False)


def test_bars_compare_seconds_a_record_not_seconds():
    fewer = judged(row("first_load", "wandle", 5, records=500), row("first_load", "copy", 9))

    assert fewer["rows per second, relative to copy: at least 1.0"] is False


@pytest.mark.parametrize(("peak", "met"), [(552, True), (553, False)])
def test_ten_times_the_records_may_take_sixteen_bytes_each(peak, met):
    found = judged(row("ten_times", "wandle", 1, records=10_000_000, peak=peak))

    assert found["peak memory of ten times the records, MB: at most 552.6"] is met


@pytest.mark.parametrize(
    ("fetch", "load", "records", "met"),
    [
        (400, 400, 0, True),
        (401, 100, 10_000_000, False),
        (100, 552, 10_000_000, True),
        (100, 553, 10_000_000, False),
    ],
)
def test_no_extreme_answer_takes_more_than_its_records_may(fetch, load, records, met):
    small = {"case": "limits", "contender": "small", "fetch": {"peak_mb": 1}}
    small["load"] = {"peak_mb": 1, "records": None}
    large = {"case": "limits", "contender": "large", "fetch": {"peak_mb": fetch}}
    large["load"] = {"peak_mb": load, "records": records}

    found = judged(small, large)

    assert found["peak memory of an extreme answer, less 16 bytes a record, MB: at most 400"] is met


def test_what_was_not_measured_is_neither_met_nor_missed():
    assert set(judged().values()) == {None}


def test_results_of_other_cases_stay_in_the_file(tmp_path):
    target = tmp_path / "state" / "bench.json"

    write(target, [row("first_load", "copy", 1), row("main_job", "airflow", 1)])
    write(target, [row("first_load", "copy", 2)])

    kept = {(each["case"], each["seconds_median"]) for each in json.loads(target.read_text())}
    assert kept == {("main_job", 1), ("first_load", 2)}


def test_the_same_readings_are_generated_again():
    assert list(readings.pages(25, 10)) == list(readings.pages(25, 10))
    assert [count for _, count in readings.pages(25, 10)] == [10, 10, 5]


def test_a_record_is_as_large_as_the_api_s():
    bodies = [body for body, _ in readings.pages(1_000, 500)]

    assert 270_000 < sum(map(len, bodies)) < 300_000


@pytest.mark.parametrize(
    ("variant", "different"),
    [
        (readings.Variant(comment="Other."), 0),
        (readings.Variant(changed_step=100), 10),
        (readings.Variant(broken_step=100), 10),
    ],
)
def test_a_variant_differs_in_one_record_of_a_hundred_or_in_none(variant, different):
    [(plain, _)] = readings.pages(1_000, 1_000)
    [(varied, _)] = readings.pages(1_000, 1_000, variant=variant)

    records, others = json.loads(plain)["items"], json.loads(varied)["items"]
    assert varied != plain
    assert sum(a != b for a, b in zip(records, others, strict=True)) == different


# Delta needs a package that only the environment of the benchmarks has.
WITHOUT_DELTA = file_formats.FORMATS[:-1]


def test_every_format_returns_the_same_rows_and_is_measured():
    rows = file_formats.main(1_000, 1, WITHOUT_DELTA)

    assert [row["contender"] for row in rows] == [each.name for each in WITHOUT_DELTA]
    assert len(rows) == 5
    assert all(row["bytes"] > 1_000 and row["cpu_seconds"] >= 0 for row in rows)


@pytest.mark.parametrize("reading", ["read", "read_gauge"])
def test_a_format_that_loses_a_row_ends_the_benchmark(reading):
    parquet = WITHOUT_DELTA[-1]
    complete = getattr(parquet, reading)
    lossy = replace(parquet, **{reading: lambda folder: complete(folder).slice(1)})

    with pytest.raises(SystemExit, match="Parquet"):
        file_formats.main(1_000, 1, (lossy,))
