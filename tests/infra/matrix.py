"""What each role must and must not be able to do on AWS."""

from __future__ import annotations

import yaml

from tests.infra.folders import ACCOUNT, REGION, TERRAFORM
from tests.infra.policies import Request

SOURCES = {
    path.stem: yaml.safe_load(path.read_text())
    for path in sorted((TERRAFORM.parent / "include/sources").glob("*.yaml"))
}


def parents_of(source: str) -> set[str]:
    """The sources whose landings a source reads, for its requests or for its pages."""
    extract = SOURCES[source]["extract"]
    found = {parent["source"] for parent in extract.get("parents", {}).values()}
    found |= {extract["source"]} if extract.get("kind") == "landing" else set()
    followed = (SOURCES[name]["extract"] for name in found)
    return found | {one["source"] for one in followed if one.get("kind") == "landing"}


PARENTS = {source: parents_of(source) for source in SOURCES}
INBOXES = {
    source
    for source, contract in SOURCES.items()
    if contract["extract"].get("kind") == "files" and contract["extract"]["from"] == "inbox"
}


def secrets_of(source: str) -> set[str]:
    """The secret that a source logs in with, if any."""
    auth = SOURCES[source]["extract"].get("auth")
    return {auth["secret"]} if auth else set()


SECRETS = sorted(set().union(*(secrets_of(source) for source in SOURCES)))
VIA_S3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
VIA_SECRETS = {"kms:ViaService": f"secretsmanager.{REGION}.amazonaws.com"}
TLS = {"aws:SecureTransport": "true", "s3:TlsVersion": "1.3"}


def bucket(environment: str, key: str = "") -> str:
    return f"arn:aws:s3:::wandle-{environment}-lake-{ACCOUNT}" + (f"/{key}" if key else "")


def put(environment: str, key: str) -> Request:
    return Request("s3:PutObject", bucket(environment, key), TLS)


def get(environment: str, key: str) -> Request:
    return Request("s3:GetObject", bucket(environment, key), TLS)


def delete(environment: str, key: str) -> Request:
    return Request("s3:DeleteObject", bucket(environment, key), TLS)


def listing(environment: str, prefix: str) -> Request:
    return Request("s3:ListBucket", bucket(environment), {**TLS, "s3:prefix": prefix})


def arn(service: str, rest: str) -> str:
    region = "" if service in ("iam", "budgets") else REGION
    return f"arn:aws:{service}:{region}:{ACCOUNT}:{rest}"


def secret(action: str, name: str) -> Request:
    return Request(f"secretsmanager:{action}", arn("secretsmanager", f"secret:{name}-AbCdEf"))


def become(environment: str, job: str) -> Request:
    return Request("sts:AssumeRole", arn("iam", f"role/wandle-{environment}-{job}"))


def metric(namespace: str) -> Request:
    return Request("cloudwatch:PutMetricData", "*", {"cloudwatch:namespace": namespace})


def cloudfront(
    action: str, resource: str = "distribution/E1", context: dict[str, str] | None = None
) -> Request:
    return Request(
        f"cloudfront:{action}", f"arn:aws:cloudfront::{ACCOUNT}:{resource}", context or {}
    )


def delivery(action: str, resource: str) -> Request:
    return Request(f"logs:{action}", f"arn:aws:logs:us-east-1:{ACCOUNT}:{resource}")


def use(key: str, action: str, via: dict[str, str]) -> Request:
    return Request(f"kms:{action}", key, via)


