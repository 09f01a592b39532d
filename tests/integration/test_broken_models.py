"""A model that is broken, in any way, holds back what depends on it, and nothing else."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from include.errors import PermanentError
from include.transform import history
from include.transform.build import build_layer
from include.transform.failures import BuildFailed
from include.transform.graph import GOOD, Node, downstream
from include.transform.process import Dbt
from include.transform.project import FOLDER, FOLDERS

# Every model in every way: minutes. Otherwise each model in one way, and each way at least once.
THOROUGH = bool(os.environ.get("WANDLE_TEST_THOROUGH"))
MODELS = sorted(path.relative_to(FOLDER).as_posix() for path in FOLDER.glob("models/**/*.sql"))


def misspelt_column(sql: Path, yml: Path) -> None:
    sql.write_text(f"select misspelt from (\n{sql.read_text()}\n) as whole")


def sql_syntax_error(sql: Path, yml: Path) -> None:
    sql.write_text(sql.read_text() + "\n)")


def jinja_error(sql: Path, yml: Path) -> None:
    sql.write_text(sql.read_text() + "\n{{ ref(")


def unknown_ref(sql: Path, yml: Path) -> None:
    sql.write_text(sql.read_text() + "\n-- {{ ref('nowhere') }}")


def unknown_macro(sql: Path, yml: Path) -> None:
    sql.write_text(sql.read_text() + "\n-- {{ no_such_macro() }}")


def circle(sql: Path, yml: Path) -> None:
    sql.write_text(sql.read_text() + f"\n-- {{{{ ref('{sql.stem}') }}}}")


def bytes_that_are_not_utf8(sql: Path, yml: Path) -> None:
    sql.write_bytes(sql.read_bytes() + b"\n-- caf\xe9")


def broken_yaml(sql: Path, yml: Path) -> None:
    yml.write_text(yml.read_text() + "\n  - : [")


def yaml_of_another_shape(sql: Path, yml: Path) -> None:
    yml.write_text("models: 5")


def no_description(sql: Path, yml: Path) -> None:
    yml.unlink()


def unknown_test(sql: Path, yml: Path) -> None:
    described = yaml.safe_load(yml.read_text())
    described["models"][0]["columns"][0]["data_tests"] = ["no_such_test"]
    yml.write_text(yaml.safe_dump(described))


def another_type(sql: Path, yml: Path) -> None:
    described = yaml.safe_load(yml.read_text())
    described["models"][0]["columns"][0]["data_type"] = "interval"
    yml.write_text(yaml.safe_dump(described))


def two_of_one_name(sql: Path, yml: Path) -> None:
    twin = sql.parent / "twin" / sql.name
    twin.parent.mkdir()
    shutil.copy(sql, twin)


def failing_test(sql: Path, yml: Path) -> None:
    project = next(parent for parent in sql.parents if (parent / "dbt_project.yml").exists())
    test = f"select count(*) as rows from {{{{ ref('{sql.stem}') }}}}"
    (project / "tests" / "fails.sql").write_text(test)


WAYS = [
    misspelt_column, sql_syntax_error, jinja_error, unknown_ref, unknown_macro, circle,
    bytes_that_are_not_utf8, broken_yaml, yaml_of_another_shape, no_description, unknown_test,
    another_type, two_of_one_name, failing_test,
]  # fmt: skip
BREAKS = [
    pytest.param(model, way, id=f"{Path(model).stem}-{way.__name__}")
    for number, model in enumerate(MODELS)
    for turn, way in enumerate(WAYS)
    if THOROUGH or turn == number % len(WAYS) or (number == 0 and turn >= len(MODELS))
]


@dataclass
class Built:
    """What became of each node, and what the layers that failed said."""

    statuses: dict[str, str]
    said: list[str]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Shared, so that what has not changed is not parsed again."""
    return tmp_path_factory.mktemp("dbt")


@pytest.fixture
def project(tmp_path) -> Path:
    """A copy of the project, to break."""
    folder = tmp_path / "project"
    shutil.copytree(FOLDER, folder, ignore=shutil.ignore_patterns("target", "logs"))
    return folder


@pytest.fixture
def built(warehouse, home, project) -> Callable[[], Built]:
    """Builds all of the project, as a run of the DAG does."""

    def build() -> Built:
        dsn, run_id, said = warehouse.dsn("wandle_transformer"), uuid4().hex, []
        with (
            Dbt(dsn=dsn, home=home, progress=print, project=project) as dbt,
            history.building(dsn) as books,
        ):
            for layer in FOLDERS:
                try:
                    build_layer(layer, dbt=dbt, history=books, run_id=run_id)
                except BuildFailed as error:
                    said.append(str(error))
            found = {name: status for layer in FOLDERS for name, status in books.of_run(run_id, layer).items()}
        return Built(found, said)

    return build


@pytest.fixture(scope="module")
def nodes(migrated, tmp_path_factory) -> dict[str, Node]:
    """The nodes of the project as it is."""
    dsn = migrated.dsn("wandle_transformer")
    with Dbt(dsn=dsn, home=tmp_path_factory.mktemp("whole"), progress=print) as dbt:
        return {node.unique_id: node for node in dbt.nodes()}


@pytest.mark.parametrize(("model", "way"), BREAKS)
def test_what_does_not_depend_on_a_broken_model_is_built_and_the_rest_is_named(
    model, way, project, built, nodes
):
    sql = project / model
    way(sql, sql.with_suffix(".yml"))
    broken = f"model.wandle.{sql.stem}"
    held = set(downstream(nodes, [broken]))

    done = built()

    good = {name for name, status in done.statuses.items() if status in GOOD}
    assert good >= nodes.keys() - held, done.said
    below = {name for name in held if not nodes[name].is_test} - {broken}
    assert not good & below
    stale = {nodes[name].short_name for name in below}
    assert done.said
    assert sql.stem in done.said[0]
    assert all(name in " ".join(done.said) for name in stale)


def test_two_broken_models_are_both_named(project, built):
    jinja_error(project / "models/staging/weather/stg_weather__hourly.sql", project)
    broken_yaml(project, project / "models/staging/bank/stg_bank__holidays.yml")

    done = built()

    assert "stg_weather__hourly" in done.said[0]
    assert "stg_bank__holidays" in done.said[0]
    assert done.statuses["model.wandle.ward_crime_monthly"] == "success"
    assert done.statuses["model.wandle.daily_weather"] == "skipped"


def test_what_every_model_needs_cannot_be_left_out(project, built):
    (project / "macros" / "generate_schema_name.sql").write_text("{% macro ")

    with pytest.raises(PermanentError, match="generate_schema_name"):
        built()
