"""Each database role, with its own password and any client: what it can stop, fill or damage."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from psycopg import sql

from include.errors import ServiceUnavailable
from include.jobs.pipeline import load as load_job
from include.jobs.pipeline.load import load
from include.transform import history, process
from include.transform.process import Dbt
from include.warehouse import lock
from include.warehouse.schema import grants_check, limits
from include.warehouse.schema import migrate as migrating
from include.warehouse.schema.migrate import LOGINS, migrate
from tests.integration.landings import land
from tests.integration.models import build_models_of
from tests.samples import contract

GAUGES = contract()
PARTITION = GAUGES.partition("kingston", "2017-05")
LOADER, TRANSFORMER, PORTAL, READER, PUBLISHER = LOGINS
READERS = (PORTAL, READER)
LIMITED = (PORTAL, PUBLISHER, READER)

# Who may lock what a load, a build or a migration locks.
LOCKS = {
    "insert into ops.partition_lock values ('attacked', 'kingston', '2017-05-01')": {LOADER},
    "select from ops.partition_lock for update": {LOADER},
    "select from ops.partition_lock for key share": {LOADER},
    "lock table ops.partition_lock in access share mode": {LOADER},
    "lock table ops.partition_lock in access exclusive mode": {LOADER},
    "lock table ops.build_lock in row share mode": {TRANSFORMER},
    "lock table ops.build_lock in exclusive mode": {TRANSFORMER},
    "lock table ops.migration_lock in access share mode": set(),
    "lock table ops.migration_lock in exclusive mode": set(),
    "select ops.end_readers('marts.crimes')": {TRANSFORMER},
    "lock table marts.crimes in row share mode": {TRANSFORMER},
    "select from marts.crimes for key share": {TRANSFORMER},
}
# What the older version's loads, builds and migrations waited for.
OLD_KEYS = ("raw.gauges kingston 2017-05", "wandle transform", "wandle migrate")

# What fills the disk, or the lock table that all sessions of the server share.
TRICKS = {
    "select lo_creat(-1)": set(),
    "select lo_create(4711)": set(),
    r"select lo_from_bytea(0, '\x00')": set(),
    "select pg_advisory_lock(1)": set(),
    "select pg_try_advisory_xact_lock_shared(1, 2)": set(),
    "select pg_logical_emit_message(false, 'x', repeat('x', 1000))": set(),
    "create temporary table mine (a int)": {LOADER, TRANSFORMER},
    "create table public.mine (a int)": set(),
}


@pytest.fixture(scope="module")
def modelled(new_database, migrated) -> Any:
    """A warehouse with a mart."""
    database = new_database(migrated.name)
    migrate(database.admin, [GAUGES], {})
    database.query("create table marts.crimes (a int)", role=TRANSFORMER)
    return database


def allowed(database: Any, role: str, statement: str) -> bool:
    with psycopg.connect(database.dsn(role)) as connection:
        try:
            connection.execute(statement)  # type: ignore[arg-type]
        except psycopg.errors.InsufficientPrivilege:
            return False
        finally:
            connection.rollback()
    return True


# Ways out of the database, or into another role. Nobody may.
WAYS_OUT = (
    "copy (select 1) to program 'true'",
    "copy pg_class from program 'true'",
    "copy (select 1) to '/tmp/wandle-attack'",
    "select pg_read_file('/etc/passwd')",
    "select pg_read_binary_file('postgresql.conf')",
    "select pg_ls_dir('.')",
    "select pg_stat_file('postgresql.conf')",
    "select lo_import('/etc/passwd')",
    "select lo_export(1, '/tmp/wandle-attack')",
    "create server mine foreign data wrapper dblink_fdw",
    "create foreign data wrapper mine",
    "create function public.mine() returns int language sql as 'select 1'",
    "create schema authorization current_user",
    "create event trigger mine on ddl_command_end execute function pg_catalog.suppress()",
    "create publication mine for all tables",
    "create tablespace mine location '/tmp'",
    "create database mine",
    "alter system set archive_command = 'true'",
    "alter database {name} set search_path = marts",
    "alter role wandle_owner login",
    "alter role postgres password 'x'",
    "alter role current_user superuser",
    "alter role current_user bypassrls",
    "alter role current_user connection limit -1",
    "grant wandle_owner to current_user",
    "set role wandle_owner",
    "set role postgres",
    "set session authorization postgres",
    "alter default privileges for role wandle_owner grant all on tables to public",
    "reassign owned by wandle_owner to current_user",
    "drop owned by wandle_owner",
    "create trigger mine before insert on raw.gauges execute function "
    "pg_catalog.suppress_redundant_updates_trigger()",
    "create rule mine as on insert to raw.gauges do instead nothing",
    "alter table raw.gauges disable trigger all",
    "create policy mine on raw.gauges",
    "create index mine on raw.gauges (id)",
    "create statistics public.mine on id, note from raw.gauges",
    "comment on table raw.gauges is 'x'",
    "alter function ops.end_readers(regclass) security invoker",
    "create or replace function ops.session(process integer) returns text language sql "
    "as 'select 1::text'",
    "truncate ops.load",
    "select * from pg_authid",
    "select * from pg_shadow",
    "select * from pg_hba_file_rules",
    "select * from pg_file_settings",
    "select pg_reload_conf()",
    "select pg_rotate_logfile()",
    "select pg_switch_wal()",
    "select pg_create_restore_point('x')",
    "select pg_stat_reset()",
    "select pg_create_physical_replication_slot('x')",
    "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'postgres'",
    "set session_preload_libraries = 'x'",
    "set log_statement = 'none'",
    "set lc_messages = 'C'",
    "load '/tmp/x.so'",
)


@pytest.mark.parametrize("role", LOGINS)
@pytest.mark.parametrize("statement", WAYS_OUT)
def test_no_role_gets_out_of_the_database_or_into_another_role(modelled, role, statement):
    with (
        psycopg.connect(modelled.dsn(role), autocommit=True) as connection,
        pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.UndefinedObject)),
    ):
        connection.execute(statement.replace("{name}", modelled.name))  # type: ignore[arg-type]


DEFINERS = """
select p.oid::regprocedure::text, coalesce(array_to_string(p.proconfig, ' '), '')
from pg_proc as p join pg_namespace as n on n.oid = p.pronamespace
where p.prosecdef and n.nspname not in ('pg_catalog', 'information_schema')
"""


def test_functions_with_the_rights_of_their_owner_search_temporary_objects_last(modelled):
    found = dict(modelled.query(DEFINERS))

    assert found == {"ops.end_readers(regclass)": "search_path=pg_catalog, pg_temp"}


@pytest.mark.parametrize("name", ["pg_locks", "pg_stat_activity", "pg_class", "pg_database"])
def test_a_temporary_view_gains_no_rights_of_the_owner(modelled, name):
    """Left out of a `search_path`, temporary objects are found before those of PostgreSQL."""
    with psycopg.connect(modelled.dsn(TRANSFORMER)) as session:
        session.execute(
            "create function marts.evil() returns int language plpgsql as $$ begin "
            "perform set_config('attack.role', current_user, false); return 1; end $$"
        )
        session.execute(
            sql.SQL(
                "create temporary view {} as select 1 as pid, marts.evil() as oid, "
                "'relation' as locktype, 1 as database, 1 as relation, true as granted, "
                "marts.evil() as relnamespace, 'wandle_reader' as usename, "
                "current_database() as datname, marts.evil() as evil"
            ).format(sql.Identifier(name))
        )
        try:
            session.execute("select ops.end_readers('marts.crimes')")
            ran = session.execute("select current_setting('attack.role', true)").fetchone()
        finally:
            session.rollback()

    assert ran is not None
    assert ran[0] in (None, "")


@pytest.mark.parametrize("role", LOGINS)
@pytest.mark.parametrize("statement", [*LOCKS, *TRICKS])
def test_only_the_role_whose_job_it_is_can_lock_or_fill_the_warehouse(modelled, role, statement):
    assert allowed(modelled, role, statement) == (role in (LOCKS | TRICKS)[statement])


@contextmanager
def taking_everything(database: Any, role: str) -> Iterator[list[str]]:
    """Sessions of a role that hold every lock that they can get; which they got."""
    got, sessions = [], []
    wanted = [*LOCKS, "select from marts.crimes", "lock table marts.crimes in access share mode"]
    keys = [f"select pg_advisory_lock(hashtextextended('{key}', 0))" for key in OLD_KEYS]
    for statement in (*wanted, *keys):
        session = psycopg.connect(database.dsn(role), application_name="attacker")
        sessions.append(session)
        try:
            session.execute(statement)  # type: ignore[arg-type]
            got.append(statement)
        except psycopg.errors.InsufficientPrivilege:
            session.rollback()
    try:
        yield got
    finally:
        for session in sessions:
            session.close()


@pytest.mark.parametrize("role", READERS)
def test_loads_builds_and_migrations_continue_whatever_a_reader_locks(
    lake, modelled, monkeypatch, role
):
    monkeypatch.setattr(lock, "LOAD_WAIT_SECONDS", 2)
    monkeypatch.setattr(history, "LOCK_WAIT_SECONDS", 2)
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT_SECONDS", 2)
    land(lake, GAUGES, [{"id": 1, "note": role}])

    with taking_everything(modelled, role) as got:
        entry = load(GAUGES, PARTITION, lake=lake, dsn=modelled.dsn(), run_id="r")
        migrate(modelled.admin, [GAUGES], {})
        with history.building(modelled.dsn(TRANSFORMER)):
            built = True
        with lock.locked_for_removal(modelled.dsn(), PARTITION):
            removed = True

    assert got, "a reader can at least read"
    assert (entry["status"], built, removed) == ("loaded", True, True)


def test_a_load_that_waits_names_the_load_that_holds_the_partition(lake, modelled, monkeypatch):
    land(lake, GAUGES, [{"id": 2, "note": "slow"}])
    monkeypatch.setattr(lock, "LOAD_WAIT_SECONDS", 1)
    pages, begun, go_on = load_job._pages, threading.Event(), threading.Event()

    def slow(*arguments: Any) -> Iterator[Any]:
        begun.set()
        assert go_on.wait(60)
        yield from pages(*arguments)

    def run() -> Any:
        return load(GAUGES, PARTITION, lake=lake, dsn=modelled.dsn(), run_id="r")

    monkeypatch.setattr(load_job, "_pages", slow)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(run)
        assert begun.wait(60)
        with pytest.raises(ServiceUnavailable) as waited:
            run()
        go_on.set()
        assert first.result(60)["status"] == "loaded"

    said = str(waited.value)
    assert "`wandle load gauges kingston 2017-05` (role wandle_loader, process " in said
    assert ", since 20" in said
    assert "Try again later" in said
    assert modelled.query(
        "select status, error from ops.load where status = 'failed' order by load_id desc limit 1"
    ) == [("failed", said)]
    assert "pg_terminate_backend" in said


def test_a_removal_that_waits_names_who_holds_the_partition_and_releases_it_at_its_end(
    modelled, monkeypatch
):
    monkeypatch.setattr(lock, "REMOVAL_WAIT_SECONDS", 0.5)

    with lock.locked_for_removal(modelled.dsn(), PARTITION) as connection:
        connection.commit()
        with (
            pytest.raises(
                ServiceUnavailable,
                match=r"a load or another removal .*`wandle remove gauges kingston 2017-05` .ro",
            ),
            lock.locked_for_removal(modelled.dsn(), PARTITION),
        ):
            pass

    with lock.locked_for_removal(modelled.dsn(), PARTITION) as connection:
        assert connection.execute("select 1").fetchone() == (1,)


def test_the_lock_of_a_session_that_was_killed_is_free_at_once(modelled, monkeypatch):
    monkeypatch.setattr(lock, "LOAD_WAIT_SECONDS", 5)
    killed = psycopg.connect(modelled.dsn(), cursor_factory=psycopg.RawCursor)
    lock.lock_for_load(killed, PARTITION)
    modelled.query(f"select pg_terminate_backend({killed.info.backend_pid})")
    began = time.monotonic()

    with psycopg.connect(modelled.dsn(), cursor_factory=psycopg.RawCursor) as next_one:
        lock.lock_for_load(next_one, PARTITION)

    assert time.monotonic() - began < 2
    killed.close()


def test_a_build_that_waits_names_the_build_that_runs(modelled, monkeypatch):
    monkeypatch.setattr(history, "LOCK_WAIT_SECONDS", 0.5)
    dsn = modelled.dsn(TRANSFORMER)

    with (
        history.building(dsn),
        pytest.raises(ServiceUnavailable, match=r"`wandle transform` \(role wandle_transformer, "),
        history.building(dsn),
    ):
        pass

    with history.building(dsn):
        pass


def test_an_open_build_does_not_keep_vacuum_from_removing_dead_rows(modelled):
    with history.building(modelled.dsn(TRANSFORMER)):
        assert modelled.query(
            "select backend_xid, backend_xmin from pg_stat_activity where pid in "
            "(select pid from pg_locks where relation = 'ops.build_lock'::regclass)"
        ) == [(None, None)]


def test_a_migration_that_waits_names_who_migrates_and_who_uses_a_table(modelled, monkeypatch):
    monkeypatch.setattr(migrating, "LOCK_TIMEOUT_SECONDS", 0.3)
    with psycopg.connect(modelled.admin, application_name="another one") as other:
        other.execute("lock table ops.migration_lock in exclusive mode")
        with pytest.raises(
            ServiceUnavailable, match=r"another migration has been running .* `another one` .role"
        ):
            migrate(modelled.admin, [GAUGES], {})

    wider = contract(*GAUGES.model_dump()["columns"], {"name": "depth", "type": "double",
                     "description": "d"}, key=["id"])  # fmt: skip
    with psycopg.connect(modelled.dsn(TRANSFORMER), application_name="a report") as other:
        other.execute("select from raw.gauges")
        with pytest.raises(ServiceUnavailable, match=r"`a report` .role wandle_transformer"):
            migrate(modelled.admin, [wider], {})


@pytest.fixture(scope="module")
def built(
    new_database, migrated, tmp_path_factory
) -> Iterator[tuple[Any, Callable[[], list[str]]]]:
    """A warehouse whose marts dbt has built, and dbt, which waits a second for readers."""
    database = new_database(migrated.name)
    dsn = database.dsn(TRANSFORMER).replace("transformer@", "transformer:none@")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(process, "_SERVER_OPTIONS", "-c lock_timeout=1s")
        home = tmp_path_factory.mktemp("dbt")
        with Dbt(dsn=dsn, home=home, progress=lambda line: None) as dbt:

            def build() -> list[str]:
                return build_models_of(dbt, "police_street_crime")

            build()
            yield database, build


MART = "select count(*) from marts.ward_crime_monthly"


@pytest.mark.parametrize("role", READERS)
def test_a_mart_is_replaced_although_a_reader_holds_it_and_comes_back(built, role):
    database, build = built
    done, holding = threading.Event(), threading.Event()
    ended = 0

    def hold() -> None:
        nonlocal ended
        while not done.is_set():
            try:
                with psycopg.connect(database.dsn(role)) as connection:
                    connection.execute("set idle_in_transaction_session_timeout = 0")
                    connection.execute(MART)
                    holding.set()
                    while not done.is_set():
                        connection.execute("select pg_sleep(0.1)")
            except psycopg.OperationalError:
                ended += 1

    before = database.value("select 'marts.ward_crime_monthly'::regclass::oid")
    with ThreadPoolExecutor(2) as pool:
        attackers = [pool.submit(hold) for _ in range(2)]
        try:
            assert holding.wait(20)
            build()
        finally:
            done.set()
        for attacker in attackers:
            attacker.result(20)

    assert ended
    assert database.value("select 'marts.ward_crime_monthly'::regclass::oid") != before


def test_a_build_names_who_holds_a_mart_if_that_is_not_a_reader(built):
    database, build = built

    with psycopg.connect(database.admin, application_name="pg_dump") as other:
        other.execute(MART)  # type: ignore[arg-type]
        with pytest.raises(AssertionError) as failed:
            build()

    said = str(failed.value)
    assert "due to lock timeout: marts.ward_crime_monthly is in use by `pg_dump` (role" in said


def test_a_reader_has_limits_that_a_migration_restores(modelled):
    for role in LIMITED:
        modelled.query("alter role current_user set statement_timeout = 1", role=role)
        modelled.query(
            f"alter role current_user in database {modelled.name} set work_mem = '1MB'", role=role
        )
        with psycopg.connect(modelled.admin) as connection:
            assert dict(grants_check.problems(connection))[role]

    migrate(modelled.admin, [GAUGES], {})

    with psycopg.connect(modelled.admin) as connection:
        found = dict(grants_check.problems(connection))
    assert {found[role] for role in LIMITED} == {""}
    assert modelled.query(
        "select rolname, rolconnlimit from pg_roles where rolname = any("
        "array['wandle_portal', 'wandle_publisher', 'wandle_reader']) order by 1"
    ) == [(role, limits.CONNECTION_LIMIT) for role in LIMITED]
    for role in LIMITED:
        assert modelled.query("show temp_file_limit", role=role) == [("4GB",)]
        assert not allowed(modelled, role, "set temp_file_limit = -1")


def test_readers_cannot_take_all_connections(modelled):
    taken: list[psycopg.Connection] = []
    try:
        for _ in range(limits.CONNECTION_LIMIT):
            taken.append(psycopg.connect(modelled.dsn(READER)))
        with pytest.raises(psycopg.OperationalError, match="too many connections for role"):
            psycopg.connect(modelled.dsn(READER))
        assert modelled.query("select 1", role=LOADER) == [(1,)]
    finally:
        for connection in taken:
            connection.close()


@pytest.mark.parametrize("role", LOGINS)
@pytest.mark.parametrize("database", ["postgres", "template1"])
def test_no_role_can_connect_to_databases_other_than_the_warehouse(modelled, role, database):
    dsn = modelled.dsn(role).replace(f"/{modelled.name}?", f"/{database}?")

    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        psycopg.connect(dsn)


@pytest.mark.parametrize(
    ("grant", "revoke", "said"),
    [
        ("grant temporary on database {} to public", "revoke temporary on database {} from public",
         "it may create temporary tables"),
        ("alter role wandle_reader connection limit -1",
         "alter role wandle_reader connection limit 30", "its connection limit is -1, expected 30"),
        ("alter role wandle_reader set statement_timeout = 0",
         "alter role wandle_reader set statement_timeout = '30min'",
         "its settings are not exactly"),
        ("grant select on marts.crimes to wandle_publisher",
         "revoke select on marts.crimes from wandle_publisher", "it may SELECT marts.crimes"),
        ("grant select (source) on ops.load to wandle_publisher",
         "revoke select (source) on ops.load from wandle_publisher",
         "it may read columns of ops.load"),
        ("grant select on ops.partition_lock to wandle_reader",
         "revoke select on ops.partition_lock from wandle_reader",
         "it may SELECT ops.partition_lock"),
    ],
)  # fmt: skip
def test_the_check_of_grants_finds_a_reader_with_more_rights(modelled, grant, revoke, said):
    name = sql.Identifier(modelled.name)
    role = PUBLISHER if PUBLISHER in grant else READER
    with psycopg.connect(modelled.admin, autocommit=True) as connection:
        connection.execute(sql.SQL(grant).format(name))
        try:
            found = dict(grants_check.problems(connection))[role]
        finally:
            connection.execute(sql.SQL(revoke).format(name))

        assert said in found
        assert said not in dict(grants_check.problems(connection))[role]
