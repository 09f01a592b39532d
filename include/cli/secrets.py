"""The command for secrets: logins of sources, URLs of alerts, hashes of API keys."""

from __future__ import annotations

import sys
from typing import Annotated, Any, Literal

import typer

from include.cli.terminal import JsonOption
from include.errors import PermanentError
from include.settings import Settings
from include.terminal import ask_hidden, print_json, print_table, say

commands = typer.Typer()


@commands.command()
def secrets(
    action: Annotated[
        Literal["set", "list", "remove"], typer.Argument(metavar="ACTION", help="What to do.")
    ],
    name: Annotated[
        str,
        typer.Argument(
            metavar="SECRET",
            help="Name of the secret, as in `auth.secret` or `alerts` of a contract; `smtp` is for "
            "the mail server, `api_keys` for `wandle serve`.",
        ),
    ] = "",
    login: Annotated[
        str,
        typer.Option("--login", help="With `set`: the user name or client ID, if there is one."),
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Set, list or remove the secrets that sources log in with and alerts use.

    `set` prompts for the value without echo, or reads it from standard input. Only this user
    can read the file that keeps it, and no command prints it. Running tasks use a new value
    from the next request on.

    Examples:

    `wandle secrets list`

    `wandle secrets set breathe_london` (prompts for it)

    `wandle secrets set waste_contractor --login CLIENT_ID`

    `wandle secrets remove breathe_london`
    """
    from include.local import source_secrets as job

    settings = Settings.read()
    if action == "list":
        _list(job.listed(settings), as_json=as_json)
        return
    if not name:
        raise typer.BadParameter(f"`wandle secrets {action}` needs the name of a secret")
    if action == "remove":
        job.remove_secret(settings, name)
        say(f"Removed the secret {name}.")
        return
    where = job.set_secret(settings, name, _value(name), login)
    say(f"Set the secret {name} in {where}.")


def _value(name: str) -> str:
    if sys.stdin.isatty():
        return ask_hidden(f"Value of {name}")
    try:
        value = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise PermanentError(f"secrets: the value of {name!r} is not UTF-8.") from None
    if not value:
        raise PermanentError(
            f"secrets: standard input is empty. Pass the value of {name!r} by standard input, or "
            "run this in a terminal to be prompted for it."
        )
    return value


def _list(found: list[dict[str, Any]], *, as_json: bool) -> None:
    if as_json:
        print_json(found)
        return
    if not found:
        say("No contract names a secret, and none is set.")
        return
    rows = [
        [item["secret"], "yes" if item["set"] else "no", ", ".join(item["sources"]) or "none"]
        for item in found
    ]
    print_table(("secret", "set", "sources"), rows)