def matrix(environment: str, key: str) -> dict[str, tuple[list[Request], list[Request]]]:
    """By role: the requests that must be allowed, and those that must be denied."""
    env, other = environment, {"dev": "prod", "prod": "dev"}[environment]
    zones = [
        "landing/weather_hourly/kingston/2026-01-01/x/0001.json.gz",
        "docs/x",
        "published/x",
        "logs/x",
    ]
    landed, docs, published, logs = zones
    reads = [use(key, "Decrypt", VIA_S3)]
    writes = [*reads, use(key, "GenerateDataKey", VIA_S3)]
    never = [
        secret("GetSecretValue", f"wandle/{env}/connections/wandle_loader"),
        become(env, "migrate"),
        become(env, "housekeeping"),
        Request("iam:CreateUser", arn("iam", "user/x")),
        Request("iam:PutRolePolicy", arn("iam", f"role/wandle-{env}-load")),
        Request("s3:PutBucketPolicy", bucket(env)),
        Request("s3:DeleteBucket", bucket(env)),
        Request("s3:DeleteObjectVersion", bucket(env, landed)),
        get(other, landed),
        put(other, landed),
        use(key, "Decrypt", {}),
        use(key, "ScheduleKeyDeletion", {}),
        Request("ec2:RunInstances", arn("ec2", "instance/*")),
        Request("rds:DeleteDBInstance", arn("rds", f"db:wandle-{env}")),
    ]
    found: dict[str, tuple[list[Request], list[Request]]] = {}
    of_sources = {
        name: secret("GetSecretValue", f"wandle/{env}/sources/{name}") for name in SECRETS
    }
    never += [secret("GetSecretValue", f"wandle/{env}/sources/another")]
    for source, parents in PARENTS.items():
        own = f"landing/{source}/kingston/2026-01/x/manifest.json"
        others = set(SOURCES) - {source}
        file = [get(env, f"inbox/{source}/x.csv"), listing(env, f"inbox/{source}/")]
        of_others = [get(env, f"inbox/{name}/x.csv") for name in others | {f"{source}_more"}]
        login = [of_sources[name] for name in secrets_of(source)]
        login += [use(key, "Decrypt", VIA_SECRETS)] * bool(login)
        not_own = [read for name, read in of_sources.items() if name not in secrets_of(source)]
        found[f"extract-{source}"] = (
            [put(env, own), get(env, own), listing(env, f"landing/{source}/kingston/"), *writes]
            + [Request("s3:AbortMultipartUpload", bucket(env, own))]
            + [get(env, f"landing/{parent}/x") for parent in parents]
            + [listing(env, f"landing/{parent}/x") for parent in parents]
            + (file if source in INBOXES else [])
            + login,
            not_own
            + [secret("PutSecretValue", f"wandle/{env}/sources/{name}") for name in SECRETS]
            + [put(env, f"landing/{name}/x") for name in others]
            + ([] if source in INBOXES else file)
            + [put(env, f"inbox/{source}/x.csv"), delete(env, f"inbox/{source}/x.csv"), *of_others]
            + [listing(env, "inbox/"), *(listing(env, f"inbox/{name}/") for name in others)]
            + [
                put(env, key)
                for key in (docs, published, logs, f"landing/{source}_more/x", "landing/x")
            ]
            + [get(env, f"landing/{name}/x") for name in others - parents]
            + [listing(env, f"landing/{name}/x") for name in others - parents]
            + [listing(env, ""), listing(env, "landing/"), delete(env, own), *never],
        )
    queues = [arn("sqs", f"wandle-{env}-inbox-{source}") for source in INBOXES]
    found["inbox"] = (
        [Request(f"sqs:{do}Message", queue) for queue in queues for do in ("Receive", "Delete")],
        [
            *(Request("sqs:SendMessage", queue) for queue in queues),
            Request("sqs:ReceiveMessage", arn("sqs", f"wandle-{other}-inbox-{min(INBOXES)}")),
            *(get(env, f"inbox/{source}/x.csv") for source in INBOXES),
            get(env, landed),
            *never,
        ],
    )
    found["load"] = (
        [get(env, landed), listing(env, "landing/weather_hourly/"), *reads],
        [
            put(env, landed),
            delete(env, landed),
            get(env, logs),
            use(key, "GenerateDataKey", VIA_S3),
            *never,
        ],
    )
    found["transform"] = (
        [
            put(env, docs),
            put(env, published),
            get(env, docs),
            delete(env, docs),
            listing(env, "docs/"),
            *writes,
        ],
        [put(env, landed), get(env, landed), delete(env, landed), put(env, logs), *never],
    )
    found["portal"] = (
        [get(env, docs), get(env, published), listing(env, "published/"), *reads],
        [put(env, docs), get(env, landed), get(env, logs), delete(env, docs), *never],
    )
    found["housekeeping"] = (
        [
            delete(env, landed),
            get(env, landed),
            put(env, landed),
            listing(env, "landing/x/"),
            Request("s3:DeleteObjectVersion", bucket(env, landed)),
            Request("s3:ListBucketVersions", bucket(env), {**TLS, "s3:prefix": "landing/x/"}),
            delete(env, published),
            get(env, published),
            put(env, published),
            listing(env, "published/"),
            Request("s3:DeleteObjectVersion", bucket(env, published)),
            Request("s3:ListBucketVersions", bucket(env), {**TLS, "s3:prefix": "published/x/"}),
            *writes,
        ],
        [
            Request("s3:DeleteObjectVersion", bucket(env, docs)),
            Request("s3:ListBucketVersions", bucket(env), {**TLS, "s3:prefix": "docs/"}),
            put(env, docs),
            delete(env, docs),
            delete(env, logs),
            get(env, logs),
            *(request for request in never if request.action != "s3:DeleteObjectVersion"),
        ],
    )
    found["logs"] = (
        [put(env, logs), get(env, logs), listing(env, "logs/dag_id=x"), *writes],
        [get(env, landed), put(env, landed), put(env, docs), delete(env, logs), *never],
    )
    found["watch"] = (
        [metric("Wandle")],
        [metric("Wandle/Host"), metric("AWS/RDS"), get(env, landed), put(env, docs), *never],
    )
    found["secrets"] = (
        [
            secret("GetSecretValue", f"wandle/{env}/config/fernet_key"),
            secret("DescribeSecret", f"wandle/{env}/pseudonym_key"),
            use(key, "Decrypt", VIA_SECRETS),
        ],
        [
            secret("PutSecretValue", f"wandle/{env}/config/fernet_key"),
            secret("GetSecretValue", f"wandle/{other}/config/fernet_key"),
            secret("GetSecretValue", "rds!db-1"),
            *of_sources.values(),
            secret("GetSecretValue", f"wandle/{env}/api_keys"),
            get(env, landed),
            *never[1:],
        ],
    )
    found["migrate"] = (
        [
            secret("GetSecretValue", f"wandle/{env}/connections/airflow"),
            secret("PutSecretValue", f"wandle/{env}/connections/airflow"),
            *(secret("PutSecretValue", f"wandle/{env}/sources/{name}") for name in SECRETS),
            secret("PutSecretValue", f"wandle/{env}/api_keys"),
            use(key, "Decrypt", VIA_SECRETS),
            use(key, "GenerateDataKey", VIA_SECRETS),
        ],
        [
            secret("PutSecretValue", f"wandle/{other}/connections/airflow"),
            *of_sources.values(),
            secret("DeleteSecret", f"wandle/{env}/connections/airflow"),
            secret("GetSecretValue", "rds!db-of-another"),
            get(env, landed),
            *never[1:],
        ],
    )
    found["doctor"] = (
        [
            Request(f"s3:{action}", bucket(env))
            for action in (
                "GetBucketVersioning",
                "GetEncryptionConfiguration",
                "GetLifecycleConfiguration",
                "ListBucket",
            )
        ]
        + [
            secret("DescribeSecret", f"wandle/{env}/config/fernet_key"),
            Request("rds:DescribeDBInstances", arn("rds", f"db:wandle-{env}")),
            Request("rds:DescribeDBParameters", arn("rds", f"pg:wandle-{env}-1")),
            Request("iam:GetRole", arn("iam", f"role/wandle-{env}-load")),
        ],
        [
            get(env, landed),
            put(env, landed),
            Request("rds:DescribeDBInstances", arn("rds", f"db:wandle-{other}")),
            *never,
        ],
    )
    found["host"] = (
        [
            become(env, job)
            for job in (
                *(f"extract-{source}" for source in SOURCES),
                "load",
                "transform",
                "secrets",
                "migrate",
                "logs",
                "watch",
                "doctor",
                "portal",
                "housekeeping",
                "inbox",
            )
        ]
        + [
            metric("Wandle/Host"),
            Request("ecr:GetAuthorizationToken", "*"),
            Request("ecr:BatchGetImage", arn("ecr", "repository/wandle")),
            Request("ssmmessages:OpenDataChannel", "*"),
            Request("logs:PutLogEvents", arn("logs", f"log-group:/wandle/{env}/host:log-stream:x")),
        ],
        [
            become(other, "load"),
            become("deploy", env),
            Request("sts:AssumeRole", arn("iam", "role/admin")),
            metric("Wandle"),
            get(env, landed),
            put(env, landed),
            listing(env, "landing/"),
            secret("GetSecretValue", "rds!db-1"),
            Request("ecr:PutImage", arn("ecr", "repository/wandle")),
            Request("ssm:SendCommand", arn("ec2", "instance/i-1")),
            never[0],
            *never[3:],
        ],
    )
    found["flow-logs"] = (
        [Request("logs:PutLogEvents", arn("logs", f"log-group:/wandle/{env}/flow:log-stream:x"))],
        [
            Request("logs:PutLogEvents", arn("logs", f"log-group:/wandle/{env}/host:log-stream:x")),
            get(env, landed),
            *never,
        ],
    )
    found["database-monitoring"] = (
        [Request("logs:PutLogEvents", arn("logs", "log-group:RDSOSMetrics:log-stream:x"))],
        [Request("logs:PutLogEvents", arn("logs", f"log-group:/wandle/{env}/flow:x")), *never],
    )
    if env == "dev":  # planned with every option on
        for source in ("bank_holidays", "weather_hourly"):
            own, never_own = found[f"extract-{source}"]
            topic = arn("sns", f"wandle-{env}-alerts")
            found[f"lambda-{source}"] = (
                [
                    *own,
                    Request(
                        "logs:PutLogEvents",
                        arn("logs", f"log-group:/wandle/{env}/lambda/{source}:log-stream:x"),
                    ),
                    Request("sns:Publish", topic),
                    Request("xray:PutTraceSegments", "*"),
                    use(key, "Decrypt", {"kms:ViaService": f"sns.{REGION}.amazonaws.com"}),
                ],
                never_own,
            )
            function = arn("lambda", f"function:wandle-{env}-lambda-{source}")
            found[f"lambda-{source}-schedule"] = (
                [Request("lambda:InvokeFunction", function)],
                [
                    Request("lambda:InvokeFunction", function + "x"),
                    Request("lambda:UpdateFunctionCode", function),
                    *never,
                ],
            )
        api_keys = f"wandle/{env}/api_keys"
        found["serve"] = (
            [
                get(env, published),
                listing(env, "published/"),
                *reads,
                secret("GetSecretValue", api_keys),
                use(key, "Decrypt", VIA_SECRETS),
            ],
            [
                *(get(env, zone) for zone in (landed, docs, logs)),
                *(do(env, published) for do in (put, delete)),
                *(listing(env, prefix) for prefix in ("", "landing/", "docs/")),
                use(key, "GenerateDataKey", VIA_S3),
                secret("PutSecretValue", api_keys),
                secret("GetSecretValue", f"wandle/{other}/api_keys"),
                secret("GetSecretValue", f"wandle/{env}/pseudonym_key"),
                *of_sources.values(),
                *never,
            ],
        )
        on_host, not_on_host = found["host"]
        of_api = Request("ecr:BatchGetImage", arn("ecr", "repository/wandle-api"))
        found["host"] = [*on_host, become(env, "serve"), of_api], not_on_host
        server = arn("rds", f"db:wandle-{env}")
        found["nightly"] = (
            [
                Request("rds:StopDBInstance", server),
                Request("rds:StartDBInstance", server),
                use(key, "Decrypt", {"kms:ViaService": f"scheduler.{REGION}.amazonaws.com"}),
            ],
            [Request("rds:StopDBInstance", arn("rds", f"db:wandle-{other}")), *never],
        )
    return found


