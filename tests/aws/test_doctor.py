"""`wandle doctor --aws`: green on a whole environment, red for each thing taken away."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest
import requests
from typer.testing import CliRunner

from include.aws.roles import session_as
from include.cli import app
from include.errors import PermanentError
from include.jobs.aws.aws_doctor import JOBS, PARTS, aws_doctor
from include.jobs.aws.environment import migrate_environment
from include.settings import Settings
from include.sources.model import contracts
from tests.aws.conftest import BUCKET, REGION, ROLE, Aws, applied, empty_account
from tests.aws.postgres import ADMIN, TlsServer

ARN = f"arn:aws:s3:::{BUCKET}"
NAMES = [*(f"extract-{name}" for name in contracts()), *JOBS]
TLS_ONLY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "s3:*",
            "Resource": [ARN, f"{ARN}/*"],
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}
LIFECYCLE: dict[str, Any] = {
    "ID": "every-zone",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 30},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 2},
}
PUBLIC_ACCESS = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": True,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": True,
}
TRUST = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}],
}


def make_bucket(aws: Aws) -> None:
    """The bucket as Terraform's module `lake` makes it."""
    s3 = aws.client("s3")
    s3.create_bucket(
        Bucket=BUCKET,
        CreateBucketConfiguration={"LocationConstraint": REGION},
        ObjectOwnership="BucketOwnerEnforced",
    )
    s3.put_public_access_block(Bucket=BUCKET, PublicAccessBlockConfiguration=PUBLIC_ACCESS)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    s3.put_bucket_encryption(
        Bucket=BUCKET,
        ServerSideEncryptionConfiguration={
            "Rules": [
                {
                    "ApplyServerSideEncryptionByDefault": {
                        "SSEAlgorithm": "aws:kms",
                        "KMSMasterKeyID": "arn:aws:kms:eu-west-2:123456789012:key/a",
                    }
                }
            ]
        },
    )
    s3.put_bucket_policy(Bucket=BUCKET, Policy=json.dumps(TLS_ONLY))
    s3.put_bucket_lifecycle_configuration(
        Bucket=BUCKET, LifecycleConfiguration={"Rules": [LIFECYCLE]}
    )


def make_roles(aws: Aws) -> None:
    for name in NAMES:
        aws.client("iam").create_role(
            RoleName=f"wandle-dev-{name}", AssumeRolePolicyDocument=json.dumps(TRUST)
        )


def make_instance(aws: Aws, **changes: Any) -> str:
    """The database as Terraform's module `warehouse` makes it; its address."""
    rds = aws.client("rds")
    rds.create_db_parameter_group(
        DBParameterGroupName="wandle-dev", DBParameterGroupFamily="postgres17", Description="d"
    )
    force_tls(aws, "1")
    rds.create_db_instance(
        **{
            "DBInstanceIdentifier": "wandle-dev",
            "DBInstanceClass": "db.t4g.small",
            "Engine": "postgres",
            "AllocatedStorage": 20,
            "MasterUsername": ADMIN,
            "MasterUserPassword": "not used here",
            "DBParameterGroupName": "wandle-dev",
            "StorageEncrypted": True,
            "PubliclyAccessible": False,
            "BackupRetentionPeriod": 7,
        }
        | changes
    )
    endpoint = rds.describe_db_instances(DBInstanceIdentifier="wandle-dev")["DBInstances"][0][
        "Endpoint"
    ]
    return f"{endpoint['Address']}:{endpoint['Port']}"


def force_tls(aws: Aws, value: str) -> None:
    aws.client("rds").modify_db_parameter_group(
        DBParameterGroupName="wandle-dev",
        Parameters=[
            {
                "ParameterName": "rds.force_ssl",
                "ParameterValue": value,
                "ApplyMethod": "immediate",
            }
        ],
    )


def checked(part: str) -> dict[str, str]:
    """Check -> what is wrong, of one part."""
    return {check.name: check.problem for check in aws_doctor(Settings.read(), [part])}


def red(part: str) -> dict[str, str]:
    """Only what is wrong; each with what to do."""
    found = [check for check in aws_doctor(Settings.read(), [part]) if not check.passed]
    assert all(check.fix for check in found), found
    return {check.name: check.problem for check in found}


# --- the bucket ---


