"""The tests of the dbt project can fail, say which rows, and keep the last good mart."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from include.transform import history
from include.transform.build import Built, build_layer
from include.transform.failures import WITHHELD, BuildFailed
from include.transform.process import Dbt
from include.transform.project import FOLDERS


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture(scope="module")
def dbt(migrated, home) -> Iterator[Dbt]:
    """One process for all tests of this module: dbt's start is most of its time."""
    with Dbt(dsn=migrated.dsn("wandle_transformer"), home=home, progress=print) as running:
        yield running


@pytest.fixture
def make(warehouse, dbt) -> Callable[..., Built]:
    def build(*layers: str) -> Built:
        run_id = uuid4().hex
        with history.building(warehouse.dsn("wandle_transformer")) as books:
            for layer in layers or FOLDERS:
                built = build_layer(layer, dbt=dbt, history=books, run_id=run_id)
        return built

    return build


def add_crimes(database: Any, month: str, crimes: int, **changed: str) -> None:
    """Crimes of a ward of Kingston in a month that is written 2017-05."""
    values = {"category": "'burglary'", "outcome_category": "null", **changed}
    names = ", ".join(values)
    database.query(
        f"insert into raw.police_street_crime (id, ward_code, ward_name, month, {names}, "
        "_council, _period, _landing_id, _record_no) "
        f"select number, 'E05000400', 'Alexandra', '{month}', {', '.join(values.values())}, "
        f"'kingston', '{month}-01', 'landing', number from generate_series(1, {crimes}) as number"
    )


def add_requests(database: Any, day: str, requests: int) -> None:
    """Requests of residents to Kingston, with their names, on a day."""
    database.query(
        "insert into raw.service_requests (case_id, kind, status, opened_at, updated_at, "
        "resident_name, _council, _period, _landing_id, _record_no) "
        f"select number, 'pothole', 'open', '{day}', '{day}', 'Ada Lovelace', "
        f"'kingston', '{day}', 'landing', number "
        f"from generate_series(1, {requests}) as number"
    )


def stored(database: Any, test: str) -> list[str]:
    """The tables with the failing rows of tests whose names begin so."""
    found = database.query("select tablename from pg_tables where schemaname = 'test_failures'")
    return [name for (name,) in found if name.startswith(test)]


def test_a_broken_rule_is_red_shows_the_rows_and_keeps_the_last_good_mart(warehouse, make):
    add_crimes(warehouse, "2017-01", 2)
    make()
    add_crimes(warehouse, "2017-02", 5, category="null")

    with pytest.raises(BuildFailed) as failed:
        make("staging")

    said = str(failed.value)
    assert "not_null_stg_police__street_crime_category" in said
    assert "Rows: crime_id=1, council=kingston, ward_code=E05000400" in said
    assert "; and 2 more, in test_failures.not_null_stg_police__street_crime_category" in said
    (table,) = stored(warehouse, "not_null_stg_police__street_crime")
    assert warehouse.query(f"select count(*) from test_failures.{table}") == [(5,)]
    assert warehouse.query("select sum(crimes)::int from marts.ward_crime_summary") == [(2,)]

    warehouse.query("update raw.police_street_crime set category = 'burglary'")
    make("staging")
    assert stored(warehouse, "not_null") == []


def test_the_rows_of_failed_tests_are_readable_only_by_the_transformer(warehouse, make):
    add_crimes(warehouse, "2017-01", 1, category="'a new one'")

    built = make("staging")

    assert ["a new one" in warning for warning in built.warnings] == [True]
    (table,) = stored(warehouse, "accepted_values")
    for role in ("wandle_reader", "wandle_portal", "wandle_loader"):
        with (
            psycopg.connect(warehouse.dsn(role)) as opened,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            opened.execute(f'select * from test_failures."{table}"')


def test_rows_that_may_hold_personal_data_are_neither_stored_nor_shown(warehouse, make):
    add_requests(warehouse, "2026-11-10", 1)
    warehouse.query("update raw.service_requests set kind = null")

    with pytest.raises(BuildFailed) as failed:
        make("staging")

    assert "not_null_stg_service__requests_kind" in str(failed.value)
    assert WITHHELD in str(failed.value)
    assert "Lovelace" not in str(failed.value)
    assert stored(warehouse, "not_null") == []


def test_a_crime_that_is_lost_between_layers_is_found(warehouse, make, dbt):
    add_crimes(warehouse, "2017-01", 3)
    make("staging")
    warehouse.query("delete from intermediate.int_police__crimes where crime_id = 2")
    (check,) = [node for node in dbt.nodes() if node.short_name.endswith("none_is_lost")]

    (result,) = dbt.build([check])

    assert result.status == "fail"
    assert "crimes_loaded=3, crimes_counted=2" in str(result.message)


def test_a_month_of_unusual_volume_warns_with_the_numbers(warehouse, make):
    for month, crimes in (("2015-03", 11), ("2016-03", 9), ("2016-04", 10), ("2017-03", 3)):
        add_crimes(warehouse, month, crimes)

    built = make()

    (warning,) = [text for text in built.warnings if "volume_by_month_ward_crime" in text]
    assert "council=kingston, month=2017-03-01, volume=3, usual=10" in warning
    assert warning.count("month=") == 1


@pytest.mark.parametrize(("listed", "unusual"), [(True, ["18"]), (False, ["18", "25"])])
def test_a_day_of_unusual_volume_warns_but_no_bank_holiday_and_none_that_is_like_others(
    warehouse, make, listed, unusual
):
    """The 25th of December is a Friday and a holiday, the 18th is short, the 11th is missing.

    Without a list of bank holidays, every day is judged.
    """
    for day in ("10-30", "11-06", "11-13", "11-20", "11-27", "12-04"):
        add_requests(warehouse, f"2026-{day}", 10)
    add_requests(warehouse, "2026-12-18", 2)
    add_requests(warehouse, "2026-12-25", 1)
    if listed:
        warehouse.query(
            "insert into raw.bank_holidays (division, date, title, "
            "_council, _period, _landing_id, _record_no) values "
            "('england-and-wales', '2026-12-25', 'Christmas Day', 'uk', '2026-11-01', 'landing', 1)"
        )

    built = make()

    (warning,) = [text for text in built.warnings if "volume_by_weekday" in text]
    assert sorted(re.findall(r"\bday=2026-12-(\d\d)", warning)) == unusual
    assert "day=2026-12-18, weekday=Friday, volume=2, usual=10, like_days=7" in warning