def deploying(environment: str, keys: dict[str, str]) -> tuple[list[Request], list[Request]]:
    """The requests that must be allowed and denied for GitHub's deployment role."""
    env, other = environment, {"dev": "prod", "prod": "dev"}[environment]
    here = {"aws:RequestedRegion": REGION}
    boundary = {"iam:PermissionsBoundary": arn("iam", "policy/wandle-boundary")}
    role, others_role = (
        arn("iam", f"role/wandle-{env}-load"),
        arn("iam", f"role/wandle-{other}-load"),
    )
    instance = arn("ec2", "instance/i-1")
    tagged = {"aws:ResourceTag/Environment": env}
    hosts = {"ssm:resourceTag/Environment": env, "ssm:resourceTag/Project": "wandle"}
    state = "arn:aws:s3:::wandle-state-" + ACCOUNT
    may = [
        Request("ec2:CreateVpc", arn("ec2", "vpc/*"), here),
        Request("ec2:DeleteVpc", arn("ec2", "vpc/vpc-1"), {**here, **tagged}),
        Request("rds:CreateDBInstance", arn("rds", f"db:wandle-{env}")),
        Request("sqs:CreateQueue", arn("sqs", f"wandle-{env}-inbox-x")),
        Request("iam:CreateRole", role, boundary),
        Request("iam:PutRolePolicy", role, boundary),
        Request("iam:DeleteRole", role),
        Request("iam:PassRole", role, {"iam:PassedToService": "ec2.amazonaws.com"}),
        Request(
            "iam:CreateServiceLinkedRole",
            arn("iam", "role/aws-service-role/rds.amazonaws.com/x"),
            {"iam:AWSServiceName": "rds.amazonaws.com"},
        ),
        Request("kms:CreateKey", "*", {**here, "aws:RequestTag/Environment": env}),
        Request("kms:PutKeyPolicy", keys[env], tagged),
        Request("kms:CreateAlias", arn("kms", f"alias/wandle-{env}")),
        secret("CreateSecret", f"wandle/{env}/pseudonym_key"),
        Request("ecr:PutImage", arn("ecr", "repository/wandle")),
        Request("ecr:GetAuthorizationToken", "*"),
        Request("ssm:SendCommand", instance, hosts),
        Request("ssm:SendCommand", f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript"),
        Request("ssm:GetCommandInvocation", "*", here),
        Request("s3:PutObject", f"{state}/wandle/{env}.tfstate"),
        Request("s3:DeleteObject", f"{state}/wandle/{env}.tfstate.tflock"),
        Request("kms:GenerateDataKey", keys["bootstrap"], VIA_S3),
        cloudfront("CreateDistribution", context={"aws:RequestTag/Environment": env}),
        cloudfront("UpdateDistribution", context=tagged),
        cloudfront("CreateResponseHeadersPolicy", "response-headers-policy/x"),
        cloudfront("CreateOriginAccessControl", "origin-access-control/x"),
        delivery("PutDeliverySource", f"delivery-source:wandle-{env}-website"),
        delivery("CreateDelivery", "delivery:x"),
    ]
    must_not = [
        Request("ec2:CreateVpc", arn("ec2", "vpc/*"), {"aws:RequestedRegion": "us-east-1"}),
        Request(
            "ec2:DeleteVpc", arn("ec2", "vpc/vpc-2"), {**here, "aws:ResourceTag/Environment": other}
        ),
        Request("rds:DeleteDBInstance", arn("rds", f"db:wandle-{other}")),
        Request("sqs:DeleteQueue", arn("sqs", f"wandle-{other}-inbox-x")),
        Request("iam:CreateRole", role),
        Request("iam:PutRolePolicy", role),
        Request("iam:CreateRole", role, {"iam:PermissionsBoundary": arn("iam", "policy/mine")}),
        Request("iam:CreateRole", others_role, boundary),
        Request("iam:DeleteRole", others_role),
        Request("iam:PutRolePolicy", arn("iam", f"role/wandle-deploy-{env}"), boundary),
        Request("iam:DeleteRolePermissionsBoundary", role),
        Request("iam:AttachRolePolicy", role, boundary),
        Request("iam:CreatePolicyVersion", arn("iam", "policy/wandle-boundary")),
        Request("iam:UpdateAssumeRolePolicy", arn("iam", f"role/wandle-deploy-{env}")),
        Request("iam:PassRole", role, {"iam:PassedToService": "ecs.amazonaws.com"}),
        Request("iam:CreateUser", arn("iam", "user/x")),
        Request("kms:ScheduleKeyDeletion", keys[other], {"aws:ResourceTag/Environment": other}),
        Request("kms:PutKeyPolicy", keys["bootstrap"], {"aws:ResourceTag/Environment": "shared"}),
        secret("GetSecretValue", f"wandle/{env}/pseudonym_key"),
        secret("DeleteSecret", f"wandle/{other}/pseudonym_key"),
        get(env, "landing/x"),
        put(env, "landing/x"),
        Request("ssm:SendCommand", instance, {**hosts, "ssm:resourceTag/Environment": other}),
        Request("s3:PutObject", f"{state}/wandle/{other}.tfstate"),
        Request("s3:DeleteBucket", state),
        cloudfront("CreateDistribution", context={"aws:RequestTag/Environment": other}),
        cloudfront("DeleteDistribution", context={"aws:ResourceTag/Environment": other}),
        cloudfront("DeleteDistribution"),
        delivery("DeleteDeliverySource", f"delivery-source:wandle-{other}-website"),
    ]
    return may, must_not


PLANNING = (
    [
        Request("ec2:DescribeVpcs", "*"),
        Request("iam:GetRole", arn("iam", "role/wandle-dev-load")),
        Request("s3:GetBucketPolicy", bucket("prod")),
        cloudfront("GetDistribution"),
        Request("s3:GetObject", f"arn:aws:s3:::wandle-state-{ACCOUNT}/wandle/dev.tfstate"),
        Request(
            "ssm:GetParameters",
            f"arn:aws:ssm:{REGION}::parameter/aws/service/ami-amazon-linux-latest/x",
        ),
    ],
    [
        get("dev", "landing/x"),
        secret("GetSecretValue", "wandle/dev/pseudonym_key"),
        Request("ec2:RunInstances", "*"),
        cloudfront("UpdateDistribution"),
        Request("s3:PutObject", f"arn:aws:s3:::wandle-state-{ACCOUNT}/wandle/dev.tfstate"),
        become("dev", "load"),
        Request("ssm:GetParameter", arn("ssm", "parameter/other")),
    ],
)
