"""Commands that start, stop and check the local platform."""

from __future__ import annotations

import dataclasses
import json
import shlex
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from include.cli.terminal import CouncilOption, FromOption, JsonOption, SourcesArgument, ToOption
from include.disk import warning
from include.errors import PermanentError, ServiceUnavailable
from include.settings import Settings
from include.terminal import counted, print_json, print_table, say, say_lines

if TYPE_CHECKING:
    from include.local.status import ServiceStatus

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
def status(as_json: JsonOption = False) -> None:
    """Show the status of each service, and paused DAGs.

    Exits with code 1 if a service is not running.

    Examples: `wandle status`, `wandle status --json | jq '.services[].state'`
    """
    from include.local import platform, status

    settings = Settings.read()
    found = status.status(settings)
    folders = (settings.home, Path(tempfile.gettempdir()))
    warnings = [f"{told} Free some space." for told in map(warning, folders) if told]
    paused: list[str] = []
    try:
        paused = platform.paused_dags(settings)
    except ServiceUnavailable as error:
        warnings.append(str(error))
    if as_json:
        services = [dataclasses.asdict(service) for service in found]
        print_json({"services": services, "paused_dags": paused, "warnings": warnings})
    else:
        _print_services(found)
        for told in warnings:
            say(told, mark="•", style="yellow")
        if paused:
            say(
                f"Paused DAGs: {', '.join(paused)}. A run that is triggered stays queued until its "
                "DAG is unpaused, in Airflow."
            )
    if any(service.state != "running" for service in found):
        raise typer.Exit(1)


def _print_services(found: Sequence[ServiceStatus]) -> None:
    rows = [
        (
            service.name,
            service.state,
            service.pid,
            service.address,
            service.since and f"{service.since:%Y-%m-%d %H:%M}",
        )
        for service in found
    ]
    notes = [service.log for service in found]
    print_table(("service", "state", "pid", "address", "since"), rows, notes=map(str, notes))


@commands.command()
def demo(
    source: SourcesArgument = None,
    council: CouncilOption = None,
    first: FromOption = "",
    last: ToOption = "",
    as_json: JsonOption = False,
) -> None:
    """Run the main job through Airflow and print a summary.

    Starts the platform, triggers the months of monthly sources and the last 14 days of daily ones
    through Airflow's REST API, waits for the marts, and prints the ledger. The parents of a source
    are included. Without a range: the recorded months, or the last three published ones. Running
    it twice changes nothing.

    Example: `wandle demo --from 2017-01 --to 2017-03 --council sutton`
    """
    from include.local.demo import run as running

    running.demo(
        Settings.read(),
        councils=council,
        first=first,
        last=last,
        sources=source,
        as_json=as_json,
    )


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
    from include.local import platform, state

    settings = Settings.read()
    settings.refuse_other_origin()
    if settings.live:
        raise PermanentError(
            f"sandbox: {settings.home} belongs to the live APIs. Unset WANDLE_LIVE, or set "
            "WANDLE_HOME to another state folder."
        )
    settings = platform.start_sandbox(settings, report=say)
    if as_of:
        state.set_as_of(settings, as_of.date())
    running = json.loads((settings.home / "sandbox.json").read_text(encoding="utf-8"))
    mode = f"recorded, from {settings.payloads}" if settings.payloads else "generated"
    say(f"{settings.need('sandbox_url')}  {mode}, as of {running['as_of']}, seed {running['seed']}")


@commands.command()
def env() -> None:
    """Print connection settings as shell exports.

    Example: `eval "$(wandle env)"`
    """
    from include.local import platform

    for name, value in platform.environment(Settings.read()).items():
        say_lines(f"export {name}={shlex.quote(value)}")


@commands.command()
def doctor(
    aws: Annotated[bool, typer.Option("--aws", help="Check the environment on AWS.")] = False,
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="With --aws, only bucket, roles, secrets, instance or database. Repeatable."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Find problems on this machine or in an AWS environment, and explain how to fix them.

    Exits with code 1 if there are any.

    Examples: `wandle doctor`, `wandle doctor --aws`, `wandle doctor --aws --only bucket`
    """
    if aws:
        _aws_doctor(only or [], as_json=as_json)
        return
    from include.local import doctor

    findings = doctor.doctor(Settings.read())
    if as_json:
        print_json([dataclasses.asdict(finding) for finding in findings])
    else:
        for finding in findings:
            say(f"{finding.what} {finding.fix}", mark="•", style="yellow")
    if findings:
        raise typer.Exit(1)
    if not as_json:
        say("No problems found.")


def _aws_doctor(only: list[str], *, as_json: bool) -> None:
    from include.jobs.aws.aws_doctor import aws_doctor

    checks = aws_doctor(Settings.read(), only)
    if as_json:
        found = [{"passed": check.passed, **dataclasses.asdict(check)} for check in checks]
        print_json(found)
        if not all(check["passed"] for check in found):
            raise typer.Exit(1)
        return
    red = 0
    for check in checks:
        red += not check.passed
        mark, style = ("✓", "green") if check.passed else ("✗", "red")
        rest = f": {check.problem} {check.fix}" if check.problem else ""
        say(f"{check.name}{rest}", mark=mark, style=style)
    if red:
        say(f"{counted(red, 'check')} failed.")
        raise typer.Exit(1)
    say("All checks passed.")


@commands.command()
def game_day(
    scenario: Annotated[
        str, typer.Argument(metavar="SCENARIO", help="What to break. Default: anything.")
    ] = "",
    listed: Annotated[bool, typer.Option("--list", help="List what can be chosen.")] = False,
    reveal: Annotated[bool, typer.Option("--reveal", help="Show what is broken.")] = False,
    restore: Annotated[bool, typer.Option("--restore", help="Repair what is broken.")] = False,
) -> None:
    """Break the local platform on purpose, so that a team can practise finding the fault.

    Prints only what a reader would notice. Works on a running platform of the sandbox, never on
    AWS or with real data. `--restore` undoes everything.

    Examples: `wandle game-day`, `wandle game-day lost-rows`, `wandle game-day --reveal`,
    `wandle game-day --restore`
    """
    from include.local import game_day as job

    if listed + reveal + restore + bool(scenario) > 1:
        raise PermanentError("game-day: pass one of SCENARIO, --list, --reveal and --restore.")
    settings = Settings.read()
    if listed:
        for one in job.SCENARIOS.values():
            say(f"{one.name}: {one.heard}")
    elif restore:
        undone = job.restore(settings)
        say(f"Restored: {undone.name}." if undone else "Nothing is broken.")
    elif reveal:
        broken = job.current(settings)
        if broken is None:
            raise PermanentError("game-day: nothing is broken. Begin with `wandle game-day`.")
        say(f"{broken.name}: {broken.cause}")
        say(f"Found by `{broken.found_by}`. To repair it: `wandle game-day --restore`.")
    else:
        begun = job.begin(settings, scenario)
        say(f"What you hear: {begun.heard}")
        say(
            "Find out what it is, with docs/runbook.md. `wandle game-day --reveal` shows it, "
            "`wandle game-day --restore` repairs it."
        )
