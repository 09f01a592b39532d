"""`wandle validate`: contracts, councils, dbt's sources and tables, compared with each other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from include.cli import app
from include.jobs.author import validate as job
from include.jobs.author.validate import validate
from include.sources.model import contracts
from include.transform.project import FOLDER
from include.warehouse.schema.migrate import migrate
from tests.broken import copied


@pytest.fixture
def database(new_database):
    found = new_database()
    migrate(found.admin, contracts().values(), {})
    return found


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of dbt's models that a test may damage."""
    shutil.copytree(FOLDER / "models", tmp_path / "dbt_project" / "models")
    return tmp_path / "dbt_project"


def change(project: Path, old: str, new: str) -> None:
    file = project / "models" / "staging" / "_sources.yml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def test_what_is_checked_in_fits_together(database):
    found = validate(database.dsn())

    assert found.differences == ()
    assert found.without_database == ""
    assert "the database's tables" in found.looked_at


def test_without_a_database_the_rest_is_compared_and_it_says_so():
    found = validate("")

    assert found.differences == ()
    assert "WANDLE_LOADER_DSN" in found.without_database


def test_a_database_that_does_not_answer_is_reported_as_not_checked():
    found = validate("postgresql://wandle_loader@127.0.0.1:1/warehouse")

    assert found.differences == ()
    assert "PostgreSQL" in found.without_database


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("name: ward_code", "name: ward", "column ward_code (text) is missing"),
        ("name: ward_code", "name: ward", "column ward is not in the contract"),
        ("data_type: bigint", "data_type: integer", "is integer, expected bigint"),
        ("  - name: police_street_crime", "  - name: crimes", "table crimes has no contract"),
        ("  - name: police_street_crime", "  - name: crimes", "no source table for police_street"),
    ],
)
def test_each_difference_in_dbts_sources_is_named(project, old, new, said):
    change(project, old, new)

    assert any(said in line for line in validate("", project=project).differences)


def test_a_mart_that_the_dashboard_shows_and_no_model_builds_is_named(project):
    (project / "models" / "marts" / "weather_daily.sql").unlink()

    said = "\n".join(validate("", project=project).differences)

    assert "tables.py: the dashboard shows marts.weather_daily, and no model builds it" in said


def test_many_differences_of_one_table_are_one_line(project):
    sources = project / "models" / "staging" / "_sources.yml"
    text = sources.read_text()
    start = text.index("  - name: police_street_crime")
    columns = text[start:].replace("    - name: ", "    - name: old_", 5)
    sources.write_text(text[:start] + columns)

    (said,) = validate("", project=project).differences

    assert said.count(" is missing") == 3
    assert said.endswith(" and 7 more; run `wandle sync`")


@pytest.mark.parametrize("broken", ["<<<<<<< HEAD\n", "sources: 5\n", "sources: [{}]\n"])
def test_sources_that_dbt_cannot_read_are_named(project, broken):
    (project / "models" / "staging" / "_sources.yml").write_text(broken)

    (said,) = validate("", project=project).differences

    assert "_sources.yml: differs from what `wandle sync` writes; run it" in said


def test_a_description_that_is_not_yaml_is_one_difference(project):
    (project / "models" / "marts" / "weather_daily.yml").write_text("models: [")

    (said,) = validate("", project=project).differences

    assert said.startswith("models/marts/weather_daily.yml: not valid YAML: ")


def test_a_mart_whose_model_is_gone_is_named_with_what_removes_it(database):
    database.query("create table marts.daily_rain (a int)", "wandle_transformer")

    (said,) = validate(database.dsn()).differences

    assert said == (
        "database: no model builds marts.daily_rain; run `wandle remove marts.daily_rain`"
    )


def test_a_table_in_two_source_files_is_named(project):
    shutil.copytree(project / "models" / "staging", project / "models" / "other")

    assert any("is also in" in line for line in validate("", project=project).differences)


