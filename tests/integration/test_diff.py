"""What a change to the models would do: two revisions, built by real dbt next to all else."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from include.errors import PermanentError, ServiceUnavailable
from include.jobs.author import diff as job
from include.jobs.migrate import migrate
from include.jobs.pipeline.transform import build
from include.transform.diff import own_schemas, sides
from include.transform.project import FOLDER
from tests.command_line import command_line

DEVELOPER = "wandle_developer"
WARD_MONTHLY = "models/marts/ward_crime_monthly"
# What is made of it, and it.
BELOW = ("dim_ward", "ward_crime_monthly", "ward_crime_summary")
OTHERS = """
select n.nspname, c.relname, c.oid, c.relfilenode, c.relacl::text
from pg_class as c join pg_namespace as n on n.oid = c.relnamespace
where n.nspname in ('raw', 'ops', 'staging', 'intermediate', 'marts') and c.relkind in ('r', 'v')
order by 1, 2
"""
BOOKS = "select (select count(*) from ops.dbt_run), (select count(*) from ops.dbt_node)"
OWN = "select nspname from pg_namespace where nspname ~ '^(diff|dev)_' order by 1"
CRIMES = """
insert into raw.police_street_crime (
    ward_code, ward_name, id, persistent_id, category, month, latitude, longitude, street_id,
    street_name, _council, _period, _landing_id, _record_no
)
select
    'E0500040' || n % 3, 'Ward ' || n % 3, n, '', (array['burglary', 'drugs'])[1 + n % 2],
    '2017-01', '51.4', '-0.3', 7, 'On or near High Street', 'kingston', '2017-01-01', 'landing', n
