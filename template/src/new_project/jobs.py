"""The jobs that Airflow and the command line run: they combine the steps."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from new_project import extract, landing
from new_project.contract import Contract
from new_project.load import Batch, load
from new_project.settings import Settings

DBT_PROJECT = Path(__file__).parents[2] / "dbt_project"
log = logging.getLogger(__name__)


def ingest(settings: Settings, contract: Contract, url: str = "") -> Batch:
    """Fetch, land and load a dataset. Raises what the steps raise; the table is then as before."""
    store = landing.store_of(settings.landing)
    key = landing.write(store, contract.name, extract.fetch(url or str(contract.url)))
    log.info("%s: landed as %s", contract.name, key)
    return _load(settings, contract, key)


def reload(settings: Settings, contract: Contract) -> Batch:
    """Load the newest landing again, without a request. Raises `LookupError` and `LoadRefused`."""
    return _load(
        settings, contract, landing.latest(landing.store_of(settings.landing), contract.name)
    )


def _load(settings: Settings, contract: Contract, key: str) -> Batch:
    body = landing.read(landing.store_of(settings.landing), key)
    batch = load(settings.dsn.get_secret_value(), contract, key, body)
    log.info(
        "%s: %d landed = %d loaded + %d quarantined + %d duplicates",
        contract.name, batch.landed, len(batch.rows), len(batch.quarantined), batch.duplicates,
    )  # fmt: skip
    return batch


def transform(settings: Settings) -> None:
    """Build and test the models. Raises `CalledProcessError` if one fails."""
    parts = conninfo_to_dict(settings.dsn.get_secret_value())
    environment = os.environ | {
        "NEW_PROJECT_DBT_HOST": str(parts.get("host") or "localhost"),
        "NEW_PROJECT_DBT_PORT": str(parts.get("port") or 5432),
        "NEW_PROJECT_DBT_USER": str(parts.get("user") or "postgres"),
        "NEW_PROJECT_DBT_DATABASE": str(parts.get("dbname") or "postgres"),
        # dbt itself hides the value of a variable that is named like this.
        "DBT_ENV_SECRET_NEW_PROJECT_PASSWORD": str(parts.get("password") or ""),
    }
    dbt = str(Path(sys.executable).with_name("dbt"))
    folders = ["--project-dir", str(DBT_PROJECT), "--profiles-dir", str(DBT_PROJECT)]
    subprocess.run([dbt, "build", *folders], check=True, env=environment)
