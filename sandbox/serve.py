"""Run the sandbox as a process: `python -m sandbox.serve --as-of 2026-11-21`."""

from __future__ import annotations

import argparse
import logging
import os
import socket
import sys
from contextlib import suppress
from datetime import date
from pathlib import Path

import uvicorn
from include.errors import PermanentError, PipelineError

from sandbox.app import create_app
from sandbox.world.clock import read_state


class PortUnavailable(PermanentError):
    """The sandbox's port is in use, or the address does not exist on this machine."""


def serve(
    *,
    host: str,
    port: int,
    seed: int,
    as_of: date,
    payloads: Path | None = None,
    state: Path | None = None,
    cap: int = 10_000,
    rate_per_second: float = 15,
    burst: int = 30,
    national: bool = False,
) -> None:
    """Serve until SIGINT or SIGTERM; the arguments are those of `create_app`.

    Raises `PortUnavailable`, and `WrongPayloads` before binding the port.
    """
    app = create_app(
        seed=seed,
        as_of=as_of,
        payloads=payloads,
        cap=cap,
        rate_per_second=rate_per_second,
        burst=burst,
        state=state,
        national=national,
    )
    config = uvicorn.Config(app, access_log=False, log_level="warning", server_header=False)
    with _listen(host, port) as listener, suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise PortUnavailable(
            f"sandbox: {host}:{port} cannot be used: {reason}. Stop what uses it, or "
            "choose other ports with WANDLE_PORT_BASE."
        ) from error


def main(arguments: list[str] | None = None) -> int:
    """Parse the command line and serve; returns the exit code. Exits with 2 on a usage error."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.serve", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8082)
    parser.add_argument("--seed", type=int, default=1, help="generated data grow from it")
    parser.add_argument("--as-of", type=date.fromisoformat, help="YYYY-MM-DD: what day it is")
    parser.add_argument("--state", type=Path, help="file with seed and as_of, followed")
    parser.add_argument("--payloads", type=Path, help="serve the recorded bodies below it")
    parser.add_argument("--national", action="store_true", help="gauges all over the country")
    parser.add_argument("--cap", type=int, default=10_000, help="most crimes of one answer")
    parser.add_argument("--rate", type=float, default=15, help="requests a second and client")
    parser.add_argument("--burst", type=int, default=30, help="requests at once and client")
    options = parser.parse_args(arguments)
    if options.as_of is None and options.state is None:
        parser.error("--as-of or --state is required")
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        as_of = options.as_of or read_state(options.state).as_of
        serve(
            host=options.host,
            port=options.port,
            seed=options.seed,
            as_of=as_of,
            payloads=options.payloads,
            state=options.state,
            cap=options.cap,
            rate_per_second=options.rate,
            burst=options.burst,
            national=options.national,
        )
    except PipelineError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
