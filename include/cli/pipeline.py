"""Commands that run the steps of the pipeline: ingest, reload, replay."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from include.cli.terminal import (
    CouncilOption,
    DryRunOption,
    ForceOption,
    FromOption,
    JsonOption,
    PeriodOption,
    SourceArgument,
    SourcesArgument,
    ToOption,
    print_entries,
    progress,
    selected,
    settings_for,
)
from include.definitions import raise_for_broken
from include.errors import PermanentError
from include.jobs.pipeline.selection import Selection
from include.settings import Settings
from include.sources.model import Contract, broken_contracts, require_every_contract
from include.sources.model import contract as source_named
from include.sources.partition import Partition, Period, grain_label
from include.terminal import complain, counted, note, print_json, print_table, say

if TYPE_CHECKING:
    from include.jobs.pipeline.causes import Failure
    from include.jobs.pipeline.ingest import Outcome

commands = typer.Typer()


@commands.command()
def ingest(
    source: SourceArgument,
    council: CouncilOption = None,
    period: PeriodOption = None,
    first: FromOption = "",
    last: ToOption = "",
    force: ForceOption = False,
    dry_run: DryRunOption = False,
    as_json: JsonOption = False,
) -> None:
    """Fetch partitions into S3 and load them into PostgreSQL, without Airflow.

    No period is needed for a snapshot, whose API returns only the current one, for a
    source with the single partition `all`, or for files: new and changed ones are loaded.

    Examples:

    `wandle ingest SOURCE` (a snapshot, or files)

    `wandle ingest SOURCE --council sutton --period 2017-05`

    `wandle ingest SOURCE --from 2026-10 --to 2026-11-14`

    `wandle ingest SOURCE --period 2026-10 --dry-run`
    """
    selection = selected([source], council, period, first, last)
    selection.check()
    contract = source_named(source)
    planned = _planned(contract, selection)
    if dry_run:
        _preview(contract, planned, as_json=as_json)
        return
    found = [(contract, partition) for partition in planned]
    _ingest(found, force=force, fetch=True, as_json=as_json)


def _preview(contract: Contract, partitions: list[Partition], *, as_json: bool) -> None:
    """Print what fetching and loading these partitions would do."""
    from include.jobs.dry_run.preview import COLUMNS, NUMBERS, preview, summary
    from include.jobs.lake import lake_of

    settings = settings_for("postgresql", "s3")
    planned = preview(contract, partitions, lake=lake_of(settings), dsn=settings.need("loader_dsn"))
    if as_json:
        print_json({"partitions": [item.shown for item in planned]})
        return
    print_table(
        COLUMNS,
        [item.cells for item in planned],
        right=NUMBERS,
        notes=[item.problem for item in planned],
    )
    say(summary(contract, planned))


def _planned(contract: Contract, selection: Selection) -> list[Partition]:
    from include.jobs.pipeline.plan import Names, plan

    now = datetime.now(UTC)
    first, last = selection.first, selection.last
    if contract.extract.kind == "files" and not (selection.periods or first or last):
        return _changed(contract, selection)
    timeless = contract.snapshot or contract.period == "all"
    if not (selection.periods or first or last or timeless):
        raise PermanentError(
            f"ingest: {contract.name} is partitioned by {grain_label(contract.period)}. Add "
            "`--period`, or `--from` and `--to`."
        )
    if first or last:
        first = first or str(Period.of(contract.start, contract.period))
        last = last or str(Period.of(now, contract.period))
    range_names = ("`--from` and `--to`", "`--to`")
    named = ("`--period`", "`--period`") if selection.periods else range_names
    names = Names("`--council`", *named, f"`wandle reload {contract.name}`")
    windows = [(text, text) for text in selection.periods] or [(first, last)]
    found: dict[Partition, None] = {}
    for start, end in windows:
        some = plan(
            contract,
            today=now,
            councils=list(selection.councils) or None,
            first=start or None,
            last=end or None,
            interval=(now, now),
            most=sys.maxsize,
            names=names,
        )
        found |= dict.fromkeys(some)
    return list(found)


def _changed(contract: Contract, selection: Selection) -> list[Partition]:
    """The partitions whose files are new or changed; what no partition takes is printed."""
    from include.jobs.files.classify import classify_files, unmatched_message
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.ingest import source_dsn
    from include.jobs.pipeline.removed import without_removed

    settings = settings_for("postgresql", "s3")
    settings.refuse_other_origin()
    seen = classify_files(
        contract,
        lake=lake_of(settings),
        today=datetime.now(UTC),
        source_dsn=source_dsn(contract),
        rate_shared_in=settings.need("loader_dsn"),
    )
    if told := unmatched_message(contract, seen.unmatched):
        complain(told, mark="files:")
    new = [one for one in seen.partitions if selection.has(one)]
    return without_removed(contract, new, dsn=settings.need("loader_dsn"), asked_for=False)


@commands.command()
def reload(
    source: SourcesArgument = None,
    everything: Annotated[bool, typer.Option("--all", help="All sources.")] = False,
    council: CouncilOption = None,
    period: PeriodOption = None,
    first: FromOption = "",
    last: ToOption = "",
    force: ForceOption = False,
    as_json: JsonOption = False,
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
    selection = selected(source, council, period, first, last)
    selection.check()
    settings = settings_for("postgresql", "s3")
    settings.need("loader_dsn")
    found = landed_partitions(lake_of(settings), selection)
    if not found:
        raise PermanentError("reload: S3 has no matching landings. See `wandle ledger`.")
    _ingest(found, force=force, fetch=False, as_json=as_json)
    if everything:
        require_every_contract("reload")


@commands.command()
def replay(
    source: SourcesArgument = None,
    council: CouncilOption = None,
    period: PeriodOption = None,
    first: FromOption = "",
    last: ToOption = "",
    as_json: JsonOption = False,
) -> None:
    """Reload quarantined and refused partitions after fixing a contract.

    Examples:

    `wandle replay`

    `wandle replay SOURCE --council sutton`
    """
    from include.jobs.pipeline import replay as job

    selection = selected(source, council, period, first, last)
    selection.check()
    dsn = settings_for("postgresql", "s3").need("loader_dsn")
    planned = list(filter(selection.has, job.plan(dsn, most=sys.maxsize)))
    broken = {one.source: broken_contracts().get(one.source) for one in planned}
    found = [(source_named(one.source), one) for one in planned if not broken[one.source]]
    _ingest(found, force=False, fetch=False, as_json=as_json)
    raise_for_broken("replay", filter(None, broken.values()))


def _ingest(
    partitions: list[tuple[Contract, Partition]], *, force: bool, fetch: bool, as_json: bool
) -> None:
    from include.jobs.lake import lake_of
    from include.jobs.pipeline.ingest import ingest as run
    from include.jobs.pipeline.origin import described, in_sandbox

    requested = {contract.name: contract for contract, _ in partitions} if fetch else {}
    plays = any(in_sandbox(contract, Settings.read()) for contract in requested.values())
    settings = settings_for("postgresql", "s3", *(["sandbox"] if plays else []))
    if fetch:
        settings.refuse_other_origin()
    dsn, lake = settings.need("loader_dsn"), lake_of(settings)
    seen: list[Outcome] = []
    failures: list[Failure] = []
    with progress() as advance:
        for contract, some in _by_source(partitions):
            if fetch:
                note(f"{contract.name}: requesting {described(contract, settings)}")
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
                if failure := outcome.failure:
                    if failure.kind not in {one.kind for one in failures}:
                        complain(failure.error, mark="failed")
                    failures.append(failure)
    _print_outcomes(seen, failures, as_json=as_json)


def _print_outcomes(seen: list[Outcome], failures: list[Failure], *, as_json: bool) -> None:
    from include.jobs.pipeline.causes import causes

    entries = [outcome.entry for outcome in seen if outcome.entry is not None]
    if as_json:
        failed = [
            {
                "source": outcome.partition.source,
                **outcome.partition.place,
                "step": outcome.step,
                "error": str(outcome.error),
            }
            for outcome in seen
            if outcome.error is not None
        ]
        print_json({"entries": entries, "failed": failed})
    elif entries or not failures:
        print_entries(entries, "Nothing to replay.")
    for cause in causes(failures):
        if rest := cause.places[1:]:
            complain(f"for the same reason: {cause.first.source} {', '.join(rest)}", mark="failed")
    if failures:
        others = " The others are loaded." if len(failures) < len(seen) else ""
        raise PermanentError(
            f"{len(failures)} of {counted(len(seen), 'partition')} failed; see above, or `wandle "
            f"ledger --status failed --status refused`.{others}"
        )


def _by_source(
    partitions: list[tuple[Contract, Partition]],
) -> Iterable[tuple[Contract, list[Partition]]]:
    grouped: dict[str, tuple[Contract, list[Partition]]] = {}
    for contract, partition in partitions:
        grouped.setdefault(contract.name, (contract, []))[1].append(partition)
    return grouped.values()
