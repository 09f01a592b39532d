"""The real services of the integration tests."""

from __future__ import annotations

from tests.integration.conftest import (
    bucket,
    deployment,
    folder_lake,
    lake,
    mariadb_server,
    migrated,
    new_database,
    own_tables,
    s3,
    sockets,
    wandle,
    warehouse,
)

__all__ = [
    "bucket",
    "deployment",
    "folder_lake",
    "lake",
    "mariadb_server",
    "migrated",
    "new_database",
    "own_tables",
    "s3",
    "sockets",
    "wandle",
    "warehouse",
]
