"""Both environments can be applied, used and destroyed with only the required variables set."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import boto3
import pytest
from dotenv import dotenv_values

from include.jobs.aws.aws_doctor import aws_doctor
from include.jobs.aws.environment import migrate_environment
from include.jobs.lake import lake_of
from include.jobs.pipeline.extract import extract
from include.jobs.pipeline.load import load
from include.settings import Settings
from include.sources.model import contract
from tests.aws.postgres import ADMIN, TlsServer, tls_server
from tests.infra.apply.inventory import inventory
from tests.infra.folders import DIGEST, STATE_BUCKET, TERRAFORM, Terraform
from tests.infra.policies import Request, allows, read, resources_of
from tests.integration.conftest import AS_OF, serving

# What moto does not store, so that a second plan sets it again: by resource, the attributes and
# the reason. AWS stores all of these.
FORGOTTEN = {
    "module.environment.module.airflow_host.aws_vpc_security_group_egress_rule.warehouse": (
        {"description"},
        "moto drops the description of a rule that refers to another security group",
    ),
    "module.environment.module.warehouse.aws_vpc_security_group_ingress_rule.clients": (
        {"description"},
        "moto drops the description of a rule that refers to another security group",
    ),
    "module.environment.module.warehouse.aws_db_instance.this": (
        {
            "performance_insights_enabled",
            "performance_insights_kms_key_id",
            "performance_insights_retention_period",
        },
        "moto does not support Performance Insights",
    ),
    "module.environment.module.warehouse.aws_db_parameter_group.this": (
        {"parameter"},
        "moto does not store the parameters of a parameter group",
    ),
}

# What turning off the protection of prod changes: by resource, the attributes.
UNPROTECTED = {
    "module.environment.module.key.aws_kms_key.this": {"deletion_window_in_days"},
    "module.environment.module.lake.aws_s3_bucket.access_logs": {"force_destroy"},
    "module.environment.module.lake.aws_s3_bucket.lake": {"force_destroy"},
    "module.environment.module.secrets.aws_secretsmanager_secret.this": {"recovery_window_in_days"},
    "module.environment.module.warehouse.aws_db_instance.this": {"deletion_protection"},
    "module.environment.terraform_data.protection": {"input", "output"},
}

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def environments(aws: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Terraform]:
    """Apply bootstrap, then both environments, as in docs/deploy.md."""
    bootstrap = Terraform(TERRAFORM / "bootstrap", tmp_path_factory.mktemp("bootstrap"))
    bootstrap.init()
    bootstrap.apply()
    assert bootstrap.outputs()["state_bucket"] == STATE_BUCKET

    def applied(name: str) -> Terraform:
        root = Terraform(TERRAFORM / "environments" / name, tmp_path_factory.mktemp(name))
        root.init()
        root.apply()
        remove_template_tags(f"wandle-{name}-")
        return root

    names = ("dev", "prod")
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(applied, names), strict=True))


def remove_template_tags(prefix: str) -> None:
    """Remove the template's own tags, which moto adds to the tags of its instances."""
    ec2, groups = boto3.client("ec2"), boto3.client("autoscaling")
    for template in ec2.describe_launch_templates()["LaunchTemplates"]:
        name = template["LaunchTemplateName"]
        if not name.startswith(prefix):
            continue
        found = ec2.describe_launch_template_versions(
            LaunchTemplateName=name, Versions=["$Latest"]
        )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
        found["TagSpecifications"] = [
            tags for tags in found["TagSpecifications"] if tags["ResourceType"] != "launch-template"
        ]
        version = ec2.create_launch_template_version(
            LaunchTemplateName=name, LaunchTemplateData=found
        )["LaunchTemplateVersion"]["VersionNumber"]
        ec2.modify_launch_template(LaunchTemplateName=name, DefaultVersion=str(version))
        groups.update_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": name, "Version": str(version)},
        )


@pytest.fixture(scope="module")
def postgres() -> Iterator[TlsServer]:
    """A real PostgreSQL that requires TLS, in place of RDS."""
    with tls_server() as server:
        yield server


