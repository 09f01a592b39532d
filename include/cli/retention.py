"""Commands for retention and erasure."""

from __future__ import annotations

import getpass
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

from include.cli.terminal import (
    JsonOption,
    KeyOption,
    SourceArgument,
    YesOption,
    key_values,
    progress,
    settings_for,
)
from include.settings import Settings, WrongSetting
from include.sources.model import Contract, require_every_contract
from include.terminal import counted, note, print_json, print_table, say

if TYPE_CHECKING:
    from include.jobs.lake import Lake
    from include.jobs.operate.erase_search import Found

commands = typer.Typer()


@commands.command()
def housekeeping(
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """List landings, personal data and published versions past retention, or delete them.

    Also lists interrupted landings. Each contract sets its `retention_days`. Of published
    versions, the newest 10 and those of the last 7 days are kept. The DAG `housekeeping`
    deletes every day.

    Examples: `wandle housekeeping`, `wandle housekeeping --yes`
    """
    from include.jobs.lake import lake_of
    from include.jobs.operate.housekeeping import housekeeping as run
    from include.jobs.operate.housekeeping import refuse_unknown_retention

    settings = settings_for("postgresql", "s3")
    dsn = settings.need("loader_dsn")
    lake = lake_of(settings)
    found = run(lake=lake, dsn=dsn, delete=yes)
    versions = _expired_versions(settings, lake, delete=yes)
    if as_json:
        print_json([*found, *({"source": "published", "version": name} for name in versions)])
    else:
        columns = ("source", "council", "period", "reason", "objects", "bytes")
        _print(found, columns, notes=[item["landing"] for item in found])
        size = sum(item["bytes"] for item in found)
        done = "deleted" if yes else "to delete. Run again with `--yes`"
        say(
            f"{counted(len(found), 'landing')}, {size:,} bytes {done}."
            if found
            else "Nothing to delete."
        )
        if versions:
            done = "deleted" if yes else "to delete. Run again with `--yes`"
            say(f"{counted(len(versions), 'published version')} {done}.")
    refuse_unknown_retention(lake=lake, dsn=dsn)


def _expired_versions(settings: Settings, lake: Lake, *, delete: bool) -> list[str]:
    from include.jobs.publish.versions import expire

    try:
        dsn = settings.need("transformer_dsn")
    except WrongSetting:
        note("Without WANDLE_TRANSFORMER_DSN, published versions are not looked at.")
        return []
    return expire(dsn=dsn, lake=lake, delete=delete)


@commands.command()
def erase(
    source: SourceArgument,
    key: KeyOption = None,
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Erase a person from landings, raw tables, quarantine, marts and published files.

    Replaces each landing that contains the person's records with one that does not, loads it, and
    deletes every version of the old one. With several `--key`, a record must match all of
    them. Give values as they are in the source. If interrupted, run it again to finish.

    Examples:

    `wandle erase SOURCE --key email` (prompts for it, without echo)

    `wandle erase SOURCE --key case_id=1017 --yes`
    """
    from include.jobs.lake import lake_of
    from include.jobs.operate import erase as job
    from include.jobs.operate.erase_search import find
    from include.jobs.operate.erase_subject import Subject
    from include.jobs.pipeline.known_sources import readable_contract

    if not key:
        raise typer.BadParameter("name a column of the person's records, e.g. `--key email`")
    settings = settings_for("postgresql", "s3")
    dsn = settings.need("loader_dsn")
    contract = readable_contract(source, dsn, "erase")
    subject = Subject(contract, key_values("erase", key))
    lake = lake_of(settings)
    if not yes:
        found = find(contract, subject, lake=lake)
    else:
        found = job.erase(
            contract,
            subject,
            lake=lake,
            dsn=dsn,
            by=f"{getpass.getuser()}, to erase",
            rebuild=lambda: _rebuild(settings, contract),
        )
    copies = [
        *(f"The file {name}: replace it without them, or delete it." for name in found.files),
        *job.what_remains(contract, settings.backup_days, datetime.now(UTC), dsn),
    ]
    _print_found(found, copies, erased=yes, as_json=as_json)
    require_every_contract("erase")


def _print_found(found: Found, copies: list[str], *, erased: bool, as_json: bool) -> None:
    listed = [
        {"council": holds.partition.council, "period": str(holds.partition.period)}
        | {"landing": holds.manifest.landing_id, "records": holds.records}
        for holds in found.holds
    ]
    records = sum(holds.records for holds in found.holds)
    skipped = [] if erased else [f"{one.partition} {one.landing_id}" for one in found.being_written]
    if as_json:
        summary = {"records": records, "erased": erased, "landings": listed}
        print_json(summary | {"not_searched": skipped, "copies_remain": copies})
        return
    _print(listed, ("council", "period", "landing", "records"))
    for name in skipped:
        say(f"Not searched, still being written: {name}")
    done = "erased" if erased else "to erase. Run again with `--yes`"
    say(f"{counted(records, 'record')} in {counted(len(listed), 'landing')} {done}.")
    say("Where copies remain:")
    for line in copies:
        say(f"- {line}")


def _rebuild(settings: Settings, contract: Contract) -> None:
    """Build and publish the marts again; older published versions of the source go."""
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.transform import transform
    from include.jobs.publish.versions import forget
    from include.sources.followers import followers

    with progress() as advance:
        built = transform(
            dsn=settings.need("transformer_dsn"),
            publisher_dsn=settings.need("publisher_dsn"),
            lake=lake_of(settings),
            run_id=f"wandle erase {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            home=settings.home / "dbt",
            report=lambda line: advance(line, 1, 1),
        )
    nodes = sum(built[layer]["nodes"] for layer in ("staging", "marts"))
    note(f"Rebuilt and tested the marts ({nodes} models and tests), and published them.")
    sources = [contract.name, *(one.name for one in followers(contract.name))]
    gone = forget(sources, dsn=settings.need("transformer_dsn"), lake=lake_of(settings))
    if gone:
        note(f"Deleted {counted(len(gone), 'older published version')}.")


def _print(
    found: list[dict[str, Any]], columns: tuple[str, ...], notes: Iterable[str] = ()
) -> None:
    if not found:
        return
    numbers = [name for name in columns if type(found[0][name]) is int]
    rows = [[item[name] for name in columns] for item in found]
    print_table(columns, rows, right=numbers, notes=notes)
