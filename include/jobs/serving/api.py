"""The process of the read API: settings and keys of this deployment, and the server.

`wandle serve` replaces itself with this module, which imports nothing that answers do not need.
"""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
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
from include.publish.versions import Published
from include.settings import Settings

# What `wandle secrets set` calls the keys; on AWS, below `wandle/<environment>/`.
SECRET = "api_keys"  # noqa: S105, a name
# Nobody waits for a read of the index: the next look comes in seconds.
_S3 = Config(
    connect_timeout=3,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 2},
    s3={"addressing_style": "path"},
)


@dataclass(frozen=True)
class Served:
    """How the API is served; `per_second` 0 is without limits, `keys` says that it has keys."""

    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    per_second: float = 50.0
    burst: int = 200
    hops: int = 0
    keys: bool = False
    log_requests: bool = True
    log_clients: bool = False


def command(how: Served) -> list[str]:
    """The command line of the process that serves so."""
    return [sys.executable, "-m", "include.jobs.serving.api", json.dumps(asdict(how))]


def application(folder: Path, how: Served, keys: Mapping[str, Key]) -> Application:
    """The application of one process, with its files in a folder of its own."""
    settings = Settings.read()
    store = Store(Published(_s3(settings), settings.bucket), folder / f"files-{os.getpid()}")
    options = Options(Rate(how.per_second, how.burst), how.hops, how.log_requests, how.log_clients)
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
    if settings.environment:
        from include.aws.secrets import Secrets

        return keys_in(Secrets(settings.session("serve"), settings.environment).need(SECRET))
    from include.jobs.logins import kept

    found = kept(settings.home, SECRET)
    if found is None:
        raise PermanentError(
            f"serve: there are no API keys. Run `wandle secrets set {SECRET} < keys.json` (see "
            "docs/api.md), or serve without `--keys`."
        )
    return keys_in(found.password)


def main() -> None:
    """Serve as the first argument says, until a signal ends it."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    how = Served(**json.loads(sys.argv[1])) if len(sys.argv) > 1 else Served()
    try:
        keys = _keys(Settings.read()) if how.keys else {}
    except PermanentError as error:
        sys.exit(str(error))
    serve(Place(how.host, how.port, how.workers), partial(application, how=how, keys=keys))


if __name__ == "__main__":
    main()