BUCKET_TAKEN_AWAY: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "private": ("not configured", lambda s3: s3.delete_public_access_block(Bucket=BUCKET)),
    "private (in part)": (
        "BlockPublicPolicy off",
        lambda s3: s3.put_public_access_block(
            Bucket=BUCKET,
            PublicAccessBlockConfiguration=PUBLIC_ACCESS | {"BlockPublicPolicy": False},
        ),
    ),
    "owned by this account": (
        "not configured",
        lambda s3: s3.delete_bucket_ownership_controls(Bucket=BUCKET),
    ),
    "versioned": (
        "versioning is Suspended",
        lambda s3: s3.put_bucket_versioning(
            Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"}
        ),
    ),
    "encrypted": (
        "encrypted with AES256",
        lambda s3: s3.put_bucket_encryption(
            Bucket=BUCKET,
            ServerSideEncryptionConfiguration={
                "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
            },
        ),
    ),
    "TLS only": ("not configured", lambda s3: s3.delete_bucket_policy(Bucket=BUCKET)),
    "TLS only (objects)": (
        "does not deny",
        lambda s3: s3.put_bucket_policy(
            Bucket=BUCKET,
            Policy=json.dumps(TLS_ONLY).replace(f', "{ARN}/*"', ""),
        ),
    ),
    "lifecycle": ("not configured", lambda s3: s3.delete_bucket_lifecycle(Bucket=BUCKET)),
    "lifecycle (uploads)": (
        "incomplete multipart uploads",
        lambda s3: s3.put_bucket_lifecycle_configuration(
            Bucket=BUCKET,
            LifecycleConfiguration={
                "Rules": [
                    {k: v for k, v in LIFECYCLE.items() if k != "AbortIncompleteMultipartUpload"}
                ]
            },
        ),
    ),
    "lifecycle (landings)": (
        "expires landings",
        lambda s3: s3.put_bucket_lifecycle_configuration(
            Bucket=BUCKET,
            LifecycleConfiguration={"Rules": [LIFECYCLE | {"Expiration": {"Days": 9}}]},
        ),
    ),
    "exists": ("returned 404", lambda s3: s3.delete_bucket(Bucket=BUCKET)),
}


@pytest.fixture
def bucket(aws: Aws) -> Any:
    make_bucket(aws)
    return aws.client("s3")


def test_a_bucket_as_terraform_makes_it_is_green(bucket):
    assert red("bucket") == {}
    assert len(checked("bucket")) == 7


@pytest.mark.parametrize("what", BUCKET_TAKEN_AWAY)
def test_a_bucket_is_red_for_what_was_taken_away_and_for_nothing_else(bucket, what):
    says, take_away = BUCKET_TAKEN_AWAY[what]

    take_away(bucket)

    found = red("bucket")
    assert list(found) == [f"bucket: {what.partition(' (')[0]}"]
    assert says in found[f"bucket: {what.partition(' (')[0]}"]


# --- the roles ---


def test_roles_that_are_there_are_green_and_every_job_has_one(aws):
    make_roles(aws)

    assert red("roles") == {}
    assert len(checked("roles")) == len(NAMES) >= 12


def test_with_the_read_api_its_role_is_checked_too(aws, monkeypatch):
    make_roles(aws)
    monkeypatch.setenv("WANDLE_API_URL", "https://api.example.gov.uk")

    assert red("roles") == {"role: wandle-dev-serve": "the role does not exist."}


def test_each_role_that_is_missing_is_red(aws):
    make_roles(aws)
    iam = aws.client("iam")

    for name in NAMES:
        role = f"wandle-dev-{name}"
        iam.delete_role(RoleName=role)
        assert red("roles") == {f"role: {role}": "the role does not exist."}
        iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(TRUST))


def test_a_role_that_the_host_may_not_assume_is_red(aws, moto_url, monkeypatch):
    make_roles(aws)
    iam = aws.client("iam")
    allowed = [ROLE.format(job=name) for name in NAMES if name != "load"]
    for user, may in (
        ("host", {"Effect": "Allow", "Action": "sts:AssumeRole", "Resource": allowed}),
    ):
        iam.create_user(UserName=user)
        policy = {"Version": "2012-10-17", "Statement": [may]}
        iam.put_user_policy(UserName=user, PolicyName="may", PolicyDocument=json.dumps(policy))
    look = {"Effect": "Allow", "Action": "iam:GetRole", "Resource": "*"}
    iam.put_role_policy(
        RoleName="wandle-dev-doctor",
        PolicyName="may",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [look]}),
    )
    key = iam.create_access_key(UserName="host")["AccessKey"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
    session_as.cache_clear()
    requests.post(f"{moto_url}/moto-api/reset-auth", data=b"0", timeout=10).raise_for_status()
    try:
        found = red("roles")
    finally:
        requests.post(f"{moto_url}/moto-api/reset-auth", data=b"inf", timeout=10)

    assert list(found) == ["role: wandle-dev-load"]
    assert "AccessDenied" in found["role: wandle-dev-load"]


def test_an_environment_without_roles_is_red(aws, monkeypatch):
    monkeypatch.delenv("WANDLE_JOB_ROLE")

    assert "every job runs with the rights of the host" in red("roles")["roles"]


# --- the instance ---


def test_an_instance_as_terraform_makes_it_is_green(aws, monkeypatch):
    monkeypatch.setenv("WANDLE_DATABASE", make_instance(aws))

    assert red("instance") == {}
    assert len(checked("instance")) == 5


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"StorageEncrypted": False}, "encrypted"),
        ({"PubliclyAccessible": True}, "private"),
        ({"BackupRetentionPeriod": 0}, "backed up"),
    ],
)
def test_an_instance_is_red_for_what_was_taken_away(aws, monkeypatch, changes, check):
    monkeypatch.setenv("WANDLE_DATABASE", make_instance(aws, **changes))

    assert list(red("instance")) == [f"instance: {check}"]


