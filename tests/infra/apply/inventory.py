"""Lists what exists of an environment in an AWS account."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import boto3

Found = Iterable[tuple[str, Any]]


def inventory(environment: str) -> set[str]:
    """Every resource with the environment's name or tag, as `<kind> <name>`.

    Excludes KMS keys that are pending deletion, which takes at least a week.
    """
    found: set[str] = set()
    for kind, (service, list_resources) in KINDS.items():
        for name, tags in list_resources(boto3.client(service)):
            tagged = {
                tag.get("Key", tag.get("TagKey")): tag.get("Value", tag.get("TagValue"))
                for tag in tags or ()
            }
            named = (
                f"wandle-{environment}" in name
                or f"wandle/{environment}/" in name
                or f"/wandle/{environment}" in name
            )
            if named or tagged.get("Environment") == environment:
                found.add(f"{kind} {name}")
    return found


def _pages(
    client: Any, operation: str, key: str, name: str, tags: str = "Tags", **arguments: Any
) -> Found:
    pages = (
        client.get_paginator(operation).paginate(**arguments)
        if client.can_paginate(operation)
        else [getattr(client, operation)(**arguments)]
    )
    for page in pages:
        for item in page.get(key, []):
            yield (item, ()) if isinstance(item, str) else (item[name], item.get(tags))


def _lists(
    service: str, operation: str, key: str, name: str, tags: str = "Tags", **arguments: Any
) -> tuple[str, Callable[[Any], Found]]:
    return service, lambda client: _pages(client, operation, key, name, tags, **arguments)


def _keys(client: Any) -> Found:
    for key, _ in _pages(client, "list_keys", "Keys", "KeyId"):
        if client.describe_key(KeyId=key)["KeyMetadata"]["KeyState"] == "Enabled":
            yield key, client.list_resource_tags(KeyId=key)["Tags"]


def _addresses(client: Any) -> Found:
    for address in client.describe_addresses()["Addresses"]:
        yield address["AllocationId"], address.get("Tags")


def _nat(client: Any) -> Found:
    for gateway in client.describe_nat_gateways()["NatGateways"]:
        if gateway["State"] != "deleted":
            yield gateway["NatGatewayId"], gateway.get("Tags")


def _instances(client: Any) -> Found:
    for reservation in client.describe_instances()["Reservations"]:
        for instance in reservation["Instances"]:
            if instance["State"]["Name"] != "terminated":
                yield instance["InstanceId"], instance.get("Tags")


def _endpoints(client: Any) -> Found:
    """The endpoints whose VPC exists.

    AWS deletes a VPC only after its endpoints. moto does not check this, and
    creates a second endpoint when a busy machine retries the request, because
    it ignores the client token.
    """
    existing = {vpc["VpcId"] for vpc in client.describe_vpcs()["Vpcs"]}
    for endpoint in client.describe_vpc_endpoints()["VpcEndpoints"]:
        if endpoint["State"].lower() != "deleted" and endpoint["VpcId"] in existing:
            yield endpoint["VpcEndpointId"], endpoint.get("Tags")


def _budgets(client: Any) -> Found:
    account = boto3.client("sts").get_caller_identity()["Account"]
    yield from _pages(client, "describe_budgets", "Budgets", "BudgetName", AccountId=account)


KINDS: dict[str, tuple[str, Callable[[Any], Found]]] = {
    "alarm": _lists("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "address": ("ec2", _addresses),
    "bucket": _lists("s3", "list_buckets", "Buckets", "Name"),
    "budget": ("budgets", _budgets),
    "dashboard": _lists("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "database": _lists("rds", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    "endpoint": ("ec2", _endpoints),
    "flow log": _lists("ec2", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    "function": _lists("lambda", "list_functions", "Functions", "FunctionName"),
    "Auto Scaling group": _lists(
        "autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"
    ),
    "instance": ("ec2", _instances),
    "instance profile": _lists(
        "iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"
    ),
    "internet gateway": _lists(
        "ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"
    ),
    "key": ("kms", _keys),
    "key alias": _lists("kms", "list_aliases", "Aliases", "AliasName"),
    "launch template": _lists(
        "ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateName"
    ),
    "load balancer": _lists(
        "elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"
    ),
    "log group": _lists("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "NAT gateway": ("ec2", _nat),
    "parameter group": _lists(
        "rds", "describe_db_parameter_groups", "DBParameterGroups", "DBParameterGroupName"
    ),
    "role": _lists("iam", "list_roles", "Roles", "RoleName"),
    "route table": _lists("ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    "schedule": _lists("scheduler", "list_schedules", "Schedules", "Name"),
    "secret": _lists("secretsmanager", "list_secrets", "SecretList", "Name"),
    "security group": _lists("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    "snapshot": _lists("rds", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"),
    "subnet": _lists("ec2", "describe_subnets", "Subnets", "SubnetId"),
    "subnet group": _lists(
        "rds", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"
    ),
    "topic": _lists("sns", "list_topics", "Topics", "TopicArn"),
    "VPC": _lists("ec2", "describe_vpcs", "Vpcs", "VpcId"),
}
