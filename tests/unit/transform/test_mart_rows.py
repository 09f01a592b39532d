"""Every mart says which rows its rows are made of, and one that does not says what to add."""

from __future__ import annotations

from pathlib import Path

import pytest

from include.errors import UnknownName, WrongDefinition
from include.transform.mart_rows import mart_rows, marts, undeclared

STAGING = """\
models:
  - name: stg_rain__hourly
    columns:
      - {name: council, data_type: text}
      - {name: day, data_type: date}
      - {name: gauge, data_type: text}
      - {name: landing_id, data_type: text}
      - {name: record_no, data_type: bigint}
"""
MART = """\
models:
  - name: daily_rain
%s    constraints:
      - {type: primary_key, columns: [council, day]}
    columns:
      - {name: council, data_type: text}
      - {name: day, data_type: date}
"""
SELECTED = "{model: stg_rain__hourly, where: day <= mart.day}"
MADE_OF = "    config: {meta: {made_of: stg_rain__hourly}}\n"


@pytest.fixture
def project(tmp_path) -> Path:
    """A dbt project with one staging model and one mart, which has a line to add."""
    staging, of_marts = tmp_path / "models/staging/rain", tmp_path / "models/marts"
    staging.mkdir(parents=True)
    of_marts.mkdir()
    (staging / "stg_rain__hourly.yml").write_text(STAGING)
    (staging / "stg_rain__hourly.sql").write_text("select * from {{ source('raw', 'rain') }}")
    (of_marts / "daily_rain.yml").write_text(MART % "")
    (of_marts / "daily_rain.sql").write_text("select * from {{ ref('stg_rain__hourly') }}")
    return tmp_path


def declare(project: Path, old: str, new: str) -> None:
    file = project / "models/marts/daily_rain.yml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_every_mart_of_the_project_can_be_explained():
    assert len(marts()) >= 4
    assert list(undeclared()) == []


def test_a_computed_key_column_is_compared_by_its_expression():
    (crimes,) = mart_rows("crime_outcomes_monthly").made_of

    assert (crimes.schema, crimes.model) == ("intermediate", "int_police__crimes")
    assert crimes.source == "police_street_crime"
    assert crimes.where == (
        '("council") = mart."council" and ("month") = mart."month" '
        'and ("category") = mart."category" '
        "and (coalesce(outcome_category, 'No outcome yet')) = mart.\"outcome_category\""
    )


def test_rows_can_be_named_by_a_condition_instead_of_the_key(project):
    declare(project, "    constraints:", f"{MADE_OF}    constraints:")
    declare(project, "made_of: stg_rain__hourly", f"made_of: {SELECTED}")

    (hours,) = mart_rows("daily_rain", project).made_of

    assert (hours.model, hours.source) == ("stg_rain__hourly", "rain")
    assert hours.where == "day <= mart.day"


def test_a_mart_that_is_made_of_no_records_says_why(project):
    declare(project, "    constraints:", f"{MADE_OF}    constraints:")
    declare(project, "made_of: stg_rain__hourly", "computed: it is a calendar.")

    found = mart_rows("daily_rain", project)

    assert (found.made_of, found.computed) == ((), "it is a calendar")
    assert found.key == {"council": "text", "day": "date"}
    assert list(undeclared(project)) == []


def test_a_new_mart_is_reported_with_the_line_to_add(project):
    with pytest.raises(WrongDefinition) as caught:
        mart_rows("daily_rain", project)

    assert str(caught.value) == (
        "models/marts/daily_rain.yml: daily_rain: it does not say which rows its rows are made of. "
        "Add to the model: `config: {meta: {made_of: stg_rain__hourly}}`."
    )
    assert list(undeclared(project)) == [str(caught.value)]


def test_with_that_line_it_can_be_explained(project):
    declare(project, "    constraints:", f"{MADE_OF}    constraints:")

    found = mart_rows("daily_rain", project)

    assert found.key == {"council": "text", "day": "date"}
    assert [(one.schema, one.model, one.source) for one in found.made_of] == [
        ("staging", "stg_rain__hourly", "rain")
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("stg_rain__hourly", "stg_rain__daily", "expected a model with the columns council, land"),
        (
            "made_of: stg_rain__hourly",
            f"made_of: {SELECTED.replace('where', 'if')}",
            "`made_of`: expected `model` and `where`, found",
        ),
        ("[council, day]", "[council, wet]", "key column wet is not under `columns`"),
        ("      - {type: primary_key, columns: [council, day]}\n", "", "Add a `primary_key`"),
        (
            "[council, day]}\n    columns:\n",
            "[council, wet]}\n    columns:\n      - {name: wet, data_type: boolean}\n",
            "has no column wet. Add to that column of the mart: `config: {meta: {expression:",
        ),
    ],
)
def test_a_wrong_declaration_is_named(project, old, new, said):
    declare(project, "    constraints:", f"{MADE_OF}    constraints:")
    if old.startswith("      - {type"):
        declare(project, "    constraints:\n", "")
    declare(project, old, new)

    with pytest.raises(WrongDefinition) as caught:
        mart_rows("daily_rain", project)

    assert said in str(caught.value)
    assert str(caught.value).startswith("models/marts/daily_rain.yml: daily_rain: ")


