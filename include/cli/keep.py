"""Commands for retention and erasure."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from include.cli.terminal import JsonOption
from include.errors import PermanentError
from include.settings import Settings
from include.sources.model import contract as source_named
from include.sources.model import every_contract, require_every_contract
from include.terminal import ask_hidden, counted, print_json, print_table, say

commands = typer.Typer()


@commands.command()
def housekeeping(
    delete: Annotated[bool, typer.Option("--delete", help="Delete. Default: dry run.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List landings and personal data past retention, or delete them.

    Also lists interrupted landings. Each contract sets its `retention_days`. The DAG
    `housekeeping` deletes every day.

    Examples: `wandle housekeeping`, `wandle housekeeping --delete`
    """
    from include.jobs.lake import lake_of
    from include.jobs.operate.housekeeping import housekeeping as run

    settings = Settings.read()
    found = run(lake=lake_of(settings), dsn=settings.need("loader_dsn"), delete=delete)
    if as_json:
        print_json(found)
    else:
        _print(found, ("source", "council", "period", "landing", "reason", "objects", "bytes"))
        size = sum(item["bytes"] for item in found)
        done = "deleted" if delete else "to delete. Run again with `--delete`"
        say(
            f"{counted(len(found), 'landing')}, {size:,} bytes {done}."
            if found
            else "Nothing to delete."
        )
    require_every_contract("housekeeping", but=every_contract())


@commands.command()
def erase(
    source: Annotated[
        str, typer.Option("--source", help="Name of the source; see `wandle sources`.")
    ],
    key: Annotated[
        list[str],
        typer.Option(
            help="NAME=VALUE of a column, as in the source; NAME alone prompts. Repeatable."
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Erase. Default: dry run.")] = False,
) -> None:
    """Erase a person from landings, raw tables, quarantine and marts.

    Replaces each landing that holds the person with one without their records, loads it, and
    deletes every version of the old one. With several `--key`, a record must match all of
    them. If interrupted, run it again to finish.

    Examples:

    `wandle erase --source SOURCE --key email` (prompts for the address without echo)

    `wandle erase --source SOURCE --key case_id=1017 --yes`
    """
    from include.jobs.lake import lake_of
    from include.jobs.operate import erase as job
    from include.jobs.operate.erase_search import find
    from include.jobs.operate.erase_subject import Subject

    contract, settings = source_named(source), Settings.read()
    subject = Subject(contract, _key(key))
    lake = lake_of(settings)
    if not yes:
        found = find(contract, subject, lake=lake)
    else:
        found = job.erase(
            contract,
            subject,
            lake=lake,
            dsn=settings.need("loader_dsn"),
            by=f"{getpass.getuser()}, to erase",
            rebuild=lambda: _rebuild(settings),
        )
    listed = [
        {"council": holds.partition.council, "period": str(holds.partition.period)}
        | {"landing": holds.manifest.landing_id, "records": holds.records}
        for holds in found.holds
    ]
    _print(listed, ("council", "period", "landing", "records"))
    for stored in () if yes else found.being_written:
        say(f"Not searched, still being written: {stored.partition} {stored.landing_id}")
    records = sum(holds.records for holds in found.holds)
    done = "erased" if yes else "to erase. Run again with `--yes`"
    say(f"{counted(records, 'record')} in {counted(len(listed), 'landing')} {done}.")
    say("Where copies remain:")
    for line in job.what_remains(contract, settings.backup_days, datetime.now(UTC)):
        say(f"- {line}")
    require_every_contract("erase")


def _key(given: Iterable[str]) -> dict[str, str]:
    key: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if name in key:
            raise PermanentError(
                f"erase: `--key {name}` is given twice. A record must match every key."
            )
        key[name] = value if equals else ask_hidden(name)
    return key


def _rebuild(settings: Settings) -> None:
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.transform import transform

    transform(
        dsn=settings.need("transformer_dsn"),
        lake=lake_of(settings),
        run_id=f"wandle erase {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        home=settings.home / "dbt",
        report=say,
    )


def _print(found: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    if not found:
        return
    numbers = [name for name in columns if type(found[0][name]) is int]
    print_table(columns, [[item[name] for name in columns] for item in found], right=numbers)
