"""The commands that draft a contract from what a publisher gives, and a new project."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from include.cli.terminal import NameArgument, UrlOption, ask, print_drafted
from include.errors import PermanentError
from include.sources.partition import Grain
from include.terminal import say

commands = typer.Typer()

FileOption = Annotated[
    Path | None,
    typer.Option(
        "--file", help="A saved response, or an OpenAPI document.", exists=True, dir_okay=False
    ),
]
PartitionByOption = Annotated[Grain, typer.Option("--partition-by", help="Size of a partition.")]
ForCouncilOption = Annotated[
    str, typer.Option("--for-council", help="Council to fill placeholders with. Default: any.")
]
ForPeriodOption = Annotated[
    str,
    typer.Option(
        "--for-period",
        help="Period to fill placeholders with: YYYY-MM-DD, YYYY-MM etc. Default: the latest.",
    ),
]
RecordsOption = Annotated[
    str,
    typer.Option("--records", help="Path to the records: `result.records`, `sites.*.readings`."),
]
ChooseOption = Annotated[
    str, typer.Option("--choose", help="Operation, layer or resource to use, if there are several.")
]
ParameterOption = Annotated[
    list[str] | None,
    typer.Option(
        "--parameter",
        help="NAME=VALUE of a parameter that an OpenAPI document requires; may have placeholders. "
        "Repeatable.",
    ),
]
HeaderOption = Annotated[
    list[str] | None,
    typer.Option("--header", help="NAME=VALUE of a header that the API wants. Repeatable."),
]
DatesOption = Annotated[
    Literal["", "day-first", "month-first"],
    typer.Option("--dates", help="Which comes first in dates such as 03/04/2026."),
]
SheetOption = Annotated[
    str, typer.Option("--sheet", help="Name of the sheet, if the file is a workbook.")
]
PatternOption = Annotated[
    str,
    typer.Option(
        "--pattern",
        help="With --file: the names of files in an inbox, as a regular expression with "
        "placeholders. Default: found in the name of FILE, if that has a period.",
    ),
]
DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database", metavar="CONNECTION", help="A database instead of an API; with --query."
    ),
]
QueryOption = Annotated[
    str,
    typer.Option(
        "--query", help="A select; may bind %(period_start)s, %(period_end)s and %(council)s."
    ),
]
KeyColumnOption = Annotated[
    str, typer.Option("--key-column", help="The unique column of the query to page by.")
]


@commands.command()
def new_source(
    name: NameArgument,
    url: UrlOption = "",
    file: FileOption = None,
    period: PartitionByOption = "day",
    council: ForCouncilOption = "",
    asked: ForPeriodOption = "",
    records: RecordsOption = "",
    choice: ChooseOption = "",
    parameter: ParameterOption = None,
    header: HeaderOption = None,
    dates: DatesOption = "",
    sheet: SheetOption = "",
    pattern: PatternOption = "",
    database: DatabaseOption = "",
    query: QueryOption = "",
    key: KeyColumnOption = "",
) -> None:
    """Generate a contract and a staging model from one response, or from a query.

    Record path, columns, types, key, paging, encoding, and how dates and numbers are written are
    guesses: review the contract before you run it. It is written only if it loads every record of
    the response. Asks for what it cannot guess. A response may be JSON, CSV, XML, a workbook or
    Parquet, and the URL may point to an OpenAPI document, a CKAN dataset or an ArcGIS service. A
    file without a URL, but with a period in its name, is treated as an inbox file.

    Examples:

    `wandle new-source air --url "https://api.example.org/air?day=2026-11-01"`

    `wandle new-source air --file air.json --url https://api.example.org/air`

    `wandle new-source spend --file air.json --pattern "spend_{period:%Y-%m}.json"`

    `wandle new-source air --for-period 2026-11-01
    --url "https://api.example.org/{council.gss_code}/{period:%Y-%m-%d}"`

    `wandle new-source air --url https://api.example.org/openapi.json --choose listSites`

    `wandle new-source cases --database case_system --query "select id, kind from crm.cases"`
    """
    if database or query:
        if url or file or not (database and query):
            raise PermanentError(
                "new-source: a database needs --database and --query, and no --url or --file."
            )
        _of_database(name, (database, query, key), period, asked, council)
        return
    from include.jobs.author import new_source as job

    parameters, headers = _values("--parameter", parameter), _values("--header", header)
    options = job.Options(records, choice, parameters, dates, sheet, pattern, headers, ask)
    print_drafted(
        job.new_source(
            name, url=url, file=file, period=period, asked=asked, council=council, options=options
        )
    )


def _of_database(
    name: str, query: tuple[str, str, str], period: Grain, asked: str, council: str
) -> None:
    from include.jobs.author.new_database import Query, new_database_source

    print_drafted(
        new_database_source(name, Query(*query), period, asked=asked, council=council, ask=ask)
    )


def _values(option: str, texts: list[str] | None) -> dict[str, str]:
    found = {}
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise PermanentError(f"new-source: {option} {text}: expected NAME=VALUE.")
        found[name] = value
    return found


@commands.command()
def new_project(
    name: NameArgument,
    into: Annotated[
        Path, typer.Option("--into", help="The folder to write to. Default: the current one.")
    ] = Path(),
) -> None:
    """Create a repository for a new pipeline, with everything that a pipeline must have.

    It has a contract, jobs, DAGs, dbt models, Terraform, tests, a runbook and a CI workflow, which
    pass their own checks. The dependencies are locked to the versions that Wandle uses.

    Examples: `wandle new-project parking_permits`, `wandle new-project parking --into ~/projects`
    """
    from include.jobs.new_project import new_project as job

    target = job(name, into)
    say(f"Wrote {target}. It loads bank holidays as an example.")
    say(f"Next: `cd {target} && git init && make check`, then `make run`.")
