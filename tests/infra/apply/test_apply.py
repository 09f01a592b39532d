"""Both environments applied, used and destroyed, with only the documented variables set."""

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

# What the stand-in does not keep, so that a second plan would set it again: by resource, the
# attributes and why. AWS keeps all of these.
FORGOTTEN = {
    "module.airflow_host.aws_vpc_security_group_egress_rule.warehouse": (
        {"description"},
        "moto drops the description of a rule about another group",
    ),
    "module.warehouse.aws_vpc_security_group_ingress_rule.clients": (
        {"description"},
        "moto drops the description of a rule about another group",
    ),
    "module.warehouse.aws_db_instance.this": (
        {
            "performance_insights_enabled",
            "performance_insights_kms_key_id",
            "performance_insights_retention_period",
        },
        "moto knows no Performance Insights",
    ),
    "module.warehouse.aws_db_parameter_group.this": (
        {"parameter"},
        "moto keeps no parameters of a group",
    ),
}

# What lifting the protection of prod changes: by resource, the attributes.
LIFTED = {
    "module.key.aws_kms_key.this": {"deletion_window_in_days"},
    "module.lake.aws_s3_bucket.access_logs": {"force_destroy"},
    "module.lake.aws_s3_bucket.lake": {"force_destroy"},
    "module.secrets.aws_secretsmanager_secret.this": {"recovery_window_in_days"},
    "module.warehouse.aws_db_instance.this": {"deletion_protection"},
    "terraform_data.protection": {"input", "output"},
}

pytestmark = pytest.mark.timeout(1800)


@pytest.fixture(scope="module")
def environments(aws: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Terraform]:
    """`terraform apply` of bootstrap, then of both environments, as docs/deploy.md says."""
    bootstrap = Terraform(TERRAFORM / "bootstrap", tmp_path_factory.mktemp("bootstrap"))
    bootstrap.init()
    bootstrap.apply()
    assert bootstrap.outputs()["state_bucket"] == STATE_BUCKET

    def applied(name: str) -> Terraform:
        root = Terraform(TERRAFORM / "environments" / name, tmp_path_factory.mktemp(name))
        root.init()
        root.apply()
        mend_launch_templates(f"wandle-{name}-")
        return root

    names = ("dev", "prod")
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(names, pool.map(applied, names), strict=True))


def mend_launch_templates(prefix: str) -> None:
    """Take out what moto adds to a new template: its own tags, to those of its hosts."""
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
        mended = ec2.create_launch_template_version(
            LaunchTemplateName=name, LaunchTemplateData=found
        )["LaunchTemplateVersion"]["VersionNumber"]
        ec2.modify_launch_template(LaunchTemplateName=name, DefaultVersion=str(mended))
        groups.update_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateName": name, "Version": str(mended)},
        )


@pytest.fixture(scope="module")
def postgres() -> Iterator[TlsServer]:
    """In RDS's place: a real PostgreSQL that takes TLS alone."""
    with tls_server() as server:
        yield server


@pytest.fixture(params=["dev", "prod"])
def host(request, environments, postgres, monkeypatch, tmp_path) -> Settings:
    """The settings that the host gives its containers, with a server that answers."""
    outputs = environments[request.param].outputs()
    postgres.empty()
    boto3.client("secretsmanager").put_secret_value(
        SecretId=outputs["admin_secret_arn"],
        SecretString=json.dumps({"username": ADMIN, "password": postgres.password}),
    )
    told = {
        **outputs["settings"],
        "WANDLE_ADMIN_SECRET": outputs["admin_secret_arn"],
        "WANDLE_DATABASE": postgres.address,
        "WANDLE_DATABASE_CA": str(postgres.ca),
        "PGSSLROOTCERT": str(postgres.ca),
        "WANDLE_HOME": str(tmp_path),
        "WANDLE_LIVE": "",
    }
    for name, value in told.items():
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
    """The attributes that a plan would set, by resource."""
    found: dict[str, set[str]] = {}
    for change in plan["resource_changes"]:
        if change["change"]["actions"] not in (["no-op"], ["read"]):
            address = change["address"].partition("[")[0]
            found[address] = found.get(address, set()) | _changed(change["change"])
    return found


def _changed(change: dict[str, Any]) -> set[str]:
    """The attributes that an update in place would set."""
    assert change["actions"] == ["update"]
    before, after, unknown = change["before"], change["after"], change["after_unknown"]
    return {
        name
        for name in before
        if unknown.get(name) is True or (name in after and before[name] != after[name])
    }


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_migrate_may_read_this_databases_admin_secret_alone(environments, name):
    own = environments[name].outputs()["admin_secret_arn"]
    others = environments[{"dev": "prod", "prod": "dev"}[name]].outputs()["admin_secret_arn"]
    address = "module.identity.aws_iam_role_policy.admin_secret"
    statements = next(
        read(address, resource["values"]["policy"])
        for resource in resources_of(environments[name].plan())
        if resource["address"] == address
    )

    assert allows(statements, Request("secretsmanager:GetSecretValue", own))
    assert not allows(statements, Request("secretsmanager:GetSecretValue", others))


@pytest.mark.parametrize("name", ["dev", "prod"])
def test_the_host_is_told_every_setting_as_it_stands(environments, name, tmp_path):
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

    told = dotenv_values(tmp_path / ".env")
    assert {key: told[key] for key in outputs["settings"]} == outputs["settings"]
    assert told["WANDLE_IMAGE"].endswith(f"/wandle@{DIGEST}")
    assert told["WANDLE_ADMIN_SECRET"] == outputs["admin_secret_arn"]
    assert script.stat().st_size < 16_384


def test_extract_and_load_work_on_what_was_applied(host):
    changed = migrate_environment(host)
    lake = lake_of(host)
    weather = contract("weather_hourly")

    landing = extract(weather, "kingston", "2026-06-01", lake=lake, run_id="first")
    entry = load(
        weather,
        "kingston",
        "2026-06-01",
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


def test_the_doctor_finds_all_that_was_applied_well(host):
    migrate_environment(host)

    checks = {check.name: check for check in aws_doctor(host)}
    wrong = {name for name, check in checks.items() if not check.well}

    assert len(checks) > 40
    # The server that answers here is not the one that RDS's stand-in speaks of.
    assert wrong == {"instance: is the one that settings name"}


def test_no_secret_is_in_a_state(environments, host):
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


def test_destroying_dev_leaves_nothing(environments):
    kinds = {item.rsplit(" ", 1)[0] for item in inventory("dev")}
    assert len(kinds) >= 22, f"the inventory sees what is there: {sorted(kinds)}"

    environments["dev"].destroy()

    assert inventory("dev") == set()


def test_destroying_prod_is_refused_and_changes_nothing(environments):
    before = inventory("prod")

    said = environments["prod"].destroy(codes=(1,))

    assert "This environment is protected" in said.stdout + said.stderr
    assert len(before) > 60
    assert inventory("prod") == before


def test_once_unprotected_prod_leaves_its_final_snapshot_alone(environments):
    lifted = changes(environments["prod"].plan(protected=False))
    environments["prod"].apply(protected=False)

    environments["prod"].destroy(protected=False)

    own = {address: found - forgotten().get(address, set()) for address, found in lifted.items()}
    assert {address: found for address, found in own.items() if found} == LIFTED

    assert inventory("prod") == {"snapshot wandle-prod-final"}
