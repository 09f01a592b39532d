"""Commands that run the steps of the pipeline: ingest, reload, replay, transform."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import typer

from include.cli.terminal import CouncilOption, ForceOption, check_names, print_entries, progress
from include.definitions import raise_for_broken
from include.errors import PermanentError
from include.settings import Settings
from include.sources.model import Contract, broken_contracts, require_every_contract
from include.sources.model import contract as source_named
from include.sources.partition import Partition
from include.terminal import complain, print_json, say

commands = typer.Typer()


@commands.command()
def ingest(
    source: Annotated[str, typer.Argument(help="Name of the source; see `wandle sources`.")],
    council: CouncilOption = None,
    period: Annotated[
        str,
        typer.Option("--period", "-p", help="Period, YYYY-MM or YYYY-MM-DD. Not for snapshots."),
    ] = "",
    last: Annotated[str, typer.Option("--to", help="Last period of a range, inclusive.")] = "",
    force: ForceOption = False,
) -> None:
    """Fetch partitions into S3 and load them into PostgreSQL, without Airflow.

    Examples:

    `wandle ingest SOURCE` (a snapshot)

    `wandle ingest SOURCE --council sutton --period 2017-05`

    `wandle ingest SOURCE --period 2017-01 --to 2017-12`
    """
    from include.jobs.pipeline.plan import plan

    contract = source_named(source)
    now = datetime.now(UTC)
    if not period and not contract.snapshot:
        raise PermanentError(
            f"ingest: {source} is partitioned by {contract.period}. Add `--period ...`."
        )
    partitions = plan(
        contract,
        today=now.date(),
        councils=council,
        first=period or None,
        last=last or None,
        interval=(now, now),
    )
    _ingest([(contract, partition) for partition in partitions], force=force, fetch=True)


@commands.command()
def reload(
    source: Annotated[
        str | None, typer.Argument(help="Name of the source; see `wandle sources`.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All sources.")] = False,
    council: Annotated[
        str | None, typer.Option("--council", "-c", help="Only this council.")
    ] = None,
    period: Annotated[str | None, typer.Option("--period", "-p", help="Only this period.")] = None,
    force: ForceOption = False,
) -> None:
    """Load partitions again from S3, without calling the API.

    Examples:

    `wandle reload --all`

    `wandle reload SOURCE --council sutton --period 2017-05`
    """
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.ingest import landed_partitions

    if bool(source) == everything:
        raise typer.BadParameter("name a source, or use --all")
    check_names(source, council, period)
    found = landed_partitions(lake_of(Settings.read()), source, council, period)
    if not found:
        raise PermanentError("reload: S3 has no matching landings. See `wandle ledger`.")
    _ingest(found, force=force, fetch=False)
    if everything:
        require_every_contract("reload")


@commands.command()
def replay(
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only this source.")] = None,
    council: Annotated[
        str | None, typer.Option("--council", "-c", help="Only this council.")
    ] = None,
    period: Annotated[str | None, typer.Option("--period", "-p", help="Only this period.")] = None,
) -> None:
    """Reload quarantined and refused partitions after fixing a contract.

    Examples:

    `wandle replay`

    `wandle replay --source SOURCE --council sutton`
    """
    from include.jobs.pipeline import replay as job

    check_names(source, council, period)
    planned = [
        partition
        for partition in job.plan(Settings.read().need("loader_dsn"), source, most=sys.maxsize)
        if council in (None, partition.council) and period in (None, str(partition.period))
    ]
    broken = {one.source: broken_contracts().get(one.source) for one in planned}
    found = [(source_named(one.source), one) for one in planned if not broken[one.source]]
    if not planned:
        say("Nothing to replay.")
    if found:
        _ingest(found, force=False, fetch=False)
    raise_for_broken("replay", filter(None, broken.values()))


@commands.command()
def transform() -> None:
    """Build the dbt models layer by layer and publish the dbt docs.

    Example: `wandle transform`
    """
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.transform import transform as run

    settings = Settings.read()
    built = run(
        dsn=settings.need("transformer_dsn"),
        lake=lake_of(settings),
        run_id=f"wandle transform {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        home=settings.home / "dbt",
        report=say,
    )
    print_json(built)


def _ingest(partitions: list[tuple[Contract, Partition]], *, force: bool, fetch: bool) -> None:
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.ingest import Outcome
    from include.jobs.pipeline.ingest import ingest as run

    settings = Settings.read()
    lake, dsn = lake_of(settings), settings.need("loader_dsn")
    seen: list[Outcome] = []
    with progress() as advance:
        for contract, some in _by_source(partitions):
            outcomes = run(
                contract,
                some,
                lake=lake,
                dsn=dsn,
                forced_by=getpass.getuser() if force else None,
                fetch=fetch,
                progress=lambda doing: advance(doing, len(seen) + 1, len(partitions)),
            )
            for outcome in outcomes:
                seen.append(outcome)
                if outcome.error is not None:
                    complain(str(outcome.error), mark="failed")
    print_entries([outcome.entry for outcome in seen if outcome.entry is not None])
    failed = sum(outcome.error is not None for outcome in seen)
    if failed:
        raise PermanentError(
            f"{failed} of {len(partitions)} partitions failed; see above. The others are loaded."
        )


def _by_source(
    partitions: list[tuple[Contract, Partition]],
) -> Iterable[tuple[Contract, list[Partition]]]:
    grouped: dict[str, tuple[Contract, list[Partition]]] = {}
    for contract, partition in partitions:
        grouped.setdefault(contract.name, (contract, []))[1].append(partition)
    return grouped.values()