@pytest.fixture(params=["dev", "prod"])
def host(request, environments, postgres, monkeypatch, tmp_path) -> Settings:
    """The settings that the host passes to its containers, with a running PostgreSQL."""
    outputs = environments[request.param].outputs()
    postgres.empty()
    boto3.client("secretsmanager").put_secret_value(
        SecretId=outputs["admin_secret_arn"],
        SecretString=json.dumps({"username": ADMIN, "password": postgres.password}),
    )
    variables = {
        **outputs["settings"],
        "WANDLE_ADMIN_SECRET": outputs["admin_secret_arn"],
        "WANDLE_DATABASE": postgres.address,
        "WANDLE_DATABASE_CA": str(postgres.ca),
        "PGSSLROOTCERT": str(postgres.ca),
        "WANDLE_HOME": str(tmp_path),
        "WANDLE_LIVE": "",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with serving(create_sandbox()) as url:
        monkeypatch.setenv("WANDLE_SANDBOX_URL", url)
        yield Settings.read()


def create_sandbox() -> Any:
    from sandbox.app import create_app

    return create_app(seed=7, as_of=AS_OF, rate_per_second=1e6, burst=1_000_000)


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_a_second_plan_changes_nothing(environments, name):
    plan = environments[name].plan()

    assert len(plan["resource_changes"]) > 100
    assert changes(plan) == forgotten()


def forgotten() -> dict[str, set[str]]:
    return {address: attributes for address, (attributes, _) in FORGOTTEN.items()}


def changes(plan: dict[str, Any]) -> dict[str, set[str]]:
    """The attributes that a plan changes, by resource."""
    found: dict[str, set[str]] = {}
    for change in plan["resource_changes"]:
        if change["change"]["actions"] not in (["no-op"], ["read"]):
            address = change["address"].partition("[")[0]
            found[address] = found.get(address, set()) | _changed(change["change"])
    return found


def _changed(change: dict[str, Any]) -> set[str]:
    """The attributes that an in-place update changes."""
    assert change["actions"] == ["update"]
    before, after, unknown = change["before"], change["after"], change["after_unknown"]
    return {
        name
        for name in before
        if unknown.get(name) is True or (name in after and before[name] != after[name])
    }


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_migrate_can_read_only_the_admin_secret_of_its_own_database(environments, name):
    own = environments[name].outputs()["admin_secret_arn"]
    others = environments[{"dev": "prod", "prod": "dev"}[name]].outputs()["admin_secret_arn"]
    address = "module.environment.module.identity.aws_iam_role_policy.admin_secret"
    statements = next(
        read(address, resource["values"]["policy"])
        for resource in resources_of(environments[name].plan())
        if resource["address"] == address
    )

    assert allows(statements, Request("secretsmanager:GetSecretValue", own))
    assert not allows(statements, Request("secretsmanager:GetSecretValue", others))


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_user_data_writes_every_setting_unchanged(environments, name, tmp_path):
    outputs = environments[name].outputs()
    template = boto3.client("ec2").describe_launch_template_versions(
        LaunchTemplateName=f"wandle-{name}-host", Versions=["$Latest"]
    )["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    script = tmp_path / "user_data.sh"
    script.write_bytes(base64.b64decode(template["UserData"]))

    subprocess.run(
        ["/bin/bash", "-c", f"source {script} && write_settings"],
        env={"HOME_OF_STACK": str(tmp_path), "PATH": os.environ["PATH"]},
        check=True,
    )

    written = dotenv_values(tmp_path / ".env")
    assert {key: written[key] for key in outputs["settings"]} == outputs["settings"]
    assert written["WANDLE_IMAGE"].endswith(f"/wandle@{DIGEST}")
    assert written["WANDLE_ADMIN_SECRET"] == outputs["admin_secret_arn"]
    assert script.stat().st_size < 16_384


def test_extract_and_load_work_in_an_applied_environment(host):
    changed = migrate_environment(host)
    lake = lake_of(host)
    weather = contract("weather_hourly")

    landing = extract(
        weather, weather.partition("kingston", "2026-06-01"), lake=lake, run_id="first"
    )
    entry = load(
        weather,
        weather.partition("kingston", "2026-06-01"),
        lake=lake,
        dsn=host.need("loader_dsn"),
        run_id="first",
        landing_id=landing,
    )

    assert any("wandle_loader" in line for line in changed)
    assert entry["status"] == "loaded"
    assert entry["loaded"] >= 24
    body = lake.s3.list_objects_v2(Bucket=host.bucket, Prefix="landing/weather_hourly/")
    assert body["KeyCount"] >= 2


def test_the_doctor_passes_in_an_applied_environment(host):
    migrate_environment(host)

    checks = {check.name: check for check in aws_doctor(host)}
    wrong = {name for name, check in checks.items() if not check.passed}

    assert len(checks) > 40
    # This PostgreSQL is not the instance that moto describes.
    assert wrong == {"instance: matches the settings"}


def test_the_state_contains_no_secrets(environments, host):
    migrate_environment(host)
    loader = boto3.client("secretsmanager").get_secret_value(
        SecretId=f"wandle/{host.environment}/connections/wandle_loader"
    )["SecretString"]
    password = json.loads(loader)["password"]

    state = (
        boto3.client("s3")
        .get_object(Bucket=STATE_BUCKET, Key=f"wandle/{host.environment}.tfstate")["Body"]
        .read()
        .decode()
    )

    assert len(password) > 20
    assert "wandle_loader" in state
    assert password not in state


def test_destroying_dev_leaves_nothing_behind(environments):
    kinds = {item.rsplit(" ", 1)[0] for item in inventory("dev")}
    assert len(kinds) >= 22, f"the inventory must find resources: {sorted(kinds)}"

    environments["dev"].destroy()

    assert inventory("dev") == set()


def test_destroying_prod_fails_and_changes_nothing(environments):
    before = inventory("prod")

    done = environments["prod"].destroy(codes=(1,))

    assert "This environment is protected" in done.stdout + done.stderr
    assert len(before) > 60
    assert inventory("prod") == before


def test_destroying_an_unprotected_prod_leaves_only_the_final_snapshot(environments):
    planned = changes(environments["prod"].plan(protected=False))
    environments["prod"].apply(protected=False)

    environments["prod"].destroy(protected=False)

    own = {address: found - forgotten().get(address, set()) for address, found in planned.items()}
    assert {address: found for address, found in own.items() if found} == UNPROTECTED

    assert inventory("prod") == {"snapshot wandle-prod-final"}
