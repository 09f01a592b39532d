"""`wandle migrate` on AWS: empty secrets and an empty database become an environment."""

from __future__ import annotations

import json

import psycopg
import pytest

from include.errors import PermanentError
from include.jobs.aws.environment import GENERATED, migrate_environment
from include.local.containers import prepare_broker
from include.settings import Settings
from tests.aws.conftest import BUCKET, REGION, SECRETS, connect

FILLED = [name for name in SECRETS if name != "oidc_client_secret"]


@pytest.fixture
def migrated(environment: Settings) -> Settings:
    migrate_environment(environment)
    return environment


def test_every_secret_but_that_of_the_login_is_filled(aws, environment):
    assert [name for name in SECRETS if aws.secret(name)] == []

    changed = migrate_environment(environment)

    assert [name for name in SECRETS if aws.secret(name)] == FILLED
    assert len(FILLED) == 6 + 1 + 1 + len(GENERATED)
    assert set(changed) >= {f"wrote secret {name}" for name in FILLED}
    assert {"created role wandle_loader", "created database airflow"} <= set(changed)


def test_a_second_time_nothing_changes(aws, migrated):
    before = {name: aws.secret(name) for name in SECRETS}

    assert migrate_environment(migrated) == []
    assert {name: aws.secret(name) for name in SECRETS} == before


def test_hosts_share_the_brokers_password_and_reach_it_by_other_names(aws, migrated, tmp_path):
    urls = {}
    for name in ("redis", "wandle-dev-internal.elb.test"):
        volumes = tmp_path / name
        for volume in ("home", "redis"):
            (volumes / volume).mkdir(parents=True)
        host = {"broker_host": name, "home": volumes / "admin"}
        prepare_broker(migrated.model_copy(update=host), volumes)
        urls[name] = (volumes / "home" / "broker_url").read_text()

    password = aws.secret("broker_password")
    assert len(password) >= 48
    assert urls == {name: f"redis://:{password}@{name}:6379/0" for name in urls}
    assert (tmp_path / "redis" / "redis" / "redis.conf").read_text().split() == [
        "requirepass",
        password,
    ]


def test_without_its_secret_no_broker_is_started(environment, tmp_path):
    with pytest.raises(PermanentError, match=r"broker_password has no value yet\. Run `wandle mig"):
        prepare_broker(environment.model_copy(update={"home": tmp_path}), tmp_path)


@pytest.mark.parametrize(
    "field", ["loader_dsn", "transformer_dsn", "portal_dsn", "reader_dsn", "publisher_dsn"]
)
def test_each_role_connects_with_the_address_that_settings_find(migrated, field):
    with connect(migrated.need(field)) as connection:
        role, tls = connection.execute(
            "select current_user, (select ssl from pg_stat_ssl where pid = pg_backend_pid())"
        ).fetchone()

    assert role.startswith("wandle_")
    assert tls


def test_the_address_requires_the_servers_own_certificate(migrated, tmp_path):
    dsn = migrated.need("loader_dsn")
    assert "sslmode=verify-full" in dsn
    other = dsn.replace("localhost", "127.0.0.1")

    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        connect(other)


def test_connections_without_tls_are_refused(migrated):
    plain = migrated.need("loader_dsn").replace("sslmode=verify-full", "sslmode=disable")

    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        connect(plain)


def test_airflow_has_its_own_database_and_the_warehouse_s_roles_cannot_connect_to_it(
    aws, migrated, monkeypatch
):
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", migrated.database_ca)
    dsn = aws.secret("config/sql_alchemy_conn").replace("+psycopg2", "")

    with connect(dsn) as connection:
        connection.execute("create table a (a int)")
    with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
        connect(migrated.need("loader_dsn").replace("/warehouse", "/airflow"))


def test_a_role_gets_a_new_password_when_asked_and_the_old_one_no_longer_works(migrated):
    old, other = migrated.need("loader_dsn"), migrated.need("reader_dsn")

    changed = migrate_environment(migrated, rotate=["wandle_loader"])

    assert changed == ["wrote secret connections/wandle_loader"]
    connect(migrated.need("loader_dsn")).close()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        connect(old)
    assert migrated.need("reader_dsn") == other


def test_airflow_s_own_password_can_be_rotated_too(aws, migrated):
    migrate_environment(migrated, rotate=["airflow"])

    password = json.loads(aws.secret("connections/airflow"))["password"]
    assert password in aws.secret("config/sql_alchemy_conn")


def test_an_interrupted_rotation_is_completed_by_running_it_again(aws, migrated, postgres):
    with psycopg.connect(postgres.root) as connection:
        connection.execute("alter role wandle_loader password 'something else'")

    migrate_environment(migrated)

    connect(migrated.need("loader_dsn")).close()


def test_a_role_that_is_not_wandle_s_is_not_touched(migrated):
    with pytest.raises(PermanentError, match=r"unknown role 'postgres'\. Known: wandle_loader"):
        migrate_environment(migrated, rotate=["postgres"])


def test_a_secret_that_terraform_did_not_make_is_named(aws, environment):
    aws.client("secretsmanager").delete_secret(
        SecretId="wandle/dev/pseudonym_key", ForceDeleteWithoutRecovery=True
    )

    with pytest.raises(PermanentError, match=r"wandle/dev/pseudonym_key.*Check that it exists"):
        migrate_environment(environment)


def test_the_connection_of_the_bucket_holds_no_key(aws, migrated):
    assert json.loads(aws.secret("connections/wandle_s3")) == {
        "conn_type": "aws",
        "extra": {
            "region_name": REGION,
            "service_config": {"s3": {"bucket_name": BUCKET}},
        },
    }


def test_no_password_reaches_the_server_s_log_where_statements_are_logged(aws, migrated, postgres):
    roles = (
        "wandle_loader",
        "wandle_transformer",
        "wandle_portal",
        "wandle_reader",
        "wandle_publisher",
        "airflow",
    )
    passwords = [json.loads(aws.secret(f"connections/{role}"))["password"] for role in roles]

    log = postgres.log()

    assert log.count("alter role") >= len(roles)
    assert [password for password in passwords if password in log] == []