def test_an_instance_that_does_not_force_tls_is_red(aws, monkeypatch):
    monkeypatch.setenv("WANDLE_DATABASE", make_instance(aws))
    force_tls(aws, "0")

    assert list(red("instance")) == ["instance: forces TLS"]


def test_an_instance_other_than_the_one_in_settings_is_red(aws, monkeypatch):
    make_instance(aws)
    monkeypatch.setenv("WANDLE_DATABASE", "elsewhere:5432")

    assert list(red("instance")) == ["instance: matches the settings"]


def test_no_instance_is_red(aws, monkeypatch):
    monkeypatch.setenv("WANDLE_DATABASE", "elsewhere:5432")

    assert "DBInstanceNotFound" in red("instance")["instance: exists"]


# --- the secrets and the database ---


@dataclass
class Whole:
    """An environment in which everything is as it should be."""

    aws: Aws
    settings: Settings
    postgres: TlsServer

    def root(self, statement: str, database: str = "warehouse") -> None:
        """Do something to the server that the pipeline could not."""
        dsn = self.postgres.root.replace("/postgres?", f"/{database}?")
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def made(
    moto_url: str, postgres: TlsServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Whole]:
    with pytest.MonkeyPatch.context() as patch:
        aws = empty_account(moto_url, patch, tmp_path_factory.mktemp("doctor"))
        settings = applied(aws, postgres, patch)
        patch.setenv("WANDLE_OIDC_ISSUER", "https://login.example.org")
        aws.client("secretsmanager").put_secret_value(
            SecretId="wandle/dev/oidc_client_secret", SecretString="from the provider"
        )
        migrate_environment(settings)
        yield Whole(aws, settings, postgres)


@pytest.fixture
def secrets(made: Whole) -> Iterator[Whole]:
    """The same; what a test does to a secret is undone."""
    before = {name: made.aws.secret(name) for name in SECRETS}
    yield made
    client = made.aws.client("secretsmanager")
    for name, value in before.items():
        if made.aws.secret(name) != value:
            client.delete_secret(SecretId=f"wandle/dev/{name}", ForceDeleteWithoutRecovery=True)
            client.create_secret(Name=f"wandle/dev/{name}", SecretString=value)


SECRETS = (
    *(f"connections/wandle_{name}" for name in ("loader", "transformer", "portal", "reader")),
    *(f"connections/wandle_{name}" for name in ("publisher", "s3")),
    *("connections/airflow", "config/sql_alchemy_conn", "config/fernet_key"),
    *("config/api_secret_key", "config/jwt_secret", "broker_password", "pseudonym_key"),
    "oidc_client_secret",
)


def test_secrets_as_migrate_fills_them_are_green(secrets):
    assert red("secrets") == {}
    assert set(checked("secrets")) == {f"secret: wandle/dev/{name}" for name in SECRETS}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_is_missing_is_red(secrets, name):
    client = secrets.aws.client("secretsmanager")
    client.delete_secret(SecretId=f"wandle/dev/{name}", ForceDeleteWithoutRecovery=True)

    assert list(red("secrets")) == [f"secret: wandle/dev/{name}"]


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_without_a_value_is_red(secrets, name):
    client = secrets.aws.client("secretsmanager")
    client.delete_secret(SecretId=f"wandle/dev/{name}", ForceDeleteWithoutRecovery=True)
    client.create_secret(Name=f"wandle/dev/{name}")

    assert red("secrets") == {f"secret: wandle/dev/{name}": "it has no value."}


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_that_holds_something_else_is_red_and_not_shown(secrets, name):
    client = secrets.aws.client("secretsmanager")
    other = " " if name == "oidc_client_secret" else "hunter2"
    client.put_secret_value(SecretId=f"wandle/dev/{name}", SecretString=other)

    found = red("secrets")

    assert list(found) == [f"secret: wandle/dev/{name}"]
    assert "hunter2" not in str(found)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("verify-full", "require"), "sslmode is require"),
        (("localhost", "elsewhere"), "it is for elsewhere"),
        (('"wandle_loader"', '"wandle_admin"'), "it is for wandle_admin"),
    ],
)
def test_a_connection_to_something_else_is_red(secrets, change, says):
    name = "connections/wandle_loader"
    value = (secrets.aws.secret(name) or "").replace(*change)
    secrets.aws.client("secretsmanager").put_secret_value(
        SecretId=f"wandle/dev/{name}", SecretString=value
    )

    assert says in red("secrets")[f"secret: wandle/dev/{name}"]


