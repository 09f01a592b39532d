"""Commands that list loads, quarantined records, unknown fields, alerts, sources, councils."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, get_args

import typer

from include.cli.terminal import (
    CouncilOption,
    FromOption,
    JsonOption,
    PeriodOption,
    SourcesArgument,
    ToOption,
    print_entries,
    selected,
    settings_for,
)
from include.definitions import did_you_mean, raise_for_broken
from include.sources.followers import schedule_of
from include.sources.model import Contract, contracts, require_every_contract
from include.terminal import print_json, print_table, say, say_lines

commands = typer.Typer()


def _known_statuses(given: list[str] | None) -> list[str]:
    from include.warehouse.books.ledger import Status

    known = get_args(Status)
    for name in given or ():
        if name not in known:
            raise typer.BadParameter(
                f"{name!r} is not one of {', '.join(known)}.{did_you_mean(name, known)}"
            )
    return given or []


@commands.command()
def ledger(
    source: SourcesArgument = None,
    council: CouncilOption = None,
    period: PeriodOption = None,
    first: FromOption = "",
    last: ToOption = "",
    status: Annotated[
        list[str] | None,
        typer.Option("--status", help="Only this status. Repeatable.", callback=_known_statuses),
    ] = None,
    history: Annotated[
        bool, typer.Option("--history", help="Show every entry, oldest first.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List what is loaded: the latest ledger entry of each partition.

    Failures are listed below the table, once for each cause.

    Examples:

    `wandle ledger SOURCE --council sutton --from 2017-01`

    `wandle ledger --status refused --status failed`

    `wandle ledger --history --json | jq '.[].status'`
    """
    from include.jobs.pipeline.books import ledger_entries

    dsn = settings_for("postgresql").need("loader_dsn")
    selection = selected(source, council, period, first, last)
    found = ledger_entries(dsn, selection, statuses=status or (), history=history)
    if as_json:
        print_json(found)
        return
    print_entries(found, "No matching entries in the ledger.")


@commands.command()
def quarantine(
    source: SourcesArgument = None,
    council: CouncilOption = None,
    period: PeriodOption = None,
    first: FromOption = "",
    last: ToOption = "",
    column: Annotated[
        list[str] | None, typer.Option("--column", help="Only this column. Repeatable.")
    ] = None,
    rule: Annotated[
        list[str] | None, typer.Option("--rule", help="Only this rule. Repeatable.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List records that violate their contract, with the rule and the value.

    Examples:

    `wandle quarantine SOURCE --rule pattern`

    `wandle quarantine --json | jq '.[].value'`
    """
    from include.jobs.pipeline.books import quarantined

    dsn = settings_for("postgresql").need("loader_dsn")
    selection = selected(source, council, period, first, last)
    found = quarantined(dsn, selection, columns=column or (), rules=rule or ())
    if as_json:
        print_json(found)
    elif found:
        columns = ("source", "council", "period", "record_no", "page", "rule")
        rows = [[row[name] for name in columns] for row in found]
        print_table(columns, rows, right=["record_no"], notes=map(_broken, found))
    else:
        say("No matching records in quarantine.")


def _broken(row: dict[str, Any]) -> str:
    """The value that broke the rule."""
    what = f"{row['column'] or 'record'}: {row['value'] or '(no value)'}"
    return what if row["responsible"] == "publisher" else f"{what} (responsible: us)"


@commands.command()
def drift(source: SourcesArgument = None, as_json: JsonOption = False) -> None:
    """List fields missing from the contracts, as a patch to add them.

    Examples: `wandle drift`, `wandle drift --json | jq '.[].field'`
    """
    from include.jobs.operate import drift as job

    dsn = settings_for("postgresql").need("loader_dsn")
    found = job.unknown_fields(dsn, source or ())
    if as_json:
        print_json(found)
    elif found:
        say_lines(job.patches(found, dsn).rstrip("\n"))
    else:
        say("No unknown fields.")
    if not source:
        require_every_contract("drift")


@commands.command()
def sources(as_json: JsonOption = False) -> None:
    """List the sources that have a contract.

    Examples: `wandle sources`, `wandle sources --json | jq '.[].source'`
    """
    found = [_source(item) for item in contracts().values()]
    if as_json:
        print_json(found)
    else:
        names = ("source", "period", "schedule")
        rows = [(*(item[name] for name in names), len(item["columns"])) for item in found]
        notes = [f"{item['title']}, {item['publisher']}" for item in found]
        print_table((*names, "columns"), rows, right=["columns"], notes=notes)
    require_every_contract("sources")


@commands.command()
def councils(as_json: JsonOption = False) -> None:
    """List the councils and their current wards.

    Examples: `wandle councils`, `wandle councils --json | jq '.[].wards'`
    """
    from include.councils.model import broken_councils
    from include.councils.model import councils as every_council

    today = datetime.now(UTC).date()
    found: list[dict[str, Any]] = [
        {
            "council": item.name,
            "title": item.title,
            "gss_code": item.gss_code,
            "police_force": item.police_force,
            "wards": [
                ward.model_dump()
                for ward in (item.wards_on(today) if item.has_wards_on(today) else ())
            ],
        }
        for item in every_council().values()
    ]
    if as_json:
        print_json(found)
    else:
        names = ("council", "title", "gss_code", "police_force")
        rows = [(*(row[name] for name in names), len(row["wards"])) for row in found]
        titles = ("council", "title", "GSS code", "police force", "wards")
        print_table(titles, rows, right=["wards"])
    raise_for_broken("councils", broken_councils().values())


def _source(contract: Contract) -> dict[str, Any]:
    return {
        "source": contract.name,
        "title": contract.title,
        "period": f"{contract.period}, snapshot" if contract.snapshot else contract.period,
        "publisher": contract.publisher,
        "licence": contract.licence,
        "schedule": schedule_of(contract),
        "columns": [column.model_dump(mode="json") for column in contract.columns],
        "key": contract.key,
    }


@commands.command()
def alerts(
    source: SourcesArgument = None,
    test: Annotated[
        bool,
        typer.Option("--test", help="Send a test message through each channel instead."),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List current problems, and the alerts sent about them.

    A contract names its channels under `alerts`: e-mail, webhook, Slack, SNS. `--test` sends one
    message through each channel and exits with code 1 if one is not accepted.

    Examples:

    `wandle alerts`

    `wandle alerts library_loans --test`
    """
    from include.jobs.alerts import list_and_test as job

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
