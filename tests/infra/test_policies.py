"""Every role in the plans can do its job and nothing else."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import Any

import pytest

from tests.infra.matrix import (
    PLANNING,
    SOURCES,
    VIA_S3,
    bucket,
    cloudfront,
    deploying,
    matrix,
    put,
)
from tests.infra.policies import Request, Statement, allows, policies_of, read, resources_of
from tests.infra.wildcards import REASONS

Policies = dict[str, dict[str, list[Statement]]]


@pytest.fixture(scope="session")
def policies(plans: dict[str, Any]) -> Policies:
    """The policies of each plan, by address."""
    return {name: policies_of(plan) for name, plan in plans.items()}


@pytest.fixture(scope="session")
def roles(plans: dict[str, Any]) -> dict[str, list[Statement]]:
    """The statements of each role's policies, by role name."""
    found: dict[str, list[Statement]] = defaultdict(list)
    for name in ("dev", "prod"):
        for resource in resources_of(plans[name]):
            values = resource["values"]
            if resource["type"] == "aws_iam_role_policy" and values.get("policy"):
                found[values["role"]] += read(resource["address"], values["policy"])
    attached = {
        resource["values"]["name"]: read(resource["address"], resource["values"]["policy"])
        for resource in resources_of(plans["bootstrap"])
        if resource["type"] == "aws_iam_policy"
    }
    for environment in ("dev", "prod"):
        found[f"wandle-deploy-{environment}"] = [
            *attached["wandle-plan"],
            *attached[f"wandle-deploy-{environment}"],
            *attached[f"wandle-deploy-{environment}-website"],
        ]
    found["wandle-plan"] = attached["wandle-plan"]
    return dict(found)


@pytest.fixture(scope="session")
def boundary(plans: dict[str, Any]) -> list[Statement]:
    return policies_of(plans["bootstrap"])["aws_iam_policy.boundary.policy"]


@pytest.fixture(scope="session")
def keys(plans: dict[str, Any]) -> dict[str, str]:
    """The ARN of each environment's key."""
    return {
        name: next(
            resource["values"]["arn"]
            for resource in resources_of(plans[name])
            if resource["type"] == "aws_kms_key"
        )
        for name in ("dev", "prod", "bootstrap")
    }


def of_role(may: list[Request], must_not: list[Request]) -> list[tuple[Request, bool]]:
    return [*((request, True) for request in may), *((request, False) for request in must_not)]


@pytest.fixture(scope="session")
def expected(keys: dict[str, str]) -> dict[str, list[tuple[Request, bool]]]:
    """The whole matrix, by role name."""
    found = {
        f"wandle-{environment}-{role}": of_role(*requests)
        for environment in ("dev", "prod")
        for role, requests in matrix(environment, keys[environment]).items()
    }
    for environment in ("dev", "prod"):
        found[f"wandle-deploy-{environment}"] = of_role(*deploying(environment, keys))
    found["wandle-plan"] = of_role(*PLANNING)
    found["wandle-plan"].append((Request("kms:Decrypt", keys["bootstrap"], VIA_S3), True))
    return found


def test_the_matrix_covers_every_role_in_the_plans(plans, expected):
    planned = {
        resource["values"]["name"]
        for plan in plans.values()
        for resource in resources_of(plan)
        if resource["type"] == "aws_iam_role"
    }

    assert len(planned) > 2 * len(SOURCES)
    assert planned == set(expected)


def test_each_role_can_do_its_job_and_nothing_else(roles, boundary, expected):
    wrong = []
    for role, requests in expected.items():
        limits = [] if role.startswith(("wandle-deploy-", "wandle-plan")) else [boundary]
        for request, may in requests:
            found = all(allows(statements, request) for statements in [roles[role], *limits])
            if found != may:
                wrong.append(f"{role} {'cannot' if may else 'can'} {request}")

    assert not wrong, "\n".join(wrong)


