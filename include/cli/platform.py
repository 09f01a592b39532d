"""Commands that start, stop and check the local platform."""

from __future__ import annotations

import json
import shlex
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from include.cli.terminal import CouncilOption
from include.disk import warning
from include.errors import PermanentError
from include.settings import Settings
from include.terminal import counted, print_table, say

commands = typer.Typer()


@commands.command()
def up() -> None:
    """Start the local platform: PostgreSQL, S3, sandbox and Airflow.

    Example: `WANDLE_PORT_BASE=9080 wandle up`
    """
    from include.local import platform

    platform.up(Settings.read(), report=say)


@commands.command()
def down() -> None:
    """Stop the local platform; data is kept.

    Example: `wandle down`
    """
    from include.local import platform

    platform.down(Settings.read(), report=say)


@commands.command()
def status() -> None:
    """Show the status of each service. Exits with code 1 if one is not running."""
    from include.local import platform

    settings = Settings.read()
    found = platform.status(settings)
    rows = [
        (
            service.name,
            service.state,
            service.pid,
            service.address,
            service.since and service.since.strftime("%Y-%m-%d %H:%M:%S"),
            service.log,
        )
        for service in found
    ]
    print_table(("service", "state", "pid", "address", "since", "log"), rows)
    for folder in (settings.home, Path(tempfile.gettempdir())):
        if told := warning(folder):
            say(f"{told} Free some space.", mark="•", style="yellow")
    if any(service.state != "running" for service in found):
        raise typer.Exit(1)


@commands.command()
def demo(
    council: CouncilOption = None,
    first: Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last month, YYYY-MM.")] = "",
    source: Annotated[
        list[str] | None,
        typer.Option(
            "--source", help="Only this source and its parents. Repeatable. Default: all."
        ),
    ] = None,
) -> None:
    """Run the main job through Airflow and print a summary.

    Starts the platform, triggers the months of monthly sources and the last 14 days of daily
    ones through Airflow's REST API, waits for the marts, and prints the ledger. Running it
    twice changes nothing.

    Example: `wandle demo --from 2017-01 --to 2017-03 --council sutton`
    """
    from include.local.demo import run as running

    running.demo(Settings.read(), councils=council, first=first, last=last, sources=source)


@commands.command()
def sandbox(
    as_of: Annotated[
        datetime | None,
        typer.Option("--as-of", formats=["%Y-%m-%d"], help="Serve data up to this date."),
    ] = None,
) -> None:
    """Start the API sandbox, and print its address and date.

    `wandle up` starts it too. With WANDLE_PAYLOADS it replays recorded responses.

    Examples: `wandle sandbox`, `wandle sandbox --as-of 2026-12-24`
    """
    from include.local import platform

    settings = Settings.read()
    settings.refuse_other_origin()
    if settings.live:
        raise PermanentError(
            f"sandbox: {settings.home} belongs to the live APIs. Unset WANDLE_LIVE, or set "
            "WANDLE_HOME to another state folder."
        )
    settings = platform.start_sandbox(settings, report=say)
    if as_of:
        platform.set_as_of(settings, as_of.date())
    state = json.loads((settings.home / "sandbox.json").read_text(encoding="utf-8"))
    mode = f"recorded, from {settings.payloads}" if settings.payloads else "generated"
    say(f"{settings.need('sandbox_url')}  {mode}, as of {state['as_of']}, seed {state['seed']}")


@commands.command()
def env() -> None:
    """Print connection settings as shell exports.

    Example: `eval "$(wandle env)"`
    """
    from include.local import platform

    for name, value in platform.environment(Settings.read()).items():
        say(f"export {name}={shlex.quote(value)}")


@commands.command()
def doctor(
    aws: Annotated[bool, typer.Option("--aws", help="Check the environment on AWS.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="With --aws, only bucket, roles, secrets, instance or database. Repeatable."
        ),
    ] = None,
) -> None:
    """Find problems on this machine or in an AWS environment, and explain how to fix them.

    Exits with code 1 if there are any.

    Examples: `wandle doctor`, `wandle doctor --aws`, `wandle doctor --aws --only bucket`
    """
    if aws:
        _aws_doctor(only or [])
        return
    from include.local import platform

    findings = platform.doctor(Settings.read())
    for finding in findings:
        say(f"{finding.what} {finding.fix}", mark="•", style="yellow")
    if findings:
        raise typer.Exit(1)
    say("No problems found.")


def _aws_doctor(only: list[str]) -> None:
    from include.jobs.aws.aws_doctor import aws_doctor

    red = 0
    for check in aws_doctor(Settings.read(), only):
        red += not check.passed
        mark, style = ("✓", "green") if check.passed else ("✗", "red")
        rest = f": {check.problem} {check.fix}" if check.problem else ""
        say(f"{check.name}{rest}", mark=mark, style=style)
    if red:
        say(f"{counted(red, 'check')} failed.")
        raise typer.Exit(1)
    say("All checks passed.")
