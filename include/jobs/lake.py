"""The bucket of a job, with the S3 client of its caller."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3
from botocore.config import Config

from include.landing.store import Landings
from include.settings import Settings

if TYPE_CHECKING:
    from botocore.client import BaseClient

# Timeouts on every call, and the client library's own retries with backoff.
S3_CONFIG = Config(
    connect_timeout=10,
    read_timeout=60,
    retries={"mode": "standard", "total_max_attempts": 4},
    s3={"addressing_style": "path"},
)


@dataclass(frozen=True)
class Lake:
    """An S3 client with access to the bucket, the bucket's name, and the client's session."""

    s3: BaseClient
    bucket: str
    session: boto3.Session

    def as_job(self, job: str) -> Lake:
        """The same bucket with the permissions of the job's role, if settings name roles.

        Raises `PermanentError` if the role may not be assumed.
        """
        settings = Settings.read()
        if not settings.job_role:
            return self
        session = settings.session(job)
        s3 = session.client("s3", endpoint_url=self.s3.meta.endpoint_url, config=S3_CONFIG)
        return Lake(s3, self.bucket, session)

    @property
    def landings(self) -> Landings:
        """The landings in this bucket."""
        return Landings(self.s3, self.bucket, self.session, _folder(self.s3))


def _folder(s3: BaseClient) -> Path | None:
    """Where the S3 server of a local platform keeps its objects."""
    if urlsplit(s3.meta.endpoint_url).hostname != "127.0.0.1":
        return None
    folder = Settings.read().home / "s3"
    return folder if folder.is_dir() else None


def lake_of(settings: Settings) -> Lake:
    """The lake of this deployment, for the command line. Raises `WrongSetting`."""
    session = boto3.Session(
        aws_access_key_id=settings.s3_access_key or None,
        aws_secret_access_key=settings.s3_secret_key or None,
        region_name=settings.region,
    )
    s3 = session.client("s3", endpoint_url=settings.s3_endpoint or None, config=S3_CONFIG)
    return Lake(s3, settings.bucket, session)
