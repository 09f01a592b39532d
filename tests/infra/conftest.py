"""Terraform against moto: no AWS account, no network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pytest

from tests.infra.folders import EVERYTHING, REGION, STATE_BUCKET, TERRAFORM, Terraform

# AWS assigns the ARNs of these resources, so they must exist before a plan shows every policy.
APPLIED_FIRST = {
    "bootstrap": [
        "aws_kms_key.this",
        "aws_ecr_repository.this",
        "aws_iam_policy.boundary",
        "aws_iam_openid_connect_provider.github",
    ],
    "dev": ["module.environment.module.key"],
    "prod": ["module.environment.module.key"],
}


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a moto server: the one in AWS_ENDPOINT_URL if set, otherwise a new one."""
    given = {"AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION}
    server = None
    if "AWS_ENDPOINT_URL" not in os.environ:
        from moto.server import ThreadedMotoServer

        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        given |= {
            "AWS_ENDPOINT_URL": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in given.items():
            patch.setenv(name, value)
        patch.delenv("AWS_PROFILE", raising=False)
        yield os.environ["AWS_ENDPOINT_URL"]
    if server:
        server.stop()


@pytest.fixture(scope="session")
def state_bucket(aws: str) -> str:
    """The bucket for the environments' state, which bootstrap normally creates."""
    boto3.client("s3").create_bucket(
        Bucket=STATE_BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION}
    )
    return STATE_BUCKET


def _roots(state_bucket: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Terraform]:
    def ready(name: str, folder: Path, more: dict[str, Any]) -> tuple[str, Terraform]:
        root = Terraform(folder, tmp_path_factory.mktemp(name), more)
        root.init()
        root.apply(*[f"-target={target}" for target in APPLIED_FIRST[name]])
        return name, root

    with ThreadPoolExecutor(2) as pool:
        return dict(
            pool.map(
                lambda given: ready(*given),
                [
                    ("dev", TERRAFORM / "environments/dev", EVERYTHING),
                    ("prod", TERRAFORM / "environments/prod", {}),
                    ("bootstrap", TERRAFORM / "bootstrap", {}),
                ],
            )
        )


@pytest.fixture(scope="session")
def roots(state_bucket: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Terraform]:
    """bootstrap, dev with every option on, and prod with its defaults, ready to plan."""
    return _roots(state_bucket, tmp_path_factory)


@pytest.fixture(scope="session")
def plans(roots: dict[str, Terraform]) -> dict[str, dict[str, Any]]:
    """The plan of each root, by name."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(roots, pool.map(lambda root: root.plan(), roots.values()), strict=True))
