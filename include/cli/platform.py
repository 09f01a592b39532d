"""The platform on this machine: start it, stop it, look after it."""

from __future__ import annotations

import json
import shlex
from datetime import datetime
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from include.cli.terminal import CouncilOption, console, say
from include.errors import PermanentError
from include.settings import Settings

commands = typer.Typer()


@commands.command()
def up() -> None:
    """Start the platform on this machine: PostgreSQL, S3, sandbox, Airflow.

    Example: `WANDLE_PORT_BASE=9080 wandle up`
    """
    from include.local import platform

    platform.up(Settings.read(), report=say)


@commands.command()
def down() -> None:
    """Stop the platform; its data stays. Example: `wandle down`"""
    from include.local import platform

    platform.down(Settings.read(), report=say)


@commands.command()
def status() -> None:
    """How each service of the platform is. Exit code 1 if one is not running."""
    from include.local import platform

    settings = Settings.read()
    found = platform.status(settings)
    table = Table("service", "state", "pid", "address", "since", "log", box=None)
    for service in found:
        since = service.since.strftime("%Y-%m-%d %H:%M:%S") if service.since else ""
        table.add_row(
            service.name,
            service.state,
            str(service.pid or ""),
            service.address,
            since,
            str(service.log),
        )
    console.print(table)
    if any(service.state != "running" for service in found):
        raise typer.Exit(1)


@commands.command()
def demo(
    council: CouncilOption = None,
    first: Annotated[str, typer.Option("--from", help="First month, YYYY-MM.")] = "",
    last: Annotated[str, typer.Option("--to", help="Last month, YYYY-MM.")] = "",
    source: Annotated[
        list[str] | None,
        typer.Option("--source", help="A source, and what it needs; repeat it. All if left out."),
    ] = None,
) -> None:
    """Run the main job through Airflow, and show what came of it.

    Brings the platform up, fetches the months of monthly sources and the last
    14 days of daily ones through Airflow's REST API,
    waits for the marts, and prints the books. Run it twice: nothing changes.

    Example: `wandle demo --from 2017-01 --to 2017-03 --council sutton`
    """
    from include.local.demo import run as running

    running.demo(
        Settings.read(), councils=council, first=first, last=last, sources=source, console=console
    )


@commands.command()
def sandbox(
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of", formats=["%Y-%m-%d"], help="Move the date up to which it has data."
        ),
    ] = None,
) -> None:
    """Start the stand-ins for the public APIs, and say where they answer and as of which date.

    `wandle up` starts them too. With WANDLE_PAYLOADS they replay recorded answers.

    Examples: `wandle sandbox`, `wandle sandbox --as-of 2026-12-24`
    """
    from include.local import platform

    settings = Settings.read()
    if settings.live:
        raise PermanentError("sandbox: WANDLE_LIVE asks for the live APIs. Unset it first.")
    settings = platform.start_sandbox(settings, report=say)
    if as_of:
        platform.set_as_of(settings, as_of.date())
    state = json.loads((settings.home / "sandbox.json").read_text(encoding="utf-8"))
    mode = f"recorded, from {settings.payloads}" if settings.payloads else "generated"
    say(f"{settings.need('sandbox_url')}  {mode}, as of {state['as_of']}, seed {state['seed']}")


@commands.command()
def env() -> None:
    """Print `export` lines for your own tools. Example: `eval "$(wandle env)"`"""
    from include.local import platform

    for name, value in platform.environment(Settings.read()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@commands.command()
def doctor(
    aws: Annotated[bool, typer.Option("--aws", help="Look at the environment on AWS.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(help="With --aws, one part: bucket, roles, secrets, instance, database."),
    ] = None,
) -> None:
    """What is missing on this machine, or in an environment on AWS, and how to mend it.

    Exit code 1 if something is.

    Examples: `wandle doctor`, `wandle doctor --aws`, `wandle doctor --aws --only bucket`
    """
    if aws:
        _aws_doctor(only or [])
        return
    from include.local import platform

    findings = platform.doctor(Settings.read())
    for finding in findings:
        console.print(f"[yellow]•[/yellow] {finding}", highlight=False)
    if findings:
        raise typer.Exit(1)
    say("Nothing is missing.")


def _aws_doctor(only: list[str]) -> None:
    from include.jobs.aws.aws_doctor import aws_doctor

    red = 0
    for check in aws_doctor(Settings.read(), only):
        red += not check.well
        sign = "[green]✓[/green]" if check.well else "[red]✗[/red]"
        rest = escape(f": {check.problem} {check.mend}") if check.problem else ""
        console.print(f"{sign} {escape(check.name)}{rest}", highlight=False, soft_wrap=True)
    if red:
        say(f"{red} checks are red.")
        raise typer.Exit(1)
    say("All is well.")
