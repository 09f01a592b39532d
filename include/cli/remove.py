"""The command that removes datasets, councils and partitions."""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any

import typer

from include.cli.terminal import (
    CouncilOption,
    FromOption,
    JsonOption,
    PeriodOption,
    SourcesArgument,
    ToOption,
    YesOption,
    progress,
    selected,
    settings_for,
)
from include.errors import PermanentError, PipelineError
from include.jobs.pipeline.selection import Selection
from include.settings import Settings, WrongSetting
from include.terminal import complain, counted, print_json, say

if TYPE_CHECKING:
    from include.jobs.operate.remove_scope import Dags, Scope

commands = typer.Typer()

# A table or view that dbt has built, instead of a source.
BUILT = re.compile(r"[a-z]+\.\w+")


@commands.command()
def remove(
    source: SourcesArgument = None,
    council: CouncilOption = None,
    period: PeriodOption = None,
    first: FromOption = "",
    last: ToOption = "",
    yes: YesOption = False,
    as_json: JsonOption = False,
) -> None:
    """Remove a dataset, a council, or some partitions. Default: a dry run.

    With only a source, removes the whole dataset: data, table, contract, staging model, and the
    runs of its DAG. With only a council, removes its data from every source, and its file.
    `marts.NAME` is the table of a mart whose model was deleted. If interrupted, run it again to
    finish. `ops.removal` records who removed what.

    Examples:

    `wandle remove SOURCE` (dry run)

    `wandle remove SOURCE --council uk --yes`

    `wandle remove SOURCE --from 2026-11-01 --to 2026-11-07 --yes`

    `wandle remove --council merton --yes`

    `wandle remove marts.daily_rain --yes`
    """
    selection = selected(source, council, period, first, last)
    if any(BUILT.fullmatch(name) for name in selection.sources):
        _remove_built(selection, yes=yes, as_json=as_json)
        return
    from include.jobs.lake import lake_of
    from include.jobs.operate import remove as job
    from include.jobs.operate.remove_scope import find_scope

    settings = settings_for("postgresql", "s3")
    dsn = settings.need("loader_dsn")
    lake, dags = lake_of(settings), _airflow(settings)
    if yes:
        with progress() as advance:
            scope = job.remove(
                selection,
                lake=lake,
                dsn=dsn,
                by=getpass.getuser(),
                dags=dags,
                drop_tables=_drop_tables(settings),
                transformer_dsn=_transformer_dsn(settings),
                progress=advance,
            )
    else:
        scope = find_scope(selection, lake=lake, dsn=dsn, dags=dags)
    _show(scope, removed=yes, as_json=as_json)
    if yes:
        _finish(scope, settings, dags, as_json=as_json)
    elif scope.blockers:
        raise typer.Exit(1)


def _finish(scope: Scope, settings: Settings, dags: Dags | None, *, as_json: bool) -> None:
    report = complain if as_json else say
    _rebuild_marts(settings, settings.need("loader_dsn"), report)
    _unpublish(settings, scope, report)
    for line in () if as_json else _what_remains(scope, settings, dags):
        say(line)


def _remove_built(selection: Selection, *, yes: bool, as_json: bool) -> None:
    """Drop tables and views of models that are gone."""
    from include.jobs.operate.remove_built import find_built
    from include.transform.leftovers import drop

    if selection != Selection(selection.sources):
        raise PermanentError(
            "remove: a dbt table can only be removed whole: omit councils and periods."
        )
    dsn = settings_for("postgresql").need("transformer_dsn")
    found = find_built(selection.sources, dsn=dsn)
    names = [f"{schema}.{name}" for schema, name, _ in found]
    if yes:
        drop(dsn, found)
    if as_json:
        print_json({"built": names})
        return
    for name in names:
        say(f"{name}, which no model builds", mark="•")
    then = "removed" if yes else "to remove. Run again with `--yes`"
    say(f"{counted(len(names), 'table')} {then}." if names else "Nothing to remove.")


def _as_object(scope: Scope) -> dict[str, Any]:
    return {
        "partitions": [part.listed for part in scope.parts],
        "definitions": scope.definitions,
        "blockers": scope.blockers,
    }


def _show(scope: Scope, *, removed: bool, as_json: bool) -> None:
    if as_json:
        print_json(_as_object(scope))
        return
    for line in _by_council(scope):
        say(line, mark="•")
    for line in scope.definitions:
        say(line, mark="•")
    if scope.empty:
        before = scope.removed
        told = (
            f" {before['removed_by']} removed it on {before['removed_at']:%Y-%m-%d %H:%M} UTC."
            if before
            else ""
        )
        say(f"Nothing to remove.{told}")
        return
    for line in () if removed else scope.blockers:
        say(line, mark="First:", style="yellow")
    done = "removed" if removed else "to remove"
    then = "" if removed or scope.blockers else ". Run again with `--yes`"
    say(f"{counted(len(scope.parts), 'partition')} {done}{then}.")


