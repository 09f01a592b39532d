"""What is kept, and for how long."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any

import typer
from rich.table import Table

from include.cli.terminal import JsonOption, console, print_json, say
from include.errors import PermanentError
from include.settings import Settings
from include.sources.model import contract as source_named

commands = typer.Typer()


@commands.command()
def housekeeping(
    delete: Annotated[bool, typer.Option("--delete", help="Delete it; else it is shown.")] = False,
    as_json: JsonOption = False,
) -> None:
    """What is kept no longer: landings that are superseded or were interrupted, old personal data.

    How long a source is kept is said in its contract, `retention_days`. The DAG
    `housekeeping` deletes each day.

    Examples: `wandle housekeeping`, `wandle housekeeping --delete`
    """
    from include.jobs.lake import lake_of
    from include.jobs.operate.housekeeping import housekeeping as run

    settings = Settings.read()
    found = run(lake=lake_of(settings), dsn=settings.need("loader_dsn"), delete=delete)
    if as_json:
        print_json(found)
        return
    _print(found, ("source", "council", "period", "landing", "reason", "objects", "bytes"))
    size = sum(item["bytes"] for item in found)
    done = "deleted" if delete else "to delete: `--delete` does it"
    say(f"{len(found)} landings, {size:,} bytes, {done}." if found else "Nothing to delete.")


@commands.command()
def erase(
    source: Annotated[str, typer.Option("--source", help="A source, see `wandle sources`.")],
    key: Annotated[
        list[str],
        typer.Option(
            help="Column and value as the source has it, NAME=VALUE; NAME alone asks for it."
        ),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; else it is shown.")] = False,
) -> None:
    """Erase a person: from landings with all their versions, raw rows, quarantine and marts.

    Each landing that holds them is replaced by one without their records, which is loaded in
    its place; then the old one is deleted. With more than one `--key`, all must fit. Running it
    again finishes what was broken off.

    Examples:

    `wandle erase --source SOURCE --key email` (asks for the address, which stays off the screen)

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
        say(f"Not looked into, for it is not finished: {stored.partition} {stored.landing_id}")
    records = sum(holds.records for holds in found.holds)
    done = "erased" if yes else "would be erased: `--yes` does it"
    say(f"{records} records in {len(listed)} landings {done}.")
    say("What holds them still:")
    for line in job.what_remains(contract, settings.backup_days, datetime.now(UTC)):
        say(f"- {line}")


def _key(given: Iterable[str]) -> dict[str, str]:
    key: dict[str, str] = {}
    for item in given:
        name, equals, value = item.partition("=")
        if name in key:
            raise PermanentError(
                f"erase: `--key {name}` is given twice. All keys must fit at once."
            )
        key[name] = value if equals else typer.prompt(name, hide_input=True)
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
    table = Table(box=None)
    for name in columns:
        table.add_column(name, justify="right" if type(found[0][name]) is int else "left")
    for item in found:
        table.add_row(*(str(item[name]) for name in columns))
    console.print(table)
