"""The process of the read API: settings and keys of this deployment, and the server.

`wandle serve` replaces itself with this module, which imports nothing that answers do not need. The
image of the API starts it by itself, with the options of `Served`.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from include.api.app import Application, Options
from include.api.keys import Key, keys_in
from include.api.limits import Rate
from include.api.server import Place, serve
from include.api.store import Store
from include.errors import PermanentError
from include.jobs.serving.api_keys import NAME
from include.publish.versions import Published
from include.settings import Settings

# Nobody waits for a read of the index: the next look comes in seconds.
_S3 = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 2},
    s3={"addressing_style": "path"},
)


@dataclass(frozen=True)
class Served:
    """The options of `wandle serve`; `rate` 0 is without limits, `keys` says that it has keys."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    rate: float = 50.0
    burst: int = 200
    proxies: int = 0
    keys: bool = False
    log: bool = True
    log_clients: bool = False


def command(how: Served) -> list[str]:
    """The command line of the process that serves so."""
    options = []
    for name, value in asdict(how).items():
        option = name.replace("_", "-")
        if isinstance(value, bool):
            options.append(f"--{option}" if value else f"--no-{option}")
        else:
            options.append(f"--{option}={value}")
    return [sys.executable, "-m", "include.jobs.serving.api", *options]


def parsed(arguments: list[str]) -> Served:
    """What a command line says. Exits with a message if it is wrong."""
    parser = argparse.ArgumentParser(prog="serve", description="Options: see docs/api.md.")
    for one in fields(Served):
        option = f"--{one.name.replace('_', '-')}"
        if isinstance(one.default, bool):
            parser.add_argument(option, action=argparse.BooleanOptionalAction)
        else:
            parser.add_argument(option, type=type(one.default))
        parser.set_defaults(**{one.name: one.default})
    return Served(**vars(parser.parse_args(arguments)))


def application(folder: Path, how: Served, keys: Mapping[str, Key]) -> Application:
    """The application of one process; `folder` is that of all processes of this server."""
    settings = Settings.read()
    store = Store(Published(_s3(settings), settings.bucket), folder / "files")
    options = Options(Rate(how.rate, how.burst), how.proxies, how.log, how.log_clients)
    return Application(store, folder, options, keys)


def _s3(settings: Settings) -> Any:
    if settings.job_role:
        session = settings.session("serve")
    else:
        session = boto3.Session(
            aws_access_key_id=settings.s3_access_key or None,
            aws_secret_access_key=settings.s3_secret_key or None,
            region_name=settings.region,
        )
    return session.client("s3", endpoint_url=settings.s3_endpoint or None, config=_S3)


def _keys(settings: Settings) -> dict[str, Key]:
    """The API keys of this deployment. Raises `PermanentError` if there are none."""
    if settings.api_keys:
        return keys_in(settings.api_keys)
    if settings.environment:
        from include.aws.secrets import Secrets

        return keys_in(Secrets(settings.session("serve"), settings.environment).need(NAME))
    # The image of the API lacks what reads a state folder.
    with suppress(ModuleNotFoundError):
        from include.jobs.logins import kept

        if found := kept(settings.home, NAME):
            return keys_in(found.password)
    raise PermanentError(
        f"serve: there are no API keys. Run `wandle secrets set {NAME} < keys.json` or, in a "
        "container, set WANDLE_API_KEYS (see docs/api.md), or serve without `--keys`."
    )


def main() -> None:
    """Serve as the command line says, until a signal ends it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    how = parsed(sys.argv[1:])
    try:
        keys = _keys(Settings.read()) if how.keys else {}
    except PermanentError as error:
        sys.exit(str(error))
    serve(Place(how.host, how.port, how.workers), partial(application, how=how, keys=keys))


if __name__ == "__main__":
    main()
