"""Create or update the database to match the contracts."""

from __future__ import annotations

from collections.abc import Mapping

from include.sources.model import FOLDER, contracts
from include.warehouse.schema import migrate as warehouse


def migrate(admin_dsn: str, passwords: Mapping[str, str]) -> list[str]:
    """Create or evolve roles and tables; returns what was changed, nothing the second time.

    `passwords` maps login roles to their passwords. Drops empty raw tables
    that have no contract file.
    """
    files = [path.stem for path in FOLDER.glob("*.yaml")]
    return warehouse.migrate(admin_dsn, contracts().values(), passwords, files=files)
