"""Read S3 objects with a tenth of the CPU time that boto3 needs."""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import boto3
    from botocore.client import BaseClient
    from obstore import Bytes
    from obstore.store import S3Store

log = logging.getLogger(__name__)

# botocore renews credentials ten minutes before they expire, so they are valid this long.
CREDENTIALS_HELD = timedelta(minutes=10)
# Its threads do not survive a fork: a child process would wait forever.
_reads_in: list[int] = []


class FastReader:
    """Reads with the endpoint, credentials and timeouts of a boto3 client.

    The credentials are those of the client's `session`. Only the system's
    certificates are trusted: with a CA bundle of its own, boto3 reads instead.

    Does not report errors: the caller retries with boto3, which succeeds or
    raises its own error. After a failure this reader is disabled.
    """

    def __init__(self, s3: BaseClient, bucket: str, session: boto3.Session) -> None:
        self._store = _store_of(s3, bucket, session)

    def read(self, key: str) -> Bytes | None:
        """The object's bytes, or None to use boto3 instead."""
        if not _reads_in:
            _reads_in.append(os.getpid())
        store = self._store
        if store is None or _reads_in[0] != os.getpid():
            return None
        try:
            return store.get(key).bytes()
        except Exception as error:
            log.debug(
                "%s: the fast reader failed (%s); continuing with boto3", key, type(error).__name__
            )
            self._store = None
            return None


def _store_of(s3: BaseClient, bucket: str, session: boto3.Session) -> S3Store | None:
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import S3Store

    if session.get_credentials() is None:
        return None
    config = s3.meta.config
    return S3Store(
        bucket,
        endpoint=s3.meta.endpoint_url,
        region=s3.meta.region_name,
        credential_provider=Boto3CredentialProvider(session, ttl=CREDENTIALS_HELD),
        virtual_hosted_style_request=False,
        client_options={
            "allow_http": s3.meta.endpoint_url.startswith("http://"),
            "connect_timeout": timedelta(seconds=config.connect_timeout),
            "timeout": timedelta(seconds=config.read_timeout),
        },
        retry_config={"max_retries": 0},
    )