def test_the_boundary_lets_a_role_delete_copies_of_a_website_and_not_change_it(boundary):
    """The role's own policy names one distribution, whose ARN a plan does not know."""
    may, must_not = cloudfront("CreateInvalidation"), cloudfront("UpdateDistribution")

    assert allows(boundary, may)
    assert not allows(boundary, must_not)


def test_the_matrix_needs_every_statement_of_every_role(roles, expected):
    unused = {
        f"{role}: {statement.sid}"
        for role, statements in roles.items()
        for statement in statements
        if statement.body["Effect"] == "Allow"
        and not any(may and statement.matches(request) for request, may in expected[role])
        # Deployment roles also have the plan policy, which the matrix covers for wandle-plan.
        and not (role.startswith("wandle-deploy-") and statement.address.endswith(".plan"))
    }

    assert not unused, f"no row of the matrix needs these statements: {sorted(unused)}"


def test_every_wildcard_has_a_reason(policies):
    statements = [
        statement
        for found in policies.values()
        for of_policy in found.values()
        for statement in of_policy
    ]
    wide = {
        statement.sid
        for statement in statements
        if any("*" in action for action in statement.actions)
        or (
            "Resource" in statement.body
            and any("*" in name and "wandle" not in name for name in statement.resources)
        )
    }

    assert len(statements) > 100
    assert wide - set(REASONS) == set(), "add the reason to tests/infra/wildcards.py"
    assert set(REASONS) - wide == set(), "remove these reasons: no statement has this wildcard"


def test_every_statement_has_a_sid(policies):
    nameless = [
        statement.address
        for found in policies.values()
        for of_policy in found.values()
        for statement in of_policy
        if not statement.body.get("Sid")
    ]

    assert not nameless


def test_every_policy_is_within_the_size_quotas_of_iam(plans):
    """IAM does not count white space. moto does not enforce these quotas."""
    quotas = {
        ("aws_iam_policy", "policy"): 6144,
        ("aws_iam_role_policy", "policy"): 10_240,
        ("aws_iam_role", "assume_role_policy"): 2048,
    }
    lengths = {
        (name, resource["address"], attribute): (
            len(re.sub(r"\s", "", text)),
            quotas[kind, attribute],
        )
        for name, plan in plans.items()
        for resource in resources_of(plan)
        for kind, attribute in quotas
        if resource["type"] == kind and (text := resource["values"].get(attribute))
    }

    assert len(lengths) > 60
    assert {where: sizes for where, sizes in lengths.items() if sizes[0] > sizes[1]} == {}


def test_a_plan_shows_every_policy_except_the_one_for_the_secret_that_rds_creates(plans):
    unknown = {
        resource["address"]
        for plan in plans.values()
        for resource in resources_of(plan)
        if resource["type"] in ("aws_iam_role_policy", "aws_iam_policy")
        and not resource["values"].get("policy")
    }

    assert unknown == {"module.environment.module.identity.aws_iam_role_policy.admin_secret"}


def test_every_role_except_the_deployment_roles_has_the_boundary(plans):
    free = {
        resource["values"]["name"]
        for plan in plans.values()
        for resource in resources_of(plan)
        if resource["type"] == "aws_iam_role" and not resource["values"].get("permissions_boundary")
    }

    assert free == {"wandle-deploy-dev", "wandle-deploy-prod", "wandle-plan"}


def test_every_bucket_denies_requests_without_tls(policies):
    buckets = {
        f"{name}: {address}": statements
        for name, found in policies.items()
        for address, statements in found.items()
        if "aws_s3_bucket_policy" in address
    }

    assert len(buckets) == 5
    for address, statements in buckets.items():
        resource = (
            statements[0].resources[0]
            if statements[0].sid == "TlsOnly"
            else next(
                statement.resources[0] for statement in statements if statement.sid == "TlsOnly"
            )
        )
        plain = Request("s3:GetObject", f"{resource}/x", {"aws:SecureTransport": "false"})
        denying = [
            statement
            for statement in statements
            if statement.matches(plain) and statement.body["Effect"] == "Deny"
        ]
        assert denying, f"{address} allows plain HTTP"


