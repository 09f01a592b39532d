"""The database as RDS describes it: encrypted, private, backed up, TLS forced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from include.aws.checks import Check
from include.aws.failures import CONFIG, code_of

MEND = "Run `terraform apply`: the module `warehouse` sets it."


def check_instance(session: boto3.Session, environment: str, server: str) -> Iterator[Check]:
    """Each property of the environment's database; only that it is missing, where it is."""
    rds = session.client("rds", config=CONFIG)
    name = f"wandle-{environment}"
    try:
        found = rds.describe_db_instances(DBInstanceIdentifier=name)["DBInstances"][0]
        forced = _forces_tls(rds, found)
    except (ClientError, BotoCoreError) as error:
        said = code_of(error) if isinstance(error, ClientError) else type(error).__name__
        yield Check("instance: exists", f"RDS answers {said} for {name}.", MEND)
        return
    endpoint = found.get("Endpoint", {})
    address = f"{endpoint.get('Address')}:{endpoint.get('Port')}"
    yield _check(
        "is the one that settings name",
        "" if address == server else f"it is {address}; WANDLE_DATABASE is {server}.",
    )
    yield _check("encrypted", "" if found.get("StorageEncrypted") else "its disk is not encrypted.")
    yield _check("private", "it has a public address." if found.get("PubliclyAccessible") else "")
    days = found.get("BackupRetentionPeriod", 0)
    yield _check("backed up", "" if days else "no backup is kept.")
    yield _check("forces TLS", "" if forced else "rds.force_ssl is not 1.")


def _check(name: str, problem: str) -> Check:
    return Check(f"instance: {name}", problem, MEND if problem else "")


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
