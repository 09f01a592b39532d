"""The services of the integration tests, to be attacked."""

from __future__ import annotations

from tests.integration.conftest import (
    bucket,
    deployment,
    lake,
    migrated,
    new_database,
    s3,
    sockets,
)

__all__ = ["bucket", "deployment", "lake", "migrated", "new_database", "s3", "sockets"]