from generate_series(1, 12) as n
"""


@pytest.fixture(scope="module")
def warehouse(new_database) -> Any:
    """Crimes of a month, in a database where a developer may create schemas; nothing is built."""
    database = new_database()
    migrate(database.admin, {DEVELOPER: "secret"})
    database.query(CRIMES)
    return database


@pytest.fixture
def dsn(warehouse) -> Iterator[str]:
    """The developer's address; whatever a test does, everyone else's relations stay."""
    before = warehouse.query(OTHERS), warehouse.query(BOOKS)
    assert len(before[0]) > 10
    yield warehouse.dsn(DEVELOPER)
    assert (warehouse.query(OTHERS), warehouse.query(BOOKS)) == before


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """The dbt project in a checkout of its own, committed on `main`."""
    checkout = tmp_path / "checkout"
    ignored = shutil.ignore_patterns("target", "logs")
    shutil.copytree(FOLDER, checkout / "dbt_project", ignore=ignored)
    git(checkout, "init", "--quiet", "--initial-branch=main")
    commit(checkout)
    monkeypatch.setattr(job, "CHECKOUT", checkout)
    monkeypatch.setattr(job, "FOLDER", checkout / "dbt_project")
    return checkout / "dbt_project"


def git(checkout: Path, *arguments: str) -> str:
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    command = ("git", "-C", str(checkout), *who, *arguments)
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(checkout: Path) -> None:
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "A commit | of `somebody`")


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def change(project: Path) -> None:
    """One category less, one column more; one mart more, and one less."""
    edit(project / f"{WARD_MONTHLY}.sql", "count(*) as crimes,", "count(*) as crimes, 1 as one,")
    edit(
        project / f"{WARD_MONTHLY}.sql", "from crimes\n", "from crimes where category <> 'drugs'\n"
    )
    edit(
        project / f"{WARD_MONTHLY}.yml",
        "      - name: with_outcome\n",
        "      - {name: one, data_type: integer, description: One.}\n      - name: with_outcome\n",
    )
    for ending in ("sql", "yml"):
        (project / f"models/marts/supplier_spend_monthly.{ending}").unlink()
    (project / "models/marts/streets.sql").write_text(
        "select street_name as street, count(*) as crimes, 'a@b.org'::text as email\n"
        "from {{ ref('int_police__crimes') }} group by street_name\n"
    )
    (project / "models/marts/streets.yml").write_text(
        "models:\n- name: streets\n  constraints: [{type: primary_key, columns: [street]}]\n"
        "  columns:\n  - {name: street, data_type: text, constraints: [type: not_null]}\n"
        "  - {name: crimes, data_type: bigint}\n"
        "  - {name: email, data_type: text, config: {meta: {personal: keep}}}\n"
    )


@pytest.fixture
def wandle(monkeypatch, capsys, deployment, warehouse) -> Callable[..., tuple[int, str, str]]:
    """Runs the command line as a developer; exit code, output and errors."""
    monkeypatch.setenv("WANDLE_DEVELOPER_DSN", warehouse.dsn(DEVELOPER))
    return command_line(monkeypatch, capsys)


def test_a_change_is_reported_by_mart_and_key_and_touches_nothing_of_others(
    warehouse, dsn, project, wandle
):
    change(project)

    code, out, err = wandle("diff", "--json", "--fail-on-change")

    found = json.loads(out)
    marts = {mart["name"]: mart for mart in found["marts"]}
    assert (found["failures"], found["notes"]) == ([], [])
    assert sorted(marts) == sorted(["streets", "supplier_spend_monthly", *BELOW])
    monthly = marts["ward_crime_monthly"]
    assert (monthly["rows_before"], monthly["rows_after"]) == (6, 3)
    assert (monthly["added"], monthly["removed"], monthly["changed"]) == (0, 3, 0)
    assert monthly["schema_changes"] == ["column one added"]
    assert [marts[name]["status"] for name in ("streets", "supplier_spend_monthly")] == [
        "new",
        "removed",
    ]
    # What they are made of was built, too, for it is not in everyone's schemas; it did not change.
    assert sorted(found["models"]) == sorted(f"marts.{name}" for name in marts)
    assert found["head"].endswith("with 6 uncommitted files of dbt_project")
    assert "(hidden)" in out
    assert "a@b.org" not in out
    assert code == 1
    assert "would change" in err
    for name in ("streets", "supplier_spend_monthly", "ward_crime_monthly"):
        assert name in err
    assert warehouse.query(OWN) == []


def test_what_is_unchanged_is_read_where_it_is_and_a_load_in_between_is_named(
    warehouse, project, monkeypatch, wandle
):
    """Everyone's table lacks the columns: neither revision can be built from it."""
    warehouse.query(
        "create table intermediate.int_police__crimes as select 'x'::text as nothing",
        role="wandle_transformer",
    )
    edit(project / f"{WARD_MONTHLY}.sql", "count(*) as crimes", "count(*) + 1 as crimes")
    reads = sides.existing

    def load(*given: Any) -> set[str]:
        warehouse.query(
            "insert into ops.load (source, council, period, landing_id, status, records, loaded, "
            "quarantined, duplicates, pages, bytes, pages_hash, rules_hash, contract_hash, "
            "code_version, run_id, started_at, finished_at, seconds) values ('air_sensors', "
            "'sutton', now(), 'x', 'loaded', 0, 0, 0, 0, 0, 0, '', '', '', '', '', now(), now(), 0)"
        )
        return reads(*given)

    monkeypatch.setattr("include.transform.diff.run.existing", load)
    try:
        code, out, err = wandle("diff", "--keep")
        kept = warehouse.query(OWN)
        job.clean(dsn=warehouse.dsn(DEVELOPER), progress=print)
        still = warehouse.query(OWN)
        *_, said = wandle("diff", "--drop-kept")
    finally:
        warehouse.query("drop table intermediate.int_police__crimes")

    assert code == 1
    assert "models could not be built" in err
    for side in ("base", "head"):
        assert f"{side}: {WARD_MONTHLY}.sql: " in out
    assert "\n> While this ran, data of air_sensors were loaded" in out
    assert "\n> Unchanged, and read as they are in the database: intermediate.int_police" in out
    assert "with 1 uncommitted file of dbt_project`` compared with ``" in out
    assert kept == still
    assert len(kept) >= 3
    assert "Dropped the schemas diff_" in said
    assert warehouse.query(OWN) == []


def test_an_interrupted_run_leaves_nothing(warehouse, dsn, project):
    def interrupt(line: str) -> None:
        assert len(warehouse.query(OWN)) == 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        job.diff(dsn=dsn, progress=interrupt)

    assert warehouse.query(OWN) == []


