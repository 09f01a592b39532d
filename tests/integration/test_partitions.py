"""Which models and tests may be built by partition, and what a fingerprint changes with."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from include.transform.changes import fingerprint
from include.transform.changes.fingerprint import Described
from include.transform.child import Session
from include.transform.project import FOLDER

INCREMENTAL = "{{{{ config(materialized='incremental', unique_key={key}) }}}}\n{text}"
CRIMES = "select * from {{ ref('int_police__crimes') }}"
MODELS = {
    "by_ward": INCREMENTAL.format(key="['council', 'ward_code']", text=CRIMES),
    "by_id": INCREMENTAL.format(key="'crime_id'", text=CRIMES),
    "by_year": INCREMENTAL.format(key="['council', 'year']", text=CRIMES),
    "by_council": INCREMENTAL.format(key="['council']", text=CRIMES),
    "by_day": INCREMENTAL.format(key="['council', 'day']", text=CRIMES),
    "ranked": INCREMENTAL.format(
        key="['council', 'month']",
        text=CRIMES + " join {{ ref('ward_crime_summary') }} using (ward_code)",
    ),
    "of_newest": INCREMENTAL.format(
        key="['council', 'month']", text="select * from {{ ref('stg_newest') }}"
    ),
    "of_raw": INCREMENTAL.format(
        key="['council', 'month']",
        text=CRIMES + " join {{ source('raw', 'police_street_crime') }} using (ward_code)",
    ),
    "named_twice": "{{ config(alias='another_name') }}\n" + CRIMES,
}
RAW = (
    "select _council as council, _period as month, {} from {{{{ source('raw', 'council_spend') }}}}"
)
STAGED = {
    "stg_newest": "with rows as ("
    + RAW.format("line_no, _landing_id as landing_id, _record_no as record_no")
    + ") {{ newest('rows', ['line_no'], 'month') }}",
    "stg_window": RAW.format("row_number() over w as place") + " window w as (order by line_no)",
    "stg_scalar": RAW.format("line_no = (select max(line_no) from elsewhere) as is_last"),
    "stg_by_macro": RAW.format("{{ of_the_table() }} as highest"),
    "stg_plain": RAW.format("line_no is distinct from 1 as is_other"),
}
MACRO = """
{% macro of_the_table() %}{{ nested() }}{% endmacro %}
{% macro nested() %}first_value(line_no) over (order by line_no){% endmacro %}
"""
TESTS = """
models:
  - name: ward_crime_monthly
    columns:
      - name: crimes
        data_tests:
          - not_null: {name: plain_test}
          - not_null: {name: tolerant_test, config: {error_if: ">5", warn_if: ">2"}}
          - not_null: {name: counted_test, config: {fail_calc: "sum(crimes)"}}
          - not_null: {name: newest_test, config: {where: "month = (select max(month) from x)"}}
          - not_null: {name: recent_test, config: {where: "month > current_date - 90"}}
          - relationships:
              name: same_source_test
              arguments: {to: ref('ward_crime_summary'), field: crimes}
          - relationships:
              name: other_source_test
              arguments: {to: ref('stg_police__ward_boundaries'), field: point_no}
      - name: month
        data_tests:
          - holds:
              name: past_test
              arguments: {condition: "month <= current_date"}
"""


@pytest.fixture(scope="module")
def parsed(tmp_path_factory) -> Iterator[tuple[Any, Any]]:
    """The manifest of a project with these models and tests, and its folder."""
    place = tmp_path_factory.mktemp("parsed")
    ignored = shutil.ignore_patterns("target", "logs")
    project = shutil.copytree(FOLDER, place / "project", ignore=ignored)
    for folder, models in (("marts", MODELS), ("staging", STAGED)):
        for name, text in models.items():
            off = "{{ config(contract={'enforced': false}) }}\n"
            (project / "models" / folder / f"{name}.sql").write_text(off + text)
    description = project / "models" / "marts" / "ward_crime_monthly.yml"
    text = description.read_text()
    for name, tests in re.findall(
        r"- name: (crimes|month)\n(        data_tests:\n.+?)(?=\n      - name|\Z)", TESTS, re.S
    ):
        start = text.index(f"- name: {name}\n")
        below = text.index("        data_type:", start)
        text = text[:below] + tests.rstrip() + "\n" + text[below:]
    description.write_text(text)
    (project / "macros" / "of_the_table.sql").write_text(MACRO)
    options = [
        *("--project-dir", str(project), "--profiles-dir", str(project)),
        *("--target-path", str(place / "target"), "--log-path", str(place / "logs")),
        *("--log-level", "none", "--log-level-file", "none", "--quiet"),
    ]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOST", "USER", "DATABASE"):
            patch.setenv(f"WANDLE_DBT_{name}", "nobody")
        patch.setenv("WANDLE_DBT_PORT", "1")
        patch.setenv("DBT_ENV_SECRET_WANDLE_PASSWORD", "x")
        session = Session(options, print)
        assert not [node for node in session.nodes() if node.get("error")]
        yield session._manifest, project


@pytest.fixture(scope="module")
def described(parsed) -> dict[str, dict[str, Any]]:
    """What is said of each model and test, by name."""
    manifest, project = parsed
    found = Described(manifest, project)
    return {node.name: found.of(node) for node in manifest.nodes.values()}


@pytest.mark.parametrize(
    "name",
    [
        "by_ward",
        "by_id",
        "by_day",
        "ranked",
        "of_newest",
        "of_raw",
        "stg_newest",
        "stg_window",
        "stg_scalar",
        "stg_by_macro",
    ],
)
def test_a_model_that_may_combine_partitions_is_built_whole(described, name):
    assert described[name]["partition_by"] == []


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("ward_crime_monthly", ["council", "month"]),
        ("river_levels_daily", ["council", "day"]),
        ("by_year", ["council", "year"]),
        ("by_council", ["council"]),
        ("stg_plain", ["council", "month"]),
    ],
)
def test_a_model_of_whole_partitions_is_built_by_them(described, name, columns):
    assert described[name]["partition_by"] == columns


@pytest.mark.parametrize(
    "name", ["tolerant_test", "counted_test", "newest_test", "same_source_test", "past_test"]
)
def test_a_test_whose_verdict_depends_on_other_partitions_reads_all(described, name):
    assert described[name]["partition_by"] == []


@pytest.mark.parametrize("name", ["plain_test", "recent_test", "other_source_test"])
def test_a_test_of_each_row_reads_what_changed(described, name):
    assert described[name]["partition_by"] == ["council", "month"]


@pytest.mark.parametrize(
    ("name", "changes"), [("recent_test", True), ("past_test", True), ("plain_test", False)]
)
def test_a_test_that_is_given_the_date_changes_every_day(
    parsed, described, monkeypatch, name, changes
):
    manifest, project = parsed
    genuine = fingerprint.today
    monkeypatch.setattr(fingerprint, "today", lambda texts: genuine(texts) and "tomorrow")
    [node] = [node for node in manifest.nodes.values() if node.name == name]

    again = Described(manifest, project).of(node)["fingerprint"]

    assert (again != described[name]["fingerprint"]) == changes


def test_a_model_is_known_by_its_name_in_the_database(described):
    assert described["named_twice"]["key"] == "marts.another_name"