def test_each_difference_in_the_database_is_named(database):
    database.query("alter table raw.police_street_crime drop column category cascade")
    database.query("alter table raw.police_street_crime alter column month type varchar(7)")
    database.query("drop table raw.police_ward_boundaries cascade")
    database.query("create table raw.forgotten (a int)")

    said = validate(database.dsn()).differences

    assert set(said) == {
        "database: table raw.police_street_crime: column category (text) is missing; "
        "column month is character varying(7), expected text; run `wandle migrate`",
        "database: table raw.police_ward_boundaries is missing; run `wandle migrate`",
        "database: table raw.forgotten has no contract include/sources/forgotten.yaml; "
        "restore it, or run `wandle remove forgotten`",
    }


def test_a_database_that_was_never_migrated_is_named(new_database):
    database = new_database()

    said = validate(database.dsn()).differences

    assert any("raw.police_street_crime is missing" in line for line in said)


def test_a_broken_contract_is_one_difference(tmp_path):
    with copied(tmp_path) as copy:
        copy.break_(next(iter(contracts())))

        (said,) = validate("").differences

    assert "field `publsher`: unknown field; check the spelling" in said


def test_a_council_that_was_copied_is_named(tmp_path):
    with copied(tmp_path) as copy:
        text = copy.path("sutton").read_text()
        copy.write(
            copy.councils / "sutton_lb.yaml", text.replace("name: sutton", "name: sutton_lb")
        )

        (said,) = validate("").differences

    assert said.startswith("include/councils/sutton_lb.yaml: E09000029 and ")
    assert "are those of include/councils/sutton.yaml" in said


def test_a_council_without_what_a_contract_asks_for_is_named(monkeypatch):
    known = {
        name: item.model_copy(update={"points": (), "ward_sets": ()})
        for name, item in job.councils().items()
    }
    monkeypatch.setattr(job, "councils", lambda: known)

    said = validate("").differences

    for name in known:
        assert any(f"{name}.yaml: no `ward_sets`" in line for line in said)
        assert any(f"{name}.yaml: no `points`" in line for line in said)


@pytest.mark.usefixtures("deployment")
def test_the_command_names_each_difference_and_fails(database, monkeypatch):
    monkeypatch.setenv("WANDLE_LOADER_DSN", database.dsn())
    good = CliRunner().invoke(app, ["validate"])
    database.query("create table raw.forgotten (a int)")

    bad = CliRunner().invoke(app, ["validate"])

    assert (good.exit_code, bad.exit_code) == (0, 1)
    assert "0 differences" in good.stdout
    assert "table raw.forgotten has no contract" in bad.stdout


@pytest.mark.usefixtures("deployment")
def test_the_command_works_without_a_database():
    found = CliRunner().invoke(app, ["validate"])

    assert found.exit_code == 0
    assert "Skipped the database" in found.stdout


@pytest.mark.usefixtures("deployment")
def test_the_drift_command_prints_a_patch_or_says_that_there_is_none(database, monkeypatch):
    monkeypatch.setenv("WANDLE_LOADER_DSN", database.dsn())
    none = CliRunner().invoke(app, ["drift"])
    database.query(
        "insert into ops.schema_drift values "
        "('police_street_crime', 'new', now(), 'L', '[1]', 'integer', 'api')"
    )

    patch = CliRunner().invoke(app, ["drift", "police_street_crime"])

    assert none.stdout.startswith("No unknown fields")
    assert patch.stdout.startswith("# Add to include/sources/police_street_crime.yaml")
    assert "type: integer" in patch.stdout


def test_a_mart_that_cannot_be_explained_is_named_with_the_line_to_add(project):
    file = project / "models" / "marts" / "weather_daily.yml"
    line = "        made_of: stg_weather__hourly\n"
    assert line in file.read_text()
    file.write_text(file.read_text().replace(line, "        other: {}\n"))

    (said,) = validate("", project=project).differences

    assert "models/marts/weather_daily.yml: weather_daily: " in said
    assert "`config: {meta: {made_of: stg_weather__hourly}}`" in said
