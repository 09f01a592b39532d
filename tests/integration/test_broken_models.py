"""A model that is broken, in any way, holds back what depends on it, and nothing else."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from include.errors import PermanentError
from include.transform import build as building
from include.transform import history
from include.transform.build import build_layer
from include.transform.failures import BuildFailed
from include.transform.graph import GOOD, Node, downstream
from include.transform.process import Dbt
from include.transform.project import FOLDER, FOLDERS

# With `make test-slow`, every model in all ways, or in ten with few examples. Otherwise every model
# and every way at least once.
EXAMPLES = int(os.environ.get("EXAMPLES") or 0)
_MOST_TOGETHER = 5


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


def two_with_the_same_name(sql: Path, yml: Path) -> None:
    twin = sql.parent / "twin" / sql.name
    twin.parent.mkdir()
    shutil.copy(sql, twin)


def failing_test(sql: Path, yml: Path) -> None:
    project = next(parent for parent in sql.parents if (parent / "dbt_project.yml").exists())
    test = f"select count(*) as rows from {{{{ ref('{sql.stem}') }}}}"
    (project / "tests" / f"fails_{sql.stem}.sql").write_text(test)


def error_while_compiling(sql: Path, yml: Path) -> None:
    late = "{% if execute %}{{ exceptions.raise_compiler_error('too late') }}{% endif %}"
    sql.write_text(f"{sql.read_text()}\n-- {late}")


WAYS = [
    misspelt_column, sql_syntax_error, jinja_error, unknown_ref, unknown_macro, circle,
    bytes_that_are_not_utf8, broken_yaml, yaml_of_another_shape, no_description, unknown_test,
    another_type, two_with_the_same_name, failing_test, error_while_compiling,
]  # fmt: skip
Way = Callable[[Path, Path], None]


def upstream() -> dict[str, set[str]]:
    """Each model, by its path, and those that it depends on, directly or not."""
    paths = {
        path.stem: path
        for path in FOLDER.glob("models/**/*.sql")
        if "enabled=false" not in path.read_text()
    }
    parents = {
        name: set(re.findall(r"ref\('(\w+)'\)", path.read_text())) for name, path in paths.items()
    }

    def above(name: str) -> set[str]:
        return parents[name].union(*map(above, parents[name]))

    shown = {name: path.relative_to(FOLDER).as_posix() for name, path in paths.items()}
    return {shown[name]: {shown[one] for one in above(name)} for name in sorted(paths)}


def unrelated() -> list[list[str]]:
    """All models, in groups to break together: none depends on another of its group.

    A group is small, so that there are models that it does not hold back.
    """
    known, groups = upstream(), list[list[str]]()
    for model in sorted(known, key=lambda name: (len(known[name]), name)):
        fitting = (
            group
            for group in groups
            if len(group) < _MOST_TOGETHER
            and not any(model in known[other] or other in known[model] for other in group)
        )
        group = next(fitting, None)
        if group is None:
            groups.append(group := [])
        group.append(model)
    return groups


def rounds(examples: int = EXAMPLES) -> Iterator[list[tuple[str, Way]]]:
    """Models to break together, and how: every model in so many ways."""
    ways = min(len(WAYS), max(10, examples // 500)) if examples else 1
    for number in range(ways):
        turn = number
        for group in unrelated():
            yield [(model, WAYS[(turn + place) % len(WAYS)]) for place, model in enumerate(group)]
            turn += len(group)


@pytest.mark.parametrize(("examples", "ways"), [(0, 1), (1, 10), (10_000, len(WAYS))])
def test_every_model_is_broken_and_in_every_way(examples, ways):
    broken = [each for some in rounds(examples) for each in some]

    assert {model for model, _ in broken} == upstream().keys()
    assert {way for _, way in broken} == {*WAYS}
    assert len(set(broken)) == len(broken) == ways * len(upstream())
    for some in rounds(examples):
        held = {model for model, above in upstream().items() for one, _ in some if one in above}
        assert len(held) + len(some) <= 0.8 * len(upstream())


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
            found: dict[str, str] = {}
            for layer in FOLDERS:
                found |= books.of_run(run_id, layer)
        return Built(found, said)

    return build


@pytest.fixture(scope="module")
def nodes(migrated, tmp_path_factory) -> dict[str, Node]:
    """The nodes of the project as it is."""
    dsn = migrated.dsn("wandle_transformer")
    with Dbt(dsn=dsn, home=tmp_path_factory.mktemp("whole"), progress=print) as dbt:
        return {node.unique_id: node for node in dbt.nodes()}


def named(some: list[tuple[str, Way]]) -> str:
    return "+".join(f"{Path(model).stem}-{way.__name__}" for model, way in some)


@pytest.mark.parametrize("breaks", list(rounds()), ids=named)
def test_what_does_not_depend_on_broken_models_is_built_and_the_rest_is_named(
    breaks, project, built, nodes, monkeypatch
):
    # More fail at once here than a message names.
    monkeypatch.setattr(building, "_SHOWN_FAILURES", 100)
    for model, way in breaks:
        way(project / model, (project / model).with_suffix(".yml"))
    broken = [f"model.wandle.{Path(model).stem}" for model, _ in breaks]
    held = downstream(nodes, broken)

    done = built()

    good = {name for name, status in done.statuses.items() if status in GOOD}
    assert nodes.keys() - held - good == set(), done.said
    below = {name for name in held if nodes[name].resource_type == "model"} - {*broken}
    assert good & below == set()
    for name in broken + sorted(below):
        assert nodes[name].short_name in " ".join(done.said)


def test_a_test_that_was_misspelt_is_back_once_it_is_corrected(home, project, nodes):
    sql = project / "models/staging/bank/stg_bank__holidays.sql"
    yml = sql.with_suffix(".yml")
    correct, found = yml.read_text(), []
    for way in (lambda: None, lambda: unknown_test(sql, yml), lambda: yml.write_text(correct)):
        way()
        dsn = "postgresql://nobody@127.0.0.1:1/nowhere"
        with Dbt(dsn=dsn, home=home, progress=print, project=project) as dbt:
            found.append({node.unique_id for node in dbt.nodes()})

    assert found[0] == found[2] == nodes.keys() != found[1]


def test_what_every_model_needs_cannot_be_left_out(project, built):
    (project / "macros" / "generate_schema_name.sql").write_text("{% macro ")

    with pytest.raises(PermanentError, match="generate_schema_name"):
        built()


def test_the_documentation_is_generated_without_what_is_broken(warehouse, home, project):
    for model, way in (
        ("models/staging/bank/stg_bank__holidays.sql", jinja_error),
        ("models/marts/weather_daily.sql", error_while_compiling),
    ):
        way(project / model, (project / model).with_suffix(".yml"))

    with Dbt(
        dsn=warehouse.dsn("wandle_transformer"), home=home, progress=print, project=project
    ) as dbt:
        page = dbt.docs().read_text()

    assert "model.wandle.ward_crime_monthly" in page
    assert "model.wandle.weather_daily" in page
    assert "model.wandle.stg_bank__holidays" not in page