def _by_council(scope: Scope) -> Iterator[str]:
    """One line for each source and council: its periods, and what there is of them."""
    listed = [part.listed for part in scope.parts]
    for (source, council), same in groupby(listed, lambda item: (item["source"], item["council"])):
        some = list(same)
        total = {
            name: sum(item[name] for item in some)
            for name in ("rows", "landings", "bytes", "entries", "quarantined")
        }
        first, last = some[0]["period"], some[-1]["period"]
        yield (
            f"{source} {council} {first if first == last else f'{first} to {last}'}: "
            f"{counted(len(some), 'partition')}: {counted(total['rows'], 'row')}, "
            f"{counted(total['landings'], 'landing')} ({total['bytes']:,} bytes), "
            f"{total['entries']:,} in the ledger, {total['quarantined']:,} in quarantine"
        )


def _airflow(settings: Settings) -> Dags | None:
    """The Airflow of this machine's platform, if it is running."""
    from include.local.services.airflow_api import AirflowApi
    from include.local.services.airflow_dags import AirflowDags
    from include.local.status import status

    if not settings.airflow_password or not any(
        service.name == "api-server" and service.state == "running" for service in status(settings)
    ):
        return None
    api = AirflowApi(settings.need("airflow_url"), settings.airflow_user, settings.airflow_password)
    return AirflowDags(api)


def _drop_tables(settings: Settings) -> Callable[[], object] | None:
    """Only `wandle migrate` changes tables: it drops those that are empty and have no contract."""
    from include.jobs.migrate import migrate
    from include.warehouse.schema.migrate import MigrationRefused

    def drop() -> None:
        # A table of another source that waits for a rebuild is none of this.
        with suppress(MigrationRefused):
            migrate(settings.admin_dsn, {})

    return drop if settings.admin_dsn else None


def _transformer_dsn(settings: Settings) -> str:
    try:
        return settings.need("transformer_dsn")
    except WrongSetting:
        return ""


def _rebuild_marts(settings: Settings, dsn: str, report: Callable[[str], None]) -> None:
    from include.jobs.lake import lake_of
    from include.jobs.operate.remove import marts_hold_removed_rows
    from include.jobs.pipeline.transform import transform

    transformer = _transformer_dsn(settings)
    if not transformer:
        report("Without WANDLE_TRANSFORMER_DSN, the marts are not built again: `wandle transform`.")
        return
    if not marts_hold_removed_rows(dsn=dsn, transformer_dsn=transformer):
        return
    try:
        transform(
            dsn=transformer,
            publisher_dsn=settings.need("publisher_dsn"),
            lake=lake_of(settings),
            run_id=f"wandle remove {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
            home=settings.home / "dbt",
            report=lambda line: None,
        )
    except PipelineError as error:
        complain(str(error))
        raise PermanentError(
            "remove: done, but the marts still hold removed rows, because building them failed: "
            "see above. Fix the cause, then run `wandle transform`."
        ) from error
    report("The marts were built again without the removed rows.")


def _unpublish(settings: Settings, scope: Scope, report: Callable[[str], None]) -> None:
    """Publish what is left of a removed dataset, and delete the versions that hold it."""
    from include.jobs.lake import lake_of
    from include.jobs.publish.publish import publish
    from include.jobs.publish.versions import forget, holding

    lake = lake_of(settings)
    if not scope.dataset or not holding([scope.dataset], lake=lake):
        return
    dsn = settings.need("transformer_dsn")
    publish(
        dsn=dsn,
        publisher_dsn=settings.need("publisher_dsn"),
        lake=lake,
        home=settings.home / "dbt",
        report=lambda line: None,
    )
    gone = forget([scope.dataset], dsn=dsn, lake=lake)
    report(f"{counted(len(gone), 'published version')} that held it deleted.")


def _what_remains(scope: Scope, settings: Settings, dags: Dags | None) -> Iterator[str]:
    if scope.table and not settings.admin_dsn:
        yield f"Still there: the empty table raw.{scope.dataset}. `wandle migrate` drops it."
    if scope.built and not _transformer_dsn(settings):
        names = ", ".join(f"{schema}.{name}" for schema, name, _ in scope.built)
        yield f"Still there: {names}. Set WANDLE_TRANSFORMER_DSN and run this again."
    if scope.dataset and dags is None:
        yield (
            f"Airflow is not running here: if it has a DAG ingest_{scope.dataset}, delete it in "
            "the UI, or run this again after `wandle up`."
        )
    if scope.files and scope.dataset:
        yield "Run `make dictionary`, then commit the data dictionary and the deleted files."
    elif scope.files:
        yield "Commit the deleted files."
