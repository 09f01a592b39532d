"""The platform in containers: prepare it before its services start, and run the demo.

The service `prepare` mounts each volume of docker-compose.yaml below
`/volumes`, and writes to it only what that service needs.
"""

from __future__ import annotations

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from include.errors import PipelineError
from include.local.home import make_private_folder, write_private
from include.local.services import airflow, case_system, postgres
from include.local.source_secrets import prepare_connections
from include.local.state import (
    AIRFLOW_USER,
    GENERATED,
    IN_SETTINGS_FILE,
    SUPERUSER,
    Addresses,
    as_variables,
    begin_sandbox,
    generated_password,
    make_secrets,
    read_secrets,
    with_addresses,
    write_settings_file,
)
from include.settings import Settings
from include.terminal import complain, say

VOLUMES = Path("/volumes")
ADDRESSES = Addresses(
    airflow="http://api-server:8080",
    s3="http://s3:9000",
    sandbox="http://sandbox:8082",
    postgresql="postgres:5432",
)
OF_BROKER = {"broker": generated_password, "flower": generated_password}
# What the read API is told: where to read what is published.
OF_API = ("bucket", "region", "s3_endpoint", "s3_access_key", "s3_secret_key")
# Names of Airflow's secret options in a secrets backend, as in docs/deploy.md.
CONFIG_NAMES = {
    "core": "fernet_key",
    "database": "sql_alchemy_conn",
    "api": "api_secret_key",
    "api_auth": "jwt_secret",
}


def prepare(settings: Settings, volumes: Path = VOLUMES) -> None:
    """Generate missing secrets and give each service its own. Idempotent.

    `settings.home`, the volume `admin`, holds everything; Airflow's containers
    get the settings and connections of their tasks, never the superuser's.
    Raises `WrongSetting` if the volume's data come from another origin.
    """
    command = "docker compose up --detach --build" if settings.live else "make compose-demo"
    settings.refuse_other_origin(
        f"COMPOSE_PROJECT_NAME=wandle-{settings.origin} WANDLE_PORT=8090 {command}"
    )
    prepare_broker(settings, volumes)
    make_secrets(settings.home, GENERATED)
    begin_sandbox(settings.home)
    local = with_addresses(settings, ADDRESSES)
    secrets = read_secrets(settings.home)
    write_settings_file(local, settings.home, IN_SETTINGS_FILE)
    _give_airflow(local, volumes / "home")
    make_private_folder(volumes / "api")
    told = "".join(f"{name}={value}\n" for name, value in as_variables(local, OF_API).items())
    write_private(volumes / "api" / "wandle.env", told)

    keys = f'"{secrets["s3_access_key"]},{secrets["s3_secret_key"]}"'
    for folder in ("s3", "s3/buckets", f"s3/buckets/{settings.bucket}", "sandbox"):
        make_private_folder(volumes / folder)
    write_private(volumes / "s3" / "keys", keys)
    # World-readable, as the server runs as another user; no other service mounts this volume.
    (volumes / "postgres" / "password").write_text(secrets[SUPERUSER], encoding="utf-8")
    begin_sandbox(volumes / "sandbox")


def prepare_broker(settings: Settings, volumes: Path = VOLUMES) -> None:
    """Give the broker and its clients their passwords, the only secrets stored on an AWS host.

    Generated here; on AWS the broker's comes from the environment's secret, as
    workers run on other hosts. Raises the errors of `Settings.need`.
    """
    for folder in (settings.home, *(volumes / name for name in ("home", "logs", "redis"))):
        make_private_folder(folder)
    make_secrets(settings.home, OF_BROKER)
    secrets = read_secrets(settings.home)
    broker = settings.need("broker_password") if settings.environment else secrets["broker"]
    home, redis = volumes / "home", volumes / "redis"
    write_private(redis / "password", broker)
    write_private(redis / "redis.conf", f"requirepass {broker}\n")
    write_private(home / "broker_url", f"redis://:{broker}@{settings.broker_host}:6379/0")
    write_private(home / "flower_basic_auth", f"{AIRFLOW_USER}:{secrets['flower']}")


def _give_airflow(local: Settings, home: Path) -> None:
    kept_from_tasks = ("admin_dsn", "developer_dsn")
    write_settings_file(local, home, tuple(f for f in IN_SETTINGS_FILE if f not in kept_from_tasks))
    prepare_connections(local.model_copy(update={"home": home}), airflow.connections(local))
    options = airflow.secret_configuration(local)
    named = {
        CONFIG_NAMES[section]: value
        for section, option in options.items()
        for value in option.values()
    }
    write_private(home / "config.json", json.dumps(named) + "\n")
    airflow.write_login(local.model_copy(update={"home": home}))


def migrate(settings: Settings) -> None:
    """Create or update databases and roles for this image."""
    from include.local.platform import migrate_warehouse

    local = with_addresses(settings, ADDRESSES)
    postgres.create_databases(local)
    for reason in migrate_warehouse(local).values():
        complain(reason)
    airflow.migrate_metadata(local)
    if not local.live:
        case_system.create(local)


def demo(settings: Settings, asked_for: argparse.Namespace) -> None:
    """Run the main job on the running platform. Raises as `include.local.demo.run.run` does."""
    from include.jobs.pipeline.origin import listed
    from include.local.demo import run as running
    from include.local.demo.window import asked_of_sources, choose_window

    # The sandbox's date is in its own volume.
    of_sandbox = settings.model_copy(update={"home": VOLUMES / "sandbox"})
    window = choose_window(
        of_sandbox,
        asked_for.council or None,
        asked_for.first,
        asked_for.last,
        datetime.now(UTC).date(),
    )
    asked = asked_of_sources(window, asked_for.sources)
    for place in listed((item.contract for item in asked), settings):
        say(f"Sources   {place}")
    running.run(settings, window, asked, url=asked_for.url)


def main(arguments: list[str] | None = None) -> int:
    """Run the command of a Compose service; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m include.local.containers", description=__doc__)
    parser.add_argument("step", choices=("prepare", "broker", "migrate", "demo"))
    parser.add_argument("sources", nargs="*", metavar="SOURCE", help="demo: only these sources")
    parser.add_argument(
        "--council", action="append", default=[], help="demo: only this council; repeatable"
    )
    parser.add_argument("--from", dest="first", default="", help="demo: first month, YYYY-MM")
    parser.add_argument("--to", dest="last", default="", help="demo: last month, YYYY-MM")
    parser.add_argument("--url", default="", help="demo: URL of Airflow to print")
    # Sources may stand between and after the options.
    options = parser.parse_intermixed_args(arguments)
    try:
        settings = Settings.read()
        if options.step == "prepare":
            prepare(settings)
        elif options.step == "broker":
            prepare_broker(settings)
        elif options.step == "migrate":
            migrate(settings)
        else:
            demo(settings, options)
    except PipelineError as error:
        complain(str(error), mark="")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
