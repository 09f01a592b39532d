"""The command for alerts: what is wrong, and who was told."""

from __future__ import annotations

from typing import Annotated

import typer

from include.cli.terminal import JsonOption, SourcesArgument, settings_for
from include.terminal import print_json, print_table, say

commands = typer.Typer()


@commands.command()
def alerts(
    source: SourcesArgument = None,
    test: Annotated[
        bool,
        typer.Option("--test", help="Send a test message by each channel instead."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List what is wrong, and which messages about it were sent.

    A contract names who is told under `alerts`: e-mail, webhook, Slack, SNS. `--test` sends one
    message by each channel and exits with code 1 if one is not accepted.

    Examples:

    `wandle alerts`

    `wandle alerts flood_readings --test`
    """
    from include.jobs.alerts import look as job

    if test:
        tried = []
        for channel, target in job.try_channels(source or (), settings_for()):
            tried.append({"channel": channel, "target": target})
            if not as_json:
                say(f"{channel}: {target} accepted a test message.")
        if as_json:
            print_json(tried)
        return
    found = job.listed(settings_for("postgresql").need("loader_dsn"), source or ())
    if as_json:
        print_json(found)
        return
    if not found["alerts"]:
        say("Nothing is wrong with the sources whose contract has `alerts`.")
    for names, rows in (
        (("source", "kind", "where", "since", "cause"), found["alerts"]),
        (("title", "channel", "target", "created_at", "sent_at", "error"), found["messages"]),
    ):
        if rows:
            print_table(names, [[str(row[name] or "no") for name in names] for row in rows])
