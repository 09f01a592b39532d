"""docs/deploy.md: every name in it is one that the code knows, and none is missing."""

from __future__ import annotations

import re
from pathlib import Path

from include.aws.metrics import NAMESPACE
from include.jobs.aws.aws_doctor import JOBS
from include.jobs.aws.environment import GENERATED, METADATA, ROTATED
from include.settings import IN_SECRETS, Settings

CHECKOUT = Path(__file__).parents[2]
GUIDE = (CHECKOUT / "docs" / "deploy.md").read_text(encoding="utf-8")
NAMES = GUIDE[GUIDE.index("## Names") :]
OURS = (
    *("environment", "job_role", "database", "database_ca", "admin_secret", "serverless"),
    *("broker_password", "broker_host"),
    *(name for name in Settings.model_fields if name.startswith("oidc_")),
)


def test_every_setting_of_an_environment_is_documented_and_every_documented_one_exists():
    documented = set(re.findall(r"`(WANDLE_[A-Z_]+)`", NAMES))
    aliases = {str(field.alias) for field in Settings.model_fields.values()}
    in_secret = {"WANDLE_OIDC_CLIENT_SECRET", "WANDLE_BROKER_PASSWORD"}

    assert documented <= aliases
    assert {str(Settings.model_fields[name].alias) for name in OURS} - in_secret <= documented


def test_every_secret_is_documented():
    secrets = [*(f"connections/{role}" for role in ROTATED), *GENERATED, METADATA]
    secrets += ["connections/wandle_s3", *IN_SECRETS.values()]

    assert len(set(secrets)) == 14
    missing = [name for name in secrets if name.split("/")[-1] not in NAMES]
    assert missing == []


def test_every_job_role_is_documented_and_no_other():
    documented = set(re.findall(r"^\| `wandle-<env>-([a-z<>-]+)` \|", NAMES, re.MULTILINE))

    assert documented == {*JOBS, "extract-<source>", "inbox", "serve"}


def test_the_metrics_are_those_that_are_put():
    source = (CHECKOUT / "include" / "aws" / "metrics.py").read_text(encoding="utf-8")
    documented = re.findall(
        r"^\| `([A-Za-z]+)` \| (?:`Source`, )?`Environment` \|", NAMES, re.MULTILINE
    )

    assert f"Namespace `{NAMESPACE}`" in NAMES
    assert documented == ["FreshnessHours", "Late", "Heartbeat"]
    assert all(f'_value("{name}"' in source for name in documented)
