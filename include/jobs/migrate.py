"""Create or update the database to match the contracts."""

from __future__ import annotations

from collections.abc import Mapping

import psycopg

from include.settings import Settings
from include.sources.model import FOLDER, Contract, broken_contracts, contracts
from include.sources.raw_table import renames
from include.warehouse.schema import migrate as warehouse


def migrate(
    admin_dsn: str, passwords: Mapping[str, str], settings: Settings | None = None
) -> list[str]:
    """Create or evolve roles and tables; returns what was changed, nothing the second time.

    `passwords` maps login roles to their passwords. The pseudonym key is taken
    from `settings`. Drops empty raw tables that have no contract file.
    """
    settings = settings or Settings.read()

    def rename(connection: psycopg.Connection, contract: Contract) -> list[str]:
        if not renames(contract):
            return []
        from include.jobs.rules import known_rules_hash
        from include.warehouse.rename import follow_renames

        return follow_renames(
            connection,
            contract,
            dsn=admin_dsn,
            rules_hash=lambda item: known_rules_hash(item, settings),
        )

    files = {*(path.stem for path in FOLDER.glob("*.yaml")), *contracts(), *broken_contracts()}
    return warehouse.migrate(admin_dsn, contracts().values(), passwords, before=rename, files=files)
