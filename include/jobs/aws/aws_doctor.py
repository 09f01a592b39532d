"""`wandle doctor --aws`: check that an AWS environment is complete and correct."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import boto3
import psycopg

from include.aws.checks import Check
from include.aws.checks.bucket import check_bucket
from include.aws.checks.instance import check_instance
from include.aws.checks.roles import check_roles
from include.aws.checks.secrets import check_secrets
from include.aws.roles import session_as
from include.aws.secrets import Secrets, dsn_of_connection
from include.errors import PermanentError, PipelineError
from include.jobs.aws.environment import WAREHOUSE
from include.settings import Settings
from include.sources.model import broken_contracts, contracts
from include.warehouse.connection import problem_of_login, takes_plain_connections
from include.warehouse.schema.airflow_database import NAME as AIRFLOW
from include.warehouse.schema.grants_check import problems
from include.warehouse.schema.migrate import LOGINS

JOBS = (
    *("load", "transform", "portal", "housekeeping", "watch"),
    *("secrets", "migrate", "logs", "doctor"),
)
MIGRATE = "Run `wandle migrate` in the environment."


def aws_doctor(settings: Settings, only: Sequence[str] = ()) -> Iterator[Check]:
    """Every check of the parts named in `only`, or of all: `PARTS`.

    Raises `PermanentError` if no environment is set, or for an unknown part.
    Problems of the environment are failed checks.
    """
    if not settings.environment:
        raise PermanentError(
            "doctor: WANDLE_ENVIRONMENT is not set. Run this on the environment's host; see "
            "docs/deploy.md."
        )
    for part in only:
        if part not in PARTS:
            raise PermanentError(f"doctor: unknown part {part!r}. Known: {', '.join(PARTS)}.")
    for part in only or PARTS:
        yield from PARTS[part](settings)


def _bucket(settings: Settings) -> Iterator[Check]:
    with_session = _session(settings, "doctor", "bucket")
    if isinstance(with_session, Check):
        yield with_session
    else:
        yield from check_bucket(with_session, settings.bucket)


def _instance(settings: Settings) -> Iterator[Check]:
    with_session = _session(settings, "doctor", "instance")
    if isinstance(with_session, Check):
        yield with_session
    else:
        yield from check_instance(with_session, settings.environment, settings.need("database"))


def _secrets(settings: Settings) -> Iterator[Check]:
    with_session = _session(settings, "secrets", "secrets")
    if isinstance(with_session, Check):
        yield with_session
        return
    yield from check_secrets(
        Secrets(with_session, settings.environment),
        dict.fromkeys(LOGINS, WAREHOUSE) | {AIRFLOW: AIRFLOW},
        settings.need("database"),
        settings.bucket,
        ["oidc_client_secret"] if settings.oidc_issuer else [],
    )


def _roles(settings: Settings) -> Iterator[Check]:
    if not settings.job_role:
        yield Check(
            "roles",
            "WANDLE_JOB_ROLE is not set: every job runs with the rights of the host.",
            "Set it to the Terraform output `job_role`.",
        )
        return
    jobs = [*(f"extract-{name}" for name in sorted({*contracts(), *broken_contracts()})), *JOBS]
    jobs += ["serve"] if settings.read_api else []
    looking = _session(settings, "doctor", "roles")
    yield from check_roles(
        boto3.Session(region_name=settings.region) if isinstance(looking, Check) else looking,
        [settings.role_of(job) for job in jobs],
        lambda arn: session_as(arn, settings.region),
    )


def _database(settings: Settings) -> Iterator[Check]:
    with_session = _session(settings, "secrets", "database")
    if isinstance(with_session, Check):
        yield with_session
        return
    kept = Secrets(with_session, settings.environment)
    addresses: dict[str, str] = {}
    for role in (*LOGINS, AIRFLOW):
        try:
            addresses[role] = dsn_of_connection(kept.need(f"connections/{role}"))
            problem = problem_of_login(addresses[role])
        except PipelineError as error:
            problem = str(error)
        fix = (
            f"{MIGRATE} Also check that the server is reachable and WANDLE_DATABASE_CA matches its "
            "certificate."
        )
        yield Check(f"database: {role} can log in over TLS", problem, fix if problem else "")
        if problem:
            addresses.pop(role, None)
    if addresses:
        yield from _inside(addresses)


def _inside(addresses: dict[str, str]) -> Iterator[Check]:
    dsn = next(iter(addresses.values()))
    plain = takes_plain_connections(dsn)
    yield Check(
        "database: refuses connections without TLS",
        "it accepts connections without TLS." if plain else "",
        "Run `terraform apply`: it sets `rds.force_ssl` to 1." if plain else "",
    )
    warehouse = next((addresses[role] for role in LOGINS if role in addresses), None)
    if warehouse is None:
        return
    problem = problem_of_login(warehouse.replace(f"/{WAREHOUSE}", f"/{AIRFLOW}", 1))
    yield Check(
        "database: the pipeline cannot access Airflow's metadata",
        "" if problem else "a pipeline role can connect to Airflow's database.",
        "" if problem else MIGRATE,
    )
    with psycopg.connect(warehouse) as connection:
        for role, problem in problems(connection):
            yield Check(
                f"database: {role} can do its job and no more",
                problem,
                f"{MIGRATE} Revoke any remaining rights by hand." if problem else "",
            )


def _session(settings: Settings, job: str, part: str) -> boto3.Session | Check:
    """The session to check a part with; a failed check if its role cannot be assumed."""
    try:
        return settings.session(job)
    except PipelineError as error:
        return Check(part, str(error), "This part cannot be checked without that role.")


PARTS: dict[str, Callable[[Settings], Iterator[Check]]] = {
    "bucket": _bucket,
    "roles": _roles,
    "secrets": _secrets,
    "instance": _instance,
    "database": _database,
}