def test_a_database_as_migrate_makes_it_is_green(made):
    assert red("database") == {}
    assert len(checked("database")) == 6 + 2 + 6


DATABASE_TAKEN_AWAY = {
    "alter role wandle_loader superuser": (
        "alter role wandle_loader nosuperuser",
        "wandle_loader can do its job and no more",
        "a superuser",
    ),
    "grant wandle_loader to wandle_reader": (
        "revoke wandle_loader from wandle_reader",
        "wandle_reader can do its job and no more",
        "a member of wandle_loader",
    ),
    "alter role wandle_owner login": (
        "alter role wandle_owner nologin",
        "wandle_owner can do its job and no more",
        "it can log in",
    ),
    "grant update on raw.bank_holidays to wandle_loader": (
        "revoke update on raw.bank_holidays from wandle_loader",
        "wandle_loader can do its job and no more",
        "it may UPDATE raw.bank_holidays",
    ),
    "grant select on ops.quarantine to wandle_reader": (
        "revoke select on ops.quarantine from wandle_reader",
        "wandle_reader can do its job and no more",
        "it may SELECT ops.quarantine",
    ),
    "revoke insert on raw.bank_holidays from wandle_loader": (
        "grant insert on raw.bank_holidays to wandle_loader",
        "wandle_loader can do its job and no more",
        "it may not INSERT raw.bank_holidays",
    ),
    "grant create on schema marts to wandle_portal": (
        "revoke create on schema marts from wandle_portal",
        "wandle_portal can do its job and no more",
        "it may create tables in marts",
    ),
    "grant connect on database airflow to public": (
        "revoke connect on database airflow from public",
        "the pipeline cannot access Airflow's metadata",
        "can connect to Airflow's database",
    ),
    "alter role wandle_reader nologin": (
        "alter role wandle_reader login",
        "wandle_reader can log in over TLS",
        "not permitted to log in",
    ),
}


@pytest.mark.parametrize("statement", DATABASE_TAKEN_AWAY)
def test_a_database_is_red_for_what_was_done_to_it(made, statement):
    undo, check, says = DATABASE_TAKEN_AWAY[statement]
    made.root(statement)
    try:
        found = red("database")
    finally:
        made.root(undo)

    assert says in found[f"database: {check}"]
    others = {name for name in found if "wandle_reader" not in name} - {f"database: {check}"}
    assert others <= {"database: the pipeline cannot access Airflow's metadata"}


def test_a_server_that_takes_plain_connections_is_red(made):
    with made.postgres.plain_connections_allowed():
        found = red("database")

    assert found == {
        "database: refuses connections without TLS": "it accepts connections without TLS."
    }


def test_a_server_with_the_certificate_of_another_is_red_for_everybody(made, secrets):
    client = secrets.aws.client("secretsmanager")
    for name in [name for name in SECRETS if name.startswith("connections/")]:
        value = (secrets.aws.secret(name) or "").replace('"localhost"', '"127.0.0.1"')
        client.put_secret_value(SecretId=f"wandle/dev/{name}", SecretString=value)

    found = red("database")

    assert len(found) == 6
    assert all("does not match host name" in problem for problem in found.values())


# --- the command ---


def test_the_command_shows_green_and_red_and_fails_if_anything_is_red(bucket):
    well = CliRunner().invoke(app, ["doctor", "--aws", "--only", "bucket"])
    bucket.delete_bucket_policy(Bucket=BUCKET)
    ill = CliRunner().invoke(app, ["doctor", "--aws", "--only", "bucket"])

    assert (well.exit_code, ill.exit_code) == (0, 1)
    assert "✓ bucket: TLS only" in well.stdout
    assert "✗ bucket: TLS only" in ill.stdout
    assert "terraform apply" in ill.stdout


def test_without_an_environment_there_is_nothing_to_check(aws, monkeypatch):
    monkeypatch.delenv("WANDLE_ENVIRONMENT")

    with pytest.raises(PermanentError, match="WANDLE_ENVIRONMENT is not set"):
        list(aws_doctor(Settings.read()))


def test_a_part_that_does_not_exist_is_refused(aws):
    with pytest.raises(PermanentError, match=f"unknown part 'purse'. Known: {', '.join(PARTS)}"):
        list(aws_doctor(Settings.read(), ["purse"]))
