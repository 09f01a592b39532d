"""The command for alerts: who is told of what, and what was sent."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from include.cli.terminal import JsonOption, settings_for
from include.settings import Settings
from include.terminal import print_json, print_table, say

commands = typer.Typer()


@commands.command()
def alerts(
    action: Annotated[
        Literal["list", "test"], typer.Argument(metavar="ACTION", help="What to do.")
    ],
    source: Annotated[
        str, typer.Argument(metavar="SOURCE", help="With `test`: the source whose channels to try.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """List what is wrong and which messages about it were sent, or try the channels of a source.

    A contract names its channels under `alerts`: e-mail, webhook, Slack, SNS. `test` sends one
    message by each, and exits with code 1 if one does not accept it; it changes nothing.

    Examples:

    `wandle alerts list`

    `wandle alerts test flood_readings`
    """
    from include.jobs.alerts import look as job

    if action == "test":
        if not source:
            raise typer.BadParameter("`wandle alerts test` needs the name of a source")
        for channel, target in job.try_channels(source, Settings.read()):
            say(f"{channel}: {target} accepted a test message.")
        return
    settings = settings_for("postgresql")
    found = job.listed(settings.need("loader_dsn"), source)
    if as_json:
        print_json(found)
        return
    if not found["alerts"]:
        say("Nothing is wrong, as far as contracts with `alerts` were checked.")
    else:
        print_table(
            ("source", "kind", "where", "since", "cause"),
            [
                [row["source"], row["kind"], row["where"], row["since"], row["cause"]]
                for row in found["alerts"]
            ],
        )
    if found["messages"]:
        print_table(
            ("message", "channel", "target", "created", "sent"),
            [
                [
                    *(row["title"], row["channel"], row["target"], row["created_at"]),
                    row["sent_at"] or f"no: {row['error'] or 'waiting'}",
                ]
                for row in found["messages"]
            ],
        )