def test_a_widened_policy_is_found(roles, boundary, expected):
    """The matrix must fail for a policy that grants too much."""
    role = "wandle-dev-extract-bank_holidays"
    careless = read(
        "careless",
        '{"Statement": {"Sid": "All", "Effect": "Allow", "Action": "s3:*", "Resource": "*"}}',
    )

    widened = [*roles[role], *careless]

    found = [request for request, may in expected[role] if allows(widened, request) and not may]
    assert put("dev", "landing/weather_hourly/x") in found
    assert not allows(boundary, Request("s3:DeleteBucket", bucket("dev"))), (
        "the boundary limits even this policy"
    )


@pytest.mark.parametrize(
    ("statement", "request_", "matches"),
    [
        ({"Action": "s3:Get*", "Resource": "arn:x/*"}, Request("s3:GetObject", "arn:x/y"), True),
        ({"Action": "s3:Get*", "Resource": "arn:x/*"}, Request("s3:PutObject", "arn:x/y"), False),
        (
            {"Action": "s3:getobject", "Resource": "arn:x/?"},
            Request("s3:GetObject", "arn:x/yz"),
            False,
        ),
        (
            {"Action": "a:b", "Resource": "*", "Condition": {"StringEquals": {"k": ["v", "w"]}}},
            Request("a:b", "r", {"k": "w"}),
            True,
        ),
        (
            {"Action": "a:b", "Resource": "*", "Condition": {"StringEquals": {"k": "v"}}},
            Request("a:b", "r"),
            False,
        ),
        (
            {"Action": "a:b", "Resource": "*", "Condition": {"StringNotEquals": {"k": "v"}}},
            Request("a:b", "r"),
            True,
        ),
        (
            {"Action": "a:b", "Resource": "*", "Condition": {"StringLike": {"k": "v/*"}}},
            Request("a:b", "r", {"k": "v/x"}),
            True,
        ),
        (
            {"Action": "a:b", "Resource": "*", "Condition": {"Null": {"k": "false"}}},
            Request("a:b", "r"),
            False,
        ),
        (
            {"Action": "a:b", "Resource": "*", "Condition": {"Bool": {"k": "false"}}},
            Request("a:b", "r", {"k": "true"}),
            False,
        ),
        (
            {
                "Action": "a:b",
                "Resource": "*",
                "Condition": {"StringNotEqualsIfExists": {"k": "v"}},
            },
            Request("a:b", "r"),
            True,
        ),
        (
            {"Action": "a:b", "Resource": "*", "Condition": {"NumericLessThan": {"k": "1.2"}}},
            Request("a:b", "r", {"k": "1.1"}),
            True,
        ),
    ],
)
def test_the_evaluator_matches_statements_as_aws_does(statement, request_, matches):
    assert Statement("x", {"Effect": "Allow", **statement}).matches(request_) is matches


def test_a_deny_overrides_an_allow():
    allow = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    deny = {"Effect": "Deny", "Action": "a:b", "Resource": "*"}
    statements = [Statement("x", allow), Statement("x", deny)]

    assert allows(statements, Request("a:c", "r"))
    assert not allows(statements, Request("a:b", "r"))


def test_the_evaluator_rejects_what_it_does_not_support():
    unknown = {
        "Effect": "Allow",
        "Action": "a:b",
        "Resource": "*",
        "Condition": {"IpAddress": {"k": "v"}},
    }

    with pytest.raises(ValueError, match="IpAddress"):
        Statement("x", unknown).matches(Request("a:b", "r", {"k": "v"}))
    with pytest.raises(ValueError, match="NotAction"):
        read(
            "x",
            '{"Statement": {"Sid": "a", "Effect": "Allow", "NotAction": "a:b", "Resource": "*"}}',
        )