def test_a_model_of_two_sources_is_refused(project):
    declare(project, "    constraints:", f"{MADE_OF}    constraints:")
    (project / "models/staging/rain/stg_rain__hourly.sql").write_text(
        "{{ source('raw', 'rain') }} union all {{ source('raw', 'snow') }}"
    )

    with pytest.raises(WrongDefinition, match="expected a model of one source, found rain, snow"):
        mart_rows("daily_rain", project)


def test_an_unknown_mart_is_reported_with_the_known_ones(project):
    with pytest.raises(UnknownName, match=r"unknown mart 'snow'\. Choose one of marts\.daily_rain"):
        mart_rows("snow", project)


DIMENSION = """\
    config:
      meta:
        made_of: stg_rain__hourly
        dimensions:
          - {model: stg_rain__gauges, where: gauge = mart.gauge, newest: day}
"""


@pytest.fixture
def joined(project) -> Path:
    """The same, with a mart that takes columns of a second model."""
    staging = project / "models/staging/rain"
    (staging / "stg_rain__gauges.yml").write_text(STAGING.replace("__hourly", "__gauges"))
    (staging / "stg_rain__gauges.sql").write_text("select * from {{ source('raw', 'gauges') }}")
    sql = project / "models/marts/daily_rain.sql"
    sql.write_text(sql.read_text() + " join {{ ref('stg_rain__gauges') }} using (gauge)")
    return project


def test_a_model_that_a_mart_is_joined_with_is_traced_too(joined):
    declare(joined, "    constraints:", f"{DIMENSION}    constraints:")

    (found,) = mart_rows("daily_rain", joined).dimensions

    assert (found.schema, found.model, found.source) == ("staging", "stg_rain__gauges", "gauges")
    assert (found.where, found.newest) == ("gauge = mart.gauge", "day")


def test_a_mart_that_does_not_say_what_it_is_joined_with_is_reported_with_the_line(joined):
    declare(joined, "    constraints:", f"{MADE_OF}    constraints:")

    with pytest.raises(WrongDefinition, match=r"joined with stg_rain__gauges.*dimensions: \[\{mod"):
        mart_rows("daily_rain", joined)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("model: stg_rain__gauges, ", "", "expected `model`, `where` and, optionally, `newest`"),
        ("newest: day", "newest: year", "stg_rain__gauges has no column year"),
        ("model: stg_rain__gauges", "model: nowhere", "expected a model with the columns council"),
        ("newest: day", "newer: day", "expected `model`, `where`"),
    ],
)
def test_a_dimension_that_means_nothing_is_named(joined, old, new, said):
    declare(joined, "    constraints:", f"{DIMENSION.replace(old, new)}    constraints:")

    with pytest.raises(WrongDefinition, match=said):
        mart_rows("daily_rain", joined)


@pytest.mark.parametrize("text", ["models: [", "models: 5", "- a", "models: [{}]", "models: [x]"])
def test_a_description_that_is_broken_breaks_no_other_mart(project, text):
    declare(project, "    constraints:", f"{MADE_OF}    constraints:")
    (project / "models/marts/other.yml").write_text(text)

    assert mart_rows("daily_rain", project).name == "daily_rain"
    (said,) = undeclared(project)
    assert said.startswith("models/marts/other.yml: ")
    with pytest.raises(WrongDefinition, match=r"models/marts/other\.yml"):
        mart_rows("other", project)


def test_models_that_read_each_other_in_a_circle_end(project):
    sql = project / "models/staging/rain/stg_rain__hourly.sql"
    sql.write_text(sql.read_text() + " {{ ref('daily_rain') }}")
    declare(project, "    constraints:", f"{MADE_OF}    constraints:")

    assert mart_rows("daily_rain", project).made_of[0].source == "rain"
