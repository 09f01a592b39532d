"""Check the RDS instance: encrypted, private, backed up, TLS enforced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.aws.checks import Check
from include.aws.failures import CONFIG, code_of

FIX = "Run `terraform apply`: the module `warehouse` sets it."


def check_instance(session: boto3.Session, environment: str, server: str) -> Iterator[Check]:
    """One check per property; if the instance does not exist, only that."""
    rds = session.client("rds", config=CONFIG)
    name = f"wandle-{environment}"
    try:
        found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        forced = _forces_tls(rds, found)
    except (ClientError, BotoCoreError) as error:
        said = code_of(error) if isinstance(error, ClientError) else type(error).__name__
        yield Check("instance: exists", f"RDS returned {said} for {name}.", FIX)
        return
    endpoint = found.get("Endpoint", {})
    address = f"{endpoint.get('Address')}:{endpoint.get('Port')}"
    yield _check(
        "matches the settings",
        "" if address == server else f"its address is {address}; WANDLE_DATABASE is {server}.",
    )
    yield _check(
        "encrypted", "" if found.get("StorageEncrypted") else "its storage is not encrypted."
    )
    yield _check("private", "it is publicly accessible." if found.get("PubliclyAccessible") else "")
    days = found.get("BackupRetentionPeriod", 0)
    yield _check("backed up", "" if days else "automated backups are off.")
    yield _check("forces TLS", "" if forced else "rds.force_ssl is not 1.")


def _check(name: str, problem: str) -> Check:
    return Check(f"instance: {name}", problem, FIX if problem else "")


def _forces_tls(rds: Any, instance: dict[str, Any]) -> bool:
    for group in instance.get("DBParameterGroups", ()):
        pages = rds.get_paginator("describe_db_parameters").paginate(
            DBParameterGroupName=group["DBParameterGroupName"]
        )
        for page in pages:
            for parameter in page["Parameters"]:
                if parameter["ParameterName"] == "rds.force_ssl":
                    return str(parameter.get("ParameterValue")) == "1"
    return False
