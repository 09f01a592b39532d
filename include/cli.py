"""The `wandle` command: every step of the pipeline by hand, and the platform on this machine."""

from __future__ import annotations

import getpass
import json
import logging
import shlex
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.table import Table

from include.errors import PermanentError, PipelineError
from include.local.tables import entries_table
from include.settings import Settings
from include.sources.model import Contract, contracts
from include.sources.model import contract as source_named

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    add_completion=False,
    help="Public-API data to S3, PostgreSQL and dbt marts: the platform, and every step by hand.",
    epilog="Begin with `make demo`. Each command has examples: `wandle ingest --help`.",
)
# Piped into a file or another command, a table keeps its columns whole.
console = Console() if sys.stdout.isatty() else Console(width=200)
trouble = Console(stderr=True)

CouncilOption = Annotated[
    list[str] | None,
    typer.Option("--council", "-c", help="A council; repeat it for more. All if left out."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ForceOption = Annotated[
    bool, typer.Option("--force", help="Load although unchanged, or although a check refuses.")
]


def main() -> None:
    """Run the command line; failures raised on purpose are one message and exit code 1."""
    logging.basicConfig(
        level=logging.WARNING,
        format="%(message)s",
        handlers=[RichHandler(console=trouble, show_time=False, show_path=False)],
    )
    try:
        app()
    except PipelineError as error:
        trouble.print(f"[red]wandle:[/red] {escape(str(error))}", soft_wrap=True, highlight=False)
        sys.exit(1)
    except KeyboardInterrupt:
        trouble.print("wandle: stopped. Nothing is lost: run the same command to go on.")
        sys.exit(130)


@app.command()
def up() -> None:
    """Start the platform on this machine: PostgreSQL, S3, sandbox, Airflow.

    Example: `WANDLE_PORT_BASE=9080 wandle up`
    """
    from include.local import platform

    platform.up(Settings.read(), report=_say)


@app.command()
def down() -> None:
    """Stop the platform; its data stays. Example: `wandle down`"""
    from include.local import platform

    platform.down(Settings.read(), report=_say)


@app.command()
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


@app.command()
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
    from include.local import demo as running

    running.demo(
        Settings.read(), councils=council, first=first, last=last, sources=source, console=console
    )


@app.command()
def migrate() -> None:
    """Bring roles and tables of the warehouse to what the contracts say.

    Example: `wandle migrate`
    """
    from include.jobs.migrate import migrate as run

    changed = run(Settings.read().need("admin_dsn"), {})
    _say("\n".join(changed) or "Nothing to change: the database is as the contracts say.")


@app.command()
def ingest(
    source: Annotated[str, typer.Argument(help="A source, see `wandle sources`.")],
    council: CouncilOption = None,
    period: Annotated[
        str, typer.Option("--period", "-p", help="YYYY-MM or YYYY-MM-DD; not for a snapshot.")
    ] = "",
    last: Annotated[str, typer.Option("--to", help="Last period of a window.")] = "",
    force: ForceOption = False,
) -> None:
    """Fetch partitions from the API into S3 and load them, without Airflow.

    Examples:

    `wandle ingest SOURCE` (a snapshot)

    `wandle ingest SOURCE --council sutton --period 2017-05`

    `wandle ingest SOURCE --period 2017-01 --to 2017-12`
    """
    from include.jobs.plan import plan

    contract = source_named(source)
    now = datetime.now(UTC)
    if not period and not contract.snapshot:
        raise PermanentError(
            f"ingest: {source} is fetched by the {contract.period}. Say which: `--period ...`."
        )
    partitions = plan(
        contract,
        today=now.date(),
        councils=council,
        first=period or None,
        last=last or None,
        interval=(now, now),
    )
    _ingest([(contract, item) for item in partitions], force=force, fetch=True)


@app.command()
def reload(
    source: Annotated[str | None, typer.Argument(help="A source, see `wandle sources`.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every source.")] = False,
    council: Annotated[str | None, typer.Option("--council", "-c", help="One council.")] = None,
    period: Annotated[str | None, typer.Option("--period", "-p", help="One period.")] = None,
    force: ForceOption = False,
) -> None:
    """Load partitions again from S3; no API is asked.

    Examples:

    `wandle reload --all`

    `wandle reload SOURCE --council sutton --period 2017-05`
    """
    from include.jobs.ingest import landed_partitions
    from include.jobs.lake import lake_of

    if bool(source) == everything:
        raise typer.BadParameter("name one source, or give --all")
    _check_names(source, council, period)
    found = landed_partitions(lake_of(Settings.read()), source, council, period)
    if not found:
        raise PermanentError("reload: S3 holds no landing of that. See `wandle ledger`.")
    _ingest(found, force=force, fetch=False)


@app.command()
def transform() -> None:
    """Build the dbt models, layer by layer, and publish the dbt docs.

    Example: `wandle transform`
    """
    from include.jobs.lake import lake_of
    from include.jobs.transform import transform as run

    settings = Settings.read()
    built = run(
        dsn=settings.need("transformer_dsn"),
        lake=lake_of(settings),
        run_id=f"wandle transform {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        home=settings.home / "dbt",
        report=_say,
    )
    console.print_json(data=built, default=str)


@app.command()
def ledger(
    as_json: JsonOption = False,
    history: Annotated[bool, typer.Option("--history", help="Every entry, oldest first.")] = False,
) -> None:
    """What is loaded: the newest entry of each partition.

    Examples: `wandle ledger`, `wandle ledger --history --json | jq '.[].status'`
    """
    from include.jobs.books import ledger_entries

    found = ledger_entries(Settings.read().need("loader_dsn"), history=history)
    if as_json:
        _print_json(found)
        return
    _print_entries(found)


@app.command()
def quarantine(as_json: JsonOption = False) -> None:
    """The records that broke their contract: where they stand, and which rule.

    Example: `wandle quarantine --json`
    """
    from include.jobs.books import quarantined

    found = quarantined(Settings.read().need("loader_dsn"))
    if as_json:
        _print_json(found)
        return
    columns = (
        *("source", "council", "period", "record_no", "page"),
        *("column", "rule", "value", "responsible"),
    )
    table = Table(*columns, box=None)
    for row in found:
        table.add_row(*("" if row[name] is None else escape(str(row[name])) for name in columns))
    console.print(table if found else "Nothing is in quarantine.")


@app.command()
def sources(as_json: JsonOption = False) -> None:
    """The sources that have a contract."""
    if as_json:
        _print_json([_source(item) for item in contracts().values()])
        return
    table = Table("source", "title", "period", "publisher", "schedule", "columns", box=None)
    for item in contracts().values():
        shown = _source(item)
        table.add_row(
            *(str(shown[name]) for name in ("source", "title", "period", "publisher", "schedule")),
            str(len(item.columns)),
        )
    console.print(table)


@app.command()
def councils(as_json: JsonOption = False) -> None:
    """The councils, and their wards of today."""
    from include.councils.model import councils as every_council

    today = datetime.now(UTC).date()
    found: list[dict[str, Any]] = [
        {
            "council": item.name,
            "title": item.title,
            "gss_code": item.gss_code,
            "police_force": item.police_force,
            "wards": [ward.model_dump() for ward in item.wards_on(today)],
        }
        for item in every_council().values()
    ]
    if as_json:
        _print_json(found)
        return
    table = Table("council", "title", "GSS code", "police force", "wards", box=None)
    for row in found:
        table.add_row(
            row["council"],
            row["title"],
            row["gss_code"],
            row["police_force"],
            str(len(row["wards"])),
        )
    console.print(table)


@app.command()
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
    settings = platform.start_sandbox(settings, report=_say)
    if as_of:
        platform.set_as_of(settings, as_of.date())
    state = json.loads((settings.home / "sandbox.json").read_text(encoding="utf-8"))
    mode = f"recorded, from {settings.payloads}" if settings.payloads else "generated"
    _say(f"{settings.need('sandbox_url')}  {mode}, as of {state['as_of']}, seed {state['seed']}")


@app.command()
def env() -> None:
    """Print `export` lines for your own tools. Example: `eval "$(wandle env)"`"""
    from include.local import platform

    for name, value in platform.environment(Settings.read()).items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def sync(
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit code 1 if a file is stale.")
    ] = False,
) -> None:
    """Write what is made from the contracts: dbt's sources, staging columns, editors' schemas.

    Examples: `wandle sync`, `wandle sync --check`
    """
    from include.jobs import sync as job

    found = list(job.stale_files()) if check else job.sync()
    for path in found:
        _say(f"{'stale' if check else 'written'}: {path}")
    if check and found:
        raise PermanentError(
            f"sync: {len(found)} files are not what the contracts say. Run `wandle sync`."
        )
    if not found:
        _say("Everything is as the contracts say.")


@app.command()
def new_source(
    name: Annotated[str, typer.Argument(help="What the source will be called: `air_quality`.")],
    url: Annotated[str, typer.Option("--url", help="One request of the API, with query.")] = "",
    file: Annotated[
        Path | None, typer.Option("--file", help="One answer of it, in a file.", exists=True)
    ] = None,
    period: Annotated[str, typer.Option(help="What a partition holds: `day` or `month`.")] = "day",
) -> None:
    """Write a contract and a staging model from one answer of an API.

    Records, columns, types, a key and the paging are guessed: read the contract over
    before you run it. With `--file` alone, the address stays to be filled in.

    Examples:

    `wandle new-source air_quality --url "https://api.example.org/v1/readings?day=2026-11-01"`

    `wandle new-source air_quality --file answer.json --url https://api.example.org/v1/readings`
    """
    from include.jobs import new_source as job

    for path in job.new_source(name, url=url, file=file, period=period):
        _say(f"written: {path}")
    _say(f"Read the contract over, then: `wandle migrate && wandle ingest {name} --period ...`")


@app.command()
def new_council(
    name: Annotated[str, typer.Argument(help="What its file will be called: `merton`.")],
    title: Annotated[str, typer.Option(help="As people write it.")],
    gss_code: Annotated[str, typer.Option("--gss", help="Its GSS code: E09000024.")],
    box: Annotated[
        str, typer.Option(help="South, west, north, east in degrees: 51.38,-0.26,51.45,-0.12")
    ],
    force: Annotated[
        str, typer.Option(help="Its police force's id at data.police.uk.")
    ] = "metropolitan",
) -> None:
    """Write a council's file, with the wards that the police API has inside a box.

    Example:

    `wandle new-council merton --title Merton --gss E09000024 --box 51.38,-0.26,51.45,-0.12`
    """
    from include.jobs import new_council as job

    path, wards = job.new_council(name, title=title, gss_code=gss_code, box=box, force=force)
    _say(f"written: {path}, with {wards} wards. Read it over: a box knows no borders.")


@app.command()
def drift(
    source: Annotated[str | None, typer.Argument(help="A source; all if left out.")] = None,
    as_json: JsonOption = False,
) -> None:
    """The fields that records have and their contract does not name, as a patch for it.

    Examples: `wandle drift`, `wandle drift --json | jq '.[].field'`
    """
    from include.jobs import drift as job

    if source:
        source_named(source)
    found = job.unknown_fields(Settings.read().need("loader_dsn"), source)
    if as_json:
        _print_json(found)
    elif found:
        typer.echo(job.patches(found), nl=False)
    else:
        _say("No record has a field that its contract does not name.")


@app.command()
def validate() -> None:
    """Check contracts, councils, dbt's sources and tables against each other.

    Works without a database, too. Exit code 1 if something does not fit.

    Example: `wandle validate`
    """
    from include.jobs import validate as job

    found = job.validate(Settings.read().loader_dsn)
    for difference in found.differences:
        console.print(f"[red]•[/red] {difference}", highlight=False, soft_wrap=True)
    _say(f"Compared {', '.join(found.looked_at)}: {len(found.differences)} differences.")
    if found.without_database:
        _say(f"The database was not looked at: {found.without_database}")
    if found.differences:
        raise typer.Exit(1)


@app.command()
def doctor() -> None:
    """What is missing on this machine, and how to mend it."""
    from include.local import platform

    findings = platform.doctor(Settings.read())
    for finding in findings:
        console.print(f"[yellow]•[/yellow] {finding}", highlight=False)
    if findings:
        raise typer.Exit(1)
    _say("Nothing is missing.")


def _ingest(partitions: list[tuple[Contract, dict[str, str]]], *, force: bool, fetch: bool) -> None:
    from include.jobs.ingest import ingest as run
    from include.jobs.lake import lake_of

    settings = Settings.read()
    lake, dsn = lake_of(settings), settings.need("loader_dsn")
    failed = 0
    entries: list[dict[str, Any]] = []
    with console.status("") as spinner:
        for contract, items in _by_source(partitions):
            outcomes = run(
                contract,
                items,
                lake=lake,
                dsn=dsn,
                forced_by=getpass.getuser() if force else None,
                fetch=fetch,
                progress=lambda which, pages: spinner.update(f"{which}: {pages} pages"),
            )
            for number, outcome in enumerate(outcomes, start=1):
                spinner.update(f"{contract.name}: {number} of {len(items)} partitions")
                if outcome.entry is not None:
                    entries.append(outcome.entry)
                else:
                    failed += 1
                    trouble.print(
                        f"[red]failed[/red] {escape(str(outcome.error))}",
                        highlight=False,
                        soft_wrap=True,
                    )
    _print_entries(entries)
    if failed:
        raise PermanentError(
            f"{failed} of {len(partitions)} partitions failed, see above; the others are in place."
        )


def _by_source(
    partitions: list[tuple[Contract, dict[str, str]]],
) -> Iterable[tuple[Contract, list[dict[str, str]]]]:
    grouped: dict[str, tuple[Contract, list[dict[str, str]]]] = {}
    for contract, item in partitions:
        grouped.setdefault(contract.name, (contract, []))[1].append(item)
    return grouped.values()


def _check_names(source: str | None, council: str | None, period: str | None) -> None:
    from include.councils.model import UK
    from include.councils.model import council as council_named

    if source:
        contract = source_named(source)
        if period:
            contract.parse_period(period)
    if council and council != UK:
        council_named(council)


def _source(contract: Contract) -> dict[str, Any]:
    return {
        "source": contract.name,
        "title": contract.title,
        "period": f"{contract.period}, snapshot" if contract.snapshot else contract.period,
        "publisher": contract.publisher,
        "licence": contract.licence,
        "schedule": contract.schedule,
        "columns": [column.model_dump(mode="json") for column in contract.columns],
        "key": contract.key,
    }


def _print_entries(entries: list[dict[str, Any]]) -> None:
    if not entries:
        _say("The ledger is empty.")
        return
    console.print(entries_table(entries))


def _print_json(found: Any) -> None:
    typer.echo(json.dumps(found, indent=1, default=str))


def _say(message: str) -> None:
    console.print(message, highlight=False, soft_wrap=True)


if __name__ == "__main__":
    main()