def test_a_developer_builds_into_schemas_of_their_own_which_no_reader_sees(
    warehouse, dsn, wandle, monkeypatch
):
    monkeypatch.setenv("WANDLE_SCHEMA_PREFIX", "dev_")

    code, out, err = wandle("transform", "--json")

    assert code == 0, err
    assert json.loads(out)["staging"]["success"] > 10
    assert "building into dev_staging, dev_intermediate, dev_marts, dev_ops and nowhere" in err
    assert warehouse.value("select count(*) from dev_marts.ward_crime_monthly") == 6
    for reader in ("wandle_reader", "wandle_portal", "wandle_loader"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="schema dev_marts"):
            warehouse.query("select * from dev_marts.ward_crime_monthly", role=reader)
    assert warehouse.query(
        "select grantee from information_schema.role_table_grants "
        "where table_schema = 'dev_marts' and grantee <> 'wandle_developer'"
    ) == []  # fmt: skip
    code, out, err = wandle("transform", "--drop")
    assert (code, out) == (0, "Dropped dev_intermediate, dev_marts, dev_ops, dev_staging.\n")
    assert warehouse.query(OWN) == []


def test_a_developer_cannot_change_a_relation_of_others(warehouse, dsn):
    warehouse.query("create table marts.theirs (a int)", role="wandle_transformer")
    try:
        for statement in (
            "drop table marts.theirs",
            "insert into marts.theirs values (1)",
            "create table marts.mine (a int)",
            "create table staging.mine (a int)",
            "delete from raw.police_street_crime",
            "update ops.dbt_run set status = 'success'",
            "select * from ops.quarantine",
            "lock table ops.build_lock in exclusive mode",
            "drop schema marts",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                warehouse.query(statement, role=DEVELOPER)
        assert warehouse.query("select * from marts.theirs", role=DEVELOPER) == []
    finally:
        warehouse.query("drop table marts.theirs")


def test_a_revision_with_a_link_out_of_the_project_is_refused(project, tmp_path):
    (project / "models" / "passwd.sql").symlink_to("/etc/passwd")
    commit(project.parent)

    with pytest.raises(PermanentError, match=r"points outside it: dbt_project/models/passwd\.sql"):
        job.extract(job.resolve("HEAD"), tmp_path)


@pytest.mark.parametrize("role", ["wandle_transformer", "wandle_loader", "postgres"])
def test_a_developer_cannot_put_a_function_into_queries_of_another_role(warehouse, dsn, role):
    with psycopg.connect(dsn) as connection:
        connection.execute(f"create schema {role}")
        connection.execute(
            f"create function {role}.jsonb_build_array(float8, float8) returns jsonb "
            "language sql as 'select ''null''::jsonb'"
        )
        connection.execute(f"grant usage on schema {role} to public")
    query = "select jsonb_build_array(1::float8, 2::float8)"
    try:
        assert warehouse.query(query, role) == [([1.0, 2.0],)]
        with psycopg.connect(warehouse.dsn(role), options='-c search_path="$user"') as connection:
            assert connection.execute(query).fetchall() == [(None,)]
    finally:
        warehouse.query(f"drop schema {role} cascade")


def test_no_other_role_may_make_schemas_of_its_own(warehouse):
    for role in ("wandle_transformer", "wandle_loader", "wandle_reader"):
        with (
            pytest.raises(PermanentError, match=f"{role} may not create schemas"),
            own_schemas.locked(warehouse.dsn(role), "dev_"),
        ):
            pass

    assert warehouse.query(OWN) == []


def test_schemas_of_somebody_else_are_left_alone(warehouse, dsn):
    warehouse.query("create schema dev_marts")
    try:
        with (
            pytest.raises(PermanentError, match="dev_marts belongs to postgres"),
            own_schemas.locked(dsn, "dev_"),
        ):
            pass
        assert own_schemas.drop(dsn, "dev_") == []
        assert warehouse.query(OWN) == [("dev_marts",)]
    finally:
        warehouse.query("drop schema dev_marts")


def test_the_schemas_of_a_prefix_are_dropped_and_not_those_of_a_longer_one(warehouse, dsn):
    for name in ("dev_marts", "dev_two_marts", "dev_marts_old"):
        warehouse.query(f"create schema {name}", role=DEVELOPER)

    assert own_schemas.drop(dsn, "dev_") == ["dev_marts"]
    assert own_schemas.drop(dsn, "dev_two_") == ["dev_two_marts"]
    assert warehouse.query(OWN) == [("dev_marts_old",)]
    warehouse.query("drop schema dev_marts_old")


def test_two_builds_into_one_prefix_do_not_run_at_once(warehouse, dsn):
    with (
        own_schemas.locked(dsn, "dev_"),
        pytest.raises(ServiceUnavailable, match="something is being built into dev_staging"),
        own_schemas.locked(dsn, "dev_"),
    ):
        pass

    with own_schemas.locked(dsn, "dev_"):
        pass
    own_schemas.drop(dsn, "dev_")


def test_what_a_killed_run_left_is_dropped_and_what_runs_is_not(warehouse, dsn):
    dead, alive = own_schemas.new_run(), own_schemas.new_run()
    with own_schemas.locked(dsn, dead):
        pass
    warehouse.query(f"create schema {dead}base_marts; create table {dead}base_marts.t (a int)",
                    role=DEVELOPER)  # fmt: skip
    said: list[str] = []

    with own_schemas.locked(dsn, alive):
        job.clean(dsn=dsn, progress=said.append)
        left = warehouse.query(OWN)
    own_schemas.drop(dsn, alive)

    assert left == [(f"{alive}ops",)]
    assert said == [f"Dropped the schemas {dead}... of an earlier run"]


def test_a_run_that_begins_is_not_dropped_as_one_that_was_killed(warehouse, dsn, monkeypatch):
    run = own_schemas.new_run()
    with own_schemas.locked(dsn, run):
        assert own_schemas.drop_left(dsn) == ([], [])
    genuine = own_schemas._drop

    def drop(opened, prefix):
        with (
            pytest.raises(ServiceUnavailable, match="is being built"),
            own_schemas.locked(dsn, run),
        ):
            pass
        return genuine(opened, prefix)

    monkeypatch.setattr(own_schemas, "_drop", drop)

    assert own_schemas.drop_left(dsn) == ([run], [])
    assert warehouse.query(OWN) == []


def test_a_project_that_ignores_the_prefix_is_refused():
    relation = {
        "unique_id": "model.wandle.m", "schema": "marts", "name": "m", "path": "models/marts/m.sql",
        "selector": "fqn:wandle.m", "depends_on": [],
    }  # fmt: skip

    with pytest.raises(PermanentError, match=r"m\.sql would be built into the schema marts"):
        sides.Revision.of({"relations": [relation], "personal": [], "broken": {}}, "diff_1_base_")


def test_the_dag_builds_everyone_s_schemas_or_nothing(warehouse, dsn, monkeypatch):
    monkeypatch.setenv("WANDLE_SCHEMA_PREFIX", "dev_")

    with pytest.raises(PermanentError, match="WANDLE_SCHEMA_PREFIX is 'dev_' where Airflow runs"):
        build("staging", dsn=warehouse.dsn("wandle_transformer"), run_id="run")


def test_the_base_is_where_the_branch_left_main(project):
    checkout = project.parent
    left = git(checkout, "rev-parse", "HEAD")
    git(checkout, "checkout", "--quiet", "-b", "mine")
    (project / "README.md").write_text("mine")
    commit(checkout)
    git(checkout, "checkout", "--quiet", "main")
    (project / "README.md").write_text("theirs")
    commit(checkout)
    git(checkout, "checkout", "--quiet", "mine")

    assert job.resolve("") == left
    assert job.resolve("main") == git(checkout, "rev-parse", "main")


@pytest.mark.parametrize("wrong", ["nowhere", "--help", "HEAD:dbt_project"])
def test_a_revision_that_does_not_exist_is_named(project, wrong):
    with pytest.raises(PermanentError, match="diff: git rev-parse failed"):
        job.resolve(wrong)
